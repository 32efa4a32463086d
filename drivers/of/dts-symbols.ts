import { ByteWriter, cellBytes, stringBytes } from './bytes';
import { findTarget } from './dts-labels';
import type { SourceTree } from './dts-parser';
import type { PhandleAllocator } from './dts-resolve';
import { generated } from './dts-resolve';
import { SourceNode } from './dts-tree';
import type { TreeBudget } from './limits';
import { showPlace } from './tree';

/*
 * The nodes that make overlays work: __symbols__ (label to path) in a base, __fixups__ (label to
 * the cells that wait for it) and __local_fixups__ (the cells that move with the overlay's own
 * phandles) in a plugin. The format is dtc's and libfdt's.
 */

/**
 * Adds those nodes to a source tree. What they take counts against its budget: InputError if that
 * is used up.
 */
export class SymbolWriter {
  readonly #tree: SourceTree;
  readonly #budget: TreeBudget;

  constructor(tree: SourceTree, budget: TreeBudget) {
    this.#tree = tree;
    this.#budget = budget;
  }

  /** Every label with its path; every labelled node gets a phandle. */
  addSymbols(allocator: PhandleAllocator): void {
    const labelled = [...this.#tree.root.walk()].filter(node => node.isLabelled);
    if (labelled.length === 0) return;
    const symbols = this.#childOf(this.#tree.root, '__symbols__');
    for (const node of labelled) {
      const { path } = node;
      for (const label of node.labels) {
        if (symbols.property(label) !== undefined) continue;
        this.#budget.takeBytes(path.length + 1, () => showPlace(node.place));
        this.#append(symbols, label, stringBytes(path));
      }
      allocator.phandleOf(node);
    }
  }

  /** Which cells refer to what is not in this source, and which to what is. */
  addFixups(): void {
    const missing = new Map<string, ByteWriter>();
    const local: { node: SourceNode; name: string; offsets: number[] }[] = [];
    const { root, labels } = this.#tree;
    for (const node of root.walk()) {
      for (const { name, value } of node.properties) {
        const offsets: number[] = [];
        for (const { kind, target, offset } of value.references) {
          if (kind !== 'phandle') continue;
          if (findTarget(target, root, labels) !== undefined) offsets.push(offset);
          else this.#addFixup(missing, target, `${node.path}:${name}:${offset}`);
        }
        if (offsets.length > 0) local.push({ node, name, offsets });
      }
    }
    if (missing.size > 0) {
      const fixups = this.#childOf(root, '__fixups__');
      for (const [target, entries] of missing) this.#append(fixups, target, entries.take());
    }
    for (const { node, name, offsets } of local) {
      this.#budget.takeBytes(4 * offsets.length, () => showPlace(node.place));
      this.#append(this.#localFixupsOf(node), name, cellBytes(offsets));
    }
  }

  #addFixup(fixups: Map<string, ByteWriter>, target: string, entry: string): void {
    let entries = fixups.get(target);
    if (entries === undefined) {
      this.#budget.checkName(target, () => entry);
      entries = new ByteWriter();
      fixups.set(target, entries);
    }
    this.#budget.takeBytes(entry.length + 1, () => entry);
    entries.string(entry);
  }

  /** The node of __local_fixups__ that stands for `node`. */
  #localFixupsOf(node: SourceNode): SourceNode {
    let place = this.#childOf(this.#tree.root, '__local_fixups__');
    for (const part of node.path.split('/')) {
      if (part !== '') place = this.#childOf(place, part);
    }
    return place;
  }

  #childOf(parent: SourceNode, name: string): SourceNode {
    const present = parent.child(name);
    if (present !== undefined) return present;
    const child = new SourceNode(name, this.#tree.root.place);
    this.#budget.takeNode(parent.depth + 1, () => `/${name}`);
    parent.addChild(child);
    return child;
  }

  /** Adds bytes, which have been counted, to a property that may be there already. */
  #append(node: SourceNode, name: string, bytes: Uint8Array): void {
    const present = node.property(name);
    if (present === undefined) {
      this.#budget.takeProperty(() => showPlace(node.place));
      node.addProperty(generated(name, bytes, node));
      return;
    }
    const joined = new Uint8Array(present.value.bytes.length + bytes.length);
    joined.set(present.value.bytes);
    joined.set(bytes, present.value.bytes.length);
    present.value = { ...present.value, bytes: joined };
  }
}
