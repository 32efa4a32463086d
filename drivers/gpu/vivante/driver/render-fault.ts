import { EFAULT, EINVAL, ENOMEM } from '../../../base/kernel/errno';
import { sleepUntil } from '../../../base/kernel/task';
import type { Sleeping } from '../../../base/kernel/task';
import { PAGE_SIZE, alignDown } from '../../../base/types/bits';
import type { GpuContext } from './context';
import type { RenderDevice } from './render-device';
import type { RenderObject } from './render-object';
import { copyStream, refusalOf } from './validate';
import type { UserStream } from './validate';

/**
 * How much is bound for one fault: the page that was touched, the whole object it is of, or all objects of
 * the jobs under way that said they would touch that one.
 */
export type FaultService = 'page' | 'object' | 'set';

/** An object at addresses that lead nowhere until they are touched. */
interface Attached {
  readonly object: RenderObject;
  readonly start: number;
  /** Pages that are bound, by their index. */
  readonly bound: Set<number>;
}

/**
 * A job that may fault. It has no fence: to resolve a fault takes memory, which may take waiting for
 * fences (Documentation/driver-api/dma-buf.rst, "Recoverable Hardware Page Faults Implications").
 */
export class FaultingJob {
  /** 0 while it runs. */
  error = 0;
  isDone = false;
}

/** What is asked of a job that may fault. */
export interface FaultingRequest {
  /** A fence for others to wait for: there is none (-EINVAL). */
  readonly wantsFence?: boolean;
  /** What it is going to touch: a hint for the service of its first fault. */
  readonly set?: readonly RenderObject[];
}

/** A client in fault mode: nothing is bound before the GPU touches it. */
export class FaultingClient {
  readonly context: GpuContext;
  readonly #device: RenderDevice;
  readonly #service: FaultService;
  readonly #attached: Attached[] = [];
  /** Of jobs under way. */
  readonly #sets = new Map<FaultingJob, readonly RenderObject[]>();

  private constructor(device: RenderDevice, context: GpuContext, service: FaultService) {
    this.#device = device;
    this.context = context;
    this.#service = service;
  }

  /** -ENOMEM, or -EINVAL if every address space of the hardware has a client. */
  static make(device: RenderDevice, name: string, service: FaultService): FaultingClient | number {
    const context = device.gpu.createContext(name);
    if (context === null) return -ENOMEM;
    const client = new FaultingClient(device, context, service);
    const result = device.attachFaulting(client);
    if (result === 0) return client;
    context.free();
    return result;
  }

  /** From now on the addresses are the object's: -EINVAL if they are another's. Nothing is bound. */
  attach(object: RenderObject, start: number): number {
    const end = start + object.size;
    const isTaken = this.#attached.some(
      other => start < other.start + other.object.size && other.start < end,
    );
    if (isTaken || start % PAGE_SIZE !== 0) return -EINVAL;
    object.gem.get();
    this.#attached.push({ object, start, bound: new Set() });
    return 0;
  }

  /** The addresses lead nowhere; what is bound is unbound, and forgotten by the GPU, before it is let go. */
  detach(object: RenderObject): void {
    const place = this.#attached.findIndex(one => one.object === object);
    const [attached] = place < 0 ? [] : this.#attached.splice(place, 1);
    if (attached === undefined) return;
    this.zap(attached.object, attached);
    object.gem.put();
  }

  /** Takes what is bound of an object away: the next touch faults again (an invalidation). */
  zap(object: RenderObject, known?: Attached): void {
    const attached = known ?? this.#attached.find(one => one.object === object);
    if (attached === undefined || attached.bound.size === 0) return;
    for (const page of attached.bound) {
      this.context.unbind({ start: attached.start + page * PAGE_SIZE, size: PAGE_SIZE });
    }
    this.#device.gpu.dev.services.barriers.mb();
    this.#device.gpu.flushSpace(this.context.space);
    for (let i = 0; i < attached.bound.size; i++) object.gem.unpin();
    attached.bound.clear();
  }

  /** A job, or why there is none: -EINVAL also if a fence is asked for, -EAGAIN while too many run. */
  *submit(stream: UserStream, request: FaultingRequest = {}): Sleeping<FaultingJob | number> {
    if (request.wantsFence === true) return -EINVAL;
    const words = copyStream(stream);
    if (typeof words === 'number') return words;
    if (refusalOf(words, null) !== null) return -EINVAL;
    const { gpu } = this.#device;
    yield* sleepUntil('event_alloc', () => gpu.canSubmit(words.length));
    const job = new FaultingJob();
    const result = gpu.submit(this.context, words, error => {
      job.error = error;
      job.isDone = true;
      this.#sets.delete(job);
    });
    if (result !== 0) return result;
    this.#sets.set(job, request.set ?? []);
    this.#device.watch();
    return job;
  }

  /** Called by the fault worker: binds what was touched. 0, -EFAULT for nobody's address, -ENOMEM. */
  service(address: number): number {
    const attached = this.#attached.find(
      ({ start, object }) => address >= start && address < start + object.size,
    );
    if (attached === undefined) return -EFAULT;
    if (this.#service === 'page') {
      return this.#bindPage(attached, alignDown(address - attached.start, PAGE_SIZE) / PAGE_SIZE);
    }
    for (const one of this.#service === 'set' ? this.#setOf(attached) : [attached]) {
      for (let page = 0; page < one.object.size / PAGE_SIZE; page++) {
        const result = this.#bindPage(one, page);
        if (result !== 0) return result;
      }
    }
    return 0;
  }

  /** What the jobs under way that touch an object touch beside it. */
  #setOf(attached: Attached): readonly Attached[] {
    const sets = [...this.#sets.values()].filter(set => set.includes(attached.object));
    const objects = new Set(sets.flat());
    return this.#attached.filter(one => one === attached || objects.has(one.object));
  }

  close(): number {
    for (const { object } of [...this.#attached]) this.detach(object);
    const result = this.#device.gpu.retire(this.context);
    this.#device.detachFaulting(this);
    return result;
  }

  /** A page that is bound already was asked for twice: a duplicate. */
  #bindPage({ object, start, bound }: Attached, page: number): number {
    if (bound.has(page)) return 0;
    const pinned = object.gem.pin();
    if (pinned !== 0) return pinned;
    const offset = page * PAGE_SIZE;
    const range = { start: start + offset, size: PAGE_SIZE, offset };
    const result = this.context.bind(range, object.gem);
    if (result === 0) bound.add(page);
    else object.gem.unpin();
    return result;
  }
}

/** Waits until a job is over, 0 or its error. */
export function* waitForJob(job: FaultingJob): Sleeping<number> {
  yield* sleepUntil('user_fence', () => job.isDone);
  return job.error;
}
