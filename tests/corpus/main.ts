import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { CORPUS, corpusBoards, sampleBoards } from '../support/corpus';
import type { CorpusBoard } from '../support/corpus';
import { countOf, readArguments } from '../support/script';
import { ADVERSARIES, BOARDS, checkBoard } from './check-board';
import type { BoardCheck, BoardVerdict } from './check-board';

/*
 * `npm run test:corpus -- [--sample N] [--seed N]`: every board of the project is described and
 * run by chance, under LRU and over all; every board of the corpus over all, every fourth by chance.
 * With a sample of the corpus, those of the project are each run in one of the ways.
 * Each with one timing of DMA in turn; drivers that are wrong on purpose are run on the first board of
 * each kind of caches. On all processors; not part of `npm test`, as it takes minutes.
 */

interface Arguments {
  readonly seed: number;
  /** How many boards of the corpus; all of them if null. */
  readonly sample: number | null;
  /** Of a child: which boards are its own. */
  readonly shard: number | null;
}

const parse = (): Arguments => {
  const { values } = parseArgs({
    options: {
      sample: { type: 'string' },
      seed: { type: 'string', default: '1' },
      shard: { type: 'string' },
    },
  });
  const { sample, seed, shard } = values;
  return {
    seed: countOf('--seed', seed, 0),
    sample: sample === undefined ? null : countOf('--sample', sample, 1),
    shard: shard === undefined ? null : countOf('--shard', shard, 0),
  };
};

const boardsOf = ({ sample, seed }: Arguments): readonly CorpusBoard[] => [
  ...BOARDS,
  ...(sample === null ? corpusBoards : sampleBoards(sample, seed)),
];

const shardsOf = (boards: readonly CorpusBoard[]): number =>
  Math.min(availableParallelism(), boards.length);

const TIMINGS = ['earliest', 'latest'] as const;

const checkOf = (i: number, { seed, sample }: Arguments, met: Set<string>): BoardCheck => {
  const timings = TIMINGS.slice(i % 2, (i % 2) + 1);
  if (i >= BOARDS.length) {
    return { seed, adversaries: [i % 4 === 0 ? 'random' : 'all'], timings, met };
  }
  const one = ADVERSARIES.slice(i % ADVERSARIES.length).slice(0, 1);
  return { seed, adversaries: sample === null ? ADVERSARIES : one, timings, met };
};

const runShard = (boards: readonly CorpusBoard[], shard: number, asked: Arguments): void => {
  const met = new Set<string>();
  boards.forEach((board, i) => {
    if (i % shardsOf(boards) === shard) process.send?.(checkBoard(board, checkOf(i, asked, met)));
  });
};

const isVerdict = (message: unknown): message is BoardVerdict =>
  typeof message === 'object' && message !== null && 'problems' in message;

const runAll = async (boards: readonly CorpusBoard[]): Promise<readonly BoardVerdict[]> => {
  const verdicts: BoardVerdict[] = [];
  const children = Array.from({ length: shardsOf(boards) }, (_, shard) => {
    const args = [...process.argv.slice(2), `--shard=${shard}`];
    const child = fork(__filename, args, {
      execArgv: ['-r', require.resolve('../../tools/build/register.cjs')],
    });
    child.on('message', message => {
      if (!isVerdict(message)) return;
      verdicts.push(message);
      for (const problem of message.problems) console.log(`${message.name}: ${problem}`);
      if (process.stderr.isTTY) process.stderr.write(`\r${verdicts.length}/${boards.length}`);
    });
    return new Promise(resolve => child.on('exit', resolve));
  });
  await Promise.all(children);
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  return verdicts;
};

const report = (verdicts: readonly BoardVerdict[], boards: readonly CorpusBoard[]): void => {
  const sum = (of: (verdict: BoardVerdict) => number): number =>
    verdicts.reduce((total, verdict) => total + of(verdict), 0);
  const good = verdicts.filter(({ problems }) => problems.length === 0).length;
  const missing = boards.length - verdicts.length;
  console.log(
    `corpus: ${good} of ${boards.length} boards passed, ${sum(v => v.passed)} cases passed, ` +
      `${sum(v => v.skipped)} skipped, ${sum(v => v.problems.length) + missing} problems`,
  );
  process.exitCode = good === boards.length ? 0 : 1;
};

const main = (asked: Arguments): void => {
  const boards = boardsOf(asked);
  if (asked.shard !== null) {
    runShard(boards, asked.shard, asked);
    return;
  }
  if (CORPUS === undefined) console.log('corpus: none (npm run corpus fetches one)');
  void runAll(boards).then(verdicts => {
    report(verdicts, boards);
  });
};

const asked = readArguments('npm run test:corpus -- [--sample N] [--seed N]', parse);
if (asked !== null) main(asked);
