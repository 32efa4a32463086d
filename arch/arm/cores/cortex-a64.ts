import type { CoreProfile } from '../profile';
import { V8, cache, l1, l2 } from './families';

const A35 = 'Cortex-A35 TRM 100236';
const A53 = 'Cortex-A53 TRM DDI 0500';
const A55 = 'Cortex-A55 TRM 100442';
const A72 = 'Cortex-A72 TRM 100095';
const A76 = 'Cortex-A76 TRM 100798';
const BOARDS = 'consistent in the device trees of its boards';

/** 64-bit cores of Arm, and the row that an unknown ARMv8 core gets (all of it assumed). */
export const CORTEX_A64_CORES: readonly CoreProfile[] = [
  {
    ...V8,
    name: 'armv8',
    compatible: ['arm,armv8'],
    midr: 0x410f_d000,
    l1d: l1('pipt', 32, 4, 64, [8, 128]),
    l1i: cache(32, 4, 64, [8, 192]),
    l2: l2('neither', 512, 16, 64, [128, 8192], true),
  },
  {
    ...V8,
    name: 'cortex-a35',
    compatible: ['arm,cortex-a35'],
    midr: 0x410f_d042,
    l1d: l1('pipt', 32, 4, 64, [8, 64]),
    l1i: cache(32, 2, 64, [8, 64]),
    l2: l2('neither', 512, 8, 64, [128, 1024], true),
    sources: { ...V8.sources, l1d: A35, l1i: A35, l2: A35, ncLookup: `${A35} A5.3` },
  },
  {
    ...V8,
    name: 'cortex-a53',
    compatible: ['arm,cortex-a53', 'brcm,brahma-b53'],
    midr: 0x410f_d034,
    l1d: l1('pipt', 32, 4, 64, [8, 64]),
    l1i: cache(32, 2, 64, [8, 64]),
    l2: l2('neither', 512, 16, 64, [128, 2048], true),
    sources: { ...V8.sources, l1d: BOARDS, l1i: BOARDS, l2: A53, snoopPort: A53 },
  },
  {
    ...V8,
    name: 'cortex-a55',
    compatible: ['arm,cortex-a55'],
    midr: 0x412f_d050,
    l1d: l1('pipt', 32, 4, 64, [16, 64]),
    l1i: cache(32, 4, 64, [16, 64]),
    l2: l2('exclusive', 128, 4, 64, [64, 256], true),
    sources: { ...V8.sources, l1d: A55, l1i: A55 },
  },
  {
    ...V8,
    name: 'cortex-a57',
    compatible: ['arm,cortex-a57'],
    midr: 0x411f_d073,
    l1d: l1('pipt', 32, 2, 64),
    l1i: cache(48, 3, 64),
    l2: l2('inclusive', 1024, 16, 64, [512, 2048]),
    sources: { ...V8.sources, l1d: BOARDS, l1i: BOARDS },
  },
  {
    ...V8,
    name: 'cortex-a72',
    compatible: ['arm,cortex-a72'],
    midr: 0x410f_d083,
    l1d: l1('pipt', 32, 2, 64),
    l1i: cache(48, 3, 64),
    l2: l2('inclusive', 1024, 16, 64, [512, 4096]),
    sources: { ...V8.sources, l1d: BOARDS, l1i: BOARDS, l2: A72, snoopPort: A72 },
  },
  {
    ...V8,
    name: 'cortex-a73',
    compatible: ['arm,cortex-a73'],
    midr: 0x410f_d092,
    l1d: l1('pipt', 32, 8, 64, [32, 64]),
    l1i: cache(64, 4, 64),
    l2: l2('neither', 1024, 16, 64, [256, 8192]),
  },
  {
    ...V8,
    name: 'cortex-a76',
    compatible: [
      'arm,cortex-a75',
      'arm,cortex-a76',
      'arm,cortex-a77',
      'arm,cortex-a78',
      'arm,cortex-a78ae',
      'arm,cortex-x1',
    ],
    midr: 0x414f_d0b0,
    l1d: l1('pipt', 64, 4, 64, [32, 64]),
    l1i: cache(64, 4, 64, [32, 64]),
    l2: l2('inclusive', 256, 8, 64, [128, 1024]),
    sources: { ...V8.sources, l1d: A76, l1i: A76 },
  },
];
