import type { CallGate } from '../../drivers/base/kernel/call-gate';
import type { Timers } from '../../drivers/base/kernel/timers';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import { alignDown, alignUp } from '../../drivers/base/types/bits';
import { IovaDomain } from '../iova';
import type { IovaSpace } from '../iova';
import type { IovaCpus } from '../iova-cache';
import { countedOps } from './counted';
import type { IommuCounts } from './counted';
import { FlushQueue } from './flush-queue';
import type { DmaCookie } from './group';
import { iommuMap } from './map';
import { granuleOf } from './page-sizes';
import { IommuProt } from './types';
import type { IommuOps, ReservedRegion } from './types';

/** What the DMA API's part of a domain is made with. */
export interface CookieParts {
  readonly cpus: IovaCpus;
  readonly gate: CallGate | null;
  readonly timers: Timers;
}

/** What the DMA API needs of a domain of its own (iommu_dma_init_domain). */
export const makeCookie = (
  table: IommuOps,
  isLazy: boolean,
  { cpus, gate, timers }: CookieParts,
  counts: IommuCounts,
): DmaCookie => {
  const ops = countedOps(table, counts, gate);
  const iova = new IovaDomain(spaceOf(ops), cpus, timers);
  const flushAll = (): void => {
    ops.flushAll();
  };
  return { ops, iova, queue: isLazy ? new FlushQueue({ iova, flushAll, timers, cpus }) : null };
};

/** Frames of the smallest page, never address 0. */
const spaceOf = (ops: IommuOps): IovaSpace => {
  const granule = granuleOf(ops.pageSizes);
  return {
    granule,
    startPfn: Math.max(1, Math.ceil(ops.apertureStart / granule)),
    endPfn: Math.floor((ops.apertureEnd + 1) / granule),
  };
};

/**
 * Nobody is given these addresses, and what must be mapped at its own address is
 * (iova_reserve_iommu_regions, iommu_create_device_direct_mappings): 0, or the errno of a mapping.
 */
export const reserveRegions = (
  { ops, iova }: DmaCookie,
  regions: readonly ReservedRegion[],
): number => {
  const { granule } = iova;
  for (const { type, start, length } of regions) {
    // Where software puts the addresses of interrupts, none are that it has to keep free.
    if (type === 'sw-msi') continue;
    const first = alignDown(start, granule);
    const end = alignUp(start + length, granule);
    iova.reserve(first / granule, end / granule - 1);
    if (type !== 'direct') continue;
    for (let at = first; at < end; at += granule) {
      if (ops.iovaToPhys(dmaAddr(at)) !== null) continue;
      const prot = IommuProt.Read + IommuProt.Write;
      const result = iommuMap(ops, dmaAddr(at), physAddr(at), granule, prot);
      if (result !== 0) return result;
    }
  }
  return 0;
};
