import test from 'ava';
import { classify, classifyEarly, NO_CONTEXT } from '../../../../arch/arm/coherence/classify';
import type { ClassifyContext } from '../../../../arch/arm/coherence/classify';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import type { CheckerOptions } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { findWitness } from '../../../../arch/arm/coherence/witness';
import type { WitnessGoal } from '../../../../arch/arm/coherence/witness';
import { CORES } from '../../../../arch/arm/cores';
import type { RuleId } from '../../../../drivers/base/types/rules';
import { LINE, LINE_BYTES, storyOf } from './stories';
import type { Happening } from './stories';

interface Case {
  readonly title: string;
  readonly core: string;
  readonly options?: CheckerOptions;
  /** Event of the sets and place in the driver; the last one is where it goes wrong. */
  readonly story: readonly (string | Happening)[];
  readonly goal?: WitnessGoal['kind'];
  readonly context?: Partial<ClassifyContext>;
  readonly rule: RuleId;
  /** The call that was due, and between which entries of the story (-1: not known). */
  readonly missing: readonly [call: string, from: number, to: number] | null;
}

const OUTER = { outer: 'inclusive' } as const;
const INVALIDATE = 'maintain the inner line: invalidate';
const CLEAN = 'maintain the inner line: clean';
const FLUSH = 'maintain the inner line: clean+invalidate';
const COMPLETED = 'maintenance has completed';

const CASES: readonly Case[] = [
  {
    title: 'a device reads what is still dirty in a cache: nobody gave it the buffer',
    core: 'cortex-a53',
    story: ['store: allocating', 'device read'],
    rule: 'stale-device-read',
    missing: ['dmaMapSingle', 0, 1],
  },
  {
    title: 'a device reads a mapped buffer that the CPU wrote again: a sync was due',
    core: 'cortex-a53',
    story: ['store: allocating', CLEAN, COMPLETED, 'store: allocating', 'device read'],
    context: { isMapped: true },
    rule: 'stale-device-read',
    missing: ['dmaSyncSingleForDevice', 3, 4],
  },
  {
    title: 'a device reads what was cleaned out of the cores and not out of the outer cache',
    core: 'cortex-a9',
    options: OUTER,
    story: ['store: allocating', CLEAN, COMPLETED, 'device read'],
    rule: 'stale-device-read',
    missing: ['dmaMapSingle', 0, 3],
  },
  {
    title: 'a device acts before an uncached store has left the store buffer',
    core: 'cortex-a53',
    story: ['store: uncached', 'device read'],
    rule: 'missing-write-barrier',
    missing: ['wmb', 0, 1],
  },
  {
    title: 'a device that polls memory acts before its operand has left the store buffer',
    core: 'cortex-a53',
    story: ['store: uncached', 'device read'],
    context: { isPolled: true },
    rule: 'missing-write-barrier',
    missing: ['dmaWmb', 0, 1],
  },
  {
    title: 'a store through a write-through cache may be in the store buffer',
    core: 'arm1136jf-s',
    options: { aliases: 1 },
    story: ['store: write-through', 'device read'],
    rule: 'missing-write-barrier',
    missing: ['wmb', 0, 1],
  },
  {
    title: 'a clean that nothing waited for has not completed when the device reads',
    core: 'cortex-a53',
    story: ['store: allocating', CLEAN, 'device read'],
    rule: 'missing-completion',
    missing: ['dsb', 1, 2],
  },
  {
    title: 'what the outer cache wrote may be in its buffer when the device reads',
    core: 'cortex-a9',
    options: OUTER,
    story: ['store: allocating', CLEAN, COMPLETED, 'maintain the outer line: clean', 'device read'],
    rule: 'missing-outer-sync',
    missing: ['outer sync', 3, 4],
  },
  {
    title: 'an uncached store that left the core may be in the outer buffer',
    core: 'cortex-a9',
    options: OUTER,
    story: ['store: uncached', 'stores of the line have drained', 'device read'],
    rule: 'missing-outer-sync',
    missing: ['outer sync', 0, 2],
  },
  {
    title: 'the CPU reads a line that it had before the device wrote',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: ['load: write-back', 'device write', 'load: write-back'],
    rule: 'stale-cpu-read',
    missing: ['dmaUnmapSingle', 1, 2],
  },
  {
    title: 'the CPU reads a buffer that is still mapped: a sync was due',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: ['load: write-back', 'device write', 'load: write-back'],
    context: { isMapped: true },
    rule: 'stale-cpu-read',
    missing: ['dmaSyncSingleForCpu', 1, 2],
  },
  {
    title: 'a line invalidated before the device wrote only was fetched again by speculation',
    core: 'cortex-a53',
    story: ['load: allocating', INVALIDATE, COMPLETED, 'device write', 'load: allocating'],
    rule: 'refill-after-invalidate',
    missing: ['dmaUnmapSingle', 3, 4],
  },
  {
    title: 'an invalidation before the last store of the CPU is none for what the device wrote',
    core: 'cortex-a53',
    story: [
      FLUSH,
      COMPLETED,
      'store: allocating',
      CLEAN,
      COMPLETED,
      'device write',
      'load: allocating',
    ],
    rule: 'stale-cpu-read',
    missing: ['dmaUnmapSingle', 5, 6],
  },
  {
    title: 'an invalidation that nothing waited for has not completed when the CPU reads',
    core: 'cortex-a53',
    story: ['load: allocating', 'device write', INVALIDATE, 'load by another CPU: allocating'],
    rule: 'missing-completion',
    missing: ['dsb', 2, 3],
  },
  {
    title: 'another CPU reads what waits in a store buffer',
    core: 'cortex-a53',
    story: ['store: uncached', 'load by another CPU: uncached'],
    rule: 'missing-write-barrier',
    missing: ['wmb', 0, 1],
  },
  {
    title: 'an uncached load passes by what a cache holds dirty',
    core: 'cortex-a53',
    story: ['store: allocating', 'stores of the line have drained', 'load: uncached'],
    rule: 'stale-cpu-read',
    missing: ['clean+invalidate', 0, 2],
  },
  {
    title: 'the walker reads an entry that is dirty in a cache it does not look into',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: [
      'load: write-back',
      'store: write-back',
      'stores of the line have drained',
      'table walk: uncached',
    ],
    rule: 'stale-table-word',
    missing: ['clean', 1, 3],
  },
  {
    title: 'the walker reads an entry that has not left the store buffer',
    core: 'cortex-a53',
    story: ['store: uncached', 'table walk: uncached'],
    rule: 'stale-table-word',
    missing: ['dsb', 0, 1],
  },
  {
    title: 'the walker reads an entry whose clean has not completed',
    core: 'cortex-m7',
    story: ['load: allocating', 'store: allocating', CLEAN, 'table walk: uncached'],
    rule: 'stale-table-word',
    missing: ['dsb', 2, 3],
  },
  {
    title: 'a dirty line is written back over what the device wrote',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: ['load: write-back', 'store: write-back', 'device write'],
    goal: 'overwritten',
    rule: 'dirty-line-over-device-data',
    missing: ['dmaMapSingle', -1, 2],
  },
  {
    title: 'a store beside what the device wrote makes the stale line dirty',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: ['load: write-back', 'device write', 'store of another byte: write-back'],
    goal: 'lost',
    rule: 'lost-device-write',
    missing: ['dmaUnmapSingle', 1, 2],
  },
  {
    title: 'an invalidation drops what the CPU wrote',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: ['load: write-back', 'store: write-back', INVALIDATE],
    goal: 'lost',
    context: { callRange: { start: LINE, size: LINE_BYTES } },
    rule: 'lost-cpu-write',
    missing: null,
  },
  {
    title: 'an invalidation for the sake of its neighbours drops what the CPU wrote',
    core: 'arm926ej-s',
    options: { aliases: 1 },
    story: ['load: write-back', 'store: write-back', INVALIDATE],
    goal: 'lost',
    context: { callRange: { start: LINE + 1, size: LINE_BYTES } },
    rule: 'invalidate-of-dirty-bytes',
    missing: null,
  },
  {
    title: 'an invalidation drops it when it completes, long after its issue',
    core: 'cortex-m7',
    story: ['load: allocating', 'store: allocating', INVALIDATE],
    goal: 'lost',
    context: { callRange: { start: LINE + 1, size: LINE_BYTES } },
    rule: 'invalidate-of-dirty-bytes',
    missing: null,
  },
  {
    title: 'an invalidation drops what a snooped write left in the cache',
    core: 'cortex-a9',
    options: OUTER,
    story: ['load: allocating', 'snooped device write', 'maintain the outer line: invalidate'],
    goal: 'lost',
    rule: 'lost-device-write',
    missing: ['dmaUnmapSingle', 1, 2],
  },
];

const placeOf = (n: number): string | null => (n < 0 ? null : `drivers/some/driver.ts:${n + 1}`);

for (const { title, core, options = {}, story: entries, goal, context, rule, missing } of CASES) {
  test(title, t => {
    const profile = CORES.find(({ name }) => name === core);
    t.truthy(profile);
    if (profile === undefined) return;
    const sets = new StateSets(checkerProfile(profile, options));
    const story = storyOf(
      sets,
      entries.map((entry, n) => ({
        ...(typeof entry === 'string' ? { own: entry } : entry),
        at: placeOf(n) ?? '',
      })),
      3,
    );
    const index = entries.length - 1;
    const witness = findWitness(sets, story, 0, { kind: goal ?? 'stale', index });
    t.truthy(witness, 'there is a witness');
    if (witness === null) return;
    const found = classify(sets, story, witness, { ...NO_CONTEXT, ...context });
    t.is(found.rule, rule, found.because);
    const due =
      missing === null
        ? null
        : {
            call: missing[0],
            range: { start: LINE, size: LINE_BYTES },
            between: [placeOf(missing[1]), placeOf(missing[2])],
          };
    t.deepEqual(found.missing, due);
  });
}

test('a load before its time misses a read barrier', t => {
  const [profile] = CORES.filter(({ name }) => name === 'cortex-a53');
  if (profile === undefined) return;
  const sets = new StateSets(checkerProfile(profile));
  const story = storyOf(sets, [
    { own: 'device write', at: 'a.ts:1' },
    { own: 'load: uncached', at: 'a.ts:2' },
  ]);
  const found = classifyEarly(sets, story, 0, 1);
  t.is(found.rule, 'missing-read-barrier');
  t.deepEqual(found.missing, {
    call: 'dmaRmb',
    range: { start: LINE, size: LINE_BYTES },
    between: ['a.ts:1', 'a.ts:2'],
  });
});
