import test from 'ava';
import fc from 'fast-check';
import { LineStates } from '../../../../arch/arm/coherence/line-states';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import type { CheckerOptions } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { coreNamed } from '../../../../arch/arm/cores';
import { BYTES, CPUS, LINES, anyStep, runStep, same } from './line-steps';
import { ReferenceLines } from './reference-lines';

const setsOf = (core: string, options: CheckerOptions = {}): StateSets =>
  new StateSets(checkerProfile(coreNamed(core), { aliases: 2, ...options }));

const TABLES: readonly (readonly [string, StateSets])[] = [
  ['arm926ej-s', setsOf('arm926ej-s')],
  ['arm1136jf-s', setsOf('arm1136jf-s')],
  ['cortex-m7', setsOf('cortex-m7')],
  ['cortex-a9', setsOf('cortex-a9')],
  ['cortex-a9 with an outer cache', setsOf('cortex-a9', { outer: 'inclusive' })],
  ['cortex-a53', setsOf('cortex-a53')],
  ['cortex-a53 and a device with a cache', setsOf('cortex-a53', { deviceCache: true })],
];

/** The sets of the bytes of a line. */
const bytesOf = (lines: LineStates, line: number): number[] =>
  Array.from({ length: BYTES }, (_, byte) => lines.setOf(line, byte));

for (const [name, sets] of TABLES) {
  test(`${name}: pairs, groups and late barriers say what bytes on their own say`, t => {
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 1, maxLength: 30 }), steps => {
        const lines = new LineStates(sets, BYTES, CPUS);
        const reference = new ReferenceLines(sets, LINES, BYTES, CPUS);
        const both = { sets, lines, reference, watches: [] };
        for (const step of steps) runStep(both, step);
        for (let line = 0; line < LINES; line++) {
          const expected = reference.line(line).bytes.map(byte => byte.set);
          same(bytesOf(lines, line).join(), expected.join(), `line ${line}`);
        }
      }),
      { numRuns: 120 },
    );
    t.pass();
  });
}

for (const [name, sets] of TABLES) {
  test(`${name}: what a recorder was told leads every byte to where it is`, t => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), fc.nat(8), (steps, before) => {
        const lines = new LineStates(sets, BYTES, CPUS);
        const reference = new ReferenceLines(sets, LINES, BYTES, CPUS);
        const both = { sets, lines, reference, watches: [] };
        for (const step of steps.slice(0, before)) runStep(both, step);
        const told = bytesOf(lines, 1);
        lines.record(1);
        lines.recorder = {
          applied: (line, low, high, own, others) => {
            same(line, 1, 'a recorded line');
            told.forEach((set, byte) => {
              const half = byte < 32 ? low : high;
              const event = (half >>> (byte % 32)) % 2 === 1 ? own : others;
              const after = event < 0 ? set : sets.next(set, event);
              if (sets.states(after).length > 0) told[byte] = after;
            });
          },
        };
        for (const step of steps.slice(before)) runStep(both, step);
        // Asking brings about what barriers have implied, which is told too.
        const expected = bytesOf(lines, 1).join();
        same(told.join(), expected, 'what was told');
      }),
      { numRuns: 60 },
    );
    t.pass();
  });
}
