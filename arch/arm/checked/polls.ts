import type { Ram } from '../../../drivers/base/hw/ram';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { i32 } from '../../../drivers/base/types/arrays';

/**
 * What polls of each word were last answered. A poll that may be stale is answered with that once;
 * the next one gets the new value: a program that polls must live with either. A poll that only
 * maintenance would end is late as any other, if maintenance of its line comes before the next.
 */
export class Polls {
  readonly #values = new Map<number, number>();
  /** Words of which the last answer was an old one. */
  readonly #late = new Set<number>();
  /** Words whose last poll was stuck, with their lines. */
  readonly #stuck = new Map<number, number>();

  /** Somebody has polled. */
  get isUsed(): boolean {
    return this.#values.size > 0;
  }

  /** The answer to a poll of a word that holds `value`; `mayBeOld`: a possible state is stale. */
  answer(word: number, value: number, mayBeOld: boolean): number {
    const before = this.#values.get(word);
    if (mayBeOld && before !== undefined && before !== value && !this.#late.has(word)) {
      this.#late.add(word);
      return before;
    }
    this.#late.delete(word);
    this.#values.set(word, value);
    return value;
  }

  /** A word that was never polled is about to be: what it held before somebody wrote it. */
  expect(word: number, value: number): void {
    if (!this.#values.has(word)) this.#values.set(word, value);
  }

  /** The poller wrote the word itself: what was there before, it cannot be answered any more. */
  wrote(word: number, value: number): void {
    if (this.#values.has(word)) this.#values.set(word, value);
    this.#late.delete(word);
  }

  /** A stuck poll. True if it was so before, or if nobody knows what an old value would be. */
  isStuckForGood(word: number, line: number): boolean {
    const isForGood = this.#stuck.has(word) || !this.#values.has(word);
    if (isForGood) this.#stuck.delete(word);
    else this.#stuck.set(word, line);
    return isForGood;
  }

  /** Maintenance of a line: a driver that does this in its loop is not stuck. */
  maintained(line: number): void {
    if (this.#stuck.size === 0) return;
    for (const [word, of] of this.#stuck) if (of === line) this.#stuck.delete(word);
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
