import { readFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { readFdt } from '../../drivers/of/fdt';
import type { DeviceTree } from '../../drivers/of/tree';
import { MOST_IN_TESTS, corpusPath, sampleBoards } from './corpus';

/* Tests of real boards' DTBs: see corpus.ts. */

/** The tree of a board such as `armhf/am572x-idk`. */
export const readBoard = (board: string): DeviceTree => {
  const path = corpusPath(board);
  if (path === undefined) throw new Error(`${board} is not in the corpus`);
  return readFdt(readFileSync(path)).tree;
};

/** Names of boards that there are, such as `armhf/am572x-idk`. */
export const boardNames: readonly string[] = sampleBoards(MOST_IN_TESTS).map(({ name }) => name);

/** A test of one board's tree. */
export const onBoard = (
  board: string,
  title: string,
  body: (t: ExecutionContext, tree: DeviceTree) => void,
): void => {
  const name = `${board}: ${title}`;
  if (corpusPath(board) === undefined) {
    test.skip(name, t => {
      t.fail();
    });
    return;
  }
  test(name, t => {
    body(t, readBoard(board));
  });
};
