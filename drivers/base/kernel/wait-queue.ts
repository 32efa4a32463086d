import { ERESTARTSYS } from './errno';
import { preemptionPoint, sleepUntil } from './task';
import type { Digestible, Sleeping } from './task';
import type { ClockTimers } from './timers';

/** Somebody who sleeps on a queue (struct wait_queue_entry). */
interface Waiter {
  /** Of these only one is woken at a time (WQ_FLAG_EXCLUSIVE). */
  readonly isExclusive: boolean;
  isWoken: boolean;
}

/**
 * Where tasks sleep until something has changed (struct wait_queue_head). Whoever changes it wakes
 * them: a change without a wake-up leaves them asleep, as in the kernel.
 */
export class WaitQueue implements Digestible {
  readonly #waiters: Waiter[] = [];

  /** Somebody sleeps here (waitqueue_active). */
  get isActive(): boolean {
    return this.#waiters.length > 0;
  }

  /** Wakes all, but of those that wait exclusively the first only (wake_up). */
  wakeUp(): void {
    this.#wake(1);
  }

  wakeUpAll(): void {
    this.#wake(Infinity);
  }

  /** Puts a waiter in (prepare_to_wait). */
  add(isExclusive: boolean): Waiter {
    const waiter = { isExclusive, isWoken: false };
    this.#waiters.push(waiter);
    return waiter;
  }

  /** Takes one out that was not woken (finish_wait). */
  remove(waiter: Waiter): void {
    const place = this.#waiters.indexOf(waiter);
    if (place >= 0) this.#waiters.splice(place, 1);
  }

  /** The place of one among those that wait, -1 once woken: what its task's future depends on. */
  placeOf(waiter: Waiter): number {
    return this.#waiters.indexOf(waiter);
  }

  /** How many wait: who they are is told by the tasks themselves. */
  digest(): number {
    return this.#waiters.length;
  }

  /** Whoever is woken is no longer in the queue (autoremove_wake_function). */
  #wake(exclusive: number): void {
    let left = exclusive;
    const stay: Waiter[] = [];
    for (const waiter of this.#waiters) {
      if (waiter.isExclusive && left-- <= 0) stay.push(waiter);
      else waiter.isWoken = true;
    }
    this.#waiters.splice(0, this.#waiters.length, ...stay);
  }
}

/** How a sleep is. */
export interface WaitOptions {
  /** The name of the place in digests and messages. */
  readonly at?: string;
  readonly isExclusive?: boolean;
}

interface Deadline {
  readonly timers: ClockTimers;
  /** Simulated ns. */
  readonly at: number;
}

/** Ends with 0, -ERESTARTSYS after a signal, or null when the deadline is over. */
function* waitFor(
  queue: WaitQueue,
  condition: () => boolean,
  { at = 'wait_event', isExclusive = false }: WaitOptions,
  interruptible: boolean,
  deadline: Deadline | null,
): Sleeping<number | null> {
  yield* preemptionPoint(at);
  while (!condition()) {
    if (deadline !== null && deadline.timers.now >= deadline.at) return null;
    const waiter = queue.add(isExclusive);
    const wake = deadline === null ? null : wakeAt(waiter, deadline);
    const until = (): boolean => waiter.isWoken;
    const live = (): number[] => [queue.placeOf(waiter), remaining(deadline) ?? -1];
    const how = yield* sleepUntil(at, until, { interruptible, live });
    queue.remove(waiter);
    wake?.cancel();
    if (how === 'signal') return condition() ? 0 : -ERESTARTSYS;
  }
  return 0;
}

/** A timer that wakes a waiter at its deadline. */
const wakeAt = (waiter: Waiter, { timers, at }: Deadline): { cancel: () => void } => {
  const timer = timers.after(at - timers.now, () => {
    waiter.isWoken = true;
  });
  return {
    cancel: () => {
      timers.cancel(timer);
    },
  };
};

const remaining = (deadline: Deadline | null): number | null =>
  deadline === null ? null : Math.max(0, deadline.at - deadline.timers.now);

/** Sleeps until the condition is true, which is looked at before and after each wake-up. */
export function* waitEvent(
  queue: WaitQueue,
  condition: () => boolean,
  options: WaitOptions = {},
): Sleeping<void> {
  yield* waitFor(queue, condition, options, false, null);
}

/** The same: 0, or -ERESTARTSYS if a signal came before the condition was true. */
export function* waitEventInterruptible(
  queue: WaitQueue,
  condition: () => boolean,
  options: WaitOptions = {},
): Sleeping<number> {
  return (yield* waitFor(queue, condition, options, true, null)) ?? 0;
}

/** As waitFor with a deadline that begins now: what is left of it, at least 1, or 0 when it is over. */
function* waitTimed(
  queue: WaitQueue,
  condition: () => boolean,
  timeout: number,
  timers: ClockTimers,
  options: WaitOptions,
  interruptible: boolean,
): Sleeping<number> {
  const deadline = { timers, at: timers.now + timeout };
  const result = yield* waitFor(queue, condition, options, interruptible, deadline);
  if (result === null) return 0;
  return result < 0 ? result : Math.max(1, remaining(deadline) ?? 0);
}

/**
 * The same for at most `timeout` ns: what is left of them, at least 1, when the condition is true,
 * and 0 if it is not.
 */
export const waitEventTimeout = (
  queue: WaitQueue,
  condition: () => boolean,
  timeout: number,
  timers: ClockTimers,
  options: WaitOptions = {},
): Sleeping<number> => waitTimed(queue, condition, timeout, timers, options, false);

/** Both: -ERESTARTSYS, 0 when the time is over, or what is left of it. */
export const waitEventInterruptibleTimeout = (
  queue: WaitQueue,
  condition: () => boolean,
  timeout: number,
  timers: ClockTimers,
  options: WaitOptions = {},
): Sleeping<number> => waitTimed(queue, condition, timeout, timers, options, true);

/** Sleeps for so many ns (msleep, usleep_range). */
export function* sleepFor(nanoseconds: number, timers: ClockTimers): Sleeping<void> {
  yield* waitEventTimeout(new WaitQueue(), () => false, nanoseconds, timers, { at: 'msleep' });
}
