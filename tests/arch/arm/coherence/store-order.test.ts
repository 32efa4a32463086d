import test from 'ava';
import fc from 'fast-check';
import { LineStates } from '../../../../arch/arm/coherence/line-states';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import type { CheckerOptions } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { coreNamed } from '../../../../arch/arm/cores';
import { BYTES, CPUS, LINES, runStep, same } from './line-steps';
import type { Step } from './line-steps';
import { ReferenceLines } from './reference-lines';

const setsOf = (core: string, options: CheckerOptions = {}, storeBuffer = 4): StateSets =>
  new StateSets(checkerProfile({ ...coreNamed(core), storeBuffer }, { aliases: 2, ...options }));

const TABLES: readonly (readonly [string, StateSets])[] = [
  ['arm926ej-s', setsOf('arm926ej-s')],
  ['cortex-m7', setsOf('cortex-m7')],
  ['cortex-a9', setsOf('cortex-a9', { outer: 'inclusive' })],
  ['cortex-a9 without a store buffer', setsOf('cortex-a9', { outer: 'inclusive' }, 0)],
];

/** Numbers of steps in line-steps.ts: stores above all, and what they must not be confused by. */
const [STORE, LOAD, MAINTAIN, DEVICE_WRITE, DEVICE_READ] = [0, 4, 9, 11, 13];
const [DMB, DSB, OUTER_SYNC, MAPPING] = [19, 20, 22, 23];
const CHOICES = [
  ...Array.from({ length: 12 }, () => STORE),
  ...[LOAD, MAINTAIN, DEVICE_WRITE, DEVICE_READ, DMB, DMB, DSB, OUTER_SYNC, OUTER_SYNC, MAPPING],
];

/** Mostly of one kind, by one CPU, to words beside each other: what a driver that fills a buffer does. */
const storing: fc.Arbitrary<readonly Step[]> = fc
  .nat(11)
  .chain(access =>
    fc.array(
      fc.tuple(
        fc.constantFrom(...CHOICES),
        fc.constant(0),
        fc.constantFrom(0, 0, 1, 1, 2, 4, 6),
        fc.constantFrom(...Array.from({ length: 7 }, () => access), 0, 3),
        fc.constantFrom(0, 0, 0, 0, 0, 1),
      ),
      { minLength: 2, maxLength: 12 },
    ),
  );

for (const [name, sets] of TABLES) {
  test(`${name}: stores among barriers and outer syncs say what bytes on their own say`, t => {
    fc.assert(
      fc.property(storing, steps => {
        const lines = new LineStates(sets, BYTES, CPUS);
        const reference = new ReferenceLines(sets, LINES, BYTES, CPUS);
        const both = { sets, lines, reference, watches: [] };
        for (const step of steps) runStep(both, step);
        const found = Array.from({ length: BYTES }, (_, byte) => lines.setOf(0, byte));
        const expected = reference.line(0).bytes.map(byte => byte.set);
        same(found.join(), expected.join(), 'the line');
      }),
      { numRuns: 120 },
    );
    t.pass();
  });
}
