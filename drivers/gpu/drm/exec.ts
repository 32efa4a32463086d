import { EINVAL } from '../../base/kernel/errno';
import { inFrame } from '../../base/kernel/task';
import type { Sleeping } from '../../base/kernel/task';
import type { WwClass } from '../../base/kernel/ww-class';
import type { GpuOps } from './ops';
import type { ReservePolicy } from './policies';
import { Submission } from './submission';
import type { ExecEntry, ExecObject } from './submission';
import type { AddressSpace } from './vm';
import type { JobFence, LockedObject } from './vma';

/* The phases of a submission (drivers/gpu/drm/i915/gem/i915_gem_execbuffer.c). */

/** What submissions of one context share. */
export interface ExecContext<Job, Fence extends JobFence, Object extends LockedObject> {
  readonly vm: AddressSpace<Object>;
  readonly ops: GpuOps<Job, Fence, Object>;
  readonly policy: ReservePolicy;
  /** The class of all objects' locks. */
  readonly wwClass: WwClass;
  /**
   * False where no two submissions ask for one lock, and the policy for no ticket's age: for the digest,
   * in which it would part states that have one future.
   */
  readonly agesMatter?: boolean;
}

/** A job, what it refers to, and what is still to be written into it. */
export interface ExecRequest<Job, Object extends LockedObject> {
  readonly objects: readonly ExecObject<Object>[];
  readonly job: Job;
  /** Writes addresses into the stream, now that they are known; 0 or a negated errno. */
  readonly relocate?: (entries: readonly ExecEntry<Object>[]) => number;
}

/** The fence of a job that was handed over, or why it was not: nothing of it is left then. */
export type ExecResult<Fence> =
  { readonly error: 0; readonly fence: Fence } | { readonly error: number; readonly fence: null };

/**
 * Submits a job: looks up, locks, binds, relocates, makes visible, validates, fences, hands over.
 * -EINVAL for a wrong request, -ENOSPC if its objects can never be resident at once, -EINTR for a
 * signal, after which it can be made again.
 */
export function* submit<Job, Fence extends JobFence, Object extends LockedObject>(
  context: ExecContext<Job, Fence, Object>,
  request: ExecRequest<Job, Object>,
): Sleeping<ExecResult<Fence>> {
  const entries = lookup(context.vm, request.objects);
  if (entries === null) return { error: -EINVAL, fence: null };
  const submission = new Submission(context.vm, context.wwClass, entries);
  const { ticket } = submission;
  const age = (): number[] => (context.agesMatter === false ? [] : [ticket.wwClass.rankOf(ticket)]);
  let error = yield* inFrame('execbuf', age, makeReady(context.policy, submission));
  if (error === 0) error = prepare(context, request, entries);
  const fence = error === 0 ? handOver(context, request.job, submission) : null;
  submission.end();
  return fence === null ? { error, fence } : { error: 0, fence };
}

/** All bound and pinned, and locked too. */
function* makeReady(policy: ReservePolicy, submission: Submission): Sleeping<number> {
  const error = yield* policy.reserve(submission);
  return error === 0 ? yield* submission.lockAll() : error;
}

/** The vmas of a request; null if it names an object twice or what cannot be (eb_validate_vma). */
const lookup = <Object extends LockedObject>(
  vm: AddressSpace<Object>,
  objects: readonly ExecObject<Object>[],
): readonly ExecEntry<Object>[] | null => {
  if (new Set(objects.map(({ object }) => object)).size < objects.length) return null;
  const entries = objects.map(({ object, isWrite = false, at, alignment = 0, padTo, below }) => ({
    vma: vm.vmaOf(object),
    isWrite,
    placing: {
      ...{ alignment, at: at ?? null, end: below ?? vm.end },
      size: padTo ?? object.size,
    },
  }));
  return entries.every(entry => isPossible(vm, entry)) && !overlaps(entries) ? entries : null;
};

const isPossible = (
  vm: AddressSpace,
  { vma: { object }, placing: { at, size, alignment, end } }: ExecEntry,
): boolean => {
  if (size < object.size || end > vm.end || !(alignment >= 0)) return false;
  if (at === null) return true;
  return at >= vm.start && at + size <= end && (alignment <= 1 || at % alignment === 0);
};

/** Two are to lie in one place. */
const overlaps = (entries: readonly ExecEntry[]): boolean => {
  const fixed = entries.flatMap(({ placing: { at, size } }) => (at === null ? [] : [{ at, size }]));
  fixed.sort((a, b) => a.at - b.at);
  return fixed.some(({ at, size }, i) => at + size > (fixed[i + 1]?.at ?? Infinity));
};

/** All that can still fail, with everything locked and pinned. */
const prepare = <Job, Fence extends JobFence, Object extends LockedObject>(
  { ops }: ExecContext<Job, Fence, Object>,
  { job, relocate }: ExecRequest<Job, Object>,
  entries: readonly ExecEntry<Object>[],
): number => {
  let error = relocate?.(entries) ?? 0;
  for (const { vma, isWrite } of entries) {
    if (error === 0) error = ops.moveToGpu(vma.object, isWrite);
  }
  if (error === 0) error = ops.validate(job);
  for (const { vma } of entries) if (error === 0) error = vma.object.resv.reserveFences(1);
  return error;
};

/** What cannot fail: the flush goes before the job, the fence to each object while it is locked. */
const handOver = <Job, Fence extends JobFence, Object extends LockedObject>(
  { vm, ops }: ExecContext<Job, Fence, Object>,
  job: Job,
  { entries, ticket }: Submission<Object>,
): Fence => {
  ticket.done();
  vm.flushTlb();
  const fence = ops.emit(job);
  for (const { vma, isWrite, placing } of entries) {
    vma.object.resv.addFence(fence, isWrite ? 'write' : 'read');
    vma.activate(fence);
    vma.isSoftpinned = placing.at !== null;
    vm.touch(vma);
  }
  return fence;
};
