import { EALREADY, EDEADLK } from '../../base/kernel/errno';
import type { Sleeping } from '../../base/kernel/task';
import type { WwClass } from '../../base/kernel/ww-class';
import { alignUp } from '../../base/types/bits';
import type { AddressSpace, Placing } from './vm';
import type { LockedObject, Ticket, Vma } from './vma';

/** An object that a job refers to (drm_i915_gem_exec_object2). */
export interface ExecObject<Object extends LockedObject = LockedObject> {
  readonly object: Object;
  /** The job writes it: nobody else may use it meanwhile (EXEC_OBJECT_WRITE). */
  readonly isWrite?: boolean;
  /** Softpin: its address (EXEC_OBJECT_PINNED). */
  readonly at?: number;
  /** Of its address; 0 is any. */
  readonly alignment?: number;
  /** Bytes of addresses, if more than its own (EXEC_OBJECT_PAD_TO_SIZE). */
  readonly padTo?: number;
  /** Its addresses are below this. */
  readonly below?: number;
}

/** An object of a submission, and where it is to lie. */
export interface ExecEntry<Object extends LockedObject = LockedObject> {
  readonly vma: Vma<Object>;
  readonly placing: Placing;
  readonly isWrite: boolean;
}

/**
 * A job on its way to the GPU (struct i915_execbuffer): its objects, what of them is locked and
 * pinned, and its ticket, which it keeps however often it has to begin again.
 */
export class Submission<Object extends LockedObject = LockedObject> {
  readonly vm: AddressSpace<Object>;
  readonly entries: readonly ExecEntry<Object>[];
  readonly ticket: Ticket;
  /** Called at the end, whatever it is. */
  readonly atEnd: (() => void)[] = [];
  readonly #held: LockedObject[] = [];
  readonly #pinned: Vma[] = [];
  readonly #claimed = new Set<Vma>();

  constructor(vm: AddressSpace<Object>, wwClass: WwClass, entries: readonly ExecEntry<Object>[]) {
    this.vm = vm;
    this.entries = entries;
    this.ticket = wwClass.acquireInit();
  }

  /** True if all that it needs would fit if nobody else were there, in order of alignment. */
  get fitsAlone(): boolean {
    const sizes = this.entries.map(({ placing: { size, alignment } }) =>
      alignUp(size, Math.max(1, alignment)),
    );
    return sizes.reduce((sum, size) => sum + size, 0) <= this.vm.end - this.vm.start;
  }

  /**
   * Locks every object (eb_lock_vmas); 0 or -EINTR. Whoever would deadlock releases all, waits for the
   * contended lock alone, and begins again (i915_gem_ww_ctx_backoff).
   */
  *lockAll(): Sleeping<number> {
    for (let i = 0; i < this.entries.length; i++) {
      const object = this.entries[i]?.vma.object;
      if (object === undefined || this.holds(object)) continue;
      const error = yield* this.lock(object);
      if (error === -EDEADLK) {
        const broken = yield* this.backOff(object);
        if (broken !== 0) return broken;
        i = -1;
      } else if (error !== 0) return error;
    }
    return 0;
  }

  /** Locks one more; 0, -EINTR, or -EDEADLK, after which there is only `backOff`. */
  *lock(object: LockedObject): Sleeping<number> {
    const error = yield* object.resv.lockInterruptible(this.ticket);
    if (error === -EALREADY) return 0;
    if (error === 0) this.#held.push(object);
    return error;
  }

  /** Gives all locks back and takes the contended one; 0 or -EINTR. */
  *backOff(contended: LockedObject): Sleeping<number> {
    this.unlockAll();
    const error = yield* contended.resv.lockSlowInterruptible(this.ticket);
    if (error === 0) this.#held.push(contended);
    return error;
  }

  holds({ resv }: LockedObject): boolean {
    return resv.lockingCtx === this.ticket;
  }

  unlockAll(): void {
    if (this.#held.length === 0) return;
    for (const object of this.#held.splice(0)) object.resv.unlock();
    this.vm.room.wakeUpAll();
  }

  /** Nobody may take its addresses until the submission ends, or `unpinAll`. */
  pin(vma: Vma): void {
    vma.pin();
    this.#pinned.push(vma);
  }

  isPinned(vma: Vma): boolean {
    return this.#pinned.includes(vma);
  }

  unpinAll(): void {
    if (this.#pinned.length === 0) return;
    for (const vma of this.#pinned.splice(0)) vma.unpin();
    this.vm.room.wakeUpAll();
  }

  /** Pins all if each is bound where it must be, and otherwise none. */
  pinResident(): boolean {
    if (!this.entries.every(({ vma, placing }) => this.vm.fits(vma, placing))) return false;
    for (const { vma } of this.entries) if (!this.isPinned(vma)) this.pin(vma);
    return true;
  }

  /** It needs this one resident from now on, with the right of its ticket. */
  claim(vma: Vma): void {
    vma.claims.add(this.ticket);
    this.#claimed.add(vma);
  }

  /** Gives everything back; the ticket's time is over. */
  end(): void {
    this.unpinAll();
    this.unlockAll();
    for (const vma of this.#claimed) {
      vma.claims.delete(this.ticket);
      if (vma.claims.size === 0) vma.losses = 0;
    }
    if (this.#claimed.size > 0) this.vm.room.wakeUpAll();
    this.#claimed.clear();
    for (const end of this.atEnd.splice(0)) end();
    this.ticket.fini();
  }
}
