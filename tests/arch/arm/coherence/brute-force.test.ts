import test from 'ava';
import fc from 'fast-check';
import { Random } from '../../../../drivers/base/types/random';
import { compareAll, compareSequence } from './brute-compare';
import { BruteForce } from './brute-force';
import { isNoticed, mutations } from './mutations';
import { distinctProfiles } from './profiles';

/*
 * The tables against whole lines of two bytes, every schedule. `npm run prove -- N` does the same
 * for every sequence of N events.
 */

const PROFILES = distinctProfiles();

for (const { name, profile } of PROFILES) {
  const isLarge = profile.outer !== 'none';
  const length = isLarge ? 'one event and some of two' : 'two events';
  test(`${name}: every sequence of ${length} agrees with brute force`, t => {
    const brute = new BruteForce(profile, 2);
    const { difference, sequences } = compareAll(brute, 2, isLarge ? 250 : 4000);
    t.is(difference, null);
    t.true(sequences >= brute.events.length);
  });

  test(`${name}: longer sequences agree with brute force`, t => {
    const brute = new BruteForce(profile, 2);
    const choices = fc.array(fc.nat(2 ** 16), { minLength: 3, maxLength: isLarge ? 5 : 8 });
    fc.assert(
      fc.property(choices, sequence => {
        const difference = compareSequence(brute, sequence);
        if (difference !== null) throw new Error(difference);
      }),
      { numRuns: isLarge ? 4 : 20, endOnFailure: true },
    );
    t.pass();
  });
}

for (const { name, profile } of PROFILES.filter(each => each.profile.outer === 'none')) {
  test(`${name}: with every buffer a queue of its own, the tables miss nothing`, t => {
    const brute = new BruteForce(profile, 2, undefined, false);
    const random = new Random(1);
    for (let n = 0; n < 12; n++) {
      const choices = Array.from({ length: 6 }, () => random.below(2 ** 16));
      t.is(compareSequence(brute, choices), null);
    }
  });
}

test('three bytes of a line are as independent as two', t => {
  const profile = PROFILES.find(({ name }) => name === 'armv8')?.profile;
  if (profile === undefined) throw new Error('no armv8');
  const brute = new BruteForce(profile, 3);
  t.is(compareAll(brute, 2, 600).difference, null);
});

test('breaking any row of the tables makes a comparison differ', t => {
  const random = new Random(3);
  const unnoticed = mutations().filter(
    mutation => !isNoticed(mutation, PROFILES, 20, bound => random.below(bound)),
  );
  t.deepEqual(
    unnoticed.map(({ label }) => label),
    [],
  );
});
