import { DmaFence } from '../../../mm/dma-buf/fence';
import type { FenceTimelines } from '../../../mm/dma-buf/fence';

/** A scheduler, as its fences and entities know it. */
export interface SchedulerRef {
  readonly name: string;
  readonly timelines: FenceTimelines;
  /** Something may have become ready to run (drm_sched_wakeup). */
  wakeUp(): void;
}

/** Whose a job's fences are, and which of them. */
export interface SchedFencePlace {
  readonly sched: SchedulerRef;
  /** The entity's name. */
  readonly entity: string;
  /** Its first context: that of `scheduled`; that of `finished` is the next. */
  readonly context: number;
  readonly seqno: number;
  readonly isOfFaultingWork: boolean;
}

/** One of the two fences of a job. */
export class SchedPoint extends DmaFence {
  readonly place: SchedFencePlace;
  /** The fence of the job that says that it was handed to the hardware. */
  readonly scheduled: SchedPoint;

  constructor(place: SchedFencePlace, scheduled: SchedPoint | null) {
    const context = scheduled === null ? place.context : place.context + 1;
    super(place.sched.timelines, { context, seqno: place.seqno });
    this.place = place;
    this.scheduled = scheduled ?? this;
  }

  override get driverName(): string {
    return 'drm_sched';
  }

  override get timelineName(): string {
    return `${this.place.sched.name}/${this.place.entity}`;
  }

  override get isOfFaultingWork(): boolean {
    return this.place.isOfFaultingWork;
  }
}

/** The fences of a job (struct drm_sched_fence). */
export class SchedFence {
  /** Signalled when the job is handed to the hardware. */
  readonly scheduled: SchedPoint;
  /** Signalled when it is done: what everybody else waits for. */
  readonly finished: SchedPoint;
  /** The hardware's own, while it has the job. */
  parent: DmaFence | null = null;

  constructor(place: SchedFencePlace) {
    this.scheduled = new SchedPoint(place, null);
    this.finished = new SchedPoint(place, this.scheduled);
  }
}
