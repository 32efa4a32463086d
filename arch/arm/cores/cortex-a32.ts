import type { CoreProfile } from '../profile';
import { V7, V7_LPAE, cache, l1, l2, sourcesBut } from './families';

const A5 = 'Cortex-A5 TRM DDI 0433';
const A7 = 'Cortex-A7 TRM DDI 0464';
const A8 = 'Cortex-A8 TRM DDI 0344';
const A9 = 'Cortex-A9 TRM DDI 0388';
const A15 = 'Cortex-A15 TRM DDI 0438';

/** Arm's own 32-bit cores of ARMv7-A, and the row that an unknown ARMv7 core gets (all assumed). */
export const CORTEX_A32_CORES: readonly CoreProfile[] = [
  {
    ...V7,
    name: 'armv7',
    compatible: ['arm,armv7'],
    midr: 0x410f_c000,
    l1d: l1('pipt', 32, 4, 32, [4, 128]),
    l1i: cache(32, 4, 32, [4, 128]),
  },
  {
    ...V7,
    name: 'cortex-a5',
    compatible: ['arm,cortex-a5'],
    midr: 0x410f_c051,
    l1d: l1('pipt', 32, 4, 32, [4, 64]),
    l1i: cache(32, 2, 32, [4, 64]),
    sources: { ...V7.sources, writeThrough: A5, replacement: A5 },
  },
  {
    ...V7_LPAE,
    name: 'cortex-a7',
    compatible: ['arm,cortex-a7'],
    midr: 0x410f_c075,
    l1d: l1('pipt', 32, 4, 64, [8, 64]),
    l1i: cache(32, 2, 32, [8, 64]),
    l2: l2('neither', 512, 8, 64, [128, 1024], true),
    snoopPort: 'ace',
    sources: {
      ...V7_LPAE.sources,
      l1d: A7,
      l1i: A7,
      l1iIndexing: `${A7}: CTR.L1Ip`,
      multiprocessor: A7,
    },
  },
  {
    ...V7,
    name: 'cortex-a8',
    compatible: ['arm,cortex-a8'],
    midr: 0x413f_c082,
    l1d: l1('pipt', 32, 4, 64, [16, 32]),
    l1i: cache(32, 4, 64, [16, 32]),
    l2: l2('neither', 256, 8, 64, [128, 1024], true),
    multiprocessor: false,
    maintenanceBroadcast: false,
    writeAllocate: 'never',
    writeThrough: 'supported',
    walker: 'l2',
    snoopPort: 'none',
    sources: {
      ...sourcesBut(V7, 'maintenanceBroadcast'),
      l1d: A8,
      l1i: A8,
      l1iIndexing: `${A8} 3.2.3: CTR.L1Ip`,
      l2: A8,
      writeAllocate: `${A8}: CCSIDR 0xe007e01a`,
    },
  },
  {
    ...V7,
    name: 'cortex-a9',
    compatible: ['arm,cortex-a9'],
    midr: 0x412f_c09a,
    l1d: l1('pipt', 32, 4, 32, [16, 64]),
    l1i: cache(32, 4, 32, [16, 64]),
    snoopedWrite: 'cleans-invalidates',
    sources: {
      ...V7.sources,
      l1d: A9,
      l1i: A9,
      l1iIndexing: A9,
      writeThrough: `${A9} 7.4.3`,
      multiprocessor: A9,
      snoopPort: A9,
      snoopedWrite: `${A9}: ACP writes clean and invalidate`,
    },
  },
  {
    ...V7_LPAE,
    name: 'cortex-a12',
    compatible: ['arm,cortex-a12', 'arm,cortex-a17'],
    midr: 0x410f_c0d1,
    l1d: l1('pipt', 32, 4, 64),
    l1i: cache(32, 4, 64, [32, 64]),
    l2: l2('inclusive', 1024, 16, 64, [256, 8192]),
  },
  {
    ...V7_LPAE,
    name: 'cortex-a15',
    compatible: ['arm,cortex-a15', 'brcm,brahma-b15'],
    midr: 0x412f_c0f1,
    l1d: l1('pipt', 32, 2, 64),
    l1i: cache(32, 2, 64),
    l1iIndexing: 'pipt',
    l2: l2('inclusive', 1024, 16, 64, [512, 4096]),
    sources: {
      ...V7_LPAE.sources,
      l1iIndexing: `${A15}: CTR 0x8444c004`,
      l2: A15,
      writeThrough: A15,
      snoopPort: A15,
      multiprocessor: A15,
    },
  },
];
