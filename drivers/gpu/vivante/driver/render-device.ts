import { ECANCELED, EFAULT, EINVAL, ENOMEM } from '../../../base/kernel/errno';
import { GFP_KERNEL } from '../../../base/kernel/gfp';
import { Scheduler, runToCompletion } from '../../../base/kernel/scheduler';
import { sleepUntil } from '../../../base/kernel/task';
import type { Sleeping } from '../../../base/kernel/task';
import type { ClockTimers, PendingTimer } from '../../../base/kernel/timers';
import { FenceContract } from '../../../../mm/dma-buf/fence-contract';
import { FenceTimelines } from '../../../../mm/dma-buf/fence';
import { reservationWwClass } from '../../../../mm/dma-buf/resv';
import { ADDRESS_SPACES, FaultMode } from '../regs';
import type { GpuContext } from './context';
import { coredump } from './dump';
import type { Coredump } from './dump';
import { FaultQueueReader } from './fault-queue';
import type { GemRequest } from './gem';
import { HANG_NANOSECONDS, VivanteGpu } from './gpu';
import type { HardwareJob, Progress } from './gpu';
import { RenderObject } from './render-object';

/** Whose faults are serviced: an address space of the hardware's own has one. */
export interface FaultHandler {
  readonly context: GpuContext;
  /** Binds what was touched: 0, -EFAULT for nobody's address, -ENOMEM. */
  service(address: number): number;
}

/** What hangs and faults have come to. */
export interface RenderCounts {
  hangs: number;
  resubmitted: number;
  faults: number;
  replays: number;
}

/**
 * What clients of a GPU share: fences, locks, the check for hangs, the worker that services faults. Its
 * tasks run while somebody waits in `run`.
 */
export class RenderDevice {
  readonly gpu: VivanteGpu;
  readonly scheduler = new Scheduler();
  readonly timelines: FenceTimelines;
  readonly wwClass = reservationWwClass();
  readonly fenceContext: number;
  readonly counts: RenderCounts = { hangs: 0, resubmitted: 0, faults: 0, replays: 0 };
  /** Of the last hang; null: there was none. */
  coredump: Coredump | null = null;
  readonly #timers: ClockTimers;
  #hangTimer: PendingTimer | null = null;
  #seen: Progress | null = null;
  #queue: FaultQueueReader | null = null;
  #hasFaults = false;
  /** By the hardware's address space. */
  readonly #faulting = new Map<number, FaultHandler>();
  #seqno = 0;
  readonly #retired: RenderObject[] = [];

  /** How long the front end may stand still, in simulated ns. */
  readonly #hangLimit: number;

  constructor(gpu: VivanteGpu, timers: ClockTimers, hangLimit = HANG_NANOSECONDS) {
    this.gpu = gpu;
    this.#hangLimit = hangLimit;
    this.#timers = timers;
    const contract = new FenceContract(() => this.scheduler.current);
    this.timelines = new FenceTimelines(timers, contract);
    gpu.dev.services.pages.onReclaim(() => {
      contract.mightAlloc('alloc_pages', GFP_KERNEL);
    });
    this.fenceContext = this.timelines.allocContext();
  }

  nextSeqno(): number {
    return ++this.#seqno;
  }

  /** An object and its reservations; -EINVAL for a size that none has. */
  createObject(request: GemRequest): RenderObject | number {
    const gem = this.gpu.createObject(request);
    return typeof gem === 'number' ? gem : new RenderObject(gem, this.timelines, this.wwClass);
  }

  /** Runs something that may sleep, and the device's own tasks meanwhile. */
  run<Value>(body: Sleeping<Value>): Value {
    return runToCompletion(body, this.gpu.dev.services, { scheduler: this.scheduler });
  }

  /** Objects of a job that is over: told on the way to its fence, where nothing can be freed. */
  isOver(objects: readonly RenderObject[]): void {
    this.#retired.push(...objects);
  }

  /** Lets objects of jobs that are over go (the work that free_job is done in). */
  retire(): void {
    for (const { gem } of this.#retired.splice(0)) gem.put();
  }

  /** A job was handed over: from now on it is looked whether the front end moves. */
  watch(): void {
    if (this.#hangTimer !== null) return;
    this.#seen = this.gpu.progress;
    this.#hangTimer = this.#timers.after(this.#hangLimit, () => {
      this.#hangTimer = null;
      this.#checkHang();
    });
  }

  /**
   * Gives a client an address space of the hardware's own, in which it faults: -ENOMEM without memory for
   * the queue, -EINVAL if all are taken.
   */
  attachFaulting(client: FaultHandler): number {
    if (this.#queue === null) {
      this.#queue = FaultQueueReader.make(this.gpu);
      if (this.#queue === null) return -ENOMEM;
      this.gpu.onFault = () => {
        this.#hasFaults = true;
      };
      this.scheduler.spawn('gpu-fault-worker', this.#serviceFaults(), { isDaemon: true });
    }
    for (let space = 1; space < ADDRESS_SPACES; space++) {
      if (this.#faulting.has(space)) continue;
      this.#faulting.set(space, client);
      this.gpu.enterSpace(client.context, space, FaultMode.Replay);
      return 0;
    }
    return -EINVAL;
  }

  detachFaulting(client: FaultHandler): void {
    this.#faulting.delete(client.context.space);
  }

  /** The device is not used any more: nothing is under way. */
  free(): void {
    this.retire();
    if (this.#hangTimer !== null) this.#timers.cancel(this.#hangTimer);
    this.#hangTimer = null;
    this.gpu.onFault = null;
    this.gpu.dev.services.pages.onReclaim(null);
    this.#queue?.free();
    this.#queue = null;
  }

  /** If it moved since, or nothing is under way any more, there is nothing wrong (etnaviv_sched.c). */
  #checkHang(): void {
    const { gpu } = this;
    gpu.poll(() => true);
    const before = this.#seen;
    if (!gpu.isBusy) return;
    if (before === null || VivanteGpu.hasMoved(before, gpu.progress)) this.watch();
    else {
      const { contract } = this.timelines;
      contract.beginSignalling();
      this.recover();
      contract.endSignalling();
    }
  }

  /**
   * A hang: looks at everything, resets, and ends the guilty job, the first that was under way, with
   * -ECANCELED; the others are innocent and run again, in their order.
   */
  recover(): void {
    const { gpu } = this;
    this.counts.hangs++;
    const [guilty] = gpu.events.pending;
    this.coredump = coredump(gpu, guilty ?? null);
    const jobs = gpu.recover();
    this.#queue?.start();
    for (const [space, { context }] of this.#faulting) {
      gpu.enterSpace(context, space, FaultMode.Replay);
    }
    jobs[0]?.done(-ECANCELED);
    for (const job of jobs.slice(1)) this.#resubmit(job);
  }

  #resubmit({ context, words, done }: HardwareJob): void {
    this.counts.resubmitted++;
    const result = this.gpu.submit(context, words, done);
    if (result === 0) this.watch();
    else done(result);
  }

  /** Everything that is in the queue is serviced, then one replay wakes all (UVM's BATCH_FLUSH). */
  *#serviceFaults(): Sleeping<void> {
    for (;;) {
      yield* sleepUntil('gpu_fault_wait', () => this.#hasFaults);
      this.#hasFaults = false;
      const touched = new Set<number>();
      const lost = new Set<number>();
      for (const { space, address } of this.#queue?.drain() ?? []) {
        this.counts.faults++;
        const result = this.#faulting.get(space)?.service(address) ?? -EFAULT;
        (result === 0 ? touched : lost).add(space);
      }
      this.#replay(touched, lost);
    }
  }

  #replay(touched: ReadonlySet<number>, lost: ReadonlySet<number>): void {
    const { regs, dev } = this.gpu;
    const bits = (spaces: ReadonlySet<number>): number =>
      [...spaces].reduce((sum, space) => sum + 2 ** space, 0);
    this.counts.replays++;
    // What was written to the tables is there before the GPU walks them again.
    dev.services.barriers.mb();
    for (const space of touched) this.gpu.flushSpace(space);
    regs.X_REPLAY.write({ RETRY: bits(touched), CANCEL: bits(lost) });
  }
}
