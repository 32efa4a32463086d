import { ECANCELED, ENOENT } from '../../base/kernel/errno';
import type { Digestible, Sleeping } from '../../base/kernel/task';
import { DelayedWork } from '../../base/kernel/workqueue';
import type { Work, Workqueue } from '../../base/kernel/workqueue';
import type { DmaFence, FenceTimelines } from '../../../mm/dma-buf/fence';
import type { EntityScheduler, SchedEntity } from './sched-entity';
import { SCHED_PRIORITIES } from './sched-job';
import type { SchedJob, SchedPriority } from './sched-job';
import { RunQueue } from './sched-rq';
import type { SchedPolicy } from './sched-rq';

/*
 * The GPU scheduler (drivers/gpu/drm/scheduler of 6.12): jobs of many entities for one engine, fair
 * within a priority; who waits for whom; and what happens when a job hangs.
 *
 * Not modelled: entities that move between schedulers (load balancing), the score of a scheduler.
 */

/** What came of a timeout: the job was dealt with, or the device is gone. */
export type TimeoutStatus =
  /** The driver has stopped the scheduler, reset the engine and started it again. */
  | 'reset'
  /**
   * There was no hang: the job goes on. In 6.12 drivers put it back themselves; the scheduler does so
   * from 6.17 on (DRM_GPU_SCHED_STAT_NO_HANG).
   */
  | 'no-hang'
  /** The device is gone (DRM_GPU_SCHED_STAT_ENODEV). */
  | 'enodev';

/** What a driver does for its scheduler (struct drm_sched_backend_ops). */
export interface SchedBackend<Job extends SchedJob> {
  /** Something else that a job must wait for, null: nothing. Asked again until it is null. */
  prepareJob?(job: Job): DmaFence | null;
  /**
   * Hands the job to the hardware: its fence; null if there is nothing to wait for; or a negative
   * errno. On the way to a signal: it must not allocate, nor lock a reservation object. A job whose
   * fence carries an error already is not handed over.
   */
  runJob(job: Job): DmaFence | null | number;
  /** The first job that is under way takes too long. On the way to a signal, too. */
  timedoutJob(job: Job): Sleeping<TimeoutStatus>;
  /** The job is over: nobody needs it any more. */
  freeJob(job: Job): void;
}

/** How a scheduler is. */
export interface SchedParameters<Job extends SchedJob> {
  readonly name: string;
  readonly timelines: FenceTimelines;
  readonly backend: SchedBackend<Job>;
  /** Who hands jobs over, and who looks after timeouts: two, as the latter waits for the former. */
  readonly submitQueue: Workqueue;
  readonly timeoutQueue: Workqueue;
  /** Credits of jobs that the hardware may have at a time. */
  readonly creditLimit: number;
  /** A job may hang so often before it is cancelled with all of its context. */
  readonly hangLimit: number;
  /** Ns that the first job may take; null: for ever. */
  readonly timeout: number | null;
  readonly policy?: SchedPolicy;
}

/** The scheduler of one engine (struct drm_gpu_scheduler). */
export class GpuScheduler<Job extends SchedJob> implements EntityScheduler<Job>, Digestible {
  readonly name: string;
  readonly timelines: FenceTimelines;
  readonly #parameters: SchedParameters<Job>;
  readonly #queues: Readonly<Record<SchedPriority, RunQueue<Job>>>;
  /** Handed to the hardware and not freed, in that order. */
  #pending: Job[] = [];
  /** Credits of those that the hardware has. */
  #credits = 0;
  #isPaused = false;
  /** The job that was found guilty is over: whoever deals with the timeout frees it. */
  #freesGuilty = false;
  readonly #runWork: Work;
  readonly #freeWork: Work;
  readonly #timeoutWork: Work;
  readonly #tdr: DelayedWork;

  constructor(parameters: SchedParameters<Job>) {
    this.#parameters = parameters;
    this.name = parameters.name;
    this.timelines = parameters.timelines;
    const policy = parameters.policy ?? 'fifo';
    this.#queues = {
      kernel: new RunQueue(policy),
      high: new RunQueue(policy),
      normal: new RunQueue(policy),
      low: new RunQueue(policy),
    };
    this.#runWork = { name: 'run_job', run: () => this.#runJobs() };
    this.#freeWork = { name: 'free_job', run: () => this.#freeJobs() };
    this.#timeoutWork = { name: 'job_timedout', run: () => this.#jobTimedOut() };
    const { timeoutQueue, timelines } = parameters;
    this.#tdr = new DelayedWork(this.#timeoutWork, timeoutQueue, timelines.timers);
  }

  get creditLimit(): number {
    return this.#parameters.creditLimit;
  }

  addEntity(entity: SchedEntity<Job>): void {
    this.#queues[entity.priority].add(entity);
  }

  removeEntity(entity: SchedEntity<Job>): void {
    this.#queues[entity.priority].remove(entity);
  }

  freeJob(job: Job): void {
    this.#parameters.backend.freeJob(job);
  }

  wakeUp(): void {
    if (!this.#isPaused) this.#parameters.submitQueue.queue(this.#runWork);
  }

  /** Jobs that were handed over and are not freed yet, the first first. */
  get pending(): readonly Job[] {
    return this.#pending;
  }

  /** The hardware has noticed itself that something is wrong: no need to wait (drm_sched_fault). */
  fault(): void {
    if (this.#parameters.timeout !== null && this.#pending.length > 0) this.#tdr.mod(0);
  }

  /**
   * Nothing is handed over from here on, and what the hardware still does is not waited for: what
   * is done already is freed. `bad`, the job of the timeout, is among the pending ones again
   * (drm_sched_stop).
   */
  stop(bad: Job | null): void {
    this.#isPaused = true;
    // It does not sleep on its way: none is under way now, and none is queued while it is paused.
    this.#parameters.submitQueue.cancel(this.#runWork);
    if (bad !== null) this.#pending.unshift(bad);
    for (const job of this.#pending.toReversed()) {
      const { parent } = job.fence;
      if (parent !== null && job.callback !== null && parent.removeCallback(job.callback)) {
        job.fence.parent = null;
        this.#credits -= job.credits;
      } else if (job.fence.finished.wasSignaled) {
        this.#pending.splice(this.#pending.indexOf(job), 1);
        if (job === bad) this.#freesGuilty = true;
        else this.freeJob(job);
      }
    }
    this.#tdr.cancel();
  }

  /** A job has hung the hardware: it, and its context, are to blame (drm_sched_increase_karma). */
  increaseKarma(bad: Job): void {
    if (bad.priority === 'kernel') return;
    bad.karma++;
    for (const priority of SCHED_PRIORITIES) {
      if (priority === 'kernel') continue;
      this.#queues[priority].blame(bad.fence.scheduled.context);
    }
  }

  /**
   * Hands all pending jobs over again after a reset, less those of a context whose job has hung more
   * often than it may: these end with -ECANCELED (drm_sched_resubmit_jobs).
   */
  resubmitJobs(): void {
    let guilty: number | null = null;
    for (const job of this.#pending) {
      const { fence } = job;
      if (guilty === null && job.karma > this.#parameters.hangLimit) {
        guilty = fence.scheduled.context;
      }
      if (fence.scheduled.context === guilty) fence.finished.setError(-ECANCELED);
      fence.parent = this.#handOver(job);
    }
  }

  /**
   * Goes on after a stop. What was not handed over again is over, with its error or with `error`
   * (drm_sched_start).
   */
  start(error = -ECANCELED): void {
    for (const job of [...this.#pending]) {
      this.#credits += job.credits;
      if (job.fence.parent === null) this.#done(job, error);
      else this.#awaitHardware(job, job.fence.parent);
    }
    this.#startTimeout();
    this.#isPaused = false;
    this.#parameters.submitQueue.queue(this.#freeWork);
    this.wakeUp();
  }

  /** What waits and what is under way, and when that is too long. */
  digest(): string {
    const queues = SCHED_PRIORITIES.map(priority => this.#queues[priority].digest()).join('|');
    const pending = this.#pending.map(job => job.digest()).join(',');
    return `${this.#isPaused ? 'p' : ''}${this.#credits}[${pending}]${queues}:${this.#tdr.digest()}`;
  }

  /** One job, and then again (drm_sched_run_job_work). */
  #runJobs(): null {
    const entity = this.#select();
    if (entity === null) return null;
    const { backend } = this.#parameters;
    const job = entity.pop(one => backend.prepareJob?.(one) ?? null);
    if (job !== null) this.#run(job);
    this.wakeUp();
    return null;
  }

  #run(job: Job): void {
    this.#credits += job.credits;
    this.#pending.push(job);
    if (this.#pending.length === 1) this.#startTimeout();
    const { contract } = this.timelines;
    contract.beginSignalling();
    try {
      const parent = this.#handOver(job);
      job.fence.parent = parent;
      job.fence.scheduled.signal();
      if (parent === null) this.#done(job, 0);
      else this.#awaitHardware(job, parent);
    } finally {
      contract.endSignalling();
    }
  }

  /** The hardware's fence; null if it does not get the job, which is over then. */
  #handOver(job: Job): DmaFence | null {
    const { finished } = job.fence;
    if (finished.error !== 0) return null;
    const parent = this.#parameters.backend.runJob(job);
    if (typeof parent !== 'number') return parent;
    finished.setError(parent);
    return null;
  }

  #awaitHardware(job: Job, parent: DmaFence): void {
    const callback = {
      func: (): void => {
        this.#done(job, parent.error);
      },
    };
    job.callback = callback;
    if (parent.addCallback(callback) === -ENOENT) this.#done(job, parent.error);
  }

  /** The hardware is done with a job (drm_sched_job_done). */
  #done(job: Job, error: number): void {
    const { finished } = job.fence;
    this.#credits -= job.credits;
    if (error !== 0 && finished.error === 0) finished.setError(error);
    finished.signal();
    this.#parameters.submitQueue.queue(this.#freeWork);
  }

  /** Highest priority first; a job for which there is no room holds up those behind it. */
  #select(): SchedEntity<Job> | null {
    const room = this.creditLimit - this.#credits;
    for (const priority of SCHED_PRIORITIES) {
      const selected = this.#queues[priority].select(room);
      if (selected === 'no-room') return null;
      if (selected !== null) return selected;
    }
    return null;
  }

  /** Frees what is over, as long as it is the first; the time of the next begins with that. */
  #freeJobs(): null {
    const [job] = this.#pending;
    if (job?.fence.finished.wasSignaled !== true) return null;
    this.#pending.shift();
    this.#tdr.cancel();
    this.#startTimeout();
    this.freeJob(job);
    this.#parameters.submitQueue.queue(this.#freeWork);
    this.wakeUp();
    return null;
  }

  #startTimeout(): void {
    const { timeout } = this.#parameters;
    if (timeout !== null && this.#pending.length > 0) this.#tdr.mod(timeout);
  }

  /** The first job is taken out, so that nobody frees it while it is looked at (work_tdr). */
  *#jobTimedOut(): Sleeping<void> {
    const bad = this.#pending.shift();
    let status: TimeoutStatus = 'reset';
    if (bad !== undefined) {
      const { contract } = this.timelines;
      contract.beginSignalling();
      try {
        status = yield* this.#parameters.backend.timedoutJob(bad);
      } finally {
        contract.endSignalling();
      }
      if (status === 'no-hang') this.#putBack(bad);
      if (this.#freesGuilty) {
        this.#freesGuilty = false;
        this.freeJob(bad);
      }
    }
    if (status !== 'enodev') this.#startTimeout();
  }

  /** It may have ended meanwhile, when nobody could free it. */
  #putBack(job: Job): void {
    this.#pending.unshift(job);
    this.#parameters.submitQueue.queue(this.#freeWork);
  }
}
