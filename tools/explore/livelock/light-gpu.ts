import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { WwMutex } from '../../../drivers/base/kernel/ww-mutex';
import type { WwClass } from '../../../drivers/base/kernel/ww-class';
import type { GpuOps } from '../../../drivers/gpu/drm/ops';
import type { JobFence, LockedObject, ObjectFences } from '../../../drivers/gpu/drm/vma';

/** A job of the light GPU: whose it is. */
export interface LightJob {
  readonly client: number;
}

/** A job is done as soon as it is handed over. */
const DONE: JobFence = { isSignaled: true };

const NO_FENCES: ObjectFences = { reserve: () => 0, add: () => undefined };

/** An object that has no memory: a size, one page if nothing is said, a name and a lock. */
export class LightObject implements LockedObject {
  readonly name: string;
  readonly size: number;
  readonly lock: WwMutex;
  readonly fences = NO_FENCES;

  constructor(wwClass: WwClass, name: string, size = PAGE_SIZE) {
    this.name = name;
    this.size = size;
    this.lock = new WwMutex(wwClass, name);
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
