import { i32, u16, u8 } from '../../../drivers/base/types/arrays';
import type { EventNumbers } from './event-numbers';
import type { PairTable } from './pair-table';
import { HAS_PENDING, WAITS } from './sets';
import type { StateSets } from './sets';

/** A load by any CPU changes nothing, and nothing can be wrong with it. */
export const ANYONE_LOADS = 1;
/** The same if the line is the CPU's own. */
export const OWNER_LOADS = 2;
/** As OWNER_LOADS, but the load may be early. */
export const EARLY_LOADS = 4;
const IS_KNOWN = 8;

/**
 * Learns which accesses leave a pair of sets as it is, whichever bytes they are about: what the
 * fast path asks for.
 */
export class CalmPairs {
  readonly #sets: StateSets;
  readonly #pairs: PairTable;
  readonly #numbers: EventNumbers;

  readonly #cpus: number;

  constructor(sets: StateSets, pairs: PairTable, numbers: EventNumbers, cpus: number) {
    this.#sets = sets;
    this.#pairs = pairs;
    this.#numbers = numbers;
    this.#cpus = cpus;
  }

  /** An access to a line with this pair, none if it is below zero, took the slow path. */
  learn(pair: number, access: number): void {
    if (pair < 0) return;
    const { calm } = this.#pairs;
    const { targets, earlyLoads } = this.#sets.profile;
    const index = pair * targets.length + access;
    if ((u8(calm, index) & IS_KNOWN) !== 0) return;
    const isUncached = targets[access]?.kind.inner === 0;
    const has = this.#properties(pair);
    // A cacheable access waits for maintenance of its line.
    const isFree = isUncached || (has & HAS_PENDING) === 0;
    const loads = isFree && this.#loadIsCalm(pair, access);
    const kept = isUncached && earlyLoads ? EARLY_LOADS : OWNER_LOADS;
    // Where there is one CPU, it is the owner.
    const isAnyones = this.#cpus === 1 || (has & WAITS) === 0;
    const anyone = kept === OWNER_LOADS && isAnyones ? ANYONE_LOADS : 0;
    const stores = isFree && this.#storeIsCalm(pair, access);
    calm[index] = IS_KNOWN | (loads ? kept | anyone : 0);
    const bit = 1 << access;
    if (loads && anyone !== 0) this.#pairs.loads[pair] = u16(this.#pairs.loads, pair) | bit;
    if (stores) this.#pairs.stores[pair] = u16(this.#pairs.stores, pair) | bit;
  }

  #loadIsCalm(pair: number, access: number): boolean {
    const own = i32(this.#numbers.load, access);
    const others = i32(this.#numbers.loadOther, access);
    const first = i32(this.#pairs.first, pair);
    const second = i32(this.#pairs.second, pair);
    return [first, second].every(
      set => this.#leads(set, own, set) && this.#leads(set, others, set),
    );
  }

  /** By the CPU whose line it is: what is stored to joins class 1, and nothing else changes. */
  #storeIsCalm(pair: number, access: number): boolean {
    const own = i32(this.#numbers.store, access);
    const others = i32(this.#numbers.storeOther, access);
    const first = i32(this.#pairs.first, pair);
    const second = i32(this.#pairs.second, pair);
    return (
      this.#leads(first, own, second) &&
      this.#leads(first, others, first) &&
      this.#leads(second, own, second) &&
      this.#leads(second, others, second)
    );
  }

  #leads(set: number, event: number, after: number): boolean {
    if (event < 0) return set === after;
    return this.#sets.next(set, event) === after && this.#sets.verdict(set, event) === 0;
  }

  #properties(pair: number): number {
    const { first, second } = this.#pairs;
    return this.#sets.properties(i32(first, pair)) | this.#sets.properties(i32(second, pair));
  }
}
