import { cellAt } from './bytes';
import { parsePrimary } from './dts-expr';
import { findTarget, LabelIndex } from './dts-labels';
import type { Token } from './dts-lexer';
import { DtsLexer } from './dts-lexer';
import { FragmentList } from './dts-plugin';
import type { SourceResolver } from './dts-source';
import { syntaxError } from './dts-source';
import { TokenStream } from './dts-tokens';
import type { SourceLabel, SourceProperty } from './dts-tree';
import { addPropertyLabels, SourceNode } from './dts-tree';
import { EMPTY_VALUE, ValueParser } from './dts-value';
import type { TreeBudget } from './limits';
import type { MemReserve, SourcePlace } from './tree';
import { showPlace } from './tree';

/** What a whole source says, references not yet resolved. */
export interface SourceTree {
  readonly root: SourceNode;
  readonly memReserve: readonly MemReserve[];
  /** `/plugin/`: what no label here satisfies is left to the tree it is applied to. */
  readonly isPlugin: boolean;
  /** The `reg` of the first CPU, as it was before references were resolved. */
  readonly bootCpu: number;
  readonly labels: LabelIndex;
}

/** Of `/fragment@0/__overlay__`. */
const OVERLAY_DEPTH = 3;

/** The grammar of device tree source: Devicetree Specification 0.4, chapter 6, and dtc's own. */
export class DtsParser {
  readonly #tokens: TokenStream;
  readonly #values: ValueParser;
  readonly #budget: TreeBudget;
  readonly #labels = new LabelIndex();
  readonly #fragments: FragmentList;
  #isPlugin: boolean;

  /** `isPlugin` reads the source as if it said `/plugin/;`. */
  constructor(
    source: string,
    file: string,
    resolver: SourceResolver,
    budget: TreeBudget,
    isPlugin: boolean,
  ) {
    this.#tokens = new TokenStream(new DtsLexer(source, file, resolver, budget));
    this.#values = new ValueParser(this.#tokens, resolver, budget);
    this.#budget = budget;
    this.#fragments = new FragmentList(budget);
    this.#isPlugin = isPlugin;
  }

  parse(): SourceTree {
    this.#headers();
    const memReserve = this.#memReserves();
    const root = this.#firstDefinition();
    while (this.#tokens.peek().kind !== 'end') this.#statement(root);
    return {
      root,
      memReserve,
      isPlugin: this.#isPlugin,
      bootCpu: bootCpuOf(root),
      labels: this.#labels,
    };
  }

  #headers(): void {
    const plugins = new Set<boolean>();
    do {
      const { place } = this.#tokens.peek();
      if (!this.#tokens.takeKeyword('/dts-v1/')) throw this.#tokens.unexpected("'/dts-v1/;'");
      this.#tokens.expectMark(';');
      const isPlugin = this.#tokens.takeKeyword('/plugin/');
      if (isPlugin) this.#tokens.expectMark(';');
      plugins.add(isPlugin);
      if (plugins.size > 1) {
        throw syntaxError(place, 'headers that agree on /plugin/', 'both kinds');
      }
    } while (this.#tokens.isKeyword('/dts-v1/'));
    this.#isPlugin ||= plugins.has(true);
  }

  #memReserves(): MemReserve[] {
    const entries: MemReserve[] = [];
    for (;;) {
      const labels = this.#tokens.takeLabels();
      if (!this.#tokens.takeKeyword('/memreserve/')) {
        if (labels.length > 0) throw this.#tokens.unexpected("'/memreserve/' after the label");
        return entries;
      }
      const address = parsePrimary(this.#tokens);
      const size = parsePrimary(this.#tokens);
      this.#tokens.expectMark(';');
      entries.push({ address, size });
    }
  }

  /** A plugin may begin with `&label { }`, everything else begins with the root. */
  #firstDefinition(): SourceNode {
    const token = this.#tokens.peek();
    const root = new SourceNode('', token.place);
    this.#budget.takeNode(1, () => showPlace(token.place));
    if (token.kind === 'reference') {
      if (!this.#isPlugin) throw this.#tokens.unexpected("'/ {' before anything is extended");
      this.#tokens.next();
      this.#addFragment(root, token);
    } else {
      if (!this.#tokens.takeMark('/')) throw this.#tokens.unexpected("the root node, '/ {'");
      this.#body(root, 1);
    }
    return root;
  }

  #statement(root: SourceNode): void {
    const { place } = this.#tokens.peek();
    if (this.#tokens.takeMark('/')) {
      root.merge(this.#parseBody('', place, 1), this.#labels);
      return;
    }
    if (this.#tokens.takeKeyword('/delete-node/')) {
      const target = this.#target(root);
      if (target === root) throw syntaxError(place, 'a node other than the root', "'/'");
      target.delete();
      this.#tokens.expectMark(';');
      return;
    }
    if (this.#tokens.takeKeyword('/omit-if-no-ref/')) {
      this.#target(root).omitIfNoRef = true;
      this.#tokens.expectMark(';');
      return;
    }
    this.#extension(root);
  }

  /** `label: &reference { };`: one label at most, and only where the target is in this source. */
  #extension(root: SourceNode): void {
    const [label] = this.#tokens.takeLabels(1);
    const reference = this.#tokens.expect(
      'reference',
      "'/ {', '&reference {', /delete-node/, /omit-if-no-ref/ or the end",
    );
    // The base of a plugin may have what this source has not, and any path is one of the base.
    const mayBeFragment = this.#isPlugin && label === undefined;
    const isFullPath = reference.text.startsWith('/');
    const target =
      mayBeFragment && isFullPath ? undefined : findTarget(reference.text, root, this.#labels);
    if (target !== undefined) {
      if (label !== undefined) this.#label(target, label.name);
      target.merge(this.#parseBody(target.name, reference.place, target.depth), this.#labels);
    } else if (mayBeFragment && (isFullPath || !reference.text.includes('/'))) {
      this.#addFragment(root, reference);
    } else {
      throw this.#notFound(reference);
    }
  }

  #addFragment(root: SourceNode, { text, place }: Token): void {
    const content = this.#parseBody('__overlay__', place, OVERLAY_DEPTH);
    root.addChild(this.#fragments.wrap(text, place, content));
  }

  #target(root: SourceNode): SourceNode {
    const reference = this.#tokens.expect('reference', 'a reference: &label or &{/path}');
    const target = findTarget(reference.text, root, this.#labels);
    if (target === undefined) throw this.#notFound(reference);
    return target;
  }

  #notFound(reference: Token): Error {
    return this.#tokens.unexpected('a reference to a node defined before', reference);
  }

  /** A body for a node that exists, as a node of its own to be merged into it. */
  #parseBody(name: string, place: SourcePlace, depth: number): SourceNode {
    const node = new SourceNode(name, place);
    this.#budget.takeNode(depth, () => showPlace(place));
    this.#body(node, depth);
    return node;
  }

  /** `{ properties children };` */
  #body(node: SourceNode, depth: number): void {
    this.#tokens.expectMark('{');
    let hasChild = false;
    while (!this.#tokens.isMark('}')) {
      const labels = this.#tokens.takeLabels();
      const token = this.#tokens.peek();
      if (this.#tokens.isKeyword('/delete-node/') || this.#tokens.isKeyword('/omit-if-no-ref/')) {
        node.addChild(this.#child(labels, depth + 1));
        hasChild = true;
      } else if (this.#tokens.takeKeyword('/delete-property/')) {
        const name = this.#tokens.expect('name', 'a property name').text;
        this.#addProperty(node, name, labels, token.place, hasChild).deleted = true;
        this.#tokens.expectMark(';');
      } else {
        const name = this.#tokens.expect('name', "a property, a node or '}'").text;
        if (this.#tokens.isMark('{')) {
          node.addChild(this.#definition(name, token.place, labels, depth + 1));
          hasChild = true;
        } else {
          const property = this.#addProperty(node, name, labels, token.place, hasChild);
          this.#value(property);
        }
      }
    }
    this.#tokens.expectMark('}');
    this.#tokens.expectMark(';');
  }

  #value(property: SourceProperty): void {
    if (this.#tokens.takeMark('=')) property.value = this.#values.parse();
    else if (!this.#tokens.isMark(';')) throw this.#tokens.unexpected("'=', ';' or '{'");
    this.#tokens.expectMark(';');
  }

  /** A child with `/omit-if-no-ref/` or `/delete-node/` before its name. */
  #child(labelsBefore: readonly SourceLabel[], depth: number): SourceNode {
    const labels = [...labelsBefore];
    let omitIfNoRef = false;
    while (this.#tokens.takeKeyword('/omit-if-no-ref/')) {
      omitIfNoRef = true;
      labels.push(...this.#tokens.takeLabels());
    }
    const isDeleted = this.#tokens.takeKeyword('/delete-node/');
    const name = this.#tokens.expect('name', 'a node name (a reference is for the top level)');
    let child: SourceNode;
    if (isDeleted) {
      child = new SourceNode(name.text, name.place);
      child.deleted = true;
      this.#budget.takeNode(depth, () => showPlace(name.place));
      this.#tokens.expectMark(';');
    } else {
      child = this.#definition(name.text, name.place, labels, depth);
    }
    child.omitIfNoRef = omitIfNoRef;
    return child;
  }

  #definition(
    name: string,
    place: SourcePlace,
    labels: readonly SourceLabel[],
    depth: number,
  ): SourceNode {
    const node = new SourceNode(name, place);
    this.#budget.takeNode(depth, () => showPlace(place));
    for (const { name: label } of labels.toReversed()) this.#label(node, label);
    this.#body(node, depth);
    return node;
  }

  #addProperty(
    node: SourceNode,
    name: string,
    labels: readonly SourceLabel[],
    place: SourcePlace,
    hasChild: boolean,
  ): SourceProperty {
    if (hasChild) {
      throw syntaxError(place, 'properties before the child nodes', `the property '${name}'`);
    }
    this.#budget.takeProperty(() => showPlace(place));
    const property: SourceProperty = {
      name,
      labels: undefined,
      value: EMPTY_VALUE,
      place,
      deleted: false,
    };
    if (labels.length > 0) {
      addPropertyLabels(
        property,
        labels.map(label => [label.name, label.place]),
      );
    }
    node.addProperty(property);
    return property;
  }

  #label(node: SourceNode, label: string): void {
    node.addLabel(label);
    this.#labels.enter(label, node);
  }
}

/** dtc's guess: `reg` of the first child of /cpus if that is one cell, else 0. */
const bootCpuOf = (root: SourceNode): number => {
  const reg = root.child('cpus')?.allChildren[0]?.property('reg')?.value.bytes;
  return reg?.length === 4 ? (cellAt(reg, 0) ?? 0) : 0;
};
