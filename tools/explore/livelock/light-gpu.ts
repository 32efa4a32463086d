import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { WwMutex } from '../../../drivers/base/kernel/ww-mutex';
import type { WwAcquireCtx, WwClass } from '../../../drivers/base/kernel/ww-class';
import type { GpuOps } from '../../../drivers/gpu/drm/ops';
import type { JobFence, LockedObject, ObjectResv } from '../../../drivers/gpu/drm/vma';

/** A job of the light GPU: whose it is. */
export interface LightJob {
  readonly client: number;
}

/** A job is done as soon as it is handed over. */
const DONE: JobFence = { isSignaled: true };

/** A reservation object that keeps no fences: there is never one that is not signalled. */
class LightResv extends WwMutex implements ObjectResv {
  get lockingCtx(): WwAcquireCtx | null {
    return this.ctx;
  }

  reserveFences(): number {
    return 0;
  }

  addFence(): void {
    // It is signalled already.
  }
}

/** An object that has no memory: a size, one page if nothing is said, a name and a lock. */
export class LightObject implements LockedObject {
  readonly name: string;
  readonly size: number;
  readonly resv: LightResv;

  constructor(wwClass: WwClass, name: string, size = PAGE_SIZE) {
    this.name = name;
    this.size = size;
    this.resv = new LightResv(wwClass, name);
  }
}

/** A GPU without tables, stream or engines: it counts the jobs of each client. */
export class LightGpu implements GpuOps<LightJob, JobFence, LightObject> {
  readonly completed: number[];

  constructor(clients: number) {
    this.completed = Array<number>(clients).fill(0);
  }

  bind(): number {
    return 0;
  }

  unbind(): void {
    // There are no entries to take away.
  }

  flushTlb(): void {
    // Nothing is kept of tables.
  }

  moveToGpu(): number {
    return 0;
  }

  validate(): number {
    return 0;
  }

  emit({ client }: LightJob): JobFence {
    this.completed[client] = (this.completed[client] ?? 0) + 1;
    return DONE;
  }
}
