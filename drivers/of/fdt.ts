import { hex } from '../base/types/address';
import type { Diagnostic } from './diagnostics';
import { DiagnosticList } from './diagnostics';
import { readLayout, readTotalSize } from './fdt-header';
import { StructureReader } from './fdt-struct';
import type { TreeLimits } from './limits';
import { TreeBudget } from './limits';
import { DeviceTree } from './tree';

/** How a blob is read. */
export interface FdtOptions {
  /** What messages call the blob; `dtb` if not given. */
  readonly name?: string;
  readonly limits?: Partial<TreeLimits>;
}

/** A tree, and what is wrong with its blob that did not keep it from being read. */
export interface ReadTree {
  readonly tree: DeviceTree;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a flattened device tree (DTB) of version 16 or 17, or a later one that says it can be
 * read as such: Devicetree Specification 0.4, chapter 5.
 *
 * A blob whose structure is broken is an InputError naming the byte or the node. What can be
 * read but is wrong is a diagnostic: of two nodes or properties of one name the first counts, as
 * in Linux. What the tree says is not looked at: see checkTree(). Values are copies; the tree keeps
 * nothing of `bytes`.
 */
export const readFdt = (bytes: Uint8Array, options: FdtOptions = {}): ReadTree => {
  const name = options.name ?? 'dtb';
  const budget = new TreeBudget(options.limits);
  const diagnostics = new DiagnosticList();

  const given = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const total = readTotalSize(given, name, budget.limits.bytes);
  if (total < bytes.length) {
    diagnostics.add('trailing-data', () => ({
      place: `${name}: byte ${hex(total)}`,
      expected: `nothing after the total size of ${total} bytes`,
      found: `${bytes.length - total} bytes`,
    }));
  }
  // Not slice(): a Buffer answers that with a view of itself.
  const blob = new Uint8Array(bytes.subarray(0, total));
  const layout = readLayout(new DataView(blob.buffer), name, diagnostics);
  const root = new StructureReader(blob, name, layout, budget, diagnostics).read();

  const tree = new DeviceTree(root, layout.memReserve, layout.bootCpu);
  return { tree, diagnostics: diagnostics.take() };
};
