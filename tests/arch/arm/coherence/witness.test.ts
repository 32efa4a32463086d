import test from 'ava';
import fc from 'fast-check';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import type { CheckerOptions } from '../../../../arch/arm/coherence/profile';
import { earlyScript, toScript } from '../../../../arch/arm/coherence/script';
import { MAPPING } from '../../../../arch/arm/coherence/event-list';
import { IS_EMPTY, StateSets } from '../../../../arch/arm/coherence/sets';
import { showState } from '../../../../arch/arm/coherence/state';
import { accessOf } from '../../../../arch/arm/coherence/story';
import type { LineStory } from '../../../../arch/arm/coherence/story';
import { MAY_LOSE, MAY_STALE } from '../../../../arch/arm/coherence/verdicts';
import { findWitness } from '../../../../arch/arm/coherence/witness';
import type { Witness, WitnessGoal } from '../../../../arch/arm/coherence/witness';
import { coreNamed } from '../../../../arch/arm/cores';
import { distinctProfiles } from './profiles';
import { storyOf } from './stories';

const LIVE = 3;
const LENGTH = 7;
const INVALIDATE = 'maintain the inner line: invalidate';
const CLEAN = 'maintain the inner line: clean';
const COMPLETED = 'maintenance has completed';
const OUTER = { outer: 'inclusive' } as const;

const setsOf = (core: string, options: CheckerOptions = {}): StateSets =>
  new StateSets(checkerProfile(coreNamed(core), { aliases: 1, ...options }));

/** A schedule that is made of states of the sets, one after the other. */
const isInSets = (sets: StateSets, story: LineStory, witness: Witness): boolean => {
  let set = story.start[witness.byte] ?? sets.initial;
  return witness.moments.every(({ index, state }) => {
    const event = story.events[index]?.own ?? -1;
    if (event >= 0) {
      const after = sets.next(set, event);
      if ((sets.properties(after) & IS_EMPTY) === 0) set = after;
    }
    return index === witness.goal.index || sets.states(set).includes(sets.layout.pack(state));
  });
};

for (const { name, profile } of distinctProfiles()) {
  const sets = new StateSets(profile);
  const happening = fc.nat(sets.events.length - 1);
  test(`${name}: there is a schedule for what the sets say is possible, and for nothing else`, t => {
    fc.assert(
      fc.property(
        fc.array(happening, { minLength: LENGTH, maxLength: LENGTH }),
        fc.nat(LIVE),
        (events, live) => {
          const happenings = events.map(event => ({ own: sets.events[event]?.name ?? '' }));
          const all = storyOf(sets, happenings, live);
          // On this byte all of them happen, those of other bytes too.
          const story = {
            ...all,
            events: all.events.map((entry, n) => ({ ...entry, low: -1, own: events[n] ?? -1 })),
          };
          let set = sets.next(sets.initial, sets.eventOf(MAPPING, 0, 0, live));
          events.forEach((event, index) => {
            const after = sets.next(set, event);
            const isPossible = (sets.properties(after) & IS_EMPTY) === 0;
            const stale = findWitness(sets, story, 0, { kind: 'stale', index });
            const lost = findWitness(sets, story, 0, { kind: 'lost', index });
            if ((stale !== null) !== ((sets.verdict(set, event) & MAY_STALE) !== 0)) {
              throw new Error(`stale at ${index}`);
            }
            if ((lost !== null) !== ((sets.verdict(set, event) & MAY_LOSE) !== 0)) {
              throw new Error(`lost at ${index}`);
            }
            for (const witness of [stale, lost]) {
              if (witness !== null && !isInSets(sets, story, witness)) {
                throw new Error(`no state of the sets at ${index}`);
              }
            }
            if (isPossible) set = after;
          });
        },
      ),
      { numRuns: 12, includeErrorInReport: true },
    );
    t.pass();
  });
}

const surprises = (witness: Witness | null): readonly string[] =>
  (witness?.steps ?? [])
    .filter(({ nature }) => nature !== 'prompt' && nature !== 'forced')
    .map(({ nature, rule, before }) => `${before} ${nature}: ${rule}`);

const witnessOf = (
  sets: StateSets,
  happenings: readonly string[],
  kind: WitnessGoal['kind'] = 'stale',
): readonly [story: LineStory, witness: Witness | null] => {
  const named = happenings.map(own => ({ own }));
  const story = storyOf(sets, named, LIVE);
  return [story, findWitness(sets, story, 0, { kind, index: happenings.length - 1 })];
};

test('every event is an access of a story', t => {
  for (const { profile } of distinctProfiles()) {
    const sets = new StateSets(profile);
    t.notThrows(() => sets.events.map((_, event) => accessOf(sets, event)));
  }
});

test('what a quiet machine does anyway costs nothing', t => {
  const sets = setsOf('cortex-a53');
  const [, witness] = witnessOf(sets, ['store: allocating', 'device read']);
  t.is(witness?.cost, 0);
  t.deepEqual(surprises(witness), []);
  t.is(showState(witness?.final ?? sets.layout.unpack(0)), 'M! Id O- W- B- P- D-');
});

test('the shortest schedule of a refill is the fill, after the invalidation', t => {
  const sets = setsOf('cortex-a53');
  const [, witness] = witnessOf(sets, [INVALIDATE, COMPLETED, 'device write', 'load: allocating']);
  t.is(witness?.cost, 1);
  t.regex(surprises(witness).join(), /unasked: fill the inner cache$/);
});

test('a step between two events is taken right after the first', t => {
  const sets = setsOf('cortex-m7');
  const [, witness] = witnessOf(sets, ['load: uncached', 'device write', 'load: allocating']);
  t.deepEqual(surprises(witness), ['10 unasked: fill the inner cache']);
  const [, later] = witnessOf(sets, [INVALIDATE, 'device write', 'load: uncached']);
  t.is(later?.cost, 1);
});

test('what comes after a barrier is taken before the event that found it out', t => {
  const sets = setsOf('cortex-a9', OUTER);
  const [, witness] = witnessOf(
    sets,
    ['load: allocating', 'store: allocating', CLEAN, COMPLETED, 'outer sync', 'device write'],
    'overwritten',
  );
  t.deepEqual(surprises(witness), ['61 unasked: write a dirty outer copy back']);
});

test('a store that waits for nothing is a surprise, and so is its late departure', t => {
  const sets = setsOf('cortex-a53');
  const happenings = ['store: uncached', 'device write'];
  const [story, witness] = witnessOf(sets, happenings, 'overwritten');
  t.deepEqual(surprises(witness), [
    '11 waits: drain a store of this byte',
    '21 unasked: drain a store of this byte',
  ]);
  t.truthy(witness);
  if (witness === null) return;
  t.is(
    toScript(sets.profile, story, witness),
    '{"event":10,"step":"hold","line":"0x80001000"}\n' +
      '{"event":21,"step":"drain-store","line":"0x80001000"}\n',
  );
});

test('a copy that leaves the core leaves both its levels', t => {
  const sets = setsOf('cortex-a53');
  const happenings = ['load: allocating', 'store: allocating', 'device write'];
  const [story, witness] = witnessOf(sets, happenings, 'overwritten');
  if (witness === null) throw new Error('no witness');
  t.is(
    toScript(sets.profile, story, witness),
    '{"event":31,"step":"write-back-inner","line":"0x80001000","optional":true}\n' +
      '{"event":31,"step":"write-back-l2","line":"0x80001000","optional":true}\n',
  );
});

test('a line that a walk by set and way does not reach is missed by it from its beginning', t => {
  const sets = setsOf('cortex-a9');
  const walk = 'maintain the inner line by set and way: clean+invalidate';
  const [story, witness] = witnessOf(sets, ['store: allocating', walk, 'device read']);
  if (witness === null) throw new Error('no witness');
  t.is(witness.cost, 1);
  t.is(
    toScript(sets.profile, story, witness),
    '{"event":11,"step":"pass-by","line":"0x80001000","n":9,"optional":true}\n',
  );
});

test('what waits in the outer buffer is held from before it is written', t => {
  const sets = setsOf('cortex-a9', OUTER);
  const happenings = ['store: uncached', 'stores of the line have drained', 'device read'];
  const [story, witness] = witnessOf(sets, happenings);
  if (witness === null) throw new Error('no witness');
  t.is(
    toScript(sets.profile, story, witness),
    '{"event":10,"step":"hold-outer","line":"0x80001000"}\n',
  );
});

test('maintenance that has not completed is held', t => {
  const sets = setsOf('cortex-a53');
  const [story, witness] = witnessOf(sets, ['store: allocating', CLEAN, 'device read']);
  if (witness === null) throw new Error('no witness');
  t.is(toScript(sets.profile, story, witness), '{"event":20,"step":"hold","line":"0x80001000"}\n');
});

test('an invalidation that writes back first is a choice of the machine', t => {
  const sets = setsOf('cortex-m7');
  const happenings = ['load: allocating', 'store: allocating', 'device write', INVALIDATE];
  const [story, witness] = witnessOf(sets, [...happenings, COMPLETED, 'device read']);
  if (witness === null) throw new Error('no witness');
  // One of two schedules of one step; the other writes the line back unasked.
  t.is(witness.cost, 1);
  t.regex(
    toScript(sets.profile, story, witness),
    /^\{"event":\d+,"step":"write-back-(?:inner|first)","line":"0x80001000"\}\n$/,
  );
});

test('a load before its time reads its word before the device writes it', t => {
  const sets = setsOf('cortex-a53');
  const story = storyOf(sets, [{ own: 'device write' }, { own: 'load: uncached' }]);
  t.is(earlyScript(sets, story, 2, 1), '{"event":10,"step":"read-early","line":"0x80001000"}\n');
});

test('a long history is searched near its end first', t => {
  const sets = setsOf('cortex-a53');
  const calm = Array.from({ length: 3000 }, (_, n) =>
    n % 2 === 0 ? 'load: allocating' : 'store: allocating',
  );
  const started = performance.now();
  const [, witness] = witnessOf(sets, [...calm, 'device read']);
  t.is(witness?.cost, 0);
  t.true(performance.now() - started < 10_000);
});

test('what was done to other bytes is no event of this one', t => {
  const sets = setsOf('cortex-a53');
  const story = storyOf(sets, [{ own: 'device write', mask: 2 }, { own: 'load: allocating' }]);
  t.is(findWitness(sets, story, 0, { kind: 'stale', index: 0 }), null);
  t.is(findWitness(sets, story, 0, { kind: 'stale', index: 1 }), null);
});
