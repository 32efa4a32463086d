import { bugsSuite } from './bugs';
import { cacheSuite } from './cache';
import { dmaCoherentSuite } from './dma-coherent';
import { dmaIovaSuite } from './dma-iova';
import { dmaNoncontiguousSuite } from './dma-noncontiguous';
import { dmaRulesSuite } from './dma-rules';
import { dmaStreamingSuite } from './dma-streaming';
import { dmapoolSuite } from './dmapool';
import { gpuSuite } from './gpu';
import { iommuSuite } from './iommu';
import { iommuBugsSuite } from './iommu-bugs';
import { memorySuite } from './memory';
import { mmuSuite } from './mmu';
import { rulesSuite } from './rules';
import { scatterlistSuite } from './scatterlist';
import type { Suite } from './suite';

/** The regression suites, in the order in which they run. */
export const SUITES: readonly Suite[] = [
  memorySuite,
  scatterlistSuite,
  cacheSuite,
  mmuSuite,
  dmaStreamingSuite,
  dmaCoherentSuite,
  dmapoolSuite,
  dmaNoncontiguousSuite,
  dmaIovaSuite,
  iommuSuite,
  dmaRulesSuite,
  rulesSuite,
  bugsSuite,
  iommuBugsSuite,
  gpuSuite,
];
