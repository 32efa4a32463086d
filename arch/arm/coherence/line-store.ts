import { i32 } from '../../../drivers/base/types/arrays';
import { invariant } from '../../../drivers/base/types/errors';
import type { Barriers } from './barriers';
import type { LineGroups } from './line-groups';
import { PairTable } from './pair-table';

/** Words of a group in the pool: set, epoch, two halves of the mask. */
const GROUP_WORDS = 4;
/** Two classes and their masks are kept in the line itself. */
const CLASSES = 2;
/** log2 of the words of a line in `hot`, and what they are. */
export const HOT_SHIFT = 2;
const PAIR = 0;
/** The stamp of the epoch whose stores may join class 1, by the owner of the line; -1 if none may. */
export const GATE = 1;
/** The bytes of class 1. */
export const LOW = 2;
export const HIGH = 3;
/** Pairs from here on are not in `quick`. */
const MOST_QUICK = 0xffff;
/** Among the marks of a line: it is recorded. The rest counts who watches it, in steps of two. */
const RECORDED = 1;
const ONE_WATCH = 2;

const grown = (array: Int32Array, least: number): Int32Array<ArrayBuffer> => {
  let length = array.length;
  while (length <= least) length *= 2;
  const larger = new Int32Array(length);
  larger.set(array);
  return larger;
};

/** The lines from `first` on, which nobody has stored to. */
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
   * What the fast path reads of a line, side by side. A pair below zero is what no fast path may
   * take: ~(2 * pair) of a line that is watched or recorded, ~(2 * record + 1) of one that has a
   * record in the pool.
   */
  hot = withGates(new Int32Array(1024 << HOT_SHIFT), 0);
  /**
   * Line to its pair plus one, 0 if the fast path has to keep out: of many lines at once, what a
   * load needs is in the nearest caches of the host.
   */
  quick = new Uint16Array(1024).fill(1);
  /** Lines there is room for. */
  size = 1024;
  /** Line to the epoch of the last store of each class. */
  epoch0 = new Int32Array(1024);
  epoch1 = new Int32Array(1024);
  /** Line to the CPU whose stores wait; whoever came last if none does. */
  owner = new Int32Array(1024);
  /** Line to the bytes of the last device write, none if a CPU has stored since. */
  deviceLow = new Int32Array(1024);
  deviceHigh = new Int32Array(1024);

  readonly known: PairTable;
  readonly #allLow: number;
  readonly #allHigh: number;
  readonly #recordWords: number;
  #marks = new Int32Array(1024);
  #pool = new Int32Array(1024);
  #poolUsed = 0;
  #free: number[] = [];

  /** Every line starts as pair 0: both classes in set `initial`. */
  constructor(lineBytes: number, accesses: number, initial: number) {
    invariant(lineBytes >= 1 && lineBytes <= 64, `a line of ${lineBytes} bytes`);
    this.#allLow = lineBytes >= 32 ? -1 : 2 ** lineBytes - 1;
    this.#allHigh = lineBytes === 64 ? -1 : 2 ** Math.max(0, lineBytes - 32) - 1;
    this.#recordWords = 1 + lineBytes * GROUP_WORDS;
    this.known = new PairTable(accesses);
    this.known.pairOf(initial, initial);
  }

  /** Makes room for a line. */
  reach(line: number): void {
    if (line < this.size) return;
    const { size } = this;
    while (this.size <= line) this.size *= 2;
    const hot = new Int32Array(this.size << HOT_SHIFT);
    hot.set(this.hot);
    this.hot = withGates(hot, size);
    const quick = new Uint16Array(this.size).fill(1, size);
    quick.set(this.quick);
    this.quick = quick;
    this.epoch0 = grown(this.epoch0, line);
    this.epoch1 = grown(this.epoch1, line);
    this.owner = grown(this.owner, line);
    this.deviceLow = grown(this.deviceLow, line);
    this.deviceHigh = grown(this.deviceHigh, line);
    this.#marks = grown(this.#marks, line);
  }

  /** Lines that nothing has happened to start in another set. */
  begin(line: number, count: number, set: number): void {
    const pair = this.known.pairOf(set, set);
    for (let n = line; n < line + count; n++) {
      this.#keep(n, i32(this.#marks, n) === 0 ? pair : ~(2 * pair));
    }
  }

  /** The pair of a line, or what stands for it: see `hot`. */
  pairOf(line: number): number {
    return i32(this.hot, (line << HOT_SHIFT) + PAIR);
  }

  isWatched(line: number): boolean {
    return line < this.#marks.length && i32(this.#marks, line) >= ONE_WATCH;
  }

  isRecorded(line: number): boolean {
    return (i32(this.#marks, line) & RECORDED) !== 0;
  }

  /** One more, or one fewer, wants to know of accesses to the line. */
  watch(line: number, more: boolean): void {
    const marks = i32(this.#marks, line) + (more ? ONE_WATCH : -ONE_WATCH);
    invariant(marks >= 0, `line ${line} is watched by nobody`);
    this.#mark(line, marks);
  }

  record(line: number): void {
    this.#mark(line, i32(this.#marks, line) | RECORDED);
  }

  /** Lays the line out in groups. */
  read(line: number, groups: LineGroups): void {
    groups.clear();
    const kept = this.pairOf(line);
    if (kept < 0 && (~kept & 1) !== 0) {
      this.#readRecord(~kept >> 1, groups);
      return;
    }
    const pair = kept < 0 ? ~kept >> 1 : kept;
    const at = line << HOT_SHIFT;
    const low = i32(this.hot, at + LOW);
    const high = i32(this.hot, at + HIGH);
    const { first, second } = this.known;
    const others = this.#allLow & ~low;
    groups.add(i32(first, pair), i32(this.epoch0, line), others, this.#allHigh & ~high);
    groups.add(i32(second, pair), i32(this.epoch1, line), low, high);
  }

  /** Keeps the groups, joined, as the line. */
  write(line: number, groups: LineGroups, { epoch: now, stamp }: Barriers): void {
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
    const isLastByDevice = (i32(this.deviceLow, line) | i32(this.deviceHigh, line)) !== 0;
    const at = line << HOT_SHIFT;
    const { hot } = this;
    this.#keep(line, i32(this.#marks, line) === 0 ? pair : ~(2 * pair));
    this.epoch0[line] = i32(groups.epoch, 0);
    this.epoch1[line] = epoch;
    const owner = i32(this.owner, line);
    hot[at + GATE] = isLastByDevice || epoch !== i32(now, owner) ? -1 : i32(stamp, owner);
    hot[at + LOW] = isUniform ? 0 : i32(groups.low, 1);
    hot[at + HIGH] = isUniform ? 0 : i32(groups.high, 1);
  }

  /** A pair without marks stays; a record is off the fast path anyway. */
  #mark(line: number, marks: number): void {
    this.#marks[line] = marks;
    const kept = this.pairOf(line);
    if (kept < 0 && (~kept & 1) !== 0) return;
    const pair = kept < 0 ? ~kept >> 1 : kept;
    this.#keep(line, marks === 0 ? pair : ~(2 * pair));
  }

  #keep(line: number, pair: number): void {
    this.hot[(line << HOT_SHIFT) + PAIR] = pair;
    this.quick[line] = pair >= 0 && pair < MOST_QUICK ? pair + 1 : 0;
  }

  #newRecord(): number {
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    const record = this.#poolUsed;
    this.#poolUsed += this.#recordWords;
    if (this.#poolUsed > this.#pool.length) this.#pool = grown(this.#pool, this.#poolUsed);
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
