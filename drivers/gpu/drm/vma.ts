import { invariant } from '../../base/types/errors';
import type { Sleeping } from '../../base/kernel/task';
import type { WwAcquireCtx } from '../../base/kernel/ww-class';
import { MmNode } from './mm-node';
import type { GpuObject, GpuVa, GpuVm } from './ops';

/** What a job signals when the GPU is done with it. */
export interface JobFence {
  readonly isSignaled: boolean;
}

/** The reservation object of an object, as a submission needs it: DmaResv of mm/dma-buf is one. */
export interface ObjectResv {
  readonly isLocked: boolean;
  /** Who holds the lock; null: nobody, or somebody without a context. */
  readonly lockingCtx: WwAcquireCtx | null;
  /** 0, -EDEADLK, -EALREADY or -EINTR, as WwMutex has it. */
  lockInterruptible(ctx: WwAcquireCtx): Sleeping<number>;
  lockSlowInterruptible(ctx: WwAcquireCtx): Sleeping<number>;
  unlock(): void;
  /** Makes room for so many fences; 0 or -ENOMEM. Until `unlock` adding them cannot fail. */
  reserveFences(count: number): number;
  addFence(fence: JobFence, usage: 'write' | 'read'): void;
}

/** An object that submissions lock. */
export interface LockedObject extends GpuObject {
  readonly resv: ObjectResv;
}

/** How often something must be taken from a claim before that counts as thrashing (UVM: 3 events). */
export const THRASHING = 3;

/** Who wants to have something resident, and since when: the acquire context of a submission. */
export type Ticket = WwAcquireCtx;

/**
 * One object in one address space (i915_vma). It has addresses while it is bound, and keeps them
 * when nobody uses it: others may take them away then.
 */
export class Vma<Object extends LockedObject = LockedObject> implements GpuVa {
  readonly vm: GpuVm;
  readonly object: Object;
  readonly node: MmNode<Vma<Object>>;
  readonly offset = 0;
  isBound = false;
  /** Submissions that need its addresses to stay as they are. */
  pins = 0;
  /** A submission has said where it lies: nobody may move it (EXEC_OBJECT_PINNED). */
  isSoftpinned = false;
  /** Submissions that have bound it and whose job has not been handed over. */
  readonly claims = new Set<Ticket>();
  /** How often it was taken from a claim of now; no more than THRASHING is counted. */
  losses = 0;
  #active: JobFence[] = [];

  constructor(vm: GpuVm, object: Object) {
    this.vm = vm;
    this.object = object;
    this.node = new MmNode<Vma<Object>>(this);
  }

  get start(): number {
    return this.node.start;
  }

  get size(): number {
    return this.node.size;
  }

  /** The GPU may still use its addresses. */
  get isBusy(): boolean {
    if (this.#active.length > 0)
      this.#active = this.#active.filter(({ isSignaled }) => !isSignaled);
    return this.#active.length > 0;
  }

  /** A job that uses it was handed over. */
  activate(fence: JobFence): void {
    this.#active.push(fence);
  }

  pin(): void {
    this.pins++;
  }

  unpin(): void {
    invariant(this.pins > 0, `${this.object.name} is unpinned more often than pinned`);
    this.pins--;
  }

  /** The oldest submission that needs it; null: none does. */
  get oldestClaim(): Ticket | null {
    let oldest: Ticket | null = null;
    for (const claim of this.claims) {
      if (oldest === null || oldest.isYoungerThan(claim)) oldest = claim;
    }
    return oldest;
  }

  /** What it is apart from its addresses and its place in the order of use. */
  digest(): string {
    const flags = `${this.isSoftpinned ? 's' : ''}${this.isBusy ? 'b' : ''}`;
    const claims = [...this.claims].map(claim => claim.wwClass.rankOf(claim)).sort();
    return `${this.object.name}${flags}${this.pins > 0 ? `p${this.pins}` : ''}${claims.length > 0 ? `c${claims.join('+')}` : ''}${this.losses > 0 ? `l${this.losses}` : ''}`;
  }
}
