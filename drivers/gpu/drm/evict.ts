import { ENOSPC } from '../../base/kernel/errno';
import { MmScan } from './mm-scan';
import type { AddressSpace, Placing } from './vm';
import type { Ticket, Vma } from './vma';

/*
 * Eviction of addresses (drivers/gpu/drm/i915/i915_gem_evict.c). What is locked by somebody is left
 * alone here: only evictVm names it, so that its lock can be waited for.
 */

/** Which vmas may go, beside that nobody has pinned them. */
export type MayGo = (vma: Vma) => boolean;

export const anyMayGo: MayGo = () => true;

/** What is to be evicted for some room; none is without there being room. */
export interface Victims {
  readonly error: number;
  readonly vmas: readonly Vma[];
}

/**
 * Victims for a placing, the longest unused first; -ENOSPC if there is no room without what is
 * pinned, locked or may not go (i915_gem_evict_something). Those that the GPU does not use go first; if
 * `mayWait` is false no others do.
 */
export const evictSomething = (
  vm: AddressSpace,
  { size, alignment, end }: Placing,
  mayGo: MayGo,
  mayWait: boolean,
): Victims => {
  if (size > Math.min(end, vm.end) - vm.start) return { error: -ENOSPC, vmas: [] };
  const evictable = vm.bound.filter(
    vma => vma.pins === 0 && !vma.object.resv.isLocked && mayGo(vma),
  );
  const idle = evictable.filter(vma => !vma.isBusy);
  const order = mayWait ? [...idle, ...evictable.filter(vma => vma.isBusy)] : idle;
  const scan = new MmScan(vm.mm, { size, alignment, end });
  const roster: Vma[] = [];
  let isFound = false;
  for (const vma of order) {
    roster.push(vma);
    isFound = scan.add(vma.node);
    if (isFound) break;
  }
  const vmas = roster.reverse().filter(({ node }) => scan.remove(node));
  return isFound ? { error: 0, vmas: vmas.reverse() } : { error: -ENOSPC, vmas: [] };
};

/**
 * Victims for an exact place; -ENOSPC if one there is pinned, locked or may not go
 * (i915_gem_evict_for_node).
 */
export const evictForNode = (
  vm: AddressSpace,
  at: number,
  size: number,
  mayGo: MayGo,
  mayWait: boolean,
): Victims => {
  const there = vm.mm.inRange(at, at + size).map(({ owner }) => owner);
  const mayAllGo = there.every(
    vma => vma.pins === 0 && !vma.object.resv.isLocked && mayGo(vma) && (mayWait || !vma.isBusy),
  );
  return mayAllGo ? { error: 0, vmas: there } : { error: -ENOSPC, vmas: [] };
};

/**
 * Everything that is not pinned, what `ticket` has locked too (i915_gem_evict_vm). `busy`: the first
 * that somebody else has locked, whose lock is then to be waited for.
 */
export const evictVm = (
  vm: AddressSpace,
  ticket: Ticket | null,
): { readonly vmas: readonly Vma[]; readonly busy: Vma | null } => {
  const isForeign = ({ object: { resv } }: Vma): boolean =>
    resv.isLocked && (ticket === null || resv.lockingCtx !== ticket);
  return {
    vmas: vm.bound.filter(vma => vma.pins === 0 && !isForeign(vma)),
    busy: vm.bound.find(isForeign) ?? null,
  };
};
