import test from 'ava';
import { PairTable } from '../../../../arch/arm/coherence/pair-table';

test('every pair of sets has a number of its own, in order of first use, and keeps it', t => {
  const table = new PairTable(3);
  const side = 60;
  for (let round = 0; round < 2; round++) {
    for (let first = 0; first < side; first++) {
      for (let second = 0; second < side; second++) {
        const pair = table.pairOf(first, second);
        if (pair !== first * side + second) t.fail(`${first}, ${second} is pair ${pair}`);
      }
    }
  }
  t.is(table.count, side * side);
  t.is(table.first[side + 1], 1);
  t.is(table.second[side + 1], 1);
  t.true(table.calm.length >= 3 * table.count);
  t.true(table.step.length >= 3 * table.count);
  t.true(table.loads.length >= table.count && table.stores.length >= table.count);
});
