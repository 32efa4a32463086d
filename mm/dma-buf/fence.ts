import { EINVAL, ENOENT } from '../../drivers/base/kernel/errno';
import type { Gfp } from '../../drivers/base/kernel/gfp';
import { bugOn } from '../../drivers/base/kernel/oops';
import { inFrame } from '../../drivers/base/kernel/task';
import type { Digestible, Sleeping } from '../../drivers/base/kernel/task';
import type { ClockTimers } from '../../drivers/base/kernel/timers';
import {
  WaitQueue,
  waitEvent,
  waitEventInterruptible,
  waitEventInterruptibleTimeout,
  waitEventTimeout,
} from '../../drivers/base/kernel/wait-queue';
import type { ContractFence } from './fence-contract';
import { FenceContract } from './fence-contract';

/*
 * Fences (drivers/dma-buf/dma-fence.c of 6.12): something that is done once, in finite time, and
 * that others wait for or are called back at.
 *
 * Not modelled: reference counts, as a fence lives for as long as somebody can name it; deadlines
 * (dma_fence_set_deadline), which are hints.
 */

/** The largest errno (MAX_ERRNO). */
const MAX_ERRNO = 4095;
const SEQNO_RANGE = 2 ** 32;

/** What the fences of a kernel share: their contexts, the time, and the contract. */
export class FenceTimelines {
  readonly timers: ClockTimers;
  readonly contract: FenceContract;
  /** The n-th allocation from here on fails, and it is null again; null: none does. */
  failNth: number | null = null;
  #contexts = 0;
  /** The last that was signalled, by context. */
  readonly #signaled = new Map<number, number>();

  constructor(timers: ClockTimers, contract = new FenceContract()) {
    this.timers = timers;
    this.contract = contract;
  }

  /**
   * Memory is asked for in the name of the fences: false where there is none. It is checked that
   * nobody asks on the way to a signal.
   */
  mayAlloc(call: string, gfp: Gfp): boolean {
    this.contract.mightAlloc(call, gfp);
    if (this.failNth === null || --this.failNth > 0) return true;
    this.failNth = null;
    return false;
  }

  /** A number for a timeline, or the first of several (dma_fence_context_alloc). */
  allocContext(count = 1): number {
    this.#contexts += count;
    return this.#contexts - count + 1;
  }

  noteSignaled(context: number, seqno: number): void {
    this.#signaled.set(context, Math.max(seqno, this.#signaled.get(context) ?? 0));
  }

  /** How far a number is from the last that was signalled: the same wherever a run began. */
  distance(context: number, seqno: number): number {
    return seqno - (this.#signaled.get(context) ?? 0);
  }
}

/** Called once, at the signal (struct dma_fence_cb): on the way to it, so that it must not sleep. */
export interface FenceCallback {
  func(fence: DmaFence, callback: FenceCallback): void;
}

/** Where a fence is on which timeline. */
export interface FencePoint {
  readonly context: number;
  /** Later ones of a context have larger ones, modulo 2^32 where numbers have no 64 bits. */
  readonly seqno: number;
}

/** A fence of any kind (struct dma_fence). Kinds say who they are, and how they come to signal. */
export abstract class DmaFence implements Digestible, ContractFence {
  readonly timelines: FenceTimelines;
  readonly context: number;
  readonly seqno: number;
  readonly madeAt: number;
  /** Simulated ns of the signal, null before. */
  timestamp: number | null = null;
  #error = 0;
  #isSignalingEnabled = false;
  #callbacks: FenceCallback[] = [];

  constructor(timelines: FenceTimelines, { context, seqno }: FencePoint) {
    this.timelines = timelines;
    this.context = context;
    this.seqno = seqno;
    this.madeAt = timelines.timers.now;
    if (!this.isContainer) timelines.contract.made(this);
  }

  abstract get driverName(): string;
  abstract get timelineName(): string;

  /** Numbers have 64 bits and do not wrap (use_64bit_seqno). */
  get uses64BitSeqno(): boolean {
    return false;
  }

  /** It is made of others, and no point of a timeline itself (dma_fence_is_container). */
  get isContainer(): boolean {
    return false;
  }

  get contained(): readonly DmaFence[] {
    return [];
  }

  /**
   * Its work resolves page faults on the way, which takes memory, which may take waiting for
   * fences: nobody may wait for it (Documentation/driver-api/dma-buf.rst, "Recoverable Hardware
   * Page Faults Implications").
   */
  get isOfFaultingWork(): boolean {
    return false;
  }

  get label(): string {
    return `${this.driverName} ${this.timelineName} ${this.context}:${this.seqno}`;
  }

  /** It was signalled, or is found to be done: then it is signalled now (dma_fence_is_signaled). */
  get isSignaled(): boolean {
    if (this.timestamp !== null) return true;
    if (!this.hasCompleted()) return false;
    this.signal();
    return true;
  }

  /** It was signalled; nobody asks whether it is done (dma_fence_test_signaled_flag). */
  get wasSignaled(): boolean {
    return this.timestamp !== null;
  }

  /** A negative errno of the work, or 0. */
  get error(): number {
    return this.#error;
  }

  /** 0: not signalled; 1: it was; or the error with which it was (dma_fence_get_status). */
  get status(): number {
    if (!this.isSignaled) return 0;
    return this.#error === 0 ? 1 : this.#error;
  }

  /** The work fails with a negative errno. An oops after the signal (dma_fence_set_error). */
  setError(error: number): void {
    bugOn(this.wasSignaled, `dma_fence_set_error: ${this.label} was signalled already`);
    bugOn(error >= 0 || error < -MAX_ERRNO, `dma_fence_set_error: ${error} is no error`);
    this.#error = error;
  }

  /** The work is done, at a time that may lie back: 0, or -EINVAL if it was signalled before. */
  signal(timestamp = this.timelines.timers.now): number {
    if (this.timestamp !== null) return -EINVAL;
    const { contract } = this.timelines;
    contract.beginSignalling();
    try {
      this.timestamp = timestamp;
      this.timelines.noteSignaled(this.context, this.seqno);
      contract.signaled(this);
      const callbacks = this.#callbacks;
      this.#callbacks = [];
      for (const callback of callbacks) callback.func(this, callback);
    } finally {
      contract.endSignalling();
    }
    return 0;
  }

  /** 0, or -ENOENT if it is signalled: then nobody is called (dma_fence_add_callback). */
  addCallback(callback: FenceCallback): number {
    if (!this.enableSwSignaling()) return -ENOENT;
    this.#callbacks.push(callback);
    return 0;
  }

  /** True if it had not been called yet (dma_fence_remove_callback). */
  removeCallback(callback: FenceCallback): boolean {
    const place = this.#callbacks.indexOf(callback);
    if (place >= 0) this.#callbacks.splice(place, 1);
    return place >= 0;
  }

  /** Whoever does the work is told that somebody waits; false: it is signalled. */
  enableSwSignaling(): boolean {
    if (this.timestamp !== null) return false;
    if (this.#isSignalingEnabled) return true;
    this.#isSignalingEnabled = true;
    if (this.enableSignaling()) return true;
    this.signal();
    return false;
  }

  /** It comes after another of its context (__dma_fence_is_later). */
  isLaterThan(other: DmaFence): boolean {
    bugOn(
      this.context !== other.context,
      `dma_fence_is_later: ${this.label} and ${other.label} are of two contexts`,
    );
    return this.isSeqnoLater(this.seqno, other.seqno);
  }

  isSeqnoLater(seqno: number, than: number): boolean {
    if (this.uses64BitSeqno) return seqno > than;
    const ahead = (((seqno - than) % SEQNO_RANGE) + SEQNO_RANGE) % SEQNO_RANGE;
    return ahead > 0 && ahead < SEQNO_RANGE / 2;
  }

  /** Sleeps until it is signalled: 0, or -ERESTARTSYS (dma_fence_wait). */
  *wait(interruptible: boolean): Sleeping<number> {
    const left = yield* this.waitTimeout(interruptible, null);
    return Math.min(left, 0);
  }

  /**
   * The same for at most so many ns, null: for ever. What is left of them, at least 1; 0 when they
   * are over; -ERESTARTSYS; -EINVAL for a negative time.
   */
  *waitTimeout(interruptible: boolean, timeout: number | null): Sleeping<number> {
    if (timeout !== null && timeout < 0) return -EINVAL;
    this.timelines.contract.mightWait('dma_fence_wait');
    const queue = new WaitQueue();
    const callback = {
      func: (): void => {
        queue.wakeUp();
      },
    };
    if (this.addCallback(callback) !== 0) return timeout === null || timeout === 0 ? 1 : timeout;
    const condition = (): boolean => this.wasSignaled;
    const { timers } = this.timelines;
    try {
      return yield* inFrame(
        'dma_fence_wait',
        () => [this.digest()],
        waitOn(queue, condition, interruptible, timeout, timers),
      );
    } finally {
      this.removeCallback(callback);
    }
  }

  /** Its place on its timeline, and how it ended. */
  digest(): string {
    if (this.wasSignaled) return `${this.timelineName}:${this.status}`;
    const distance = this.timelines.distance(this.context, this.seqno);
    const error = this.#error === 0 ? '' : `!${this.#error}`;
    return `${this.timelineName}+${distance}${this.#isSignalingEnabled ? '*' : ''}${error}`;
  }

  /** Whether the work is done, for a kind that can tell before it is signalled. */
  protected hasCompleted(): boolean {
    return false;
  }

  /** Sees to it that the signal comes; false: there is nothing to wait for any more. */
  protected enableSignaling(): boolean {
    return true;
  }
}

function* waitOn(
  queue: WaitQueue,
  condition: () => boolean,
  interruptible: boolean,
  timeout: number | null,
  timers: ClockTimers,
): Sleeping<number> {
  if (timeout === null) {
    if (interruptible) {
      const error = yield* waitEventInterruptible(queue, condition);
      return error === 0 ? 1 : error;
    }
    yield* waitEvent(queue, condition);
    return 1;
  }
  return interruptible
    ? yield* waitEventInterruptibleTimeout(queue, condition, timeout, timers)
    : yield* waitEventTimeout(queue, condition, timeout, timers);
}

/** The later of two of one context, null if it is signalled too (dma_fence_later). */
export const laterFence = (a: DmaFence, b: DmaFence): DmaFence | null => {
  const later = a.isLaterThan(b) ? a : b;
  return later.isSignaled ? null : later;
};

/** Somebody's fence that is signalled by a call of signal, and by nothing else. */
export class SoftwareFence extends DmaFence {
  readonly #names: readonly [driver: string, timeline: string];

  constructor(
    timelines: FenceTimelines,
    point: FencePoint,
    names: readonly [driver: string, timeline: string],
  ) {
    super(timelines, point);
    this.#names = names;
  }

  override get driverName(): string {
    return this.#names[0];
  }

  override get timelineName(): string {
    return this.#names[1];
  }
}

/** A fence that was signalled from the beginning (dma_fence_allocate_private_stub). */
export const stubFence = (
  timelines: FenceTimelines,
  timestamp = timelines.timers.now,
): DmaFence => {
  const fence = new SoftwareFence(timelines, { context: 0, seqno: 0 }, ['stub', 'stub']);
  fence.signal(timestamp);
  return fence;
};

/**
 * Sleeps until any of several is signalled: its place and what is left of the time; place null when
 * that is over, or with -ERESTARTSYS (dma_fence_wait_any_timeout).
 */
export function* waitAnyTimeout(
  fences: readonly DmaFence[],
  interruptible: boolean,
  timeout: number | null,
): Sleeping<{ readonly place: number | null; readonly left: number }> {
  const [first] = fences;
  if (first === undefined || (timeout !== null && timeout < 0))
    return { place: null, left: -EINVAL };
  const { contract, timers } = first.timelines;
  contract.mightWait('dma_fence_wait_any_timeout');
  const queue = new WaitQueue();
  const callback = {
    func: (): void => {
      queue.wakeUp();
    },
  };
  for (const fence of fences) if (fence.addCallback(callback) !== 0) break;
  const condition = (): boolean => fences.some(fence => fence.wasSignaled);
  try {
    const left = yield* inFrame(
      'dma_fence_wait_any',
      () => fences.map(fence => fence.digest()),
      waitOn(queue, condition, interruptible, timeout, timers),
    );
    return left > 0
      ? { place: fences.findIndex(fence => fence.wasSignaled), left }
      : { place: null, left };
  } finally {
    for (const fence of fences) fence.removeCallback(callback);
  }
}
