/*
 * Cores before ARMv7 and the M profile. ARM11 MPCore is out of scope: its maintenance operations
 * are not broadcast and its Linux port works around that by ownership tricks (see cores.ts).
 */

import type { CoreProfile } from '../profile';
import { V5, V6, V7M, cache, l1 } from './families';

const ARM926_TRM = 'ARM926EJ-S TRM DDI 0198';
const ARM1176_TRM = 'ARM1176JZF-S TRM DDI 0301';

export const CLASSIC_CORES: readonly CoreProfile[] = [
  {
    ...V5,
    name: 'arm920t',
    architecture: 'v4',
    compatible: ['arm,arm920t', 'arm,arm922t', 'arm,arm925'],
    midr: 0x4112_9200,
    l1d: l1('vivt', 16, 64, 32),
    l1i: cache(16, 64, 32),
    sources: { ...V5.sources },
  },
  {
    ...V5,
    name: 'fa526',
    architecture: 'v4',
    compatible: ['faraday,fa526'],
    midr: 0x6601_5261,
    l1d: l1('vivt', 16, 2, 16),
    l1i: cache(16, 2, 16),
    sources: { ...V5.sources },
  },
  {
    ...V5,
    name: 'arm926ej-s',
    compatible: ['arm,arm926ej-s', 'arm,arm926ejs', 'arm,arm926'],
    midr: 0x4106_9265,
    l1d: l1('vivt', 16, 4, 32, [4, 128]),
    l1i: cache(16, 4, 32, [4, 128]),
    replacement: 'random',
    sources: {
      ...V5.sources,
      l1d: ARM926_TRM,
      l1i: ARM926_TRM,
      l1iIndexing: ARM926_TRM,
      writeAllocate: ARM926_TRM,
      writeThrough: ARM926_TRM,
      speculativeFill: `${ARM926_TRM}: fills on its own misses only`,
    },
  },
  {
    // Its second level is none of the core's: unified, with operations of its own in CP15 c15, and off
    // until the kernel switches it on (Linux arch/arm/mm/cache-feroceon-l2.c). Not modelled: it stays off.
    ...V5,
    name: 'feroceon',
    compatible: ['marvell,feroceon', 'marvell,88fr131', 'marvell,mohawk'],
    midr: 0x5625_1310,
    l1d: l1('vivt', 16, 4, 32),
    l1i: cache(16, 4, 32),
    sources: { ...V5.sources, l1d: 'vendor press', l1i: 'vendor press' },
  },
  {
    ...V5,
    name: 'xscale',
    compatible: ['marvell,xscale', 'intel,xscale'],
    midr: 0x6905_2d00,
    l1d: l1('vivt', 32, 32, 32),
    l1i: cache(32, 32, 32),
    sources: { ...V5.sources, l1d: 'vendor press', l1i: 'vendor press' },
  },
  {
    ...V6,
    name: 'arm1136jf-s',
    compatible: ['arm,arm1136jf-s', 'arm,arm1136'],
    midr: 0x4107_b362,
    l1d: l1('vipt', 16, 4, 32, [4, 64]),
    l1i: cache(16, 4, 32, [4, 64]),
    sources: { ...V6.sources, l1d: 'ARM1136 TRM DDI 0211', l1i: 'ARM1136 TRM DDI 0211' },
  },
  {
    ...V6,
    name: 'arm1176jzf-s',
    compatible: ['arm,arm1176jzf-s', 'arm,arm1176jzf', 'arm,arm1176jz-s', 'arm,arm1176'],
    midr: 0x410f_b767,
    l1d: l1('vipt', 16, 4, 32, [4, 64]),
    l1i: cache(16, 4, 32, [4, 64]),
    sources: {
      ...V6.sources,
      l1d: ARM1176_TRM,
      l1i: ARM1176_TRM,
      l1iIndexing: ARM1176_TRM,
      writeAllocate: `${ARM1176_TRM}: no inner allocate on write`,
    },
  },
  {
    ...V7M,
    name: 'cortex-m4',
    compatible: ['arm,cortex-m4', 'arm,cortex-m4f', 'arm,cortex-m3'],
    midr: 0x410f_c241,
    l1d: null,
    l1i: null,
    storeBuffer: 1,
    sources: { ...V7M.sources, l1d: 'ARMv7-M: no cache', l1i: 'ARMv7-M: no cache' },
  },
  {
    ...V7M,
    name: 'cortex-m7',
    compatible: ['arm,cortex-m7'],
    midr: 0x411f_c270,
    l1d: l1('pipt', 16, 4, 32, [4, 64]),
    l1i: cache(16, 2, 32, [4, 64]),
    sources: { ...V7M.sources },
  },
];
