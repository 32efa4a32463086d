import type { Random } from '../../../drivers/base/types/random';
import { StateReader } from '../../../drivers/base/types/state';
import type { StateValue } from '../../../drivers/base/types/state';
import { expectName } from '../../../drivers/base/hw/state-arrays';
import type { Whims } from '../concrete/whims';
import type { Step } from '../concrete/whims';
import type { Adversary, AdversaryMachine } from './adversary';

/** Events between two whims, on average, in a quiet stretch and after something telling. */
const QUIET = 12;
const TELLING = 3;
const STEPS_AT_ONCE = 3;
/** One step in so many is another CPU's than the one that runs. */
const ELSEWHERE = 4;

/** How often each step is tried, of 100. */
const WEIGHTS: readonly (readonly [Step, number])[] = [
  ['fill-inner', 30],
  ['evict-inner', 12],
  ['write-back-inner', 8],
  ['fill-l2', 5],
  ['evict-l2', 4],
  ['write-back-l2', 4],
  ['fill-outer', 8],
  ['evict-outer', 5],
  ['write-back-outer', 5],
  ['drain-store', 5],
  ['drain-outer', 4],
  ['complete-maintenance', 4],
  ['fill-tlb', 2],
  ['drop-tlb', 1],
  ['read-early', 3],
];

/**
 * Seeded whims: evictions, write-backs, speculative fills, drains, early reads, TLB fills, at
 * the lines that something lately happened to, as the core's profile permits.
 */
export class RandomAdversary implements Adversary {
  readonly name = 'random';
  readonly isQuiet = false;
  readonly tlbCapacity = 1 << 16;
  readonly delaysStores = true;
  readonly storesFollow = false;
  readonly extraWays = 1;
  readonly delaysOuterWrites = true;
  readonly #random: Random;
  #all: readonly Whims[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  start({ whims }: AdversaryMachine): number {
    this.#all = whims;
    return this.#random.below(2 * QUIET);
  }

  delaysStore(cached: boolean): boolean {
    return cached ? this.#random.oneIn(4) : !this.#random.oneIn(4);
  }

  delaysMaintenance(): boolean {
    return this.#random.oneIn(2);
  }

  writesBackOnInvalidate(): boolean {
    return this.#random.oneIn(4);
  }

  passesBy(): boolean {
    return false;
  }

  whim(whims: Whims): number {
    const steps = 1 + this.#random.below(STEPS_AT_ONCE);
    for (let i = 0; i < steps; i++) this.#step(this.#whose(whims));
    return 1 + this.#random.below(2 * QUIET);
  }

  attend(countdown: number): number {
    return Math.min(countdown, this.#random.below(2 * TELLING));
  }

  saveState(): StateValue {
    return { name: this.name, random: this.#random.state };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the adversary');
    expectName(reader.value('name'), 'the adversary', this.name);
    this.#random.state = reader.number('random');
  }

  /** Caches of CPUs that do nothing evict and prefetch as others do. */
  #whose(running: Whims): Whims {
    if (this.#all.length < 2 || !this.#random.oneIn(ELSEWHERE)) return running;
    return this.#all[this.#random.below(this.#all.length)] ?? running;
  }

  #step(whims: Whims): void {
    const step = this.#choose();
    whims.take(step, this.#word(step, whims), this.#number(step, whims));
  }

  #choose(): Step {
    let n = this.#random.below(100);
    for (const [step, weight] of WEIGHTS) {
      n -= weight;
      if (n < 0) return step;
    }
    return 'fill-inner';
  }

  #word(step: Step, whims: Whims): number {
    if (step === 'drain-outer') return this.#among(whims.bufferedOuterWrites);
    if (step === 'read-early') return this.#oneOf(whims.recent);
    return whims.interest.count === 0 ? 0 : this.#oneOf(whims.interest);
  }

  #number(step: Step, whims: Whims): number {
    if (step === 'drain-store') return this.#random.below(Math.max(1, whims.waitingStores));
    if (step === 'complete-maintenance') {
      return this.#random.below(Math.max(1, whims.pendingMaintenance));
    }
    return this.#random.below(64);
  }

  #oneOf(words: { readonly count: number; at(n: number): number }): number {
    const n = this.#random.below(Math.max(1, words.count));
    return words.count === 0 ? 0 : words.at(n);
  }

  #among(words: readonly number[]): number {
    return words[this.#random.below(Math.max(1, words.length))] ?? 0;
  }
}
