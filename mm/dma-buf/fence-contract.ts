import { KernelOops } from '../../drivers/base/kernel/oops';
import type { Gfp } from '../../drivers/base/kernel/gfp';

/** What the contract asks of a fence. */
export interface ContractFence {
  /** Driver, timeline and number, for people. */
  readonly label: string;
  /** Asks, as dma_fence_is_signaled does. */
  readonly isSignaled: boolean;
  /** Fences of which it is made: it is signalled after them. */
  readonly contained: readonly ContractFence[];
  /** Simulated ns at which it was made. */
  readonly madeAt: number;
  /** Its work resolves page faults on the way. */
  readonly isOfFaultingWork: boolean;
}

/**
 * The cross-driver contract of fences (drivers/dma-buf/dma-fence.c, "DOC: fence cross-driver
 * contract"), as lockdep checks it: every fence is signalled in finite time. So what stands between
 * a fence and its signal, from beginSignalling to endSignalling, must not wait for another fence:
 * not by itself, not by a lock of a reservation object, under which others wait, and not by an
 * allocation that reclaims memory, as reclaim waits for fences.
 *
 * A violation is a KernelOops that names the call: it deadlocks some day, if not in this run.
 */
export class FenceContract {
  readonly #current: () => object | null;
  /** Who is in how many critical sections: by task, interrupts and code that is no task as one. */
  readonly #depth = new Map<object | null, number>();
  /** Made, and not seen signalled yet. */
  readonly #pending = new Set<ContractFence>();
  /** What a fence's signal waits for. */
  readonly #waitsFor = new WeakMap<ContractFence, Set<ContractFence>>();

  /** `current`: the task that runs, null where none does (Scheduler.current). */
  constructor(current: () => object | null = () => null) {
    this.#current = current;
  }

  /** From here on a fence waits for this code (dma_fence_begin_signalling); calls nest. */
  beginSignalling(): void {
    const task = this.#current();
    this.#depth.set(task, (this.#depth.get(task) ?? 0) + 1);
  }

  endSignalling(): void {
    const task = this.#current();
    const depth = this.#depth.get(task) ?? 0;
    if (depth === 0) throw new KernelOops('dma_fence_end_signalling: without its beginning');
    if (depth === 1) this.#depth.delete(task);
    else this.#depth.set(task, depth - 1);
  }

  /** This code is on the way to a signal. */
  get isSignalling(): boolean {
    return this.#depth.has(this.#current());
  }

  /** Memory is asked for: with GFP_KERNEL that may reclaim (might_alloc). */
  mightAlloc(call: string, gfp: Gfp): void {
    if (gfp.atomic !== true) this.#forbid(`${call} with GFP_KERNEL`, 'reclaim may wait for fences');
  }

  /** A reservation object is about to be locked. */
  mightLockResv(call: string): void {
    this.#forbid(call, 'whoever has the lock may wait for fences');
  }

  /** A fence is about to be waited for (__dma_fence_might_wait). */
  mightWait(call: string): void {
    this.#forbid(call, 'it would wait for another fence');
  }

  /** A fence is handed to somebody who will wait for it: its work must be sure to end. */
  mayPublish(call: string, fence: ContractFence): void {
    if (!fence.isOfFaultingWork) return;
    throw new KernelOops(
      `${call}: ${fence.label} is of work that resolves page faults: it cannot use fences`,
    );
  }

  /** A fence was made: somebody is to signal it. */
  made(fence: ContractFence): void {
    this.#pending.add(fence);
  }

  signaled(fence: ContractFence): void {
    this.#pending.delete(fence);
  }

  /**
   * Fences that nobody has signalled for more than so many ns before `now`: of finished work there
   * are none.
   */
  overdue(now: number, limit = 0): string[] {
    return [...this.#pending]
      .filter(fence => now - fence.madeAt >= limit && !fence.isSignaled)
      .map(({ label }) => label);
  }

  /** `fence` is signalled after `on`: an oops if that is signalled after `fence`. */
  dependsOn(fence: ContractFence, on: ContractFence): void {
    const path = this.#path(on, fence, new Set());
    if (path !== null) {
      const cycle = [fence, ...path].map(({ label }) => label).join(' waits for ');
      throw new KernelOops(`fences wait for each other: ${cycle}`);
    }
    const known = this.#waitsFor.get(fence);
    if (known === undefined) this.#waitsFor.set(fence, new Set([on]));
    else known.add(on);
  }

  /** From one fence to another over what waits for what; null: there is no way. */
  #path(from: ContractFence, to: ContractFence, seen: Set<ContractFence>): ContractFence[] | null {
    if (from === to) return [from];
    if (seen.has(from) || from.isSignaled) return null;
    seen.add(from);
    for (const next of [...from.contained, ...(this.#waitsFor.get(from) ?? [])]) {
      const rest = this.#path(next, to, seen);
      if (rest !== null) return [from, ...rest];
    }
    return null;
  }

  #forbid(call: string, why: string): void {
    if (!this.isSignalling) return;
    throw new KernelOops(`${call} on the way to a fence's signal: ${why}`);
  }
}
