import { InputError } from '../base/types/errors';
import { hex } from '../base/types/address';
import type { DiagnosticList, DiagnosticRule } from './diagnostics';
import { FDT_BEGIN_NODE, FDT_END, FDT_END_NODE, FDT_NOP, FDT_PROP, TOKEN_SIZE } from './fdt-format';
import type { FdtLayout } from './fdt-header';
import type { TreeBudget } from './limits';
import { isNodeName, isPrintable, isPropertyName, isRedundantName } from './names';
import { DtNode } from './tree';

const latin1 = new TextDecoder('latin1');

/**
 * One walk over the tokens of a structure block. Every token lies between the ends of the block,
 * which readLayout() has put inside the blob.
 */
export class StructureReader {
  readonly #blob: Uint8Array;
  readonly #view: DataView;
  readonly #name: string;
  readonly #layout: FdtLayout;
  readonly #budget: TreeBudget;
  readonly #diagnostics: DiagnosticList;
  readonly #propertyNames = new Map<number, string>();

  #at: number;
  #root: DtNode | undefined;
  /** The open nodes, the root first. */
  readonly #open: { readonly node: DtNode; hasChild: boolean }[] = [];

  constructor(
    blob: Uint8Array,
    name: string,
    layout: FdtLayout,
    budget: TreeBudget,
    diagnostics: DiagnosticList,
  ) {
    this.#blob = blob;
    this.#view = new DataView(blob.buffer);
    this.#name = name;
    this.#layout = layout;
    this.#budget = budget;
    this.#diagnostics = diagnostics;
    this.#at = layout.structure.start;
  }

  read(): DtNode {
    for (;;) {
      const at = this.#at;
      const token = this.#u32('a token');
      switch (token) {
        case FDT_BEGIN_NODE:
          this.#beginNode(at);
          break;
        case FDT_END_NODE:
          if (this.#open.pop() === undefined)
            throw this.#problem(at, 'FDT_BEGIN_NODE', 'FDT_END_NODE');
          break;
        case FDT_PROP:
          this.#property(at);
          break;
        case FDT_NOP:
          break;
        case FDT_END:
          return this.#end(at);
        default:
          throw this.#problem(at, 'a token from 1 to 4 or 9', hex(token));
      }
    }
  }

  #beginNode(at: number): void {
    const parent = this.#open.at(-1);
    if (parent === undefined && this.#root !== undefined) {
      throw this.#problem(at, 'FDT_END after the root node', 'a second root');
    }
    const name = this.#nodeName(parent === undefined);
    this.#budget.takeNode(this.#open.length + 1, () => this.#whereIs(at));
    const node = new DtNode(name, parent?.node ?? null);
    this.#open.push({ node, hasChild: false });
    if (parent === undefined) {
      this.#root = node;
      return;
    }
    parent.hasChild = true;
    if (parent.node.children.has(name)) {
      this.#warn('duplicate-node', node, 'nodes of different names', 'a second one (ignored)');
    } else {
      parent.node.children.set(name, node);
    }
  }

  #nodeName(isRoot: boolean): string {
    const start = this.#at;
    const end = this.#blob.indexOf(0, start);
    if (end < 0 || end >= this.#layout.structure.end) {
      throw this.#problem(start, 'a NUL-terminated node name', 'the end of the structure block');
    }
    this.#at = end + 1;
    this.#align();
    const name = this.#text(start, end, 'node name');
    if (name.includes('/') && !isRoot)
      throw this.#problem(start, "a node name without '/'", `'${name}'`);
    if (isRoot) {
      if (name !== '') {
        const problem = { place: '/', expected: 'a root without a name', found: `'${name}'` };
        this.#diagnostics.add('root-name', () => problem);
      }
      return '';
    }
    if (name === '') throw this.#problem(start, 'a node name', 'an empty one');
    if (!isNodeName(name)) {
      this.#diagnostics.add('name-characters', () => ({
        place: `${this.#openPath()}/${name}`,
        expected: 'a node name of letters, digits and ,._+-@',
        found: `'${name}'`,
      }));
    }
    return name;
  }

  #property(at: number): void {
    const open = this.#open.at(-1);
    if (open === undefined) throw this.#problem(at, 'a property inside a node', 'one outside');
    if (open.hasChild) throw this.#problem(at, 'properties before the child nodes', 'one after');
    this.#budget.takeProperty(() => this.#whereIs(at));

    const length = this.#u32('the length of a property');
    const nameAt = this.#at;
    const name = this.#propertyName(this.#u32('the name of a property'), nameAt);
    const start = this.#at;
    if (length > this.#layout.structure.end - start) {
      const expected = `the ${length} bytes of property '${name}'`;
      throw this.#problem(start, expected, `${this.#layout.structure.end - start} bytes`);
    }
    this.#at = start + length;
    this.#align();
    this.#addProperty(open.node, name, this.#blob.subarray(start, start + length));
  }

  #addProperty(node: DtNode, name: string, value: Uint8Array): void {
    if (node.properties.has(name)) {
      this.#warn('duplicate-property', node, 'one property of that name', 'two (first kept)', name);
      return;
    }
    if (isRedundantName(node, { name, value })) return;
    if (name === 'name') {
      this.#warn('name-property', node, "the node's name, or none", 'another', name);
    }
    if (!isPropertyName(name)) {
      const expected = 'a property name of letters, digits and ,._+*#?-';
      this.#warn('name-characters', node, expected, `'${name}'`, name);
    }
    node.setProperty(name, value);
  }

  #propertyName(offset: number, at: number): string {
    const known = this.#propertyNames.get(offset);
    if (known !== undefined) return known;

    const { start, end } = this.#layout.strings;
    if (offset >= end - start) {
      const expected = `an offset into the ${end - start} bytes of the strings block`;
      throw this.#problem(at, expected, hex(offset));
    }
    const nul = this.#blob.indexOf(0, start + offset);
    if (nul < 0 || nul >= end) {
      const expected = 'a NUL-terminated property name in the strings block';
      throw this.#problem(start + offset, expected, 'the end of the strings block');
    }
    const name = this.#text(start + offset, nul, 'property name');
    if (name === '') throw this.#problem(at, 'a property name', 'an empty one');
    this.#propertyNames.set(offset, name);
    return name;
  }

  #end(at: number): DtNode {
    if (this.#open.length > 0) throw this.#problem(at, 'FDT_END_NODE', 'FDT_END');
    if (this.#root === undefined) throw this.#problem(at, 'a root node', 'FDT_END');
    const { structure } = this.#layout;
    const rest = this.#blob.subarray(this.#at, structure.end);
    if (rest.some(byte => byte !== 0)) {
      this.#diagnostics.add('trailing-data', () => ({
        place: `${this.#name}: byte ${hex(this.#at)}`,
        expected: 'the end of the structure block after FDT_END',
        found: `${rest.length} bytes`,
      }));
    }
    return this.#root;
  }

  #u32(what: string): number {
    if (this.#at + TOKEN_SIZE > this.#layout.structure.end) {
      throw this.#problem(this.#at, what, 'the end of the structure block');
    }
    const value = this.#view.getUint32(this.#at);
    this.#at += TOKEN_SIZE;
    return value;
  }

  #align(): void {
    const over = this.#at % TOKEN_SIZE;
    if (over !== 0) this.#at += TOKEN_SIZE - over;
  }

  #text(start: number, end: number, what: string): string {
    const { nameLength } = this.#budget.limits;
    if (end - start > nameLength) {
      const expected = `a ${what} of at most ${nameLength} characters`;
      throw this.#problem(start, expected, `one of ${end - start}`);
    }
    const text = latin1.decode(this.#blob.subarray(start, end));
    if (!isPrintable(text)) {
      throw this.#problem(start, `a ${what} of printable ASCII`, JSON.stringify(text));
    }
    return text;
  }

  /** The node being read, without the trailing slash a root would have. */
  #openPath(): string {
    const path = this.#open.at(-1)?.node.path ?? '/';
    return path === '/' ? '' : path;
  }

  #whereIs(at: number): string {
    const path = this.#open.at(-1)?.node.path;
    const place = `${this.#name}: byte ${hex(at)}`;
    return path === undefined ? place : `${place} (in ${path})`;
  }

  #problem(at: number, expected: string, found: string): InputError {
    return new InputError({ place: this.#whereIs(at), expected, found });
  }

  #warn(
    rule: DiagnosticRule,
    node: DtNode,
    expected: string,
    found: string,
    property?: string,
  ): void {
    this.#diagnostics.add(rule, () => {
      const problem = { place: node.path, expected, found };
      return property === undefined ? problem : { ...problem, property };
    });
  }
}
