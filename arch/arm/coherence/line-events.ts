import { i32 } from '../../../drivers/base/types/arrays';
import { Barriers } from './barriers';
import { EventNumbers, NO_EVENT } from './event-numbers';
import { LineGroups, NO_EPOCH } from './line-groups';
import {
  DEVICE_HIGH,
  DEVICE_LOW,
  ISSUED,
  KNOWN_DIRTY,
  LINE_EPOCH,
  LineStore,
  MAINTAINER,
  OUTER_SEEN,
  OWNER,
} from './line-store';
import { APART, SPLITS, STEP_SHIFT, SYNCED } from './pair-steps';
import {
  HAS_BUFFERED,
  HAS_ORDERED,
  HAS_PENDING,
  HAS_STORE,
  MAY_BE_DIRTY,
  MOVE_SHIFT,
  MOVE_VERDICT,
  WAITS,
} from './sets';
import type { StateSets } from './sets';
import { BESIDE_DIRTY } from './spontaneous';
import { READS } from './verdicts';

/** More than one CPU has maintenance of a line under way. */
const SEVERAL = -1;
/** All bytes of a line. */
const ALL = -1;

/** What an access to a line means for another. */
export interface BesideVerdict {
  readonly line: number;
  readonly verdict: number;
}

/** Is told what happens to lines that are recorded. */
export interface LineRecorder {
  /**
   * An event of a recorded line, in order: `own` to the bytes of the mask, `others` to the rest,
   * -1 for none. What barriers imply comes before the event that finds it out: for all bytes
   * (both halves -1), or for those whose stores a barrier came after. An event that the states of
   * a byte exclude has not happened to that byte.
   */
  applied(line: number, low: number, high: number, own: number, others: number): void;
}

/**
 * Applies events to lines, one line at a time between `open` and `close`; what barriers and
 * observations have proved since a line was last used happens when it is opened. Nothing here
 * allocates once the tables are built.
 */
export class LineEvents {
  readonly sets: StateSets;
  readonly store: LineStore;
  readonly barriers: Barriers;
  readonly numbers: EventNumbers;
  recorder: LineRecorder | null = null;
  /** What `find` found, as a mask. */
  foundLow = 0;
  foundHigh = 0;
  /** What the last stores mean for neighbours of their lines. */
  beside: BesideVerdict[] = [];

  readonly #groups: LineGroups;
  readonly #neighbours: number;
  #line = 0;

  constructor(sets: StateSets, lineBytes: number, cpus: number, initial: number) {
    this.sets = sets;
    this.#neighbours = sets.profile.neighbours;
    this.store = new LineStore(lineBytes, sets.profile.targets.length, initial);
    const { storeBuffer, outer } = sets.profile;
    this.barriers = new Barriers(cpus, storeBuffer || outer !== 'none');
    this.numbers = new EventNumbers(sets);
    this.#groups = new LineGroups(sets);
  }

  open(line: number): void {
    this.store.reach(line);
    if (this.#neighbours > 1) this.#settleNeighbours(line);
    this.#lay(line);
  }

  close(): void {
    this.#keep();
    if (this.#neighbours > 1) this.#tellNeighbours();
  }

  /** Bytes join class 1 of a line with this pair, by a store; false if it is not open to the CPU's. */
  join(line: number, pair: number, low: number, high: number, cpu: number): boolean {
    const { store } = this;
    if (!store.isOpen(line, i32(this.barriers.stamp, cpu))) return false;
    store.join(line, pair, low, high);
    return true;
  }

  /** A store to a line that a step of its pair may be the whole of; false if it is not. */
  step(line: number, step: number, low: number, high: number, cpu: number): boolean {
    const { store } = this;
    const { outerSyncs, epoch, stamp } = this.barriers;
    if ((step & SYNCED) !== 0 && store.get(line, OUTER_SEEN) !== outerSyncs) return false;
    const pair = step >> STEP_SHIFT;
    if ((step & SPLITS) === 0) {
      const isApart = (step & APART) === 0 || !store.isStored(line, low, high);
      return isApart && this.join(line, pair, low, high, cpu);
    }
    this.#line = line;
    this.stored(cpu, i32(epoch, cpu));
    store.set(line, OUTER_SEEN, outerSyncs);
    store.split(line, pair, low, high, i32(epoch, cpu), i32(stamp, cpu));
    return true;
  }

  /** Applies an event to the bytes of a mask, another to the rest; `epoch` if it is a store. */
  change(low: number, high: number, own: number, others: number, epoch = 0): number {
    const groups = this.#groups;
    groups.cut(low, high);
    let verdict = 0;
    for (let n = 0; n < groups.count; n++) {
      const isIn = groups.isIn(n, low, high);
      const event = isIn ? own : others;
      if (event < 0) continue;
      const set = i32(groups.set, n);
      const move = this.sets.move(set, event);
      verdict |= isIn ? move : move & ~READS;
      groups.set[n] = move >>> MOVE_SHIFT;
      if (isIn && epoch !== 0) groups.epoch[n] = epoch;
    }
    if (this.recorder !== null) this.#tell(low, high, own, others);
    return verdict & MOVE_VERDICT;
  }

  /** The whole of an event on one line. */
  apply(line: number, low: number, high: number, own: number, others: number): number {
    this.open(line);
    const verdict = this.change(low, high, own, others);
    this.close();
    return verdict;
  }

  /** An event of the line as such. */
  everywhere(line: number, event: number): number {
    return event < 0 ? 0 : this.apply(line, ALL, ALL, event, NO_EVENT);
  }

  /** Whether stores of the open line wait. */
  get waits(): boolean {
    return (this.#properties() & WAITS) !== 0;
  }

  /**
   * A CPU comes to the open line: if nothing waits there, it is the CPU's. True if it is, or might
   * be, had not what waits behind the CPUs its place among another's stores.
   */
  takeOver(cpu: number): boolean {
    if (this.store.get(this.#line, OWNER) === cpu) return true;
    const properties = this.#properties();
    if ((properties & WAITS) !== 0) return false;
    if ((properties & HAS_ORDERED) === 0) this.#own(cpu, 0);
    return true;
  }

  /**
   * Before a store to the open line. Two CPUs that store without having agreed on an order are
   * not told apart from two that have: the earlier store has drained.
   */
  takeAway(cpu: number): void {
    if (this.store.get(this.#line, OWNER) === cpu) return;
    if (this.waits) this.advance(this.numbers.storesDrained);
    this.#groups.forgetEpochs();
    this.#own(cpu, 0);
  }

  /** Stores of an epoch went to the open line. */
  stored(cpu: number, epoch: number): void {
    this.#own(cpu, epoch);
    this.written(0, 0);
  }

  /** A cacheable access to the open line waits for this CPU's own maintenance of it. */
  follow(cpu: number, event: number): void {
    if (event < 0 || this.store.get(this.#line, MAINTAINER) !== cpu) return;
    if ((this.#properties() & HAS_PENDING) !== 0) this.advance(event);
  }

  /**
   * Maintenance of the open line is issued: after this CPU's stores of it, and so after all of
   * its older epochs. Nothing orders it with what another CPU has under way there.
   */
  maintain(cpu: number, own: number, foreign: number): number {
    const { store } = this;
    const line = this.#line;
    const hasPending = (this.#properties() & HAS_PENDING) !== 0;
    const isOwner = store.get(line, OWNER) === cpu;
    const isMaintainer = !hasPending || store.get(line, MAINTAINER) === cpu;
    const isForeign = (this.waits && !isOwner) || !isMaintainer;
    if (this.waits && isOwner) {
      this.barriers.observe(cpu, store.get(line, LINE_EPOCH));
      if (isForeign) this.advance(this.numbers.storesDrained);
    }
    store.set(line, MAINTAINER, isMaintainer ? cpu : SEVERAL);
    store.set(line, ISSUED, this.barriers.syncs);
    return this.change(ALL, ALL, isForeign ? foreign : own, NO_EVENT);
  }

  /** A device wrote bytes of the open line. */
  written(low: number, high: number): void {
    this.store.set(this.#line, DEVICE_LOW, low);
    this.store.set(this.#line, DEVICE_HIGH, high);
  }

  /**
   * Someone saw stores that may still have waited: what came epochs before them has drained, and
   * is in memory if they were seen there.
   */
  observe(line: number, low: number, high: number, isInMemory = false): void {
    this.store.reach(line);
    const groups = this.#groups;
    this.store.read(line, groups);
    const owner = this.store.get(line, OWNER);
    for (let n = 0; n < groups.count; n++) {
      const epoch = groups.epochOf(n);
      if (!groups.isIn(n, low, high) || epoch === NO_EPOCH) continue;
      if (isInMemory) this.barriers.reach(owner, epoch);
      else this.barriers.observe(owner, epoch);
    }
  }

  /** All bytes of the open line. */
  advance(event: number): void {
    const groups = this.#groups;
    if (event < 0) return;
    for (let n = 0; n < groups.count; n++) {
      groups.set[n] = this.#after(i32(groups.set, n), event);
    }
    if (this.recorder !== null) this.#tell(ALL, ALL, event, NO_EVENT);
  }

  /** Finds the bytes of the open line of which one of these events has a bit in its verdict. */
  find(events: Int32Array, bit: number): void {
    const groups = this.#groups;
    this.foundLow = 0;
    this.foundHigh = 0;
    for (let n = 0; n < groups.count; n++) {
      for (const event of events) {
        if ((this.sets.verdict(i32(groups.set, n), event) & bit) === 0) continue;
        this.foundLow |= i32(groups.low, n);
        this.foundHigh |= i32(groups.high, n);
      }
    }
  }

  /** Of the levels that translations of the open line reach, with what its neighbours make of it. */
  mapped(live: number): number {
    return live | (this.#isBesideDirty(this.#line) ? BESIDE_DIRTY : 0);
  }

  /** The set of one byte of the open line. */
  setOf(byte: number): number {
    const low = byte < 32 ? 1 << byte : 0;
    const high = byte < 32 ? 0 : 1 << (byte - 32);
    for (let n = 0; n < this.#groups.count; n++) {
      if (this.#groups.isIn(n, low, high)) return i32(this.#groups.set, n);
    }
    return this.sets.initial;
  }

  #lay(line: number): void {
    this.#line = line;
    this.store.read(line, this.#groups);
    this.#settle();
  }

  #keep(): void {
    this.#groups.join();
    this.store.write(this.#line, this.#groups, this.barriers);
  }

  /** Whatever barriers have made clean since it was used is known before its neighbour is. */
  #settleNeighbours(line: number): void {
    const first = this.#firstBeside(line);
    this.store.reach(first + this.#neighbours - 1);
    for (let n = first; n < first + this.#neighbours; n++) {
      if (n === line || this.store.get(n, KNOWN_DIRTY) === 0) continue;
      this.#lay(n);
      this.close();
    }
  }

  /** The line may be dirty now and might not before, or the reverse: its neighbours learn of it. */
  #tellNeighbours(): void {
    const line = this.#line;
    const isDirty = (this.#properties() & MAY_BE_DIRTY) === 0 ? 0 : 1;
    if (isDirty === this.store.get(line, KNOWN_DIRTY)) return;
    this.store.set(line, KNOWN_DIRTY, isDirty);
    const first = this.#firstBeside(line);
    for (let n = first; n < first + this.#neighbours; n++) {
      if (n === line) continue;
      this.#lay(n);
      const live = this.sets.liveOf(i32(this.#groups.set, 0)) & ~BESIDE_DIRTY;
      const verdict = this.change(ALL, ALL, i32(this.numbers.map, this.mapped(live)), NO_EVENT);
      if (verdict !== 0) this.beside.push({ line: n, verdict });
      this.#keep();
    }
  }

  #isBesideDirty(line: number): boolean {
    const first = this.#firstBeside(line);
    for (let n = first; n < first + this.#neighbours; n++) {
      if (n !== line && this.store.get(n, KNOWN_DIRTY) !== 0) return true;
    }
    return false;
  }

  #firstBeside(line: number): number {
    return line - (line % this.#neighbours);
  }

  /** Brings about what barriers and observations since the last use of the line have proved. */
  #settle(): void {
    const { barriers } = this;
    if (this.store.get(this.#line, OUTER_SEEN) !== barriers.outerSyncs) {
      this.store.set(this.#line, OUTER_SEEN, barriers.outerSyncs);
      if ((this.#properties() & HAS_BUFFERED) !== 0) {
        // In the order of the barriers: what had drained before is in memory now.
        this.#settleCpus(barriers.drainedBefore, barriers.syncedBefore);
        this.advance(this.numbers.outerSync);
      }
    }
    this.#settleCpus(barriers.drained, barriers.synced);
    if ((this.#properties() & HAS_ORDERED) !== 0) {
      const reached = i32(barriers.reached, this.store.get(this.#line, OWNER));
      this.#finish(reached, HAS_ORDERED, this.numbers.storeReached);
    }
  }

  #settleCpus(drainedOf: Int32Array, syncedOf: Int32Array): void {
    const { store } = this;
    const line = this.#line;
    const properties = this.#properties();
    if ((properties & HAS_PENDING) !== 0 && this.#isSynced(syncedOf)) {
      this.advance(this.numbers.maintained);
    }
    if ((properties & WAITS) === 0) return;
    const drained = i32(drainedOf, store.get(line, OWNER));
    if (store.get(line, LINE_EPOCH) <= drained) this.advance(this.numbers.storesDrained);
    else this.#finish(drained, HAS_STORE, this.numbers.storeDrained);
  }

  #isSynced(syncedOf: Int32Array): boolean {
    const maintainer = this.store.get(this.#line, MAINTAINER);
    const issued = this.store.get(this.#line, ISSUED);
    if (maintainer !== SEVERAL) return i32(syncedOf, maintainer) > issued;
    return syncedOf.every(synced => synced > issued);
  }

  /** The event happens to bytes that have a property, and a last store of this epoch or before. */
  #finish(last: number, property: number, event: number): void {
    const groups = this.#groups;
    let low = 0;
    let high = 0;
    for (let n = 0; n < groups.count; n++) {
      const set = i32(groups.set, n);
      const epoch = i32(groups.epoch, n);
      const isOld = epoch <= last && (this.sets.properties(set) & property) !== 0;
      if (!isOld) continue;
      groups.set[n] = this.#after(set, event);
      low |= i32(groups.low, n);
      high |= i32(groups.high, n);
    }
    if (this.recorder !== null && (low | high) !== 0) {
      this.#tell(low, high, event, NO_EVENT);
    }
  }

  #own(cpu: number, epoch: number): void {
    this.store.set(this.#line, OWNER, cpu);
    this.store.set(this.#line, LINE_EPOCH, epoch);
  }

  #properties(): number {
    let properties = 0;
    for (let n = 0; n < this.#groups.count; n++) {
      properties |= this.sets.properties(i32(this.#groups.set, n));
    }
    return properties;
  }

  #after(set: number, event: number): number {
    return this.sets.move(set, event) >>> MOVE_SHIFT;
  }

  #tell(low: number, high: number, own: number, others: number): void {
    if (!this.store.isRecorded(this.#line)) return;
    this.recorder?.applied(this.#line, low, high, own, others);
  }
}
