import type { OfReservedMem, ReservedMem } from '../drivers/of/reserved-mem';
import type { DmaFacts } from './quirks';

/** Linux sees an IOMMU, whether or not its DMA API goes through it. */
const hasIommu = ({ iommu }: DmaFacts): boolean =>
  iommu.kind === 'iommu' ||
  (iommu.kind === 'direct' &&
    (iommu.reason === 'no-dma-domain' || iommu.reason === 'identity-domain'));

/**
 * The pool that a device is restricted to, which it is given without asking: all of its data is
 * bounced through it; null: it has none, or an IOMMU (of_dma_set_restricted_buffer).
 */
export const restrictedRegion = (
  facts: DmaFacts,
  { regions }: Pick<OfReservedMem, 'regions'>,
): ReservedMem | null => {
  if (facts.failure !== null || facts.restricted === null || hasIommu(facts)) return null;
  const region = regions.find(({ node }) => node === facts.restricted);
  return region?.kind === 'restricted' ? region : null;
};
