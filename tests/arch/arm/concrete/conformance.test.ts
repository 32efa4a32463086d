import test from 'ava';
import { RandomAdversary } from '../../../../arch/arm/adversary/random';
import type { EventRule } from '../../../../arch/arm/coherence/event-rule';
import { EVENTS } from '../../../../arch/arm/coherence/events';
import { SPONTANEOUS } from '../../../../arch/arm/coherence/spontaneous';
import type { CheckerProfile } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { coreNamed } from '../../../../arch/arm/cores';
import { Random } from '../../../../drivers/base/types/random';
import { ArmMachine, CheckedArmMachine } from '../machine';
import { ConformanceRun, Unsaid } from './conformance-run';
import type { Tally } from './conformance-run';
import { nameOf, settingsOf } from '../settings';
import type { Setting } from '../settings';

/*
 * The concrete machine is one of the machines that the checker speaks of: each version that it
 * reads, and each that it loses, is in the possible states of its line. What differs is declared:
 *
 * - an exclusive outer cache is in the tables only;
 * - two CPUs that store to a line without having agreed on an order: the tables drain the first;
 * - a poll that got the new value: no older copy is left, the tables say with DESIGN 5, in the first
 *   level of another CPU either;
 * - conformance-run.ts leaves out two mappings of a page where the one inner copy of the tables
 *   does not tell apart what it stands for.
 */

const STEPS = 600;
const SEEDS = [1];

const SETTINGS = settingsOf(2);

/** Throws Unsaid if they do not conform. */
const conforms = (
  setting: Setting,
  seed: number,
  steps: number,
  setsOf = (of: CheckerProfile) => StateSets.of(of),
): Tally => {
  const options = { ...setting, tiny: true, seed };
  const adversary = new RandomAdversary(new Random(seed));
  const concrete = new ArmMachine({ ...options, adversary, versions: true });
  const checked = new CheckedArmMachine(options, setsOf);
  const run = new ConformanceRun(concrete, checked, new Random(seed));
  run.run(steps);
  return run.tally;
};

for (const setting of SETTINGS) {
  test(`${nameOf(setting)}: what it reads and loses is what may be read and lost`, t => {
    let stale = 0;
    let lost = 0;
    for (const seed of SEEDS) {
      t.notThrows(() => {
        const tally = conforms(setting, seed, STEPS);
        stale += tally.stale;
        lost += tally.lost;
      }, `seed ${seed}`);
    }
    t.log(`seeds ${SEEDS.join()}: ${stale} stale accesses, bytes were seen lost ${lost} times`);
    if (setting.core.l1d !== null) t.true(stale > 0 && lost > 0, 'there was something to compare');
  });
}

/** Machines on which everything in the tables that a concrete machine has comes to bear. */
const TELLING: readonly Setting[] = [
  { core: coreNamed('arm926ej-s'), outer: false, cpus: 1 },
  { core: coreNamed('cortex-a9'), outer: false, cpus: 2 },
  { core: coreNamed('cortex-a9'), outer: true, cpus: 1 },
];

/** The first seed at which a machine shows what was not said; -1 if there is none. */
const firstRefuted = (): number => {
  for (let seed = 1; seed <= 8; seed++) {
    for (const setting of TELLING) {
      try {
        // Tables of their own, of the rules as they are now.
        conforms(setting, seed, 2 * STEPS, of => new StateSets(of));
      } catch (error) {
        if (error instanceof Unsaid) return seed;
        throw error;
      }
    }
  }
  return -1;
};

/** Changes a rule of the tables, which are no more frozen than their list, for a while. */
const changed = <Rule extends object>(
  rule: Rule | undefined,
  change: Partial<Rule>,
  run: () => void,
): void => {
  if (rule === undefined) throw new Error('there is no such rule');
  const before = { ...rule };
  Object.assign(rule, change);
  try {
    run();
  } finally {
    Object.assign(rule, before);
  }
};

/**
 * Whatever is not among these adds no state that others do not lead to (a fill of the outer cache
 * alone: one through the inner, and its eviction), or is no part of a concrete machine.
 */
const STEPS_THAT_COUNT: readonly string[] = [
  'drain a store of this byte',
  'drain a store of another byte',
  'drain the outer buffer',
  'complete pending maintenance',
  'write a dirty inner copy back',
  'fill the inner cache',
  'write a dirty outer copy back',
];

for (const name of STEPS_THAT_COUNT) {
  test(`tables without the step "${name}" are refuted by a concrete machine`, t => {
    const rule = SPONTANEOUS.find(each => each.name === name);
    changed(rule, { applies: () => false }, () => {
      t.true(firstRefuted() > 0);
    });
  });
}

const EVENTS_THAT_COUNT: readonly string[] = [
  'load',
  'load of another byte',
  'store',
  'store of another byte',
  'table walk',
  'maintain the inner line',
  'device read',
  'device write',
  'snooped device read',
];

for (const name of EVENTS_THAT_COUNT) {
  test(`tables in which "${name}" changes nothing are refuted by a concrete machine`, t => {
    const rule = EVENTS.find(each => each.name === name);
    const apply: EventRule['apply'] = (state, _profile, _variant, emit) => {
      emit(state);
    };
    changed(rule, { apply }, () => {
      t.true(firstRefuted() > 0);
    });
  });
}
