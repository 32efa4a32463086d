import { EDEADLK, EINTR, ENOSPC } from '../../base/kernel/errno';
import { bugOn } from '../../base/kernel/oops';
import { preemptionPoint, sleepUntil } from '../../base/kernel/task';
import type { Sleeping } from '../../base/kernel/task';
import { anyMayGo, evictForNode, evictSomething, evictVm } from './evict';
import type { MayGo, Victims } from './evict';
import type { ExecEntry, Submission } from './submission';
import type { AddressSpace, Placing } from './vm';
import type { Vma } from './vma';

/** Where room may come from. */
export interface RoomRules {
  readonly mayGo: MayGo;
  /** What the GPU uses may be waited for. */
  readonly mayWait: boolean;
}

/** Whom a placing would evict, if there is no room. */
export const victimsOf = (vm: AddressSpace, placing: Placing, rules: RoomRules): Victims =>
  placing.at === null
    ? evictSomething(vm, placing, rules.mayGo, rules.mayWait)
    : evictForNode(vm, placing.at, placing.size, rules.mayGo, rules.mayWait);

const isIdle = ({ isBound, pins, isBusy }: Vma): boolean => isBound && pins === 0 && !isBusy;

/** Sleeps until the GPU no longer uses it; 0 or -EINTR (i915_vma_sync). */
export function* waitIdle(vma: Vma): Sleeping<number> {
  if (!vma.isBusy) return 0;
  const options = { interruptible: true, live: () => [vma.object.name] };
  const how = yield* sleepUntil('i915_vma_sync', () => !vma.isBusy, options);
  return how === 'signal' ? -EINTR : 0;
}

/**
 * Binds an entry where it must lie, evicting what may go; 0, -EINTR, -ENOSPC if too little may, or what
 * the hardware's side says (i915_vma_pin).
 */
export function* bindEvicting(
  vm: AddressSpace,
  { vma, placing }: ExecEntry,
  rules: RoomRules,
): Sleeping<number> {
  for (;;) {
    if (vm.fits(vma, placing)) return 0;
    if (vma.isBound) {
      if (vma.pins > 0) return -ENOSPC;
      const error = yield* waitIdle(vma);
      if (error !== 0) return error;
      if (isIdle(vma)) vm.unbind(vma);
      continue;
    }
    const bound = vm.bind(vma, placing);
    if (bound !== -ENOSPC) return bound;
    const { error, vmas } = victimsOf(vm, placing, rules);
    if (error !== 0) return error;
    const busy = vmas.find(victim => victim.isBusy);
    if (busy === undefined) {
      for (const victim of vmas) vm.evict(victim);
      return vm.bind(vma, placing, true);
    }
    const interrupted = yield* waitIdle(busy);
    if (interrupted !== 0) return interrupted;
  }
}

/** Softpinned ones first, then those with fewer addresses to choose from, then the most aligned. */
const byConstraint = (a: ExecEntry, b: ExecEntry): number => {
  const isFree = ({ placing }: ExecEntry): number => (placing.at === null ? 1 : 0);
  if (isFree(a) !== isFree(b)) return isFree(a) - isFree(b);
  if (a.placing.end !== b.placing.end) return a.placing.end - b.placing.end;
  return b.placing.alignment - a.placing.alignment;
};

const LAST_PASS = 3;

/**
 * Binds all at once what is locked already (eb_reserve): 0 with all pinned; -EDEADLK with the object
 * that is contended; -EINTR; -ENOSPC if it is impossible.
 *
 * Pass 0 does not wait for the GPU. Pass 1 begins again, in order of constraint, with all of its own
 * that is not softpinned taken away. Pass 2 also takes the softpinned and evicts all that nobody has
 * locked. Pass 3 waits for the locks of the rest.
 */
export class Reservation {
  readonly #submission: Submission;
  /** The object whose lock answered -EDEADLK. */
  contended: Vma | null = null;

  constructor(submission: Submission) {
    this.#submission = submission;
  }

  *reserve(): Sleeping<number> {
    const { entries, vm } = this.#submission;
    let order = entries.filter(entry => !this.#pinsAsItIs(entry));
    for (let pass = 0; order.length > 0 && pass <= LAST_PASS; pass++) {
      if (pass > 0) {
        this.#unbindOwn(pass > 1);
        const error = pass > 1 ? yield* this.#evictAll(pass > 2) : 0;
        if (error !== 0) return error;
        order = entries.filter(({ vma }) => !this.#submission.isPinned(vma)).sort(byConstraint);
      }
      const error = yield* this.#bindAll(order, pass);
      if (error !== -ENOSPC) return error;
    }
    bugOn(order.length > 0 && this.#shouldFit, `${vm.name}: -ENOSPC, though all would fit`);
    return order.length > 0 ? -ENOSPC : 0;
  }

  /** All would fit: nothing of others is left, and nothing says where anything must lie. */
  get #shouldFit(): boolean {
    const { entries, vm } = this.#submission;
    const isFree = entries.every(({ placing: { at, end } }) => at === null && end >= vm.end);
    return isFree && vm.bound.every(({ pins }) => pins === 0) && this.#submission.fitsAlone;
  }

  /** At its present address, if that will do (eb_pin_vma). */
  #pinsAsItIs({ vma, placing }: ExecEntry): boolean {
    const { vm } = this.#submission;
    if (!vm.fits(vma, placing)) return false;
    this.#submission.pin(vma);
    return true;
  }

  /** Nobody comes between where all has just been evicted: what does not fit then never will. */
  *#bindAll(order: readonly ExecEntry[], pass: number): Sleeping<number> {
    const { vm } = this.#submission;
    const rules = { mayGo: anyMayGo, mayWait: pass > 0 };
    for (const [i, entry] of order.entries()) {
      if (pass < LAST_PASS) yield* preemptionPoint('eb_reserve', () => [pass, i]);
      const error = yield* bindEvicting(vm, entry, rules);
      if (error !== 0) return error;
      this.#submission.pin(entry.vma);
    }
    return 0;
  }

  /** Its own, which it has locked: nobody else has pinned them. */
  #unbindOwn(softpinnedToo: boolean): void {
    const { entries, vm } = this.#submission;
    this.#submission.unpinAll();
    for (const entry of entries) {
      const { vma, placing } = entry;
      if (isIdle(vma) && (softpinnedToo || placing.at === null)) vm.unbind(vma);
    }
    if (softpinnedToo) return;
    for (const entry of entries) if (entry.placing.at !== null) this.#pinsAsItIs(entry);
  }

  /** Evicts the whole space, waiting for whoever has locked something if `mayLock`. */
  *#evictAll(mayLock: boolean): Sleeping<number> {
    const { vm, ticket } = this.#submission;
    for (;;) {
      const { vmas, busy } = evictVm(vm, ticket);
      const active = vmas.find(({ isBusy }) => isBusy);
      if (active !== undefined) {
        const error = yield* waitIdle(active);
        if (error !== 0) return error;
        continue;
      }
      for (const vma of vmas) vm.evict(vma);
      if (busy === null || !mayLock) return 0;
      const error = yield* this.#submission.lock(busy.object);
      if (error === -EDEADLK) this.contended = busy;
      if (error !== 0) return error;
    }
  }
}
