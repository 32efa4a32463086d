import test from 'ava';
import { Random } from '../../drivers/base/types/random';
import { writeFdt } from '../../drivers/of/fdt-write';
import { boardNames, loadBoard } from '../../machines/boards';
import { BOARD_FILES } from '../../tools/board/board-files';
import { FuzzFailure, fuzz } from '../fuzz/harness';
import { fuzzMachines } from '../fuzz/machine';
import { mutateTree } from '../fuzz/tree-mutate';

const TREES = boardNames(BOARD_FILES).map(name => loadBoard(name, BOARD_FILES));

test('damaged machines are described and booted, or refused', t => {
  const { accepted, rejected } = fuzzMachines(80, 4, TREES);
  t.true(accepted > 0);
  t.true(rejected > 0);
});

test('a mutant is the same each time, is one, and leaves its tree alone', t => {
  const [tree, other] = TREES;
  if (tree === undefined || other === undefined) throw new Error('no boards');
  const before = Buffer.from(writeFdt(tree));
  const mutant = (seed: number): Buffer =>
    Buffer.from(writeFdt(mutateTree(tree, other, new Random(seed))));
  const seeds = Array.from({ length: 20 }, (_, seed) => seed);
  for (const seed of seeds) t.true(mutant(seed).equals(mutant(seed)));
  t.true(seeds.filter(seed => !mutant(seed).equals(before)).length > 15);
  t.true(Buffer.from(writeFdt(tree)).equals(before));
});

test('what is neither accepted nor refused ends the fuzzing, and says how to come there', t => {
  const error = t.throws(
    () =>
      fuzz({ count: 10, seed: 5, onProgress: undefined }, () => ({
        kind: 'sample',
        bytes: 1,
        limit: 1000,
        run: fail => {
          throw fail('went wrong');
        },
      })),
    { instanceOf: FuzzFailure },
  );
  t.is(error.message, 'seed 5, mutant 0 (sample): went wrong');
});

/** Keeps the processor busy for so many milliseconds of its time. */
const work = (milliseconds: number): void => {
  const before = process.cpuUsage();
  for (let spent = 0; spent < milliseconds * 1000;) {
    const { user, system } = process.cpuUsage(before);
    spent = user + system;
  }
};

test('a mutant that is slow three times ends the fuzzing, one that is slow once does not', t => {
  let slow = 0;
  const run = (times: number): unknown =>
    fuzz({ count: 1, seed: 1, onProgress: undefined }, () => ({
      kind: 'sample',
      bytes: 1,
      limit: 20,
      run: () => {
        if (slow++ < times) work(40);
        return { isAccepted: true };
      },
    }));
  t.notThrows(() => run(1));
  slow = 0;
  t.throws(() => run(3), { instanceOf: FuzzFailure, message: /ms for 1 bytes$/ });
});
