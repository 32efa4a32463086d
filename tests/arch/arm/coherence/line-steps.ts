import fc from 'fast-check';
import type { LineStates } from '../../../../arch/arm/coherence/line-states';
import type { StateSets } from '../../../../arch/arm/coherence/sets';
import { EARLY, WATCHED } from '../../../../arch/arm/coherence/verdicts';
import type { Mask, ReferenceLines } from './reference-lines';

export const BYTES = 64;
export const LINES = 3;
export const CPUS = 2;

/** Few ranges, which meet: words of one line, halves, everything. */
const RANGES: readonly (readonly [from: number, to: number])[] = [
  [0, 4],
  [4, 8],
  [2, 6],
  [28, 36],
  [0, 32],
  [60, 64],
  [0, 64],
];

/** One thing that happens to both; a verdict is that of LineStates and of the reference. */
interface Both {
  readonly sets: StateSets;
  readonly lines: LineStates;
  readonly reference: ReferenceLines;
  /** How often each line is watched, by the test's own count. */
  readonly watches: number[];
}

interface Arguments {
  readonly line: number;
  readonly low: number;
  readonly high: number;
  readonly bytes: Mask;
  readonly access: number;
  /** Kind and alias of the access. */
  readonly where: readonly [kind: number, alias: number];
  readonly choice: number;
  readonly cpu: number;
}

type Verdicts = readonly [found: number, expected: number];
type Run = (both: Both, on: Arguments) => Verdicts | null;

const watched = ({ watches }: Both, line: number): number =>
  (watches[line] ?? 0) > 0 ? WATCHED : 0;

const snoops = ({ sets }: Both): boolean => sets.profile.snoopedWrite !== 'none';

/** The number is how often a step is chosen, among all. */
const STEPS: readonly (readonly [weight: number, run: Run])[] = [
  [
    4,
    (both, { line, low, high, bytes, access, where, cpu }) => [
      both.lines.store(line, low, high, access, cpu),
      both.reference.store(line, bytes, where, cpu) | watched(both, line),
    ],
  ],
  [
    4,
    (both, { line, low, high, bytes, access, where, cpu }) => [
      both.lines.load(line, low, high, access, cpu) & ~EARLY,
      both.reference.load(line, bytes, where, cpu) | watched(both, line),
    ],
  ],
  [
    1,
    ({ lines, reference }, { line, low, high, bytes, access, where, cpu }) => {
      lines.see(line, low, high, access, cpu);
      reference.see(line, bytes, where, cpu);
      return null;
    },
  ],
  [
    2,
    (both, { line, choice, where: [, alias], cpu }) => [
      both.lines.maintain(line, 1 + (choice % 3), alias, cpu),
      both.reference.maintain(line, 1 + (choice % 3), alias, cpu) | watched(both, line),
    ],
  ],
  [
    2,
    (both, { line, low, high, bytes, choice }) => {
      const snooped = snoops(both) && choice % 2 === 0;
      const own = snooped ? 'snooped device write' : 'device write';
      const others = snooped ? 'snooped device write of another byte' : '';
      return [
        both.lines.deviceWrite(line, low, high, snooped),
        both.reference.deviceWrite(line, bytes, own, others),
      ];
    },
  ],
  [
    1,
    (both, { line, low, high, bytes, choice }) => {
      const snooped = snoops(both) && choice % 2 === 0;
      const event = snooped ? 'snooped device read' : 'device read';
      return [
        both.lines.deviceRead(line, low, high, snooped),
        both.reference.apply(line, bytes, event, ''),
      ];
    },
  ],
  [
    1,
    (both, { line, low, high, bytes, choice }) => {
      const snooped = snoops(both) && choice % 2 === 0;
      both.lines.deviceSaw(line, low, high, snooped);
      both.reference.deviceSaw(line, bytes, snooped ? 'device saw, snooping' : 'device saw');
      return null;
    },
  ],
  [
    1,
    ({ sets, lines, reference }, { line, low, high, bytes, access, where }) => {
      if (sets.eventOf('table walk', ...where) < 0) return null;
      const others = 'table walk of another byte';
      return [
        lines.walk(line, low, high, access),
        reference.apply(line, bytes, 'table walk', others, where),
      ];
    },
  ],
  [
    1,
    ({ sets, lines, reference }, { line, low, high, bytes, choice }) => {
      if (!sets.profile.deviceCache) return null;
      const operation = 1 + (choice % 3);
      if (choice % 2 === 0) {
        const maintain = 'maintain the cache of the device';
        const found = lines.maintainDevice(line, operation);
        return [found, reference.everywhere(line, maintain, [0, 0, operation])];
      }
      const others = 'write another byte into the cache of the device';
      return [
        lines.cachedDeviceWrite(line, low, high),
        reference.deviceWrite(line, bytes, 'write into the cache of the device', others),
      ];
    },
  ],
  [
    1,
    ({ sets, lines, reference }, { line, low, high, bytes }) => {
      if (!sets.profile.deviceCache) return null;
      const others = 'read another byte through the cache of the device';
      return [
        lines.cachedDeviceRead(line, low, high),
        reference.apply(line, bytes, 'read through the cache of the device', others),
      ];
    },
  ],
  [
    1,
    ({ sets, lines, reference }, { line, choice }) => {
      const operation = 1 + (choice % 3);
      const isOuter = choice % 2 === 0 && sets.profile.outer !== 'none';
      if (isOuter) {
        const expected = reference.everywhere(line, 'maintain the outer line', [0, 0, operation]);
        return [lines.maintainOuter(line, operation), expected];
      }
      const rule = 'maintain the inner line by set and way';
      const expected = reference.everywhere(line, rule, [0, 0, operation]);
      return [lines.maintainSetWay(line, operation), expected];
    },
  ],
  [
    1,
    ({ lines, reference }, { cpu }) => {
      lines.barriers.orderStores(cpu);
      reference.dmb(cpu);
      return null;
    },
  ],
  [
    1,
    ({ lines, reference }, { cpu }) => {
      lines.barriers.dsb(cpu);
      reference.dsb(cpu);
      return null;
    },
  ],
  [
    1,
    ({ lines, reference }, { cpu }) => {
      lines.barriers.deviceStore(cpu);
      reference.deviceStore(cpu);
      return null;
    },
  ],
  [
    1,
    ({ lines, reference }) => {
      lines.barriers.outerSync();
      reference.outerSync();
      return null;
    },
  ],
  [
    1,
    ({ lines, reference }, { line, choice }) => {
      const expected = reference.everywhere(line, 'mapping', [0, 0, choice % 4]);
      return [lines.map(line, choice % 4), expected];
    },
  ],
  [
    1,
    ({ lines, reference }, { line, low, high, bytes }) => {
      lines.forget(line, low, high);
      reference.apply(line, bytes, 'forget', '');
      return null;
    },
  ],
  [
    1,
    ({ lines, watches }, { line }) => {
      const count = watches[line] ?? 0;
      const more = count === 0 || line % 2 === count % 2;
      if (more) lines.watch(line);
      else lines.unwatch(line);
      watches[line] = count + (more ? 1 : -1);
      return [lines.isWatched(line) ? 1 : 0, count > 0 || more ? (more || count > 1 ? 1 : 0) : 0];
    },
  ],
];

const WEIGHTED: readonly Run[] = STEPS.flatMap(([weight, run]) =>
  Array.from({ length: weight }, () => run),
);

export type Step = readonly [
  what: number,
  line: number,
  range: number,
  choice: number,
  cpu: number,
];

export const anyStep: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(WEIGHTED.length - 1),
  fc.nat(LINES - 1),
  fc.nat(RANGES.length - 1),
  fc.nat(11),
  fc.nat(CPUS - 1),
);

const maskOf = (bytes: Mask): readonly [number, number] => {
  let low = 0;
  let high = 0;
  for (const byte of bytes) {
    if (byte < 32) low |= 1 << byte;
    else high |= 1 << (byte - 32);
  }
  return [low, high];
};

/** Thrown, not asserted: fast-check then shrinks and prints the seed. */
export const same = <T>(found: T, expected: T, of: string): void => {
  if (found !== expected) throw new Error(`${of}: ${String(found)} instead of ${String(expected)}`);
};

/** Takes one step on both, and compares the verdicts. */
export const runStep = (both: Both, [what, line, range, choice, cpu]: Step): void => {
  const { targets, kinds } = both.sets.profile;
  const access = choice % targets.length;
  const target = targets[access];
  if (target === undefined) return;
  const [from, to] = RANGES[range] ?? [0, 0];
  const bytes = Array.from({ length: to - from }, (_, n) => from + n);
  const [low, high] = maskOf(bytes);
  const where = [kinds.indexOf(target.kind), target.alias] as const;
  const verdicts = WEIGHTED[what]?.(both, { line, low, high, bytes, access, where, choice, cpu });
  if (verdicts) same(verdicts[0], verdicts[1], `the verdict of step ${what}`);
};
