import test from 'ava';
import { boardNames } from '../../machines/boards';
import { BOARD_FILES } from '../../tools/board/board-files';
import { SUITES } from '../suites';
import { runBoard } from './run-board';

test('every case of every suite is run on some board, and expects something there', t => {
  const idle = new Set(
    SUITES.flatMap(({ name, cases }) => cases.map(one => `${name}.${one.name}`)),
  );
  // The window of lazy invalidation is none of a board's own.
  const runs = [
    ...boardNames(BOARD_FILES).map(board => [board, false, []] as const),
    ['mixed', true, []] as const,
    ['imx6q-sabresd', false, ['gpu-imx6q-sabresd']] as const,
  ];
  for (const [board, lazy, overlays] of runs) {
    const { suites } = runBoard(board, {
      kind: 'all',
      lazy,
      overlays,
      selects: (suite, name) => idle.has(`${suite}.${name}`),
    });
    for (const { name: suite, cases } of suites) {
      for (const { name, outcome, expectations } of cases) {
        if (outcome === 'passed' && expectations > 0) idle.delete(`${suite}.${name}`);
      }
    }
    if (idle.size === 0) break;
  }
  t.deepEqual([...idle], []);
});
