import { i32, movedInto, u16 } from '../../../drivers/base/types/arrays';
import { invariant } from '../../../drivers/base/types/errors';
import type { Barriers } from './barriers';
import type { LineGroups } from './line-groups';
import { PairTable } from './pair-table';

/** Lines that there is room for at first. */
const LEAST = 1024;
/** Words of a group in the pool: set, epoch, two halves of the mask. */
const GROUP_WORDS = 4;
/** Two classes and their masks are kept in the line itself. */
const CLASSES = 2;

/**
 * log2 of the bytes that the fast path knows apart, so that it need not ask how long a line is: a line
 * is one such granule, or two. Lines that are shorter are numbered as granules, and not for that path.
 */
export const GRANULE_SHIFT = 5;
const GRANULE = 2 ** GRANULE_SHIFT;

/** log2 of the words of a granule in `hot`, and what they are. */
const HOT_SHIFT = 2;
/** Accesses whose stores are calm, a bit each; none of a line that the fast path must keep out of. */
const STORES = 0;
/** The stamp of the epoch whose stores may join class 1, by the owner of the line; -1 if none may. */
const GATE = 1;
/** Which of its bytes are of class 1. */
const MASK = 2;

/** log2 of the words of a line in `kept`, and what they are. */
const KEPT_SHIFT = 4;
/**
 * The pair of the line. One below zero is what no fast path may take: ~(2 * pair) of a line that is
 * watched or recorded, ~(2 * record + 1) of one that has a record in the pool.
 */
const PAIR = 0;
/** The CPU whose stores wait; whoever came last if none does. */
export const OWNER = 1;
/** Epoch of the youngest store of the line by its owner. */
export const LINE_EPOCH = 2;
/** The epoch of the last store of each class. */
const EPOCH0 = 3;
const EPOCH1 = 4;
/** The bytes of the last device write, in two halves, none if a CPU has stored since. */
export const DEVICE_LOW = 5;
export const DEVICE_HIGH = 6;
/** The number of the last device write of a byte that no CPU has stored to since: DeviceWrites. */
export const DEVICE_WRITE = 7;
/** The CPU whose maintenance of the line is under way, or SEVERAL; and when it was issued. */
export const MAINTAINER = 8;
export const ISSUED = 9;
/** How many outer syncs the line has learnt of. */
export const OUTER_SEEN = 10;
const MARKS = 11;
/** Not 0 if the neighbours of the line know that it may be dirty. */
export const KNOWN_DIRTY = 12;
/** Among the marks of a line: it is recorded. The rest counts who watches it, in steps of two. */
const RECORDED = 1;
const ONE_WATCH = 2;

const grown = (array: Int32Array, length: number): Int32Array<ArrayBuffer> =>
  movedInto(new Int32Array(length), array);

/** The granules from `first` on, which nobody has stored to. */
const withGates = (hot: Int32Array<ArrayBuffer>, first: number): Int32Array<ArrayBuffer> => {
  for (let at = first << HOT_SHIFT; at < hot.length; at += 1 << HOT_SHIFT) hot[at + GATE] = -1;
  return hot;
};

/**
 * What is known of each line: a pair of sets for two classes of its bytes, or groups in a pool
 * where two do not suffice; class 1 is what an event last was about. Lines are numbered as RAM
 * numbers its words: by frame, in order of first touch, so that memory nobody uses takes no room.
 */
export class LineStore {
  /**
   * Granule to the accesses whose loads are calm, a bit each; none of a line that the fast path must
   * keep out of. Of many lines at once, this is in the nearest caches of the host.
   */
  loads: Uint16Array<ArrayBuffer>;
  /** What the fast path reads of a granule for a store, side by side. */
  hot: Int32Array<ArrayBuffer>;
  /** All else, side by side: what changes together is in one line of the host. */
  kept = new Int32Array(LEAST << KEPT_SHIFT);
  /** Lines there is room for. */
  size = LEAST;

  readonly known: PairTable;
  /** log2 of the granules of a line. */
  readonly #shift: number;
  readonly #allLow: number;
  readonly #allHigh: number;
  readonly #recordWords: number;
  #pool = new Int32Array(1024);
  #poolUsed = 0;
  #free: number[] = [];

  /** Every line starts as pair 0: both classes in set `initial`. */
  constructor(lineBytes: number, accesses: number, initial: number) {
    invariant(lineBytes >= 1 && lineBytes <= 2 * GRANULE, `a line of ${lineBytes} bytes`);
    this.#shift = lineBytes > GRANULE ? 1 : 0;
    this.loads = new Uint16Array(LEAST << this.#shift);
    this.hot = withGates(new Int32Array(LEAST << (this.#shift + HOT_SHIFT)), 0);
    this.#allLow = lineBytes >= GRANULE ? -1 : 2 ** lineBytes - 1;
    this.#allHigh = lineBytes === 2 * GRANULE ? -1 : 2 ** Math.max(0, lineBytes - GRANULE) - 1;
    this.#recordWords = 1 + lineBytes * GROUP_WORDS;
    this.known = new PairTable(accesses);
    this.known.pairOf(initial, initial);
  }

  /** Makes room for a line. */
  reach(line: number): void {
    const { size } = this;
    if (line < size) return;
    while (this.size <= line) this.size *= 2;
    const loads = new Uint16Array(this.size << this.#shift);
    loads.set(this.loads);
    this.loads = loads;
    this.hot = withGates(
      grown(this.hot, this.size << (this.#shift + HOT_SHIFT)),
      size << this.#shift,
    );
    this.kept = grown(this.kept, this.size << KEPT_SHIFT);
  }

  /** Lines that nothing has happened to start in another set. */
  begin(line: number, count: number, set: number): void {
    const pair = this.known.pairOf(set, set);
    for (let n = line; n < line + count; n++) this.#keep(n, this.#marked(n, pair));
  }

  /** One word of what is kept of a line. */
  get(line: number, word: number): number {
    return i32(this.kept, (line << KEPT_SHIFT) + word);
  }

  set(line: number, word: number, value: number): void {
    this.kept[(line << KEPT_SHIFT) + word] = value;
  }

  /** The pair of a line, or what stands for it: see PAIR. */
  pairOf(line: number): number {
    return this.get(line, PAIR);
  }

  /** A load by the access of this bit changes nothing, and nothing can be wrong with it. */
  loadsCalmly(granule: number, bit: number): boolean {
    return (u16(this.loads, granule) & bit) !== 0;
  }

  /**
   * The same of a store of `bytes`, a mask from the byte that `shift` names modulo GRANULE on, but that
   * they join class 1, which is done. `stamp` is that of the CPU's present epoch.
   */
  storesCalmly(granule: number, bit: number, stamp: number, bytes: number, shift: number): boolean {
    const { hot } = this;
    const at = granule << HOT_SHIFT;
    if ((i32(hot, at + STORES) & bit) === 0 || i32(hot, at + GATE) !== stamp) return false;
    hot[at + MASK] = i32(hot, at + MASK) | (bytes << shift);
    return true;
  }

  /** Whether stores of this epoch may join class 1. */
  isOpen(line: number, stamp: number): boolean {
    return i32(this.hot, this.#hotOf(line) + GATE) === stamp;
  }

  /** Some byte of the mask is of class 1. */
  isStored(line: number, low: number, high: number): boolean {
    return ((this.#low(line) & low) | (this.#high(line) & high)) !== 0;
  }

  /** Bytes join class 1, by a store of the epoch that the line is open to. */
  join(line: number, pair: number, low: number, high: number): void {
    this.#setClasses(line, this.#low(line) | low, this.#high(line) | high);
    this.#keep(line, pair);
  }

  /** Bytes become class 1 of a line that had none, and nothing waits of the others. */
  split(line: number, pair: number, low: number, high: number, epoch: number, stamp: number): void {
    this.#setClasses(line, low, high);
    this.#setGate(line, stamp);
    this.set(line, EPOCH0, 0);
    this.set(line, EPOCH1, epoch);
    this.#keep(line, pair);
  }

  /** What is calm of the pair of a line may have been learnt since it came to it. */
  refresh(line: number): void {
    this.#keep(line, this.pairOf(line));
  }

  isWatched(line: number): boolean {
    return line < this.size && this.get(line, MARKS) >= ONE_WATCH;
  }

  isRecorded(line: number): boolean {
    return (this.get(line, MARKS) & RECORDED) !== 0;
  }

  /** One more, or one fewer, wants to know of accesses to the line. */
  watch(line: number, more: boolean): void {
    const marks = this.get(line, MARKS) + (more ? ONE_WATCH : -ONE_WATCH);
    invariant(marks >= 0, `line ${line} is watched by nobody`);
    this.#mark(line, marks);
  }

  record(line: number): void {
    this.#mark(line, this.get(line, MARKS) | RECORDED);
  }

  /** Lays the line out in groups. */
  read(line: number, groups: LineGroups): void {
    groups.clear();
    const stands = this.pairOf(line);
    if (stands < 0 && (~stands & 1) !== 0) {
      this.#readRecord(~stands >> 1, groups);
      return;
    }
    const pair = stands < 0 ? ~stands >> 1 : stands;
    const low = this.#low(line);
    const high = this.#high(line);
    const { first, second } = this.known;
    groups.add(
      i32(first, pair),
      this.get(line, EPOCH0),
      this.#allLow & ~low,
      this.#allHigh & ~high,
    );
    groups.add(i32(second, pair), this.get(line, EPOCH1), low, high);
  }

  /** Keeps the groups, joined, as the line. */
  write(line: number, groups: LineGroups, barriers: Barriers): void {
    const { epoch: now, stamp } = barriers;
    const before = this.pairOf(line);
    const record = before < 0 && (~before & 1) !== 0 ? ~before >> 1 : -1;
    if (groups.count > CLASSES) {
      this.#writeRecord(line, record >= 0 ? record : this.#newRecord(), groups);
      return;
    }
    if (record >= 0) this.#free.push(record);
    const isUniform = groups.count < CLASSES;
    const set0 = i32(groups.set, 0);
    const pair = this.known.pairOf(set0, isUniform ? set0 : i32(groups.set, 1));
    const epoch = i32(groups.epoch, isUniform ? 0 : 1);
    const owner = this.get(line, OWNER);
    const isLastByDevice = (this.get(line, DEVICE_LOW) | this.get(line, DEVICE_HIGH)) !== 0;
    // Of each store it is noted that its bytes are not the device's any more.
    const isDevices = isLastByDevice || barriers.isEarly(owner, this.get(line, DEVICE_WRITE));
    // What waits of an earlier epoch may be known to have drained when the next store comes.
    const first = groups.epochOf(0);
    const isClosed = isDevices || (first !== 0 && first !== i32(now, owner));
    this.#keep(line, this.#marked(line, pair));
    this.set(line, EPOCH0, i32(groups.epoch, 0));
    this.set(line, EPOCH1, epoch);
    this.#setGate(line, isClosed || epoch !== i32(now, owner) ? -1 : i32(stamp, owner));
    if (isUniform) this.#setClasses(line, 0, 0);
    else this.#setClasses(line, i32(groups.low, 1), i32(groups.high, 1));
  }

  /** A pair without marks stays; a record is off the fast path anyway. */
  #mark(line: number, marks: number): void {
    this.set(line, MARKS, marks);
    const stands = this.pairOf(line);
    if (stands < 0 && (~stands & 1) !== 0) return;
    this.#keep(line, this.#marked(line, stands < 0 ? ~stands >> 1 : stands));
  }

  /** What stands for a pair in a line, by its marks. */
  #marked(line: number, pair: number): number {
    return this.get(line, MARKS) === 0 ? pair : ~(2 * pair);
  }

  #keep(line: number, pair: number): void {
    this.set(line, PAIR, pair);
    const loads = pair < 0 ? 0 : u16(this.known.loads, pair);
    const stores = pair < 0 ? 0 : u16(this.known.stores, pair);
    const granule = line << this.#shift;
    this.loads[granule] = loads;
    this.hot[(granule << HOT_SHIFT) + STORES] = stores;
    if (this.#shift === 0) return;
    this.loads[granule + 1] = loads;
    this.hot[((granule + 1) << HOT_SHIFT) + STORES] = stores;
  }

  /** Where the first granule of a line is in `hot`. */
  #hotOf(line: number): number {
    return line << (this.#shift + HOT_SHIFT);
  }

  #low(line: number): number {
    return i32(this.hot, this.#hotOf(line) + MASK);
  }

  #high(line: number): number {
    return this.#shift === 0 ? 0 : i32(this.hot, this.#hotOf(line) + (1 << HOT_SHIFT) + MASK);
  }

  #setClasses(line: number, low: number, high: number): void {
    const at = this.#hotOf(line);
    this.hot[at + MASK] = low;
    if (this.#shift !== 0) this.hot[at + (1 << HOT_SHIFT) + MASK] = high;
  }

  #setGate(line: number, gate: number): void {
    const at = this.#hotOf(line);
    this.hot[at + GATE] = gate;
    if (this.#shift !== 0) this.hot[at + (1 << HOT_SHIFT) + GATE] = gate;
  }

  #newRecord(): number {
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    const record = this.#poolUsed;
    this.#poolUsed += this.#recordWords;
    if (this.#poolUsed > this.#pool.length) {
      this.#pool = grown(this.#pool, Math.max(2 * this.#pool.length, this.#poolUsed));
    }
    return record;
  }

  #readRecord(record: number, groups: LineGroups): void {
    const pool = this.#pool;
    const count = i32(pool, record);
    for (let n = 0; n < count; n++) {
      const at = record + 1 + n * GROUP_WORDS;
      groups.add(i32(pool, at), i32(pool, at + 1), i32(pool, at + 2), i32(pool, at + 3));
    }
  }

  #writeRecord(line: number, record: number, groups: LineGroups): void {
    const pool = this.#pool;
    pool[record] = groups.count;
    for (let n = 0; n < groups.count; n++) {
      const at = record + 1 + n * GROUP_WORDS;
      pool[at] = i32(groups.set, n);
      pool[at + 1] = i32(groups.epoch, n);
      pool[at + 2] = i32(groups.low, n);
      pool[at + 3] = i32(groups.high, n);
    }
    this.#keep(line, ~(2 * record + 1));
  }
}
