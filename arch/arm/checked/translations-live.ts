import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { Translation } from './translations-index';

/** What live translations reach of each frame that was ever asked about, kept up to date. */
export class LiveFrames {
  /** By page. */
  readonly #frames = new Map<number, number>();
  /** By frame, its page and what was said last. */
  readonly #answers = new Map<number, { readonly page: number; live: number }>();
  readonly #doubtful = new Set<number>();
  readonly #compute: (page: number) => number;
  readonly #onChange: (frame: number, live: number) => void;

  /** `compute` answers the levels of a page; `onChange` is told of another answer than before. */
  constructor(compute: (page: number) => number, onChange: (frame: number, live: number) => void) {
    this.#compute = compute;
    this.#onChange = onChange;
  }

  liveOf(frame: number, page: number): number {
    const known = this.#answers.get(frame);
    if (known !== undefined) return known.live;
    const live = this.#compute(page);
    this.#frames.set(page, frame);
    this.#answers.set(frame, { page, live });
    return live;
  }

  /** Something about a translation has changed. */
  doubt({ entry: { pa, span } }: Translation): void {
    const first = pa / PAGE_SIZE;
    const end = first + span / PAGE_SIZE;
    if (end - first > this.#frames.size) {
      for (const [page, frame] of this.#frames) {
        if (page >= first && page < end) this.#doubtful.add(frame);
      }
      return;
    }
    for (let page = first; page < end; page++) {
      const frame = this.#frames.get(page);
      if (frame !== undefined) this.#doubtful.add(frame);
    }
  }

  /** Something has changed about a frame that was asked about. */
  get areDoubtful(): boolean {
    return this.#doubtful.size > 0;
  }

  /** Something about all of them has. */
  doubtAll(): void {
    for (const frame of this.#answers.keys()) this.#doubtful.add(frame);
  }

  /** All changes are made: tells what they come to. */
  settle(): void {
    if (this.#doubtful.size === 0) return;
    for (const frame of this.#doubtful) {
      const answer = this.#answers.get(frame);
      if (answer === undefined) continue;
      const live = this.#compute(answer.page);
      if (live === answer.live) continue;
      answer.live = live;
      this.#onChange(frame, live);
    }
    this.#doubtful.clear();
  }
}
