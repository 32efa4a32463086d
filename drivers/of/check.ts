import { hex } from '../base/types/address';
import { cellAt } from './bytes';
import { checkCells } from './check-cells';
import type { Diagnostic, DiagnosticRule } from './diagnostics';
import { DiagnosticList } from './diagnostics';
import { isOverlay } from './overlay';
import type { DeviceTree, DtNode } from './tree';
import { isEnabled } from './tree';

/*
 * Phandles and the references to them. A tree with a dangling reference is read by Linux too,
 * and the device concerned merely does not work: that is a warning.
 */

/** Phandles that name no node: Devicetree Specification 0.4, section 2.3.3. */
const NO_PHANDLE = 0;
const UNRESOLVED_PHANDLE = 0xffffffff;

/** Properties that are a list of phandles, and the property that says how many cells follow each. */
const REFERENCES: ReadonlyMap<string, string | null> = new Map([
  ['interrupt-parent', null],
  ['memory-region', null],
  ['next-level-cache', null],
  ['iommus', '#iommu-cells'],
  ['dmas', '#dma-cells'],
  ['interconnects', '#interconnect-cells'],
  ['interrupts-extended', '#interrupt-cells'],
]);

/** Maps of requester ids: four cells an entry, the second a phandle (Linux: of_map_id()). */
const ID_MAPS: readonly string[] = ['iommu-map', 'msi-map'];
const ID_MAP_CELLS = 4;

/**
 * Warnings about phandles, references and numbers of cells, of a whole tree from any source, with
 * its overlays applied. What Linux goes on without is a warning; InputError for what a tree has
 * to say: the root's cells (see checkCells()), and how many cells specify an ID of an IOMMU that
 * an enabled device names.
 */
export const checkTree = (tree: DeviceTree): readonly Diagnostic[] => {
  const diagnostics = new DiagnosticList();
  new ReferenceChecker(tree, diagnostics).run();
  if (!isOverlay(tree)) checkCells(tree, diagnostics);
  return diagnostics.take();
};

class ReferenceChecker {
  readonly #tree: DeviceTree;
  readonly #diagnostics: DiagnosticList;
  readonly #byPhandle = new Map<number, DtNode>();
  /** An overlay's references to its base are filled in when it is applied. */
  readonly #isOverlay: boolean;

  constructor(tree: DeviceTree, diagnostics: DiagnosticList) {
    this.#tree = tree;
    this.#diagnostics = diagnostics;
    this.#isOverlay = tree.root.children.has('__fixups__');
  }

  run(): void {
    for (const node of this.#tree.root.walk()) this.#learnPhandle(node);
    for (const node of this.#tree.root.walk()) {
      for (const { name, value } of node.properties.values()) {
        const cellsName = REFERENCES.get(name);
        if (cellsName !== undefined) this.#checkList(node, name, value, cellsName);
        else if (ID_MAPS.includes(name)) this.#checkMap(node, name, value);
      }
    }
  }

  #learnPhandle(node: DtNode): void {
    const phandle = this.#phandleOf(node, 'phandle');
    const legacy = this.#phandleOf(node, 'linux,phandle');
    if (phandle !== undefined && legacy !== undefined && phandle !== legacy) {
      this.#warn('phandle-disagreement', node, 'linux,phandle', hex(phandle), hex(legacy));
    }
    const own = phandle ?? legacy;
    if (own === undefined) return;
    const first = this.#byPhandle.get(own);
    if (first === undefined) {
      this.#byPhandle.set(own, node);
    } else {
      const expected = 'a phandle of its own';
      this.#warn(
        'duplicate-phandle',
        node,
        'phandle',
        expected,
        `${hex(own)}, that of ${first.path}`,
      );
    }
  }

  #phandleOf(node: DtNode, property: string): number | undefined {
    const value = node.bytes(property);
    if (value === undefined) return undefined;
    const phandle = value.length === 4 ? cellAt(value, 0) : undefined;
    if (phandle !== undefined && phandle !== NO_PHANDLE && phandle !== UNRESOLVED_PHANDLE) {
      return phandle;
    }
    const found = phandle === undefined ? `${value.length} bytes` : hex(phandle);
    this.#warn('invalid-phandle', node, property, 'one cell, neither 0 nor 0xffffffff', found);
    return undefined;
  }

  /** Walks a list as of_parse_phandle_with_args() does; an entry of phandle 0 is a hole. */
  #checkList(node: DtNode, property: string, value: Uint8Array, cellsName: string | null): void {
    if (!this.#isWhole(node, property, value, 4)) return;
    let at = 0;
    while (at < value.length) {
      const phandle = cellAt(value, at) ?? NO_PHANDLE;
      at += 4;
      if (phandle === NO_PHANDLE) continue;
      const target = this.#target(node, property, phandle);
      if (target === undefined) {
        if (cellsName !== null) return;
        continue;
      }
      if (cellsName === null) continue;
      const cells = cellAt(target.bytes(cellsName) ?? new Uint8Array(), 0);
      if (cells === undefined) {
        if (property === 'iommus' && isEnabled(node)) {
          throw target.problem(cellsName, `the property, as ${node.path} has it in iommus`, 'none');
        }
        const expected = `${cellsName} in ${target.path}`;
        this.#warn('broken-reference', node, property, expected, 'none');
        return;
      }
      const left = (value.length - at) / 4;
      if (cells > left) {
        const expected = `${cells} cells after the phandle of ${target.path}`;
        this.#warn('broken-reference', node, property, expected, `${left}`);
        return;
      }
      at += 4 * cells;
    }
  }

  #checkMap(node: DtNode, property: string, value: Uint8Array): void {
    if (!this.#isWhole(node, property, value, 4 * ID_MAP_CELLS)) return;
    for (let at = 0; at < value.length; at += 4 * ID_MAP_CELLS) {
      this.#target(node, property, cellAt(value, at + 4) ?? NO_PHANDLE);
    }
  }

  #isWhole(node: DtNode, property: string, value: Uint8Array, granule: number): boolean {
    if (value.length % granule === 0) return true;
    const expected = `a multiple of ${granule} bytes`;
    this.#warn('broken-reference', node, property, expected, `${value.length} bytes`);
    return false;
  }

  #target(node: DtNode, property: string, phandle: number): DtNode | undefined {
    const target = this.#byPhandle.get(phandle);
    if (target !== undefined) return target;
    if (this.#isOverlay && phandle === UNRESOLVED_PHANDLE) return undefined;
    this.#warn('broken-reference', node, property, 'the phandle of a node', hex(phandle));
    return undefined;
  }

  #warn(
    rule: DiagnosticRule,
    node: DtNode,
    property: string,
    expected: string,
    found: string,
  ): void {
    this.#diagnostics.add(rule, () => node.problem(property, expected, found).problem);
  }
}
