import type { CallGate } from '../../drivers/base/kernel/call-gate';
import type { IommuOps, TableMemory } from './types';

/** What domains of the DMA API cost, summed over all of them since boot. */
export interface IommuCounts {
  /** Stores to page tables, of one entry or a part of it. */
  tableWrites: number;
  /** Pages that were mapped, of whatever size: as many entries a TLB needs. */
  entries: number;
  /** Invalidations, each of a range or of everything, that somebody waited for. */
  flushes: number;
}

export const newCounts = (): IommuCounts => ({ tableWrites: 0, entries: 0, flushes: 0 });

/** Whether an invalidation is made: it is counted then, and the gate, if there is one, was asked. */
const isMade = (name: string, counts: IommuCounts, gate: CallGate | null): boolean => {
  if (gate?.isCarriedOut('iommu', name) === false) return false;
  counts.flushes++;
  return true;
};

/** The same memory, its stores counted, and the invalidations of tables counted and behind the gate. */
export const countedMemory = (
  memory: TableMemory,
  counts: IommuCounts,
  gate: CallGate | null,
): TableMemory => ({
  alloc: order => memory.alloc(order),
  free: (address, order) => {
    memory.free(address, order);
  },
  load: address => memory.load(address),
  load64: address => memory.load64(address),
  get high() {
    return memory.high;
  },
  store: (address, value) => {
    counts.tableWrites++;
    memory.store(address, value);
  },
  store64: (address, low, high) => {
    counts.tableWrites++;
    memory.store64(address, low, high);
  },
  mayInvalidate: name => isMade(name, counts, gate),
});

/** The same table, what is done to it counted, and its invalidations behind the gate. */
export const countedOps = (
  ops: IommuOps,
  counts: IommuCounts,
  gate: CallGate | null,
): IommuOps => ({
  pageSizes: ops.pageSizes,
  apertureStart: ops.apertureStart,
  apertureEnd: ops.apertureEnd,
  map: (iova, address, pageSize, count, prot, mapped) => {
    const before = mapped.bytes;
    const result = ops.map(iova, address, pageSize, count, prot, mapped);
    counts.entries += (mapped.bytes - before) / pageSize;
    return result;
  },
  unmap: (iova, pageSize, count, gather) => ops.unmap(iova, pageSize, count, gather),
  iovaToPhys: iova => ops.iovaToPhys(iova),
  syncMap: (iova, size) => ops.syncMap?.(iova, size) ?? 0,
  sync: gather => {
    if (isMade('flush', counts, gate)) ops.sync(gather);
  },
  flushAll: () => {
    if (isMade('flush all', counts, gate)) ops.flushAll();
  },
});
