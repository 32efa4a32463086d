import test from 'ava';
import { ADVERSARIES, BOARDS, checkBoard } from '../corpus/check-board';
import { CORPUS, sampleBoards } from '../support/corpus';

/*
 * Some boards, each under one of the adversaries and with one timing in turn; `npm run test:corpus`
 * goes through all of them, under all adversaries.
 */

/** Of the project: one in so many. */
const ONE_IN = 6;

/** Of real boards. */
const SAMPLE = 2;
const SEED = 1;

const some = BOARDS.filter((_, i) => i % ONE_IN === 0);

[...some, ...sampleBoards(SAMPLE, SEED)].forEach((board, i) => {
  const adversary = ADVERSARIES[i % ADVERSARIES.length] ?? 'all';
  test(`${board.name}, ${adversary}: nothing fails and nothing is found`, t => {
    const { problems, passed } = checkBoard(board, {
      seed: SEED,
      adversaries: [adversary],
      timings: [i % 2 === 0 ? 'latest' : 'earliest'],
      met: null,
    });
    t.deepEqual(problems, []);
    t.true(passed > 0);
  });
});

if (CORPUS === undefined) {
  test.skip('real boards: nothing fails and nothing is found', t => {
    t.fail();
  });
}
