import { ECANCELED, ENOENT, ESRCH } from '../../base/kernel/errno';
import { KernelOops } from '../../base/kernel/oops';
import type { Digestible } from '../../base/kernel/task';
import type { DmaFence } from '../../../mm/dma-buf/fence';
import { SchedPoint } from './sched-fence';
import type { SchedulerRef } from './sched-fence';
import type { SchedJob, SchedPriority } from './sched-job';

/** Whether somebody's work has hung the hardware: shared by the entities of a context. */
export interface Guilt {
  isGuilty: boolean;
}

/** How an entity is. */
export interface EntityOptions {
  readonly priority?: SchedPriority;
  readonly guilty?: Guilt;
  /** Its jobs resolve page faults as they go: nobody may wait for their fences. */
  readonly isFaulting?: boolean;
}

/** The scheduler, as an entity needs it. */
export interface EntityScheduler<Job extends SchedJob> extends SchedulerRef {
  readonly creditLimit: number;
  addEntity(entity: SchedEntity<Job>): void;
  removeEntity(entity: SchedEntity<Job>): void;
  freeJob(job: Job): void;
}

/** The jobs of one client for one engine, in order (struct drm_sched_entity). */
export class SchedEntity<Job extends SchedJob = SchedJob> implements Digestible {
  readonly name: string;
  readonly priority: SchedPriority;
  readonly guilty: Guilt | null;
  readonly isFaulting: boolean;
  readonly context: number;
  readonly #sched: EntityScheduler<Job>;
  #seqno = 0;
  readonly #queue: Job[] = [];
  /** What its first job waits for now. */
  #dependency: DmaFence | null = null;
  /** The finished fence of the last job that it gave away. */
  #last: DmaFence | null = null;
  #isStopped = false;

  constructor(sched: EntityScheduler<Job>, name: string, options: EntityOptions = {}) {
    this.#sched = sched;
    this.name = name;
    this.priority = options.priority ?? 'normal';
    this.guilty = options.guilty ?? null;
    this.isFaulting = options.isFaulting ?? false;
    this.context = sched.timelines.allocContext(2);
  }

  /** The job's fences are made: it will be pushed, and nothing may fail any more. */
  arm(job: Job): void {
    const { context, isFaulting: isOfFaultingWork } = this;
    const place = { sched: this.#sched, entity: this.name, context, seqno: ++this.#seqno };
    job.arm({ ...place, isOfFaultingWork }, this.priority);
  }

  /** Puts an armed job behind the others; one of an entity that was killed ends at once. */
  push(job: Job): void {
    if (!job.isArmed) throw new KernelOops(`drm_sched_entity_push_job: ${job.name} is not armed`);
    job.credits = Math.min(job.credits, this.#sched.creditLimit);
    job.submittedAt = this.#sched.timelines.timers.now;
    this.#queue.push(job);
    if (this.#isStopped) this.#killJobs();
    else if (this.#queue.length === 1) {
      this.#sched.addEntity(this);
      this.#sched.wakeUp();
    }
  }

  /** Jobs that wait. */
  get length(): number {
    return this.#queue.length;
  }

  /** Its first job may be asked for (drm_sched_entity_is_ready). */
  get isReady(): boolean {
    return this.#queue.length > 0 && this.#dependency === null;
  }

  get head(): Job | undefined {
    return this.#queue[0];
  }

  /**
   * The first job if nothing is left that it waits for, null if something is: then the scheduler is
   * told when that is over. Jobs of a guilty context go with an error, so that they are not run
   * (drm_sched_entity_pop_job).
   */
  pop(prepare: (job: Job) => DmaFence | null): Job | null {
    const [job] = this.#queue;
    if (job === undefined) return null;
    for (;;) {
      const fence = job.nextDependency() ?? prepare(job);
      if (fence === null) break;
      if (this.#waitsFor(fence)) return null;
    }
    const { finished } = job.fence;
    if (this.guilty?.isGuilty === true) finished.setError(-ECANCELED);
    this.#last = finished;
    this.#queue.shift();
    return job;
  }

  /**
   * The client is gone: no more jobs are taken, and those that wait end with -ESRCH, each after what
   * it waits for and after the one before (drm_sched_entity_kill).
   */
  kill(): void {
    this.#isStopped = true;
    this.#sched.removeEntity(this);
    this.#killJobs();
  }

  digest(): string {
    const flags = `${this.#isStopped ? 's' : ''}${this.guilty?.isGuilty === true ? 'g' : ''}`;
    const waits = this.#dependency === null ? '' : `@${this.#dependency.digest()}`;
    return `${this.name}${flags}${waits}[${this.#queue.map(job => job.digest()).join(';')}]`;
  }

  /**
   * Of the same scheduler it is enough that a job was handed to the hardware, which works in order;
   * its own jobs before it were in any case (drm_sched_entity_add_dependency_cb).
   */
  #waitsFor(fence: DmaFence): boolean {
    const isOfSame = fence instanceof SchedPoint && fence.place.sched === this.#sched;
    const until = isOfSame ? fence.scheduled : fence;
    const over = {
      func: (): void => {
        this.#dependency = null;
        this.#sched.wakeUp();
      },
    };
    if (until.addCallback(over) === -ENOENT) return false;
    this.#dependency = until;
    return true;
  }

  #killJobs(): void {
    for (const job of this.#queue.splice(0)) {
      const before = this.#last === null ? [] : [this.#last];
      this.#last = job.fence.finished;
      this.#killJob(job, [...before, ...job.dependencies]);
    }
  }

  /** Waits for one fence after the other, and then ends the job. */
  #killJob(job: Job, waitsFor: readonly DmaFence[]): void {
    const again = {
      func: (): void => {
        this.#killJob(job, waitsFor);
      },
    };
    if (waitsFor.some(fence => fence.addCallback(again) === 0)) return;
    const { scheduled, finished } = job.fence;
    scheduled.signal();
    finished.setError(-ESRCH);
    finished.signal();
    this.#sched.freeJob(job);
  }
}
