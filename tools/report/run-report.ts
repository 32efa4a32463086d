import type { Board } from '../board/open';
import { notesOf } from '../board/open';
import type { MachinePlan } from '../../machines/plan';
import type { RunResult } from '../run/results';

/** A run and what it was made on: what every format is made from. */
export interface RunReport {
  readonly result: RunResult;
  /** sha256 of the device tree's normal form. */
  readonly hash: string;
  /** `2 × cortex-a9`, one for each kind of core. */
  readonly cores: readonly string[];
  /** Bytes of RAM. */
  readonly memory: bigint;
  /** What a reader should know: assumptions, and what of the tree was not taken as written. */
  readonly notes: readonly string[];
  /** The command line that repeats the run. */
  readonly repeat: string;
  /** Somebody asked for certain suites, and is to see what their cases tell besides. */
  readonly hasTables: boolean;
}

/** Brings together a run and the machine that it was made on; no note twice. */
export const makeReport = (
  result: RunResult,
  board: Board,
  plan: MachinePlan,
  repeat: string,
  hasTables: boolean,
): RunReport => ({
  result,
  hash: board.hash,
  cores: coresOf(plan),
  memory: ramOf(plan),
  notes: [...new Set([...notesOf(board, plan), ...result.notes])],
  repeat,
  hasTables,
});

/** `2 × cortex-a9`, one for each kind of core, in the order of the cpu nodes. */
export const coresOf = ({ cpus }: MachinePlan): string[] => {
  const counts = new Map<string, number>();
  for (const { core } of cpus) counts.set(core.name, (counts.get(core.name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} × ${name}`);
};

/** Bytes of RAM, all banks together. */
export const ramOf = ({ memory }: MachinePlan): bigint =>
  memory.banks.reduce((sum, { size }) => sum + size, 0n);
