import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { Random } from '../../drivers/base/types/random';
import { loadBoard } from '../../machines/boards';
import { bootMachine } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { BOARD_FOLDER } from './board-folder';

/** The plan of a board that comes with dmabench, with as much memory as it says or as is given. */
export const planOf = (board: string, memory: number | null = null): MachinePlan =>
  planMachine(loadBoard(board, BOARD_FOLDER), { memory, quirks: [] });

/** A machine of it, booted, on which nothing happens unasked. */
export const boot = (board: string, memory: number | null = null): Machine =>
  bootMachine(planOf(board, memory), {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });
