import type { Suite } from '../suite';
import { withoutGpu } from './bench';
import { COHERENCY } from './coherency';
import { poisonedRing } from './poisoned-ring';

export const gpuSuite: Suite = {
  name: 'gpu',
  summary: 'a GPU: objects, streams, and what its driver must not forget',
  unfit: withoutGpu,
  cases: [poisonedRing],
};

export const gpuCoherencySuite: Suite = {
  name: 'gpu-coherency',
  summary: 'one object through every kind of mapping and the GPU, and each sync left out',
  unfit: withoutGpu,
  cases: COHERENCY,
};
