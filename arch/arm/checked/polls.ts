import type { Ram } from '../../../drivers/base/hw/ram';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { i32, u8 } from '../../../drivers/base/types/arrays';
import { MAY_STALE, STUCK } from '../coherence/verdicts';

/** A poll of bytes of one line, by a CPU or a device. */
export interface Poll {
  /** The number of the first byte in RAM: four of a word's. */
  readonly first: number;
  readonly line: number;
  /** The CPU, 0 for a device. */
  readonly poller: number;
  /** What the states of the line say of it. */
  readonly verdict: number;
}

/** How a poll was answered. */
export interface PollAnswer {
  /** The poller can tell that it was the latest: it has seen what was written last. */
  readonly isSeen: boolean;
  /** Time alone would never have brought the new one: that is a finding. */
  readonly isStuck: boolean;
}

/** What a byte was last answered as, and in which poll: bytes of two polls make no old value. */
interface Answered {
  readonly value: number;
  readonly poll: number;
}

/**
 * What polls of each byte were last answered. A poll that may be stale is answered with that once, as
 * a whole; the next one gets the new value: who polls must live with either. Where both are the same
 * the poller has learnt nothing. A poll that only maintenance would end is late as any other, if
 * maintenance of its line comes before the next. CPUs and devices are alike in this; each device has
 * polls of its own, and the CPUs have theirs together, but none sees less than it has stored itself.
 */
export class Polls {
  readonly #answers = new Map<number, Answered>();
  /** By byte, what pollers have stored there themselves since it was answered. */
  readonly #stored = new Map<number, Map<number, number>>();
  /** Bytes of which the last answer was an old one, and who got it. */
  readonly #late = new Map<number, number>();
  /** First bytes of polls whose last was stuck, with their lines. */
  readonly #stuck = new Map<number, number>();
  #count = 0;

  /** Somebody has polled. */
  get isUsed(): boolean {
    return this.#answers.size > 0;
  }

  /** `length` bytes from index `at` on hold the latest: they become the answer. */
  poll(poll: Poll, bytes: Uint8Array, at: number, length: number): PollAnswer {
    const isStuck = this.#isStuckForGood(poll);
    const mayBeOld = (poll.verdict & MAY_STALE) !== 0;
    const old = mayBeOld && !isStuck ? this.#oldOf(poll, length) : null;
    const isOther = old?.some((value, i) => value !== u8(bytes, at + i)) ?? true;
    if (old !== null && isOther && !this.#isLate(poll.first, length)) {
      bytes.set(old, at);
      for (let i = 0; i < length; i++) this.#late.set(poll.first + i, poll.poller);
      return { isSeen: false, isStuck };
    }
    this.#count++;
    for (let i = 0; i < length; i++) this.#answer(poll.first + i, u8(bytes, at + i), this.#count);
    return { isSeen: isOther, isStuck };
  }

  /** Bytes that were never polled are about to be: what they held before somebody wrote them. */
  expect(first: number, value: number, length: number): void {
    this.#count++;
    for (let i = 0; i < length; i++) {
      const poll = this.#count;
      if (this.#answers.has(first + i)) continue;
      this.#answers.set(first + i, { value: (value >>> (8 * i)) & 0xff, poll });
    }
  }

  /** A poller wrote the byte itself: what was there before, it cannot be answered any more. */
  wrote(byte: number, value: number, poller: number): void {
    if (!this.#answers.has(byte)) return;
    const stored = this.#stored.get(byte) ?? new Map<number, number>();
    this.#stored.set(byte, stored.set(poller, value));
    if (this.#late.get(byte) === poller) this.#late.delete(byte);
  }

  /** Maintenance of a line: a driver that does this in its loop is not stuck. */
  maintained(line: number): void {
    if (this.#stuck.size === 0) return;
    for (const [first, of] of this.#stuck) if (of === line) this.#stuck.delete(first);
  }

  /** What the poller may be answered in place of the latest; null if nobody knows. */
  #oldOf({ first, poller }: Poll, length: number): readonly number[] | null {
    const of = this.#answers.get(first)?.poll;
    const old: number[] = [];
    for (let byte = first; byte < first + length; byte++) {
      const answered = this.#answers.get(byte);
      if (answered === undefined || answered.poll !== of) return null;
      old.push(this.#stored.get(byte)?.get(poller) ?? answered.value);
    }
    return old;
  }

  #isLate(first: number, length: number): boolean {
    for (let byte = first; byte < first + length; byte++) if (this.#late.has(byte)) return true;
    return false;
  }

  #answer(byte: number, value: number, poll: number): void {
    this.#late.delete(byte);
    this.#stored.delete(byte);
    this.#answers.set(byte, { value, poll });
  }

  /** It was so the last time too, or nobody knows what an old value would be. */
  #isStuckForGood({ first, line, verdict }: Poll): boolean {
    const isStuck = (verdict & STUCK) !== 0;
    const isForGood = isStuck && (this.#stuck.has(first) || !this.#answers.has(first));
    if (isStuck && !isForGood) this.#stuck.set(first, line);
    else this.#stuck.delete(first);
    return isForGood;
  }
}

/** What each word held before a device wrote it last: the old value of a poll that comes first. */
export class Overwritten {
  readonly #ram: Ram;
  readonly #pages = new Map<number, OverwrittenPage>();

  constructor(ram: Ram) {
    this.#ram = ram;
  }

  /** A device is about to overwrite words, all of one page. */
  note(word: number, count: number): void {
    const frame = word >>> PAGE_WORDS_SHIFT;
    const page = this.#pages.get(frame) ?? newPage();
    this.#pages.set(frame, page);
    this.#copy(word, count, page.before);
    page.isKnown.fill(1, word & LAST_WORD, (word & LAST_WORD) + count);
  }

  /** It has overwritten them. */
  done(word: number, count: number): void {
    const page = this.#pages.get(word >>> PAGE_WORDS_SHIFT);
    if (page !== undefined) this.#copy(word, count, page.after);
  }

  /** Null for a word that no device has written, or somebody else since. */
  of(word: number): number | null {
    const page = this.#pages.get(word >>> PAGE_WORDS_SHIFT);
    const at = word & LAST_WORD;
    if (page === undefined || u8(page.isKnown, at) === 0) return null;
    return i32(page.after, at) === this.#ram.readWord(word) ? i32(page.before, at) : null;
  }

  #copy(word: number, count: number, to: Int32Array): void {
    const from = this.#ram.poolIndex(word);
    const at = word & LAST_WORD;
    for (let i = 0; i < count; i++) to[at + i] = i32(this.#ram.words, from + i);
  }
}

/** By word of a page. */
interface OverwrittenPage {
  readonly before: Int32Array;
  readonly after: Int32Array;
  readonly isKnown: Uint8Array;
}

const LAST_WORD = PAGE_WORDS - 1;

const newPage = (): OverwrittenPage => ({
  before: new Int32Array(PAGE_WORDS),
  after: new Int32Array(PAGE_WORDS),
  isKnown: new Uint8Array(PAGE_WORDS),
});
