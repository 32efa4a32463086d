import { i32 } from '../../../drivers/base/types/arrays';
import { Barriers } from './barriers';
import { EventNumbers, NO_EVENT } from './event-numbers';
import { LineGroups } from './line-groups';
import { LineStore } from './line-store';
import { HAS_BUFFERED, HAS_OTHERS, HAS_PENDING, HAS_STORE, MOVE_SHIFT, MOVE_VERDICT } from './sets';
import type { StateSets } from './sets';
import { READS } from './verdicts';

/** More than one CPU has maintenance of a line under way. */
const SEVERAL = -1;
const WAITS = HAS_STORE | HAS_OTHERS;
/** All bytes of a line. */
const ALL = -1;

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

const grown = (array: Int32Array, length: number): Int32Array<ArrayBuffer> => {
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
};

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

  readonly #groups: LineGroups;
  #line = 0;
  /** Epoch of the youngest store of the line by its owner. */
  #lineEpoch = new Int32Array(1024);
  /** The CPU whose maintenance of the line is under way, or SEVERAL; and when it was issued. */
  #maintainer = new Int32Array(1024);
  #issued = new Int32Array(1024);
  #outerSeen = new Int32Array(1024);

  constructor(sets: StateSets, lineBytes: number, cpus: number, initial: number) {
    this.sets = sets;
    this.store = new LineStore(lineBytes, sets.profile.targets.length, initial);
    this.barriers = new Barriers(cpus, sets.profile.storeBuffer);
    this.numbers = new EventNumbers(sets);
    this.#groups = new LineGroups(sets);
  }

  /** Makes room for a line. */
  reach(line: number): void {
    this.store.reach(line);
    const length = this.store.size;
    if (this.#issued.length >= length) return;
    this.#lineEpoch = grown(this.#lineEpoch, length);
    this.#maintainer = grown(this.#maintainer, length);
    this.#issued = grown(this.#issued, length);
    this.#outerSeen = grown(this.#outerSeen, length);
  }

  open(line: number): void {
    this.reach(line);
    this.#line = line;
    this.store.read(line, this.#groups);
    this.#settle();
  }

  close(): void {
    this.#groups.join();
    this.store.write(this.#line, this.#groups, this.barriers);
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

  /** A CPU comes to the open line: if nothing waits there, it is the CPU's. True if it is. */
  takeOver(cpu: number): boolean {
    if (i32(this.store.owner, this.#line) === cpu) return true;
    if (this.waits) return false;
    this.#own(cpu, 0);
    return true;
  }

  /**
   * Before a store to the open line. Two CPUs that store without having agreed on an order are
   * not told apart from two that have: the earlier store has drained.
   */
  takeAway(cpu: number): void {
    if (this.takeOver(cpu)) return;
    this.advance(this.numbers.storesDrained);
    this.#own(cpu, 0);
  }

  /** Stores of an epoch went to the open line. */
  stored(cpu: number, epoch: number): void {
    this.#own(cpu, epoch);
    this.store.deviceLow[this.#line] = 0;
    this.store.deviceHigh[this.#line] = 0;
  }

  /** A cacheable access to the open line waits for this CPU's own maintenance of it. */
  follow(cpu: number, event: number): void {
    if (event < 0 || i32(this.#maintainer, this.#line) !== cpu) return;
    if ((this.#properties() & HAS_PENDING) !== 0) this.advance(event);
  }

  /**
   * Maintenance of the open line is issued: after this CPU's stores of it, and so after all of
   * its older epochs. Nothing orders it with what another CPU has under way there.
   */
  maintain(cpu: number, own: number, foreign: number): number {
    const line = this.#line;
    const hasPending = (this.#properties() & HAS_PENDING) !== 0;
    const isOwner = i32(this.store.owner, line) === cpu;
    const isMaintainer = !hasPending || i32(this.#maintainer, line) === cpu;
    const isForeign = (this.waits && !isOwner) || !isMaintainer;
    if (this.waits && isOwner) {
      this.barriers.observe(cpu, i32(this.#lineEpoch, line));
      if (isForeign) this.advance(this.numbers.storesDrained);
    }
    this.#maintainer[line] = isMaintainer ? cpu : SEVERAL;
    this.#issued[line] = this.barriers.syncs;
    return this.change(ALL, ALL, isForeign ? foreign : own, NO_EVENT);
  }

  /** A device wrote bytes of the open line. */
  written(low: number, high: number): void {
    this.store.deviceLow[this.#line] = low;
    this.store.deviceHigh[this.#line] = high;
  }

  /** Someone saw stores that may still have waited: what came epochs before them has drained. */
  observe(line: number, low: number, high: number): void {
    this.reach(line);
    const groups = this.#groups;
    this.store.read(line, groups);
    const owner = i32(this.store.owner, line);
    for (let n = 0; n < groups.count; n++) {
      if (groups.isIn(n, low, high)) this.barriers.observe(owner, i32(groups.epoch, n));
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

  /** The set of one byte of the open line. */
  setOf(byte: number): number {
    const low = byte < 32 ? 1 << byte : 0;
    const high = byte < 32 ? 0 : 1 << (byte - 32);
    for (let n = 0; n < this.#groups.count; n++) {
      if (this.#groups.isIn(n, low, high)) return i32(this.#groups.set, n);
    }
    return this.sets.initial;
  }

  /** Brings about what barriers and observations since the last use of the line have proved. */
  #settle(): void {
    const { barriers } = this;
    const line = this.#line;
    const isSynced = i32(this.#outerSeen, line) !== barriers.outerSyncs;
    if (isSynced) {
      this.#outerSeen[line] = barriers.outerSyncs;
      if ((this.#properties() & HAS_BUFFERED) !== 0) {
        // In the order of the barriers: what had drained before is in memory now.
        this.#settleCpus(barriers.drainedBefore, barriers.syncedBefore);
        this.advance(this.numbers.outerSync);
      }
    }
    this.#settleCpus(barriers.drained, barriers.synced);
  }

  #settleCpus(drainedOf: Int32Array, syncedOf: Int32Array): void {
    const line = this.#line;
    const properties = this.#properties();
    if ((properties & HAS_PENDING) !== 0 && this.#isSynced(syncedOf)) {
      this.advance(this.numbers.maintained);
    }
    if ((properties & WAITS) === 0) return;
    const drained = i32(drainedOf, i32(this.store.owner, line));
    if (i32(this.#lineEpoch, line) <= drained) this.advance(this.numbers.storesDrained);
    else this.#drainUpTo(drained);
  }

  #isSynced(syncedOf: Int32Array): boolean {
    const maintainer = i32(this.#maintainer, this.#line);
    const issued = i32(this.#issued, this.#line);
    if (maintainer !== SEVERAL) return i32(syncedOf, maintainer) > issued;
    return syncedOf.every(synced => synced > issued);
  }

  /** Bytes whose last store is of this epoch or an earlier one have it drained. */
  #drainUpTo(drained: number): void {
    const groups = this.#groups;
    let low = 0;
    let high = 0;
    for (let n = 0; n < groups.count; n++) {
      const set = i32(groups.set, n);
      const isOld =
        i32(groups.epoch, n) <= drained && (this.sets.properties(set) & HAS_STORE) !== 0;
      if (!isOld) continue;
      groups.set[n] = this.#after(set, this.numbers.storeDrained);
      low |= i32(groups.low, n);
      high |= i32(groups.high, n);
    }
    if (this.recorder !== null && (low | high) !== 0) {
      this.#tell(low, high, this.numbers.storeDrained, NO_EVENT);
    }
  }

  #own(cpu: number, epoch: number): void {
    this.store.owner[this.#line] = cpu;
    this.#lineEpoch[this.#line] = epoch;
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
