import { EINVAL, ENOMEM } from '../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { KernelOops, bugOn } from '../../drivers/base/kernel/oops';
import type { Digestible, Sleeping } from '../../drivers/base/kernel/task';
import { WwClass } from '../../drivers/base/kernel/ww-class';
import type { WwAcquireCtx } from '../../drivers/base/kernel/ww-class';
import { WwMutex } from '../../drivers/base/kernel/ww-mutex';
import type { DmaFence, FenceTimelines } from './fence';
import { FenceArray } from './fence-array';

/*
 * Reservation objects (drivers/dma-buf/dma-resv.c of 6.12): who works with a buffer, and who has to
 * wait for whom.
 */

/**
 * What a fence's work does with the buffer. Whoever asks for a usage gets those before it too:
 * memory management, which everybody waits for; a writer; readers; and work that implicit
 * synchronisation does not know of.
 */
export type ResvUsage = 'kernel' | 'write' | 'read' | 'bookkeep';

const RANK: Readonly<Record<ResvUsage, number>> = { kernel: 0, write: 1, read: 2, bookkeep: 3 };

/** What a writer and a reader wait for (dma_resv_usage_rw). */
export const resvUsageRw = (isWrite: boolean): ResvUsage => (isWrite ? 'read' : 'write');

/** The class of all reservation objects of a kernel: Wait-Die (reservation_ww_class). */
export const reservationWwClass = (
  options: { readonly injectsDeadlocks?: boolean } = {},
): WwClass => new WwClass('reservation_ww_class', 'wait-die', options);

/** A fence of a buffer. */
export interface ResvEntry {
  readonly fence: DmaFence;
  readonly usage: ResvUsage;
}

/** An entry as it is found without the lock. */
export interface UnlockedEntry extends ResvEntry {
  /** The first, or the list has changed and all begins again (dma_resv_iter_is_restarted). */
  readonly isRestarted: boolean;
}

/**
 * The lock of a reservation object. Whoever takes it must not be on the way to a signal; places that
 * were reserved and not filled are lost with it (dma_resv_reset_max_fences).
 */
class ResvMutex extends WwMutex {
  readonly #timelines: FenceTimelines;
  readonly #resetPlaces: () => void;

  constructor(wwClass: WwClass, name: string, timelines: FenceTimelines, resetPlaces: () => void) {
    super(wwClass, name);
    this.#timelines = timelines;
    this.#resetPlaces = resetPlaces;
  }

  protected override beforeLock(): void {
    this.#timelines.contract.mightLockResv('dma_resv_lock');
  }

  protected override beforeUnlock(): void {
    this.#resetPlaces();
  }
}

/** The reservation object of a buffer (struct dma_resv). */
export class DmaResv implements Digestible {
  readonly name: string;
  /** Its lock, for whoever takes those of several objects. */
  readonly mutex: WwMutex;
  readonly #timelines: FenceTimelines;
  #entries: ResvEntry[] = [];
  /** Places that addFence may fill: those that are filled count too. */
  #places = 0;
  /** Counts changes, for whoever looks without the lock. */
  #version = 0;

  constructor(timelines: FenceTimelines, wwClass: WwClass, name: string) {
    this.name = name;
    this.#timelines = timelines;
    this.mutex = new ResvMutex(wwClass, name, timelines, () => {
      this.#places = this.#entries.length;
    });
  }

  get isLocked(): boolean {
    return this.mutex.isLocked;
  }

  /** The context that has the lock, null: nobody, or somebody without one (dma_resv_locking_ctx). */
  get lockingCtx(): WwAcquireCtx | null {
    return this.mutex.ctx;
  }

  /** As WwMutex.lock has it (dma_resv_lock). */
  *lock(ctx: WwAcquireCtx | null): Sleeping<number> {
    return yield* this.mutex.lock(ctx);
  }

  *lockInterruptible(ctx: WwAcquireCtx | null): Sleeping<number> {
    return yield* this.mutex.lockInterruptible(ctx);
  }

  *lockSlow(ctx: WwAcquireCtx): Sleeping<void> {
    yield* this.mutex.lockSlow(ctx);
  }

  *lockSlowInterruptible(ctx: WwAcquireCtx): Sleeping<number> {
    return yield* this.mutex.lockSlowInterruptible(ctx);
  }

  /** Never sleeps: allowed wherever it is (dma_resv_trylock). */
  tryLock(ctx: WwAcquireCtx | null = null): boolean {
    return this.mutex.tryLock(ctx);
  }

  unlock(): void {
    this.#assertHeld('dma_resv_unlock');
    this.mutex.unlock();
  }

  /**
   * Room for so many more fences, which can then be added without fail for as long as the lock is
   * held: 0, -ENOMEM, or -EINVAL for none (dma_resv_reserve_fences).
   */
  reserveFences(count: number): number {
    this.#assertHeld('dma_resv_reserve_fences');
    if (count <= 0) return -EINVAL;
    if (this.#entries.length + count <= this.#places) return 0;
    if (!this.#timelines.mayAlloc('dma_resv_reserve_fences', GFP_KERNEL)) return -ENOMEM;
    this.#entries = this.#entries.filter(({ fence }) => !fence.isSignaled);
    this.#version++;
    this.#places = this.#entries.length + count;
    return 0;
  }

  /**
   * Adds a fence in a place that was reserved, or in that of an older one of its context that is
   * used no more widely, or of one that is signalled. An oops without a place (dma_resv_add_fence).
   */
  addFence(fence: DmaFence, usage: ResvUsage): void {
    this.#assertHeld('dma_resv_add_fence');
    bugOn(fence.isContainer, `dma_resv_add_fence: ${fence.label} is made of others`);
    this.#timelines.contract.mayPublish('dma_resv_add_fence', fence);
    const place = this.#entries.findIndex(
      old =>
        (old.fence.context === fence.context &&
          RANK[old.usage] >= RANK[usage] &&
          !old.fence.isLaterThan(fence)) ||
        old.fence.isSignaled,
    );
    this.#version++;
    if (place >= 0) {
      this.#entries[place] = { fence, usage };
      return;
    }
    bugOn(this.#entries.length >= this.#places, `dma_resv_add_fence: ${this.name}: no place`);
    this.#entries.push({ fence, usage });
  }

  /** Every fence of a context gives way to another: its work is over (dma_resv_replace_fences). */
  replaceFences(context: number, replacement: DmaFence, usage: ResvUsage): void {
    this.#assertHeld('dma_resv_replace_fences');
    this.#version++;
    this.#entries = this.#entries.map(entry =>
      entry.fence.context === context ? { fence: replacement, usage } : entry,
    );
  }

  /** Those of a usage and before it, under the lock: signalled ones too (dma_resv_for_each_fence). */
  fences(usage: ResvUsage): readonly ResvEntry[] {
    this.#assertHeld('dma_resv_for_each_fence');
    return this.#entries.filter(entry => RANK[entry.usage] <= RANK[usage]);
  }

  /**
   * The same without the lock, less what is signalled: begins again when the list has changed
   * meanwhile (dma_resv_for_each_fence_unlocked).
   */
  *unlocked(usage: ResvUsage): Generator<UnlockedEntry, void> {
    for (let version = -1; version !== this.#version;) {
      version = this.#version;
      let isRestarted = true;
      for (const entry of [...this.#entries]) {
        if (RANK[entry.usage] > RANK[usage] || entry.fence.isSignaled) continue;
        yield { ...entry, isRestarted };
        isRestarted = false;
        if (version !== this.#version) break;
      }
    }
  }

  /** A copy of what is not signalled (dma_resv_get_fences). */
  getFences(usage: ResvUsage): DmaFence[] {
    let found: DmaFence[] = [];
    for (const { fence, isRestarted } of this.unlocked(usage)) {
      if (isRestarted) found = [];
      found.push(fence);
    }
    return found;
  }

  /** One fence for all of them, null: there is none (dma_resv_get_singleton). */
  getSingleton(usage: ResvUsage): DmaFence | null {
    const fences = this.getFences(usage);
    if (fences.length <= 1) return fences[0] ?? null;
    return new FenceArray(fences, { context: this.#timelines.allocContext(), seqno: 1 });
  }

  /** Its fences are those of another, which need not be locked: 0 or -ENOMEM (dma_resv_copy_fences). */
  copyFences(from: DmaResv): number {
    this.#assertHeld('dma_resv_copy_fences');
    if (!this.#timelines.mayAlloc('dma_resv_copy_fences', GFP_KERNEL)) return -ENOMEM;
    let copied: ResvEntry[] = [];
    for (const { fence, usage, isRestarted } of from.unlocked('bookkeep')) {
      if (isRestarted) copied = [];
      copied.push({ fence, usage });
    }
    this.#version++;
    this.#entries = copied;
    this.#places = Math.max(this.#places, copied.length);
    return 0;
  }

  /** All of a usage and before it are signalled (dma_resv_test_signaled). */
  testSignaled(usage: ResvUsage): boolean {
    return this.getFences(usage).length === 0;
  }

  /**
   * Sleeps until they are, with or without the lock: what is left of the ns, at least 1; 0 when they
   * are over; -ERESTARTSYS. null: for ever (dma_resv_wait_timeout).
   */
  *waitTimeout(usage: ResvUsage, interruptible: boolean, timeout: number | null): Sleeping<number> {
    let left = timeout;
    for (const { fence } of this.unlocked(usage)) {
      const result = yield* fence.waitTimeout(interruptible, left);
      if (result <= 0) return result;
      if (left !== null) left = result;
    }
    return left === null || left === 0 ? 1 : left;
  }

  /** Its lock, and what is to be waited for and why. */
  digest(): string {
    const entries = this.#entries
      .filter(({ fence }) => !fence.wasSignaled)
      .map(({ fence, usage }) => `${usage}:${fence.digest()}`);
    const free = this.#places - this.#entries.length;
    return `${this.mutex.digest()}{${entries.join(',')}}${free > 0 ? `+${free}` : ''}`;
  }

  #assertHeld(call: string): void {
    if (!this.isLocked) throw new KernelOops(`${call}: ${this.name} is not locked`);
  }
}
