import { openBoard, planBoard } from '../../tools/board/open';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { allCases } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { BUGS, LEFT_OUT, SHOWN_ELSEWHERE, bugsSuite } from '../suites/bugs';
import { BugsByChance } from '../suites/bugs/by-chance';

/*
 * The table of bugs for the README: what the checker finds on a board, what dma-debug alone would,
 * and how often chance does. `ts-node tests/suites-run/bug-table.ts [BOARD]`.
 */

const board = process.argv[2] ?? 'pandaboard';
const plan = planBoard(openBoard(board, []), { memory: null, quirks: [] });

const result = runSuites({
  board,
  plan,
  suites: [bugsSuite],
  selects: () => true,
  adversary: { kind: 'all' },
  seed: 1,
  timings: ['earliest', 'latest'],
  streaming: ALL_STEPS,
});
const chance = new BugsByChance(plan, BUGS);
while (chance.done < chance.total) chance.step();

const lines = allCases(result).flatMap(({ name, row }) => {
  const bug = BUGS.find(one => one.name === name);
  if (bug === undefined || row === null) return [];
  return [[row['bug'], row['source'], row['checker'], row['dma-debug'], chance.resultOf(bug)]];
});
const header = ['Bug', 'Source', 'Checker', 'dma-debug alone', 'By chance'];
for (const cells of [header, header.map(() => '---'), ...lines]) {
  console.log(`| ${cells.map(cell => cell ?? '').join(' | ')} |`);
}
console.log();
for (const { title, source, where } of SHOWN_ELSEWHERE)
  console.log(`- ${title} (${source}): shown by ${where}`);
for (const { title, source, needs } of LEFT_OUT)
  console.log(`- ${title} (${source}): needs ${needs}`);
