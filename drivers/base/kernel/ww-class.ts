import { KernelOops } from './oops';
import type { MutexWaiter } from './mutex';
import type { Digestible } from './task';

/**
 * What happens between a younger and an older context. Wait-Die: the younger one that asks dies.
 * Wound-Wait: the younger one that holds is wounded, and dies when it next has to wait.
 */
export type WwAlgorithm = 'wait-die' | 'wound-wait';

/** A lock as a context knows it. */
export interface ContendedLock {
  readonly name: string;
}

/** Somebody who waits for a wound/wait mutex; without a context as for any mutex. */
export interface WwWaiter extends MutexWaiter {
  readonly ctx: WwAcquireCtx | null;
}

/** The kernel warns that its locks are misused (DEBUG_LOCKS_WARN_ON): this bench stops there. */
export const debugLocks = (isMisused: boolean, what: string): void => {
  if (isMisused) throw new KernelOops(`DEBUG_LOCKS_WARN_ON: ${what}`);
};

/** The locks that may be taken together, and who is older than whom (struct ww_class). */
export class WwClass {
  readonly name: string;
  readonly algorithm: WwAlgorithm;
  /** Answers -EDEADLK now and then where there is none (CONFIG_DEBUG_WW_MUTEX_SLOWPATH). */
  readonly injectsDeadlocks: boolean;
  #stamp = 0;
  /** Those that were begun and have not ended, the oldest first. */
  readonly #live: WwAcquireCtx[] = [];

  constructor(name: string, algorithm: WwAlgorithm, { injectsDeadlocks = false } = {}) {
    this.name = name;
    this.algorithm = algorithm;
    this.injectsDeadlocks = injectsDeadlocks;
  }

  /** Begins an acquisition: its stamp is its age, until it ends (ww_acquire_init). */
  acquireInit(): WwAcquireCtx {
    const ctx = new WwAcquireCtx(this, ++this.#stamp);
    this.#live.push(ctx);
    return ctx;
  }

  /** How many live contexts are older. */
  rankOf(ctx: WwAcquireCtx): number {
    return this.#live.indexOf(ctx);
  }

  /** A context has ended. WwAcquireCtx.fini calls it. */
  ended(ctx: WwAcquireCtx): void {
    this.#live.splice(this.#live.indexOf(ctx), 1);
  }
}

/**
 * Who takes several locks of one class (struct ww_acquire_ctx). It keeps its stamp over every
 * back-off, and so becomes the oldest in the end: that is what makes it fair.
 *
 * Not modelled: real-time priorities, which go before age.
 */
export class WwAcquireCtx implements Digestible {
  readonly wwClass: WwClass;
  /** Smaller: older, and stronger. */
  readonly stamp: number;
  /** Locks that it holds. */
  acquired = 0;
  isWounded = false;
  /** No more locks are to be taken (ww_acquire_done). */
  isDone = false;
  /** The lock at which it was told -EDEADLK: the one to take next, and alone. */
  contending: ContendedLock | null = null;
  /** Where it sleeps now: for whoever wounds it. */
  waiter: WwWaiter | null = null;
  #isEnded = false;
  #injectInterval = 1;
  #injectCountdown: number;

  constructor(wwClass: WwClass, stamp: number) {
    this.wwClass = wwClass;
    this.stamp = stamp;
    this.#injectCountdown = stamp % 16;
  }

  get isWaitDie(): boolean {
    return this.wwClass.algorithm === 'wait-die';
  }

  isYoungerThan(other: WwAcquireCtx): boolean {
    return this.stamp > other.stamp;
  }

  /** All locks are taken: another is a mistake (ww_acquire_done). */
  done(): void {
    debugLocks(this.isDone, 'ww_acquire_done: called twice');
    this.isDone = true;
  }

  /** The end: every lock has been released (ww_acquire_fini). */
  fini(): void {
    debugLocks(this.#isEnded, 'ww_acquire_fini: called twice');
    debugLocks(this.acquired > 0, `ww_acquire_fini: ${this.acquired} locks are still held`);
    this.#isEnded = true;
    this.wwClass.ended(this);
  }

  /** A lock is asked for with this context: is it still one? */
  checkUsable(wwClass: WwClass): void {
    debugLocks(this.#isEnded, 'ww_mutex_lock: with a context that has ended');
    debugLocks(
      this.wwClass !== wwClass,
      `ww_mutex_lock: context of ${this.wwClass.name}, lock of ${wwClass.name}`,
    );
  }

  /**
   * True where a deadlock is pretended: after stamp & 0xf locks at first, and then at intervals that
   * grow by 3.5, so that every acquisition succeeds in the end (ww_mutex_deadlock_injection).
   */
  injectsNow(): boolean {
    if (!this.wwClass.injectsDeadlocks || this.#injectCountdown-- > 0) return false;
    this.#injectInterval = Math.floor(this.#injectInterval * 3.5);
    this.#injectCountdown = this.#injectInterval;
    return true;
  }

  /** Its age among those that live, what it holds, and what it must do next. */
  digest(): string {
    const flags = `${this.isWounded ? 'w' : ''}${this.isDone ? 'd' : ''}`;
    const inject = this.wwClass.injectsDeadlocks
      ? `:${this.#injectInterval}-${this.#injectCountdown}`
      : '';
    return `${this.wwClass.rankOf(this)}:${this.acquired}${flags}:${this.contending?.name ?? ''}${inject}`;
  }
}
