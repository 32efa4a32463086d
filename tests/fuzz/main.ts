import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readFdt } from '../../drivers/of/fdt';
import { boardNames, loadBoard } from '../../machines/boards';
import { BOARD_FILES } from '../../tools/board/board-files';
import { processHost } from '../../tools/process-host';
import { Progress } from '../../tools/progress';
import { sampleBoards } from '../support/corpus';
import { WrongUse, countOf, readArguments } from '../support/script';
import { fuzzFdt } from './fdt';
import type { FuzzReport } from './harness';
import { fuzzMachines } from './machine';

/* `npm run fuzz -- TARGET COUNT [--seed N]`: damaged input, as long as you like. */

type Target = (count: number, seed: number, onProgress: (done: number) => void) => FuzzReport;

/** Real boards to damage, beside our own. */
const MOST_BOARDS = 20;

const blobs = (): Uint8Array[] => sampleBoards(MOST_BOARDS).map(({ path }) => readFileSync(path));

const TARGETS: Readonly<Record<string, Target>> = {
  fdt: (count, seed, onProgress) => fuzzFdt(count, seed, blobs(), onProgress),
  machine: (count, seed, onProgress) => {
    const own = boardNames(BOARD_FILES).map(name => loadBoard(name, BOARD_FILES));
    const real = blobs().map(blob => readFdt(blob).tree);
    return fuzzMachines(count, seed, [...own, ...real], onProgress);
  },
};

const USAGE = `npm run fuzz -- ${Object.keys(TARGETS).join('|')} COUNT [--seed N]`;

interface Arguments {
  readonly name: string;
  readonly target: Target;
  readonly count: number;
  readonly seed: number;
}

const parse = (): Arguments => {
  const { values, positionals } = parseArgs({
    options: { seed: { type: 'string', default: '1' } },
    allowPositionals: true,
  });
  const [name = '', count = '', ...others] = positionals;
  const target = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined;
  if (target === undefined || others.length > 0) throw new WrongUse('which target, how often?');
  return {
    name,
    target,
    count: countOf('COUNT', count, 1),
    seed: countOf('--seed', values.seed, 0),
  };
};

const main = ({ name, target, count, seed }: Arguments): void => {
  const progress = new Progress(processHost());
  const started = performance.now();
  try {
    const { accepted, rejected, slowest } = target(count, seed, done => {
      progress.show(name, done, count);
    });
    progress.clear();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const worst = `${slowest.ms.toFixed(0)} ms (mutant ${slowest.mutant}, ${slowest.bytes} bytes)`;
    console.log(
      `${name}: ${accepted} accepted, ${rejected} rejected in ${seconds} s, seed ${seed}`,
    );
    console.log(`slowest: ${worst}`);
  } catch (error) {
    progress.clear();
    console.error(error);
    process.exitCode = 1;
  }
};

const asked = readArguments(USAGE, parse);
if (asked !== null) main(asked);
