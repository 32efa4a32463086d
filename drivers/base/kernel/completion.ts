import type { Digestible, Sleeping } from './task';
import type { ClockTimers } from './timers';
import { WaitQueue, waitEvent, waitEventInterruptible, waitEventTimeout } from './wait-queue';
import type { WaitOptions } from './wait-queue';

/** complete_all: whoever waits from now on need not. */
const FOR_ALL = Infinity;

const OPTIONS: WaitOptions = { at: 'wait_for_completion', isExclusive: true };

/** Something that one does and others wait for (struct completion). */
export class Completion implements Digestible {
  readonly #queue = new WaitQueue();
  /** How many may go on without waiting. */
  #done = 0;

  /** Lets one go on, who waits or will. */
  complete(): void {
    this.#done++;
    this.#queue.wakeUp();
  }

  /** Lets everybody go on, from now until it is set up again (complete_all). */
  completeAll(): void {
    this.#done = FOR_ALL;
    this.#queue.wakeUpAll();
  }

  /** Nothing was completed (reinit_completion). */
  reinit(): void {
    this.#done = 0;
  }

  /** True if a wait would not sleep (completion_done). */
  get isDone(): boolean {
    return this.#done > 0;
  }

  /** Takes one without waiting, if there is one (try_wait_for_completion). */
  tryWait(): boolean {
    if (this.#done === 0) return false;
    this.#done--;
    return true;
  }

  *wait(): Sleeping<void> {
    yield* waitEvent(this.#queue, () => this.tryWait(), OPTIONS);
  }

  /** 0, or -ERESTARTSYS. */
  *waitInterruptible(): Sleeping<number> {
    return yield* waitEventInterruptible(this.#queue, () => this.tryWait(), OPTIONS);
  }

  /** What is left of the ns, at least 1; 0 if nothing was completed in them. */
  *waitTimeout(timeout: number, timers: ClockTimers): Sleeping<number> {
    return yield* waitEventTimeout(this.#queue, () => this.tryWait(), timeout, timers, OPTIONS);
  }

  digest(): string {
    return `${this.#done}/${this.#queue.digest()}`;
  }
}
