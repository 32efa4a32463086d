import type { Ram } from '../../../drivers/base/hw/ram';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { i32, u8 } from '../../../drivers/base/types/arrays';
import { MAY_STALE, STUCK } from '../coherence/verdicts';

/** A poll of bytes of one line, by a CPU or a device. */
export interface Poll {
  /** The number of the first byte in RAM: four of a word's. */
  readonly first: number;
  readonly line: number;
  /** What the states of the line say of it. */
  readonly verdict: number;
}

/** How a poll was answered. */
export interface PollAnswer {
  /** It was the old value: the poller has not seen the latest. */
  readonly isOld: boolean;
  /** Time alone would never have brought the new one: that is a finding. */
  readonly isStuck: boolean;
}

/**
 * What polls of each byte were last answered. A poll that may be stale is answered with that once;
 * the next one gets the new value: who polls must live with either. A poll that only maintenance
 * would end is late as any other, if maintenance of its line comes before the next. CPUs and devices
 * are alike in this; each device has polls of its own, and the CPUs have theirs together.
 */
export class Polls {
  readonly #values = new Map<number, number>();
  /** Bytes of which the last answer was an old one. */
  readonly #late = new Set<number>();
  /** First bytes of polls whose last was stuck, with their lines. */
  readonly #stuck = new Map<number, number>();

  /** Somebody has polled. */
  get isUsed(): boolean {
    return this.#values.size > 0;
  }

  /** `length` bytes from index `at` on hold the latest: they become the answer. */
  poll(poll: Poll, bytes: Uint8Array, at: number, length: number): PollAnswer {
    const isStuck = (poll.verdict & STUCK) !== 0 && this.#isStuckForGood(poll);
    const mayBeOld = (poll.verdict & MAY_STALE) !== 0 && !isStuck;
    let isOld = false;
    for (let i = 0; i < length; i++) {
      const latest = u8(bytes, at + i);
      const answer = this.#answer(poll.first + i, latest, mayBeOld);
      bytes[at + i] = answer;
      if (answer !== latest) isOld = true;
    }
    return { isOld, isStuck };
  }

  /** A byte that was never polled is about to be: what it held before somebody wrote it. */
  expect(byte: number, value: number): void {
    if (!this.#values.has(byte)) this.#values.set(byte, value);
  }

  /** The poller wrote the byte itself: what was there before, it cannot be answered any more. */
  wrote(byte: number, value: number): void {
    if (this.#values.has(byte)) this.#values.set(byte, value);
    this.#late.delete(byte);
  }

  /** Maintenance of a line: a driver that does this in its loop is not stuck. */
  maintained(line: number): void {
    if (this.#stuck.size === 0) return;
    for (const [first, of] of this.#stuck) if (of === line) this.#stuck.delete(first);
  }

  #answer(byte: number, latest: number, mayBeOld: boolean): number {
    const before = this.#values.get(byte);
    if (mayBeOld && before !== undefined && before !== latest && !this.#late.has(byte)) {
      this.#late.add(byte);
      return before;
    }
    this.#late.delete(byte);
    this.#values.set(byte, latest);
    return latest;
  }

  /** It was so the last time too, or nobody knows what an old value would be. */
  #isStuckForGood({ first, line }: Poll): boolean {
    const isForGood = this.#stuck.has(first) || !this.#values.has(first);
    if (isForGood) this.#stuck.delete(first);
    else this.#stuck.set(first, line);
    return isForGood;
  }
}

/** What each word held before a device wrote it last: the old value of a poll that comes first. */
export class Overwritten {
  readonly #pages = new Map<number, Int32Array>();

  /** Words are about to be overwritten, all in one page. */
  note(ram: Ram, word: number, count: number): void {
    const frame = word >>> PAGE_WORDS_SHIFT;
    let page = this.#pages.get(frame);
    if (page === undefined) {
      page = new Int32Array(PAGE_WORDS);
      this.#pages.set(frame, page);
    }
    const from = ram.poolIndex(word);
    const to = word & (PAGE_WORDS - 1);
    for (let i = 0; i < count; i++) page[to + i] = i32(ram.words, from + i);
  }

  /** Undefined for a word of a page that no device has written. */
  of(word: number): number | undefined {
    const page = this.#pages.get(word >>> PAGE_WORDS_SHIFT);
    return page === undefined ? undefined : i32(page, word & (PAGE_WORDS - 1));
  }
}
