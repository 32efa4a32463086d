import test from 'ava';
import fc from 'fast-check';
import { LruAdversary } from '../../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../../arch/arm/adversary/random';
import { Random } from '../../../drivers/base/types/random';
import { SETTINGS, STEPS, runOn } from './run-program';
import { nameOf } from './settings';

const RUNS = 6;

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
