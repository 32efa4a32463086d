import type { CallGate } from '../../drivers/base/kernel/call-gate';
import { IovaDomain } from '../iova';
import type { IovaSpace } from '../iova';
import type { IovaCpus } from '../iova-cache';
import type { DmaCookie } from './group';
import { granuleOf } from './page-sizes';
import type { IommuDomain, IommuOps } from './types';

/** What the DMA API's part of a domain is made with. */
interface CookieParts {
  readonly cpus: IovaCpus;
  readonly gate: CallGate | null;
}

/** What the DMA API needs of a domain of its own; null for any other (iommu_dma_init_domain). */
export const makeCookie = (
  { ops, type }: IommuDomain,
  { cpus, gate }: CookieParts,
): DmaCookie | null => {
  if (ops === null || type !== 'dma') return null;
  return { ops: flushGated(ops, gate), iova: new IovaDomain(spaceOf(ops), cpus) };
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

/** The same table, its invalidations behind the gate. */
const flushGated = (ops: IommuOps, gate: CallGate | null): IommuOps => {
  if (gate === null) return ops;
  const isCarriedOut = (): boolean => gate.isCarriedOut('iommu', 'flush');
  return {
    pageSizes: ops.pageSizes,
    apertureStart: ops.apertureStart,
    apertureEnd: ops.apertureEnd,
    map: (...args) => ops.map(...args),
    unmap: (...args) => ops.unmap(...args),
    iovaToPhys: iova => ops.iovaToPhys(iova),
    syncMap: (iova, size) => ops.syncMap?.(iova, size) ?? 0,
    sync: gather => {
      if (isCarriedOut()) ops.sync(gather);
    },
    flushAll: () => {
      if (isCarriedOut()) ops.flushAll();
    },
  };
};
