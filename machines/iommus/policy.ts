import type { IommusConfig } from '../../mm/iommu/core';
import type { DmaMemoryOptions } from '../kernel-parameters';
import type { DmaFacts } from '../quirks';
import { streamsOf } from './index';

/** What a device behind an IOMMU gets unless something speaks against it. */
export type IommuPolicy = IommusConfig['defaultType'];

/**
 * As the command line says; ARM kernels are built to translate, and to invalidate at once
 * (CONFIG_IOMMU_DEFAULT_DMA_STRICT).
 */
export const iommuPolicy = (options: DmaMemoryOptions): IommuPolicy => {
  const { iommuStrict = true, iommuPassthrough = false } = options;
  if (iommuPassthrough) return 'identity';
  return iommuStrict ? 'dma' : 'dma-fq';
};

/** The type of the domain that a device will have, in Linux's words; null behind no IOMMU. */
export type DomainName = 'DMA' | 'DMA-FQ' | 'identity';

export const plannedDomain = (facts: DmaFacts, policy: IommuPolicy): DomainName | null => {
  const streams = streamsOf(facts);
  if (streams.length === 0) return null;
  if (facts.iommu.kind !== 'iommu' || policy === 'identity') return 'identity';
  const isLazy = policy === 'dma-fq' && streams[0]?.kind.mayDefer === true;
  return isLazy ? 'DMA-FQ' : 'DMA';
};
