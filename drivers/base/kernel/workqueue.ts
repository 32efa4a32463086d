import { KernelOops } from './oops';
import type { Scheduler } from './scheduler';
import { preemptionPoint } from './task';
import type { Digestible, Sleeping } from './task';
import type { ClockTimers, PendingTimer } from './timers';
import { WaitQueue, waitEvent } from './wait-queue';

/** Something to be done by a kernel thread (struct work_struct). */
export interface Work {
  readonly name: string;
  /** Does it; what it answers is the rest of it, which may sleep, null: there is none. */
  run(): Sleeping<void> | null;
}

/**
 * A kernel thread that does one work after the other, in the order in which they were queued (an
 * ordered workqueue).
 */
export class Workqueue implements Digestible {
  readonly #queue: Work[] = [];
  readonly #changed = new WaitQueue();
  #running: Work | null = null;

  constructor(scheduler: Scheduler, name: string) {
    scheduler.spawn(name, this.#thread(), { isDaemon: true });
  }

  /** False if it is queued already; one that runs may be queued again (queue_work). */
  queue(work: Work): boolean {
    if (this.#queue.includes(work)) return false;
    this.#queue.push(work);
    this.#changed.wakeUpAll();
    return true;
  }

  /** Takes it out of the queue, if it is there; one that runs goes on (cancel_work). */
  cancel(work: Work): boolean {
    const place = this.#queue.indexOf(work);
    if (place >= 0) this.#queue.splice(place, 1);
    return place >= 0;
  }

  digest(): string {
    return `${this.#running?.name ?? ''}<${this.#queue.map(({ name }) => name).join(',')}`;
  }

  *#thread(): Sleeping<never> {
    for (;;) {
      yield* waitEvent(this.#changed, () => this.#queue.length > 0, { at: 'worker_thread' });
      const work = this.#queue.shift();
      if (work === undefined) throw new KernelOops('a worker was woken for nothing');
      this.#running = work;
      const rest = work.run();
      if (rest !== null) yield* rest;
      this.#running = null;
      yield* preemptionPoint('worker_thread');
    }
  }
}

/** Work that is queued some time from now (struct delayed_work). */
export class DelayedWork implements Digestible {
  readonly #work: Work;
  readonly #queue: Workqueue;
  readonly #timers: ClockTimers;
  #timer: PendingTimer | null = null;

  constructor(work: Work, queue: Workqueue, timers: ClockTimers) {
    this.#work = work;
    this.#queue = queue;
    this.#timers = timers;
  }

  /** In so many ns from now, whatever it was set for before (mod_delayed_work). */
  mod(nanoseconds: number): void {
    this.cancel();
    this.#timer = this.#timers.after(nanoseconds, () => {
      this.#timer = null;
      this.#queue.queue(this.#work);
    });
  }

  /** True if it was set and has not expired: it may run nevertheless (cancel_delayed_work). */
  cancel(): boolean {
    const timer = this.#timer;
    this.#timer = null;
    return timer !== null && this.#timers.cancel(timer);
  }

  /** Ns that are left, -1 while it is not set. */
  digest(): number {
    return this.#timer === null ? -1 : this.#timer.at - this.#timers.now;
  }
}
