import { i32 } from '../../../drivers/base/types/arrays';
import type { CalmPairs } from './calm-pairs';
import type { EventNumbers } from './event-numbers';
import type { PairTable } from './pair-table';
import { HAS_BUFFERED, HAS_ORDERED, HAS_PENDING, MAY_BE_DIRTY, WAITS } from './sets';
import { MOVE_SHIFT, MOVE_VERDICT } from './sets';
import type { StateSets } from './sets';
import { READS } from './verdicts';

/*
 * A step: what a store makes of the pair of its line, whichever bytes it is to. The pair that it
 * leads to is above STEP_SHIFT, below are the bits that say when.
 */

/** Only another way can say. */
export const NO_STEP = -1;
export const STEP_SHIFT = 4;
/** Of no bits at all: nobody has asked yet. */
const IS_KNOWN = 1;
/**
 * The line had but one class, of which nothing waits: the bytes become class 1. Without it they join
 * class 1, of a line that is open to the epoch of the store.
 */
export const SPLITS = 2;
/** Only if no byte of class 1 is among them. */
export const APART = 4;
/** Only if the line has learnt of all outer syncs. */
export const SYNCED = 8;

/** Learns where stores lead a pair to with which nothing can be wrong. */
export class PairSteps {
  readonly #sets: StateSets;
  readonly #pairs: PairTable;
  readonly #numbers: EventNumbers;
  readonly #calm: CalmPairs;

  /** `calm`: learns what is calm of the pairs that steps lead to, which no other way may meet. */
  constructor(sets: StateSets, pairs: PairTable, numbers: EventNumbers, calm: CalmPairs) {
    this.#sets = sets;
    this.#pairs = pairs;
    this.#numbers = numbers;
    this.#calm = calm;
  }

  /** The step of a store to a line with this pair. */
  of(pair: number, access: number): number {
    const index = pair * this.#sets.profile.targets.length + access;
    const known = i32(this.#pairs.step, index);
    if (known !== 0) return known;
    const step = this.#learn(pair, access);
    this.#pairs.step[index] = step;
    if (step !== NO_STEP) this.#calm.learn(step >> STEP_SHIFT, access);
    return step;
  }

  #learn(pair: number, access: number): number {
    const first = i32(this.#pairs.first, pair);
    const second = i32(this.#pairs.second, pair);
    const has = this.#sets.properties(first) | this.#sets.properties(second);
    const stored0 = this.#after(first, i32(this.#numbers.store, access), MOVE_VERDICT);
    const other0 = this.#others(first, access);
    if (stored0 < 0 || other0 < 0 || (has & HAS_PENDING) !== 0) return NO_STEP;
    const step = IS_KNOWN | ((has & HAS_BUFFERED) === 0 ? 0 : SYNCED);
    // What waits behind the core keeps the epoch and the CPU of its store.
    if ((this.#sets.properties(first) & HAS_ORDERED) !== 0) return NO_STEP;
    // Neighbours are told of a line that becomes dirty.
    if (this.#sets.profile.neighbours > 1 && (has & MAY_BE_DIRTY) === 0) return NO_STEP;
    if (first === second && (has & WAITS) === 0) return step | SPLITS | this.#to(other0, stored0);
    if (this.#others(second, access) !== stored0) return NO_STEP;
    const stored1 = this.#after(second, i32(this.#numbers.store, access), MOVE_VERDICT);
    return step | (stored1 === stored0 ? 0 : APART) | this.#to(other0, stored0);
  }

  #to(first: number, second: number): number {
    return this.#pairs.pairOf(first, second) << STEP_SHIFT;
  }

  #others(set: number, access: number): number {
    return this.#after(set, i32(this.#numbers.storeOther, access), MOVE_VERDICT & ~READS);
  }

  /** The set after an event; -1 if something of `fatal` is said of it. */
  #after(set: number, event: number, fatal: number): number {
    if (event < 0) return set;
    const move = this.#sets.move(set, event);
    return (move & fatal) === 0 ? move >>> MOVE_SHIFT : -1;
  }
}
