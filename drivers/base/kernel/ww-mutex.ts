import { EALREADY, EDEADLK, EINTR } from './errno';
import { MutexQueue } from './mutex';
import { preemptionPoint, sleepUntil } from './task';
import type { Digestible, LiveValue, Sleeping } from './task';
import { debugLocks } from './ww-class';
import type { WwAcquireCtx, WwClass, WwWaiter } from './ww-class';

/*
 * Wound/wait mutexes (kernel/locking/ww_mutex.h of 6.12, Documentation/locking/ww-mutex-design.rst):
 * locks of one class that are taken together in any order. Who would deadlock is told -EDEADLK,
 * releases all it holds, and takes the contended lock first with lockSlow.
 */

/** A lock of a class (struct ww_mutex). */
export class WwMutex implements Digestible {
  readonly wwClass: WwClass;
  readonly name: string;
  readonly #queue = new MutexQueue<WwWaiter>();
  /** Whose it is; null: free, or held without a context. */
  #ctx: WwAcquireCtx | null = null;

  constructor(wwClass: WwClass, name: string) {
    this.wwClass = wwClass;
    this.name = name;
  }

  get isLocked(): boolean {
    return this.#queue.isLocked;
  }

  /** The context that holds it; null: it is free, or held without one. */
  get ctx(): WwAcquireCtx | null {
    return this.#ctx;
  }

  /**
   * 0 with the lock; -EDEADLK: give back everything and take this one by lockSlow; -EALREADY: the
   * context has it. Without a context as any mutex: always 0 (ww_mutex_lock).
   */
  *lock(ctx: WwAcquireCtx | null): Sleeping<number> {
    return yield* this.#lock(ctx, false);
  }

  /** The same, or -EINTR (ww_mutex_lock_interruptible). */
  *lockInterruptible(ctx: WwAcquireCtx | null): Sleeping<number> {
    return yield* this.#lock(ctx, true);
  }

  /** The lock at which -EDEADLK was told, when nothing else is held (ww_mutex_lock_slow). */
  *lockSlow(ctx: WwAcquireCtx): Sleeping<void> {
    this.#checkSlow(ctx);
    const result = yield* this.#lock(ctx, false);
    debugLocks(result !== 0, `ww_mutex_lock_slow: ${this.name}: error ${result}`);
  }

  /** The same: 0 or -EINTR (ww_mutex_lock_slow_interruptible). */
  *lockSlowInterruptible(ctx: WwAcquireCtx): Sleeping<number> {
    this.#checkSlow(ctx);
    return yield* this.#lock(ctx, true);
  }

  /** True if it was free; a context has it from now on (ww_mutex_trylock). */
  tryLock(ctx: WwAcquireCtx | null): boolean {
    if (ctx !== null) this.#begin(ctx);
    if (!this.#queue.tryLock(null)) return false;
    if (ctx !== null) this.#setContext(ctx);
    return true;
  }

  unlock(): void {
    this.beforeUnlock();
    const ctx = this.#ctx;
    if (ctx !== null) {
      debugLocks(ctx.acquired === 0, `ww_mutex_unlock: ${this.name}: the context holds nothing`);
      ctx.acquired--;
      this.#ctx = null;
    }
    this.#queue.unlock(this.name);
  }

  /** Who has it and who waits, by their ages among those that live. */
  digest(): string {
    const rank = (ctx: WwAcquireCtx | null): string =>
      ctx === null ? '-' : String(this.wwClass.rankOf(ctx));
    const waiters = this.#queue.waiters.map(({ ctx, isWoken }) => rank(ctx) + (isWoken ? '!' : ''));
    return `${this.#queue.digest()}${rank(this.#ctx)}[${waiters.join(',')}]`;
  }

  /** Somebody asks for the lock and may sleep: what it guards may have more to say about that. */
  protected beforeLock(): void {
    // A lock by itself has nothing to say.
  }

  /** It is about to be released. */
  protected beforeUnlock(): void {
    // A lock by itself has nothing to clear.
  }

  *#lock(ctx: WwAcquireCtx | null, interruptible: boolean): Sleeping<number> {
    this.beforeLock();
    yield* preemptionPoint('ww_mutex_lock', () => [this.name, rankIn(ctx)]);
    if (ctx !== null) {
      ctx.checkUsable(this.wwClass);
      if (ctx === this.#ctx) return -EALREADY;
      this.#begin(ctx);
    }
    if (this.#queue.tryLock(null)) {
      if (ctx !== null) this.#setContext(ctx);
    } else {
      const error = yield* this.#wait({ ctx, isWoken: false }, interruptible);
      if (error !== 0) return error;
    }
    return ctx === null ? 0 : this.#injected(ctx);
  }

  *#wait(waiter: WwWaiter, interruptible: boolean): Sleeping<number> {
    const { ctx } = waiter;
    const queue = this.#queue;
    if (ctx === null) queue.waiters.push(waiter);
    else this.#queueByAge(waiter, ctx);
    const live = (): LiveValue[] => [
      this.name,
      rankIn(ctx),
      queue.waiters.indexOf(waiter),
      Number(waiter.isWoken),
    ];
    if (ctx !== null) ctx.waiter = waiter;
    let error = this.#killed(waiter);
    while (error === 0) {
      const options = { interruptible, live };
      const how = yield* sleepUntil('ww_mutex_lock', () => waiter.isWoken, options);
      waiter.isWoken = false;
      if (queue.tryLockOrHandoff(waiter)) break;
      error = how === 'signal' ? -EINTR : this.#killed(waiter);
    }
    if (ctx !== null) ctx.waiter = null;
    if (error === 0 && ctx !== null) this.#acquiredByWaiter(waiter, ctx);
    queue.remove(waiter);
    return error;
  }

  /**
   * Puts a waiter behind older ones and before younger ones; those without a context stay where they
   * came in. Wait-Die: younger ones behind it die. Wound-Wait: it wounds the holder
   * (__ww_mutex_add_waiter).
   */
  #queueByAge(waiter: WwWaiter, ctx: WwAcquireCtx): void {
    const { waiters } = this.#queue;
    let place = waiters.length;
    for (let i = waiters.length - 1; i >= 0; i--) {
      const other = waiters[i];
      if (other === undefined || other.ctx === null) continue;
      if (ctx.isYoungerThan(other.ctx)) break;
      place = i;
      this.#wakeToDie(other, ctx);
    }
    waiters.splice(place, 0, waiter);
    if (!ctx.isWaitDie) this.#wound(ctx, this.#ctx);
  }

  /**
   * Has a waiter to give up, now that it came or looks again? -EDEADLK or 0. Wait-Die: behind an
   * older one too, as it would have to when that has the lock (__ww_mutex_check_kill).
   */
  #killed(waiter: WwWaiter): number {
    const { ctx } = waiter;
    if (ctx === null || ctx.acquired === 0) return 0;
    if (!ctx.isWaitDie) return ctx.isWounded ? this.#kill(ctx) : 0;
    if (this.#ctx !== null && ctx.isYoungerThan(this.#ctx)) return this.#kill(ctx);
    const { waiters } = this.#queue;
    const before = waiters.slice(0, waiters.indexOf(waiter));
    return before.some(other => other.ctx !== null) ? this.#kill(ctx) : 0;
  }

  #kill(ctx: WwAcquireCtx): number {
    ctx.contending = this;
    return -EDEADLK;
  }

  /** Wait-Die: a younger waiter that holds locks is woken to see that it must give up. */
  #wakeToDie(waiter: WwWaiter, older: WwAcquireCtx): boolean {
    if (!older.isWaitDie) return false;
    const { ctx } = waiter;
    if (ctx !== null && ctx.acquired > 0 && ctx.isYoungerThan(older)) waiter.isWoken = true;
    return true;
  }

  /**
   * Wound-Wait: a younger holder is wounded by whoever holds locks itself. It notices when it next
   * has to wait, or now if it does (__ww_mutex_wound).
   */
  #wound(by: WwAcquireCtx, holder: WwAcquireCtx | null): boolean {
    if (holder === null || by.acquired === 0 || !holder.isYoungerThan(by)) return false;
    holder.isWounded = true;
    if (holder.waiter !== null) holder.waiter.isWoken = true;
    return true;
  }

  /** A context has the lock that others wait for: who must die, or wounds it (…_check_waiters). */
  #checkWaiters(ctx: WwAcquireCtx): void {
    for (const waiter of this.#queue.waiters) {
      if (waiter.ctx === null || waiter.ctx === ctx) continue;
      if (this.#wakeToDie(waiter, ctx) || this.#wound(waiter.ctx, ctx)) break;
    }
  }

  #acquiredByWaiter(waiter: WwWaiter, ctx: WwAcquireCtx): void {
    const hasOvertaken = !this.#queue.isFirst(waiter);
    this.#acquired(ctx);
    if (!ctx.isWaitDie && hasOvertaken) this.#checkWaiters(ctx);
  }

  #setContext(ctx: WwAcquireCtx): void {
    this.#acquired(ctx);
    this.#checkWaiters(ctx);
  }

  /** The lock is the context's (ww_mutex_lock_acquired). */
  #acquired(ctx: WwAcquireCtx): void {
    debugLocks(ctx.isDone, `ww_mutex_lock: ${this.name}: after ww_acquire_done`);
    if (ctx.contending !== null) {
      debugLocks(
        ctx.contending !== this,
        `ww_mutex_lock: -EDEADLK was for ${ctx.contending.name}, not for ${this.name}`,
      );
      debugLocks(ctx.acquired > 0, `ww_mutex_lock: ${this.name}: locks kept after -EDEADLK`);
      ctx.contending = null;
    }
    ctx.acquired++;
    this.#ctx = ctx;
  }

  /** A context that holds nothing is nobody's victim any more. */
  #begin(ctx: WwAcquireCtx): void {
    ctx.checkUsable(this.wwClass);
    if (ctx.acquired === 0) ctx.isWounded = false;
  }

  #checkSlow(ctx: WwAcquireCtx): void {
    debugLocks(ctx.contending === null, `ww_mutex_lock_slow: ${this.name}: without -EDEADLK`);
  }

  /** Only where the context holds another: whoever holds nothing is never told -EDEADLK. */
  #injected(ctx: WwAcquireCtx): number {
    if (ctx.acquired <= 1 || !ctx.injectsNow()) return 0;
    this.unlock();
    return this.#kill(ctx);
  }
}

const rankIn = (ctx: WwAcquireCtx | null): number => (ctx === null ? -1 : ctx.wwClass.rankOf(ctx));
