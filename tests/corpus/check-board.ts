import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { UnmodelledError } from '../../drivers/base/types/errors';
import { boardNames } from '../../machines/boards';
import { describeMachine } from '../../machines/describe';
import type { MachinePlan } from '../../machines/plan';
import { BOARD_FILES } from '../../tools/board/board-files';
import { openBoard, planBoard } from '../../tools/board/open';
import { allCases, countCases } from '../../tools/run/results';
import type { RunResult } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { SUITES } from '../suites';
import type { Suite } from '../suites/suite';
import type { CorpusBoard } from '../support/corpus';

export interface BoardVerdict {
  readonly name: string;
  readonly passed: number;
  readonly skipped: number;
  /** What is wrong, a line each; none if all is well. */
  readonly problems: readonly string[];
}

/** Those of the project. */
export const BOARDS: readonly CorpusBoard[] = boardNames(BOARD_FILES).map(name => ({
  name,
  path: name,
}));

/** By chance, under LRU and over all that the caches may do. */
export const ADVERSARIES = ['random', 'lru', 'all'] as const;
export type AdversaryKind = (typeof ADVERSARIES)[number];

/** Drivers that are wrong on purpose: what they do differs with the caches, not with the board. */
const isOfCaches = ({ name }: Suite): boolean => name === 'rules' || name === 'bugs';
const OF_BOARDS = SUITES.filter(suite => !isOfCaches(suite));

/** What is to be run on a board. */
export interface BoardCheck {
  readonly seed: number;
  readonly adversaries: readonly AdversaryKind[];
  readonly timings: readonly DmaTiming[];
  /** Kinds of caches met so far: the suites of caches run on the first board of each; null: nowhere. */
  readonly met: Set<string> | null;
}

/** Cores whose caches the checker does not model: such a board is run under chance only. */
const isUnchecked = (error: unknown): boolean =>
  error instanceof UnmodelledError && error.feature.startsWith('checking ');

/**
 * Describes a board and runs the suites on it, under each of the adversaries: nothing may fail, and
 * nothing be found.
 */
export const checkBoard = (
  { name, path }: CorpusBoard,
  { seed, adversaries, timings, met }: BoardCheck,
): BoardVerdict => {
  try {
    const board = openBoard(path, []);
    const plan = planBoard(board, { memory: null, quirks: [] });
    JSON.stringify(describeMachine(plan, board));
    const suites = met !== null && isFirst(plan, met) ? SUITES : OF_BOARDS;
    const results = adversaries.flatMap(kind => {
      try {
        return runSuites({
          board: name,
          plan,
          suites: kind === 'all' ? suites : OF_BOARDS,
          selects: () => true,
          adversary: { kind },
          seed,
          timings,
          streaming: ALL_STEPS,
        });
      } catch (error) {
        if (kind === 'all' && isUnchecked(error)) return [];
        throw error;
      }
    });
    const counts = results.map(result => countCases(allCases(result)));
    return {
      name,
      passed: counts.reduce((sum, { passed }) => sum + passed, 0),
      skipped: counts.reduce((sum, { skipped }) => sum + skipped, 0),
      problems: results.flatMap(result => [...failuresOf(result), ...findingsOf(result)]),
    };
  } catch (error) {
    return { name, passed: 0, skipped: 0, problems: [String(error)] };
  }
};

/** Whether no board before it had these cores and caches: from now on, one had. */
const isFirst = ({ cpus, outer }: MachinePlan, met: Set<string>): boolean => {
  const kind = [...cpus.map(({ core }) => core.name), outer === null ? '' : 'outer'].join(' ');
  const isNew = !met.has(kind);
  met.add(kind);
  return isNew;
};

const failuresOf = ({ parameters, suites }: RunResult): string[] =>
  suites.flatMap(({ name: suite, cases }) =>
    cases
      .filter(({ outcome }) => outcome === 'failed')
      .map(({ name, lines }) => `${parameters.adversary}: ${suite}.${name}: ${lines.join(' | ')}`),
  );

const findingsOf = ({ parameters, findings }: RunResult): string[] =>
  findings
    .filter(({ finding }) => finding.severity !== 'note')
    .map(({ finding: { rule, access }, cases }) =>
      [`${parameters.adversary}: ${rule} at ${access.at ?? 'no place'}`, ...cases].join(', '),
    );
