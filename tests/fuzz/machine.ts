import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import { InputError, UnmodelledError } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { checkTree } from '../../drivers/of/check';
import { writeFdt } from '../../drivers/of/fdt-write';
import type { DeviceTree } from '../../drivers/of/tree';
import { describeMachine } from '../../machines/describe';
import { planRun } from '../../tools/board/open';
import { describeHuman } from '../../tools/report/describe-human';
import { bootPlan } from '../../tools/run/job';
import { fuzz, pick } from './harness';
import type { Fail, FuzzReport } from './harness';
import { mutateTree } from './tree-mutate';

/*
 * Damaged machines. Whatever a tree says, it is described and booted, or answered with an
 * InputError or an UnmodelledError, in bounded time and memory.
 */

/** Milliseconds: a hundred times what a real board takes to plan, describe and boot. */
const LIMIT = 10_000;

/** Bytes of heap that a mutant may leave behind while it is looked at. */
const MOST_HEAP = 2 ** 30;

/**
 * Makes machines of `count` mutants of trees. Mutant n of a seed is always the same. Throws a
 * FuzzFailure, naming both, for what is neither a machine nor a refusal.
 */
export const fuzzMachines = (
  count: number,
  seed: number,
  seeds: readonly DeviceTree[],
  onProgress?: (done: number) => void,
): FuzzReport =>
  fuzz({ count, seed, onProgress }, random => {
    const base = pick(random, seeds, undefined);
    const other = pick(random, seeds, undefined);
    if (base === undefined || other === undefined) throw new Error('no trees to damage');
    const tree = mutateTree(base, other, random);
    return {
      kind: base.root.string('model') ?? 'machine',
      bytes: writeFdt(tree).length,
      limit: LIMIT,
      run: fail => {
        const before = process.memoryUsage().heapUsed;
        const isAccepted = makeMachine(tree, fail);
        const grown = process.memoryUsage().heapUsed - before;
        if (grown > MOST_HEAP) throw fail(`${grown} bytes of heap`);
        return { isAccepted };
      },
    };
  });

/** False for a tree that was refused. */
const makeMachine = (tree: DeviceTree, fail: Fail): boolean => {
  try {
    const board = { tree, source: 'mutant', hash: '', diagnostics: checkTree(tree) };
    const plan = planRun(board, { memory: null, quirks: [] });
    JSON.stringify(describeMachine(plan, board));
    describeHuman(board, plan, (_style, text) => text, 100);
    bootPlan(board.source, plan, {
      adversary: new LruAdversary(),
      random: new Random(1),
      timing: 'earliest',
      streaming: ALL_STEPS,
    });
    return true;
  } catch (error) {
    if (error instanceof InputError || error instanceof UnmodelledError) return false;
    throw fail('neither a machine nor a refusal', error);
  }
};
