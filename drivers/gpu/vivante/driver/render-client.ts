import { EAGAIN, EINVAL, ENOMEM } from '../../../base/kernel/errno';
import { bugOn } from '../../../base/kernel/oops';
import { sleepUntil } from '../../../base/kernel/task';
import type { Sleeping } from '../../../base/kernel/task';
import type { DmaFence } from '../../../../mm/dma-buf/fence';
import { resvUsageRw } from '../../../../mm/dma-buf/resv';
import { submit } from '../../drm/exec';
import type { ExecRequest, ExecResult } from '../../drm/exec';
import type { GpuOps, GpuVa } from '../../drm/ops';
import { AddressPolicy } from '../../drm/policies';
import type { PolicyName } from '../../drm/policies';
import { AddressSpace } from '../../drm/vm';
import { KERNEL_START, USER_START } from './context';
import { HANG_NANOSECONDS } from './gpu';
import type { GpuContext } from './context';
import { Prep } from './gem';
import type { RenderDevice } from './render-device';
import { RingFence } from './render-object';
import type { RenderObject } from './render-object';
import { copyStream, refusalOf } from './validate';
import type { UserStream } from './validate';

/**
 * When objects get their addresses. `incremental`: each when it is referred to, and the TLB is flushed
 * each time; `batched`: all at execution, with one flush in the stream. Binding on fault is
 * render-fault.ts.
 */
export type BindingMode = 'incremental' | 'batched';

/** As long as two hangs, one after the other, and what is between. */
const CLOSE_NANOSECONDS = 3 * HANG_NANOSECONDS;

/** A client's stream on its way: what it may write, and the kernel's copy once it was checked. */
export interface RenderJob {
  readonly stream: UserStream;
  /** What it refers to: all of it lives until the job is over. */
  readonly objects: readonly RenderObject[];
  words: readonly number[];
}

export interface ClientOptions {
  readonly mode?: BindingMode;
  readonly policy?: PolicyName;
  /** Bytes of address space: less than there are, to have them run short. */
  readonly space?: number;
}

const policyOf = (mode: BindingMode): PolicyName =>
  mode === 'incremental' ? 'incremental-lru' : 'all-or-nothing';

/** A client with an address space of its own, whose jobs go through the phases of exec.ts. */
export class RenderClient {
  readonly context: GpuContext;
  readonly vm: AddressSpace<RenderObject>;
  readonly mode: BindingMode;
  readonly #device: RenderDevice;
  readonly #policy: AddressPolicy;
  readonly #ops: GpuOps<RenderJob, RingFence, RenderObject>;

  private constructor(device: RenderDevice, context: GpuContext, options: ClientOptions) {
    this.#device = device;
    this.context = context;
    this.mode = options.mode ?? 'batched';
    const end = Math.min(KERNEL_START, USER_START + (options.space ?? KERNEL_START));
    this.#ops = this.#makeOps();
    this.vm = new AddressSpace(context.name, { start: USER_START, end }, this.#ops);
    this.#policy = new AddressPolicy(options.policy ?? policyOf(this.mode), function* () {
      yield { at: 'backoff', until: null, interruptible: false };
    });
  }

  /** -ENOMEM without memory for tables. */
  static make(
    device: RenderDevice,
    name: string,
    options: ClientOptions = {},
  ): RenderClient | number {
    const context = device.gpu.createContext(name);
    return context === null ? -ENOMEM : new RenderClient(device, context, options);
  }

  /**
   * Submits a stream (drm_ioctl_etnaviv_gem_submit), as exec.ts says; sleeps while there are too many jobs
   * under way.
   */
  *submit(
    stream: UserStream,
    request: Pick<ExecRequest<RenderJob, RenderObject>, 'objects' | 'relocate'>,
  ): Sleeping<ExecResult<RingFence>> {
    const { wwClass, gpu } = this.#device;
    const context = { vm: this.vm, ops: this.#ops, policy: this.#policy, wwClass };
    for (;;) {
      const job = { stream, objects: request.objects.map(({ object }) => object), words: [] };
      this.#device.retire();
      const result = yield* submit(context, { ...request, job });
      if (result.error !== -EAGAIN) return result;
      const wake = yield* sleepUntil('event_alloc', () => gpu.canSubmit(stream.length), {
        interruptible: true,
      });
      if (wake === 'signal') return result;
    }
  }

  /** Waits until the CPU may have an object, and takes it (etnaviv_gem_cpu_prep). */
  *cpuPrep(object: RenderObject, op: number): Sleeping<number> {
    const isWrite = (op & Prep.Write) !== 0;
    const usage = resvUsageRw(isWrite);
    const waits = (op & Prep.NoSync) === 0;
    if (waits) {
      const left = yield* object.resv.waitTimeout(usage, true, null);
      if (left < 0) return left;
    }
    return object.gem.beginCpuAccess(op);
  }

  cpuFini(object: RenderObject): number {
    return object.gem.endCpuAccess();
  }

  /** Nothing of it is under way: its addresses go, and its tables. 0, or -ETIMEDOUT of a GPU that hangs. */
  close(): number {
    const { gpu } = this.#device;
    // A job that hangs is ended meanwhile.
    const idle = gpu.waitIdle(CLOSE_NANOSECONDS);
    if (idle !== 0) return idle;
    this.#device.retire();
    for (const vma of [...this.vm.bound]) this.vm.unbind(vma);
    return gpu.retire(this.context);
  }

  #makeOps(): GpuOps<RenderJob, RingFence, RenderObject> {
    return {
      bind: va => this.#bind(va),
      unbind: va => {
        this.context.unbind(va);
        va.object.gem.unpin();
      },
      // The ring sees by the context's flushSeq that a flush is due.
      flushTlb: () => undefined,
      moveToGpu: object => this.#moveToGpu(object),
      validate: job => this.#validate(job),
      emit: job => this.#emit(job),
    };
  }

  #bind(va: GpuVa<RenderObject>): number {
    const { gem } = va.object;
    va.object.spaces.add(this.vm);
    const pinned = gem.pin();
    if (pinned !== 0) return pinned;
    // What it was padded to has no memory behind it.
    const result = this.context.bind({ ...va, start: va.start, size: gem.size, offset: 0 }, gem);
    if (result !== 0) {
      gem.unpin();
      return result;
    }
    return this.mode === 'incremental' ? this.#device.gpu.flushNow(this.context) : 0;
  }

  /** What the CPU prepared for and has not finished is finished now: eb_move_to_gpu flushes, too. */
  #moveToGpu({ gem }: RenderObject): number {
    return gem.prepared === 0 ? 0 : gem.endCpuAccess();
  }

  #validate(job: RenderJob): number {
    const words = copyStream(job.stream);
    if (typeof words === 'number') return words;
    const refusal = refusalOf(words, null);
    if (refusal !== null) {
      const { log } = this.#device.gpu.dev.services;
      const text = `${this.context.name}: word ${refusal.word}: ${refusal.text}`;
      log.device('err', this.#device.gpu.dev, text);
      return -EINVAL;
    }
    job.words = words;
    return this.#device.gpu.canSubmit(words.length) ? 0 : -EAGAIN;
  }

  #emit({ words, objects }: RenderJob): RingFence {
    const { gpu, timelines, fenceContext } = this.#device;
    const fence = new RingFence(timelines, {
      context: fenceContext,
      seqno: this.#device.nextSeqno(),
    });
    for (const { gem } of objects) gem.get();
    const result = gpu.submit(this.context, words, error => {
      fence.finish(error);
      this.#device.isOver(objects);
    });
    // That there is room was seen in validate, and nothing has slept since.
    bugOn(result !== 0, 'a job that was to have room has none');
    this.#device.watch();
    return fence;
  }
}

/** Waits for a job: 0, its error, or -ERESTARTSYS. */
export function* waitFor(fence: DmaFence): Sleeping<number> {
  const result = yield* fence.wait(true);
  return result === 0 ? fence.error : result;
}
