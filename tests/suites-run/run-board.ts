import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import { openBoard, planBoard } from '../../tools/board/open';
import type { RunResult } from '../../tools/run/results';
import { runSuites } from '../../tools/run/runner';
import { SUITES } from '../suites';

/** All suites on a board, as a run of the command line does it, but for what a test changes. */
export const runBoard = (
  board: string,
  change: {
    kind?: 'lru' | 'random' | 'all';
    seed?: number;
    selects?: (suite: string, name: string) => boolean;
    timings?: readonly DmaTiming[];
    lazy?: boolean;
    overlays?: readonly string[];
  } = {},
): RunResult =>
  runSuites({
    board,
    plan: planBoard(openBoard(board, [...(change.overlays ?? [])]), {
      memory: null,
      quirks: [],
      dmaMemory: { iommuStrict: change.lazy !== true },
    }),
    suites: SUITES,
    selects: change.selects ?? (() => true),
    adversary: { kind: change.kind ?? 'random' },
    seed: change.seed ?? 1,
    timings: change.timings ?? ['latest'],
    streaming: ALL_STEPS,
  });
