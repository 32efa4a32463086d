import { EINVAL } from '../../../base/kernel/errno';
import { offsetBy } from '../../../base/types/address';
import { alignDown, PAGE_SIZE } from '../../../base/types/bits';
import type { GpuVa, GpuVm } from '../../drm/ops';
import { MMUV2 } from '../regs/page-tables';
import type { CommandPool } from './command-pool';
import { POOL_SIZE } from './command-pool';
import type { DmaRun } from './backing';
import { PageTables } from './tables';
import type { TableWriter } from './tables';

/** The first address of a client's own (ETNAVIV_SOFTPIN_START_ADDRESS). */
export const USER_START = 4 * 2 ** 20;
/** Where every address space has the kernel's command buffers: what the last entry of a root leads to. */
export const KERNEL_START = alignDown(2 ** 32 - 1, MMUV2.TABLE_SPAN);

/** The address of a place in the command pool, in every address space. */
export const kernelVa = (offset: number): number => KERNEL_START + offset;

/** Tables that lead to the command buffers, which the GPU may read and not write; null without memory. */
export const makeKernelTables = (writer: TableWriter, pool: CommandPool): PageTables | null => {
  const tables = PageTables.make(writer);
  if (tables === null) return null;
  if (tables.map(KERNEL_START, pool.dmaAddr, POOL_SIZE, false) === 0) return tables;
  tables.free();
  return null;
};

/** What is bound: an object whose memory is pinned. */
export interface BackedObject {
  readonly size: number;
  readonly runs: readonly DmaRun[];
}

/** An address space of the GPU (struct etnaviv_iommu_context). */
export class GpuContext implements GpuVm {
  readonly name: string;
  readonly #tables: PageTables;
  /**
   * Counts changes of the tables. The GPU remembers at which count it last forgot what it keeps: if that
   * is another, a flush goes before the next job.
   */
  flushSeq = 0;
  /** Which of the hardware's address spaces it is in: 0 is everybody's who does not fault. */
  space = 0;

  private constructor(name: string, tables: PageTables) {
    this.name = name;
    this.#tables = tables;
  }

  /** An address space with the kernel's part and nothing else; null without memory. */
  static make(name: string, writer: TableWriter, kernel: PageTables): GpuContext | null {
    const tables = PageTables.make(writer);
    if (tables === null) return null;
    if (tables.share(kernel, KERNEL_START) === 0) return new GpuContext(name, tables);
    tables.free();
    return null;
  }

  /** Where the MMU finds the tables. */
  get table(): number {
    return this.#tables.address;
  }

  /**
   * Leads addresses to a part of an object, whose memory is pinned. 0; -ENOMEM without memory for a table;
   * -EINVAL for what is no client's address. Both have changed nothing.
   */
  bind(
    { start, size, offset }: Omit<GpuVa, 'vm' | 'object'>,
    object: BackedObject,
    isWritable = true,
  ): number {
    const isWhole = [start, size, offset].every(value => value % PAGE_SIZE === 0 && value >= 0);
    const isWithin = start >= USER_START && start + size <= KERNEL_START;
    if (!isWhole || size === 0 || !isWithin || offset + size > object.size) return -EINVAL;
    let done = 0;
    for (const run of piecesOf(object, offset, size)) {
      const result = this.#tables.map(start + done, run.address, run.size, isWritable);
      if (result !== 0) {
        this.#tables.unmap(start, done);
        return result;
      }
      done += run.size;
    }
    this.flushSeq++;
    return 0;
  }

  /** The addresses lead nowhere, once the GPU has forgotten them. */
  unbind({ start, size }: Pick<GpuVa, 'start' | 'size'>): void {
    this.#tables.unmap(start, size);
    this.flushSeq++;
  }

  /** The GPU does not use it and keeps nothing of it. */
  free(): void {
    this.#tables.free();
  }
}

/** The runs of a part of an object. */
const piecesOf = (object: BackedObject, offset: number, size: number): DmaRun[] => {
  let at = 0;
  return object.runs.flatMap(run => {
    const from = Math.max(offset, at);
    const to = Math.min(offset + size, at + run.size);
    const piece = { address: offsetBy(run.address, from - at), size: to - from };
    at += run.size;
    return piece.size > 0 ? [piece] : [];
  });
};
