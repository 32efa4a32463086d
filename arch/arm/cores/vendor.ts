import type { CoreProfile, L2Spec } from '../profile';
import { V7, V7_LPAE, V8, cache, l1, l2, sourcesBut } from './families';

/**
 * Lines of the second level that are wider than the first's. *Assumed* to have dirty bits of their own for
 * what the first level may write, because Linux puts buffers of devices L1_CACHE_BYTES apart, 64 on
 * ARMv7 (arch/arm/mm/Kconfig, ARM_L1_CACHE_SHIFT_6), and 32 when Scorpion was new: whatever shares the rest
 * of such a line would be overwritten now and then. arm64 keeps them 128 apart, and needs no such thing.
 */
const sectored = (spec: L2Spec): L2Spec => ({ ...spec, sectored: true });

/** Cores that others designed: ARMv7 and ARMv8 by Marvell, Qualcomm, NVIDIA, Applied Micro … */
export const VENDOR_CORES: readonly CoreProfile[] = [
  {
    ...V7_LPAE,
    name: 'sheeva-v7',
    compatible: ['marvell,sheeva-v7'],
    midr: 0x561f_5811,
    l1d: l1('pipt', 32, 8, 32),
    l1i: cache(32, 4, 32),
    tables: ['v7', 'lpae'],
    snoopPort: 'ace',
    sources: { ...V7_LPAE.sources, tables: 'Linux arch/arm/mach-mvebu: short descriptors' },
  },
  {
    ...V7,
    name: 'pj4a',
    compatible: ['marvell,pj4a', 'marvell,pj4'],
    midr: 0x560f_5810,
    l1d: l1('pipt', 32, 4, 32),
    l1i: cache(32, 4, 32),
    multiprocessor: false,
    maintenanceBroadcast: false,
    snoopPort: 'none',
    sources: sourcesBut(V7, 'maintenanceBroadcast'),
  },
  {
    ...V7,
    name: 'pj4b',
    compatible: ['marvell,pj4b', 'marvell,pj4b-v7'],
    midr: 0x560f_5840,
    l1d: l1('pipt', 32, 4, 32),
    l1i: cache(32, 4, 32),
  },
  {
    ...V7,
    name: 'krait',
    compatible: ['qcom,krait'],
    midr: 0x510f_06f0,
    l1d: l1('pipt', 16, 4, 64),
    l1i: cache(16, 4, 64),
    l2: sectored(l2('exclusive', 2048, 8, 128, [1024, 2048])),
    snoopPort: 'none',
  },
  {
    ...V7,
    name: 'scorpion',
    compatible: ['qcom,scorpion', 'qcom,scorpion-mp'],
    midr: 0x510f_02d0,
    l1d: l1('pipt', 32, 4, 32),
    l1i: cache(32, 4, 32),
    l2: sectored(l2('neither', 512, 8, 128, [256, 512])),
    snoopPort: 'none',
  },
  {
    ...V8,
    name: 'kryo',
    compatible: [
      'qcom,kryo',
      'arm,kryo',
      ...[
        '240',
        '250',
        '260',
        '280',
        '360',
        '385',
        '460',
        '468',
        '470',
        '485',
        '560',
        '570',
        '585',
      ].map(model => `qcom,kryo${model}`),
      'qcom,kryo660',
      'qcom,kryo670',
      'qcom,kryo680',
      'qcom,kryo780',
    ],
    midr: 0x510f_8000 | 0,
    l1d: l1('pipt', 32, 4, 64, [16, 128]),
    l1i: cache(32, 4, 64, [16, 128]),
    l2: l2('neither', 512, 8, 64, [64, 2048], true),
  },
  {
    ...V8,
    name: 'denver',
    compatible: [
      'nvidia,tegra132-denver',
      'nvidia,tegra186-denver',
      'nvidia,denver',
      'nvidia,tegra194-carmel',
    ],
    midr: 0x4e0f_0000,
    l1d: l1('pipt', 64, 4, 64),
    l1i: cache(128, 4, 64),
    l2: l2('neither', 2048, 16, 64),
    sources: {
      ...V8.sources,
      l1d: 'consistent in the device trees of its boards',
      l1i: 'consistent in the device trees of its boards',
      l2: 'consistent in the device trees of its boards',
    },
  },
  {
    ...V8,
    name: 'x-gene',
    compatible: ['apm,potenza', 'apm,strega'],
    midr: 0x500f_0000,
    l1d: l1('pipt', 32, 8, 64),
    l1i: cache(32, 8, 64),
    l2: l2('neither', 256, 8, 64),
  },
  {
    ...V8,
    name: 'thunderx',
    compatible: ['cavium,thunder', 'cavium,thunder2', 'brcm,vulcan'],
    midr: 0x430f_0a10,
    l1d: l1('pipt', 32, 8, 64, [32, 32]),
    l1i: cache(32, 8, 64, [32, 128]),
    l2: l2('neither', 256, 8, 64, [256, 16384], true),
  },
  {
    ...V8,
    name: 'apple-m1',
    compatible: ['apple,icestorm', 'apple,firestorm'],
    midr: 0x610f_0220,
    l1d: l1('pipt', 64, 8, 64, [64, 128]),
    l1i: cache(128, 8, 64, [128, 256]),
    l2: l2('neither', 4096, 16, 128, [4096, 16384], true),
  },
];
