import { RandomAdversary } from '../../../arch/arm/adversary/random';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import { Random } from '../../../drivers/base/types/random';
import { bootMachine } from '../../../machines/boot';
import type { Machine } from '../../../machines/machine';
import type { MachinePlan } from '../../../machines/plan';
import { AbortCase } from '../suite';
import type { Bug } from './bug';
import { benchesFor } from './index';

/** How many seeds a bug is given to show itself. */
export const SEEDS = 100;

/**
 * What a board on which caches do as they please finds of these bugs without a checker: for how
 * many of so many seeds the driver with the bug sees a wrong byte. A machine a seed, on which the
 * bugs have their turns; a seed a step, so that whoever waits can be told how far it is.
 */
export class BugsByChance {
  readonly total: number;
  #done = 0;
  readonly #plan: MachinePlan;
  readonly #bugs: readonly Bug[];
  readonly #found = new Map<string, number>();
  readonly #untried = new Set<string>();

  constructor(plan: MachinePlan, bugs: readonly Bug[], seeds = SEEDS) {
    this.#plan = plan;
    this.#bugs = bugs;
    this.total = seeds;
  }

  /** How many seeds of `total` are done. */
  get done(): number {
    return this.#done;
  }

  /** Gives every bug its chance with the next seed: seeds are 1, 2, 3 … */
  step(): void {
    this.#done += 1;
    const random = new Random(this.#done);
    const machine = bootMachine(this.#plan, {
      adversary: new RandomAdversary(random.fork('adversary')),
      random,
      timing: this.#done % 2 === 0 ? 'earliest' : 'latest',
      streaming: ALL_STEPS,
    });
    for (const bug of this.#bugs) {
      if (bug.unfit(machine) !== null) continue;
      if (bug.isLong?.(machine) === true) this.#untried.add(bug.name);
      else if (isSeen(machine, bug)) this.#found.set(bug.name, this.foundOf(bug) + 1);
    }
  }

  /** With how many seeds so far a wrong byte was seen. */
  foundOf({ name }: Bug): number {
    return this.#found.get(name) ?? 0;
  }

  /** The same in words: `7 of 100`, or that it takes too long to be tried. */
  resultOf(bug: Bug): string {
    return this.#untried.has(bug.name) ? 'not tried' : `${this.foundOf(bug)} of ${this.#done}`;
  }
}

/** Seen as well: it crashes the kernel, or its device goes where no model is. */
const isSeen = (machine: Machine, bug: Bug): boolean => {
  try {
    return benchesFor(machine, bug).reduce((wrong, bench) => wrong + bug.buggy(bench), 0) > 0;
  } catch (error) {
    if (error instanceof KernelOops || error instanceof UnmodelledError) return true;
    if (error instanceof AbortCase) return false;
    throw error;
  }
};
