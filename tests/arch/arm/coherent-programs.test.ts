import test from 'ava';
import fc from 'fast-check';
import type { Adversary } from '../../../arch/arm/adversary/adversary';
import { LruAdversary } from '../../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../../arch/arm/adversary/random';
import { Random } from '../../../drivers/base/types/random';
import { ArmMachine } from './machine';
import { CALLS, ProgramRun, randomOps, receivingOps } from './programs';
import type { Call, Op } from './programs';
import { nameOf, settingsOf } from './settings';
import type { Setting } from './settings';

const STEPS = 90;
const RUNS = 6;

const SETTINGS = settingsOf(3);

const runOn = (
  { core, outer, cpus }: Setting,
  adversary: Adversary,
  seed: number,
  ops: readonly Op[],
  without: Call | 'none',
): string | null => {
  const machine = new ArmMachine({ core, outer, cpus, adversary, seed, tiny: true });
  return new ProgramRun(machine, without).run(ops);
};

const number = fc.nat(0xffff);
const program = fc.array(fc.tuple(number, number, number, number), {
  minLength: STEPS / 2,
  maxLength: STEPS,
  size: 'max',
});

for (const setting of SETTINGS) {
  test(`${nameOf(setting)}: a program that keeps the rules sees flat memory`, t => {
    fc.assert(
      fc.property(program, fc.integer(), fc.boolean(), (ops, seed, isQuiet) => {
        const adversary = isQuiet ? new LruAdversary() : new RandomAdversary(new Random(seed));
        const difference = runOn(setting, adversary, seed, ops, 'none');
        if (difference !== null) throw new Error(difference);
      }),
      { numRuns: RUNS, includeErrorInReport: true },
    );
    t.pass();
  });
}

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
