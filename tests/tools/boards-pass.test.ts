import test from 'ava';
import { boardNames } from '../../machines/boards';
import { BOARD_FILES } from '../../tools/board/board-files';
import { checkBoard } from '../corpus/check-board';
import { CORPUS, sampleBoards } from '../support/corpus';

/** Of real boards; .ci/run goes through all of them. */
const SAMPLE = 6;
const SEED = 1;

for (const name of boardNames(BOARD_FILES)) {
  test(`${name}: nothing fails and nothing is found, by chance, under LRU or over all`, t => {
    const { problems, passed } = checkBoard({ name, path: name }, SEED);
    t.deepEqual(problems, []);
    t.true(passed > 0);
  });
}

for (const board of sampleBoards(SAMPLE, SEED)) {
  test(`${board.name}: nothing fails and nothing is found, by chance, under LRU or over all`, t => {
    t.deepEqual(checkBoard(board, SEED).problems, []);
  });
}

if (CORPUS === undefined) {
  test.skip('real boards: nothing fails and nothing is found, by chance, under LRU or over all', t => {
    t.fail();
  });
}
