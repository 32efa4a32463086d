import { Stall } from '../../../base/hw/stall';
import type { StallEnd } from '../../../base/hw/stall';
import { EVENT } from '../regs/events';
import type { Words } from '../regs/words';
import type { EventRecorder } from './event-queue';

/** A transaction that waits, with the record that tells of it. */
interface Waiting {
  readonly sid: number;
  readonly stall: Stall;
  readonly record: Words;
  readonly onTerminated: () => void;
  /** Null until the record is in the queue: software cannot have heard of it before. */
  tag: number | null;
}

/** Transactions that faulted where CD.S or STE.S2S says that they wait for software. */
export class Stalls {
  readonly #recorder: EventRecorder;
  readonly #most: number;
  #waiting: readonly Waiting[] = [];

  /** `most`: tags that there are (IDR5.STALL_MAX). */
  constructor(recorder: EventRecorder, most: number) {
    this.#recorder = recorder;
    this.#most = most;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /**
   * A transaction of a stream waits from now on; its record has all but STAG and STALL.
   * `onTerminated` is told if it is not retried.
   */
  begin(sid: number, record: Words, onTerminated: () => void): Stall {
    const stall = new Stall();
    this.#waiting = [...this.#waiting, { sid, stall, record, onTerminated, tag: null }];
    this.record();
    return stall;
  }

  /** Records of those that had no tag or no room: there may be some now. */
  record(): void {
    for (const waiting of this.#waiting) {
      if (waiting.tag !== null) continue;
      const tag = this.#freeTag();
      if (tag === null) return;
      EVENT.STAG.put(waiting.record, tag);
      EVENT.STALL.put(waiting.record, 1);
      if (this.#recorder.offer(waiting.record) === 'full') return;
      waiting.tag = tag;
    }
  }

  /** CMD_RESUME; a tag that nothing of the stream has means nothing. */
  resume(sid: number, tag: number, how: StallEnd): void {
    this.#end(waiting => waiting.sid === sid && waiting.tag === tag, how);
  }

  /** CMD_STALL_TERM: all of a stream; null: of every stream. */
  terminate(sid: number | null): void {
    this.#end(waiting => sid === null || waiting.sid === sid, 'abort');
  }

  #end(condition: (waiting: Waiting) => boolean, how: StallEnd): void {
    const ended = this.#waiting.filter(condition);
    this.#waiting = this.#waiting.filter(waiting => !ended.includes(waiting));
    for (const { stall, onTerminated } of ended) {
      if (how !== 'retry') onTerminated();
      stall.end(how);
    }
    this.record();
  }

  #freeTag(): number | null {
    for (let tag = 0; tag < this.#most; tag++) {
      if (!this.#waiting.some(waiting => waiting.tag === tag)) return tag;
    }
    return null;
  }
}
