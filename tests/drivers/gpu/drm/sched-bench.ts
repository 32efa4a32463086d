import { ECANCELED } from '../../../../drivers/base/kernel/errno';
import { preemptionPoint } from '../../../../drivers/base/kernel/task';
import type { Sleeping } from '../../../../drivers/base/kernel/task';
import { Workqueue } from '../../../../drivers/base/kernel/workqueue';
import { GpuScheduler } from '../../../../drivers/gpu/drm/sched';
import type { SchedParameters, TimeoutStatus } from '../../../../drivers/gpu/drm/sched';
import { SchedEntity } from '../../../../drivers/gpu/drm/sched-entity';
import type { EntityOptions } from '../../../../drivers/gpu/drm/sched-entity';
import { SchedJob } from '../../../../drivers/gpu/drm/sched-job';
import type { DmaFence, FenceTimelines } from '../../../../mm/dma-buf/fence';
import { SoftwareFence } from '../../../../mm/dma-buf/fence';
import { FenceBench } from '../../../mm/dma-buf/fence-bench';

export const TIMEOUT = 1000;

/** How long a job takes; null: it hangs until a reset. */
export class TestJob extends SchedJob {
  readonly takes: number | null;

  constructor(timelines: FenceTimelines, name: string, takes: number | null, credits = 1) {
    super(timelines, name, credits);
    this.takes = takes;
  }
}

/** An engine that does one job after the other, and a driver that resets it when it hangs. */
export class SchedBench extends FenceBench {
  readonly sched: GpuScheduler<TestJob>;
  /** What the hardware was given, and what was freed, by name. */
  readonly ran: string[] = [];
  readonly freed: string[] = [];
  resets = 0;
  /** Replaces what the driver does by default. */
  onRun: ((job: TestJob) => DmaFence | null | number) | null = null;
  onTimeout: ((job: TestJob) => Sleeping<TimeoutStatus>) | null = null;
  prepare: ((job: TestJob) => DmaFence | null) | null = null;
  readonly #context = this.timelines.allocContext();
  #seqno = 0;
  readonly #busy: { readonly fence: SoftwareFence; readonly takes: number | null }[] = [];
  #generation = 0;

  constructor(parameters: Partial<SchedParameters<TestJob>> = {}) {
    super();
    this.sched = new GpuScheduler<TestJob>({
      name: 'gc',
      timelines: this.timelines,
      submitQueue: new Workqueue(this.scheduler, 'submit'),
      timeoutQueue: new Workqueue(this.scheduler, 'tdr'),
      creditLimit: 2,
      hangLimit: 0,
      timeout: TIMEOUT,
      backend: {
        prepareJob: job => this.prepare?.(job) ?? null,
        runJob: job => (this.onRun ?? (one => this.#give(one)))(job),
        timedoutJob: job => (this.onTimeout ?? (one => this.recover(one)))(job),
        freeJob: job => {
          this.freed.push(job.name);
        },
      },
      ...parameters,
    });
  }

  entity(name: string, options: EntityOptions = {}): SchedEntity<TestJob> {
    return new SchedEntity(this.sched, name, options);
  }

  job(name: string, takes: number | null = 10, credits = 1): TestJob {
    return new TestJob(this.timelines, name, takes, credits);
  }

  /** Arms and pushes a job, which may wait for others. */
  push(
    entity: SchedEntity<TestJob>,
    name: string,
    { takes = 10, credits = 1, after = [] }: PushOptions = {},
  ): TestJob {
    const job = this.job(name, takes, credits);
    for (const fence of after) job.addDependency(fence);
    entity.arm(job);
    entity.push(job);
    return job;
  }

  /** What etnaviv and others do: stop, blame, reset, hand over again, go on. */
  *recover(bad: TestJob): Sleeping<TimeoutStatus> {
    this.sched.stop(bad);
    yield* preemptionPoint('reset');
    if (this.freed.includes(bad.name)) throw new Error('freed while it is looked at');
    this.sched.increaseKarma(bad);
    this.resets++;
    this.#generation++;
    // The engine has forgotten them, and somebody may still wait.
    for (const { fence } of this.#busy.splice(0)) {
      fence.setError(-ECANCELED);
      fence.signal();
    }
    this.sched.resubmitJobs();
    this.sched.start();
    return 'reset';
  }

  #give(job: TestJob): DmaFence {
    this.ran.push(job.name);
    const point = { context: this.#context, seqno: ++this.#seqno };
    const fence = new SoftwareFence(this.timelines, point, ['gc', 'hw']);
    this.#busy.push({ fence, takes: job.takes });
    if (this.#busy.length === 1) this.#work();
    return fence;
  }

  #work(): void {
    const [first] = this.#busy;
    const generation = this.#generation;
    if (first === undefined || first.takes === null) return;
    this.time.timers.after(first.takes, () => {
      if (generation !== this.#generation) return;
      this.#busy.shift();
      first.fence.signal();
      this.#work();
    });
  }
}

/** How jobs have ended: 1, an error, or 0 if they have not. */
export const ends = (jobs: readonly TestJob[]): number[] =>
  jobs.map(job => job.fence.finished.status);

/** How a job is pushed. */
export interface PushOptions {
  readonly takes?: number | null;
  readonly credits?: number;
  readonly after?: readonly DmaFence[];
}
