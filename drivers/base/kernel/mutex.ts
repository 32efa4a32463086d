import { EINTR } from './errno';
import { bugOn } from './oops';
import { preemptionPoint, sleepUntil } from './task';
import type { Digestible, Sleeping } from './task';

/** Somebody who waits for a lock (struct mutex_waiter). */
export interface MutexWaiter {
  isWoken: boolean;
}

/**
 * Who has a lock and who waits for it, as mutexes of both kinds have it. A lock that is released
 * may be taken by anyone who comes before the waiter that was woken; a first waiter to whom that
 * happened asks for it to be handed over, and gets it at the next release (MUTEX_FLAG_HANDOFF).
 */
export class MutexQueue<Waiter extends MutexWaiter> {
  readonly waiters: Waiter[] = [];
  isLocked = false;
  #wantsHandoff = false;
  /** The waiter that the lock was handed to, who has not taken it yet (MUTEX_FLAG_PICKUP). */
  #pickup: Waiter | null = null;

  /** Takes the lock, if it is free or handed to this waiter. */
  tryLock(waiter: Waiter | null): boolean {
    if (this.isLocked) {
      if (waiter === null || this.#pickup !== waiter) return false;
      this.#pickup = null;
      return true;
    }
    this.isLocked = true;
    this.#wantsHandoff = false;
    return true;
  }

  /** A waiter that was woken tries again: the first one does not want to be passed over twice. */
  tryLockOrHandoff(waiter: Waiter): boolean {
    if (this.tryLock(waiter)) return true;
    if (this.isFirst(waiter)) this.#wantsHandoff = true;
    return false;
  }

  isFirst(waiter: Waiter): boolean {
    return this.waiters[0] === waiter;
  }

  remove(waiter: Waiter): void {
    this.waiters.splice(this.waiters.indexOf(waiter), 1);
    if (this.waiters.length === 0) this.#wantsHandoff = false;
  }

  /** Releases the lock and wakes the first waiter. An oops if nobody has it. */
  unlock(name: string): void {
    bugOn(!this.isLocked || this.#pickup !== null, `${name} is unlocked, and nobody has it`);
    const [first] = this.waiters;
    if (this.#wantsHandoff && first !== undefined) {
      this.#pickup = first;
      this.#wantsHandoff = false;
    } else this.isLocked = false;
    if (first !== undefined) first.isWoken = true;
  }

  /** Free, held, or held and promised to the first who waits. */
  digest(): string {
    if (!this.isLocked) return 'free';
    if (this.#pickup !== null) return 'pickup';
    return this.#wantsHandoff ? 'handoff' : 'held';
  }
}

/** A lock for which one sleeps (struct mutex). */
export class Mutex implements Digestible {
  readonly name: string;
  readonly #queue = new MutexQueue();

  constructor(name: string) {
    this.name = name;
  }

  get isLocked(): boolean {
    return this.#queue.isLocked;
  }

  /** True if it was free (mutex_trylock). */
  tryLock(): boolean {
    return this.#queue.tryLock(null);
  }

  *lock(): Sleeping<void> {
    yield* this.#lock(false);
  }

  /** 0, or -EINTR if a signal came first (mutex_lock_interruptible). */
  *lockInterruptible(): Sleeping<number> {
    return yield* this.#lock(true);
  }

  unlock(): void {
    this.#queue.unlock(this.name);
  }

  digest(): string {
    return `${this.#queue.digest()}+${this.#queue.waiters.length}`;
  }

  *#lock(interruptible: boolean): Sleeping<number> {
    yield* preemptionPoint('mutex_lock', () => [this.name]);
    const queue = this.#queue;
    if (queue.tryLock(null)) return 0;
    const waiter = { isWoken: false };
    queue.waiters.push(waiter);
    const live = (): (string | number)[] => [
      this.name,
      queue.waiters.indexOf(waiter),
      Number(waiter.isWoken),
    ];
    while (!queue.tryLock(waiter)) {
      const how = yield* sleepUntil('mutex_lock', () => waiter.isWoken, { interruptible, live });
      waiter.isWoken = false;
      if (queue.tryLockOrHandoff(waiter)) break;
      if (how === 'signal') {
        queue.remove(waiter);
        return -EINTR;
      }
    }
    queue.remove(waiter);
    return 0;
  }
}
