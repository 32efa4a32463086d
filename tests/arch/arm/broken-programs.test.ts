import test from 'ava';
import { RandomAdversary } from '../../../arch/arm/adversary/random';
import { Random } from '../../../drivers/base/types/random';
import { CALLS, randomOps, receivingOps } from './programs';
import type { Call } from './programs';
import { SETTINGS, STEPS, runOn } from './run-program';
import { nameOf } from './settings';
import type { Setting } from './settings';

/** Whether a program without the call can go wrong, from the profile of the core. */
const isNeeded = (call: Call, { core, outer, cpus }: Setting): boolean => {
  const isCached = core.l1d !== null;
  const hasUncached = core.tables.length > 0 || !isCached;
  switch (call) {
    case 'clean':
    case 'invalidate before':
      return isCached;
    case 'dsb after maintenance':
      // Before ARMv6 maintenance by address is complete at once.
      return isCached && !['v4', 'v5'].includes(core.architecture);
    case 'invalidate after':
      return isCached && core.speculativeFill;
    case 'outer invalidate after':
      return outer && core.speculativeFill;
    case 'outer clean':
    case 'outer invalidate before':
    case 'outer sync':
      return outer;
    case 'barrier before the doorbell':
      return core.storeBuffer > 0 && hasUncached;
    case 'barrier after completion':
      return core.earlyLoads && hasUncached;
    case 'barrier when a page changes hands':
      return cpus > 1;
  }
};

/** Runs until one differs; -1 if none of them does. */
const firstDifference = (setting: Setting, call: Call, seeds: number): number => {
  for (let seed = 1; seed <= seeds; seed++) {
    const adversary = new RandomAdversary(new Random(seed));
    const make = call === 'barrier after completion' ? receivingOps : randomOps;
    const ops = make(new Random(seed + 1000), 2 * STEPS);
    if (runOn(setting, adversary, seed, ops, call) !== null) return seed;
  }
  return -1;
};

const ENOUGH_SEEDS = 60;
const SEEDS_OF_INNOCENCE = 4;

for (const call of CALLS) {
  test(`without "${call}" something breaks where the core needs it, and nowhere else`, t => {
    for (const setting of SETTINGS) {
      const needed = isNeeded(call, setting);
      const seed = firstDifference(setting, call, needed ? ENOUGH_SEEDS : SEEDS_OF_INNOCENCE);
      t.is(seed > 0, needed, `${nameOf(setting)}: seed ${seed}`);
    }
  });
}
