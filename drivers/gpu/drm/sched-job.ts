import { EINVAL, ENOMEM } from '../../base/kernel/errno';
import { GFP_KERNEL } from '../../base/kernel/gfp';
import { KernelOops, bugOn } from '../../base/kernel/oops';
import type { DmaFence, FenceCallback, FenceTimelines } from '../../../mm/dma-buf/fence';
import { resvUsageRw } from '../../../mm/dma-buf/resv';
import type { DmaResv, ResvUsage } from '../../../mm/dma-buf/resv';
import { SchedFence } from './sched-fence';
import type { SchedFencePlace } from './sched-fence';

/** The first goes before all others; kernel jobs are never guilty (enum drm_sched_priority). */
export const SCHED_PRIORITIES = ['kernel', 'high', 'normal', 'low'] as const;
export type SchedPriority = (typeof SCHED_PRIORITIES)[number];

/** A job for the hardware (struct drm_sched_job). Drivers extend it by what they need to run it. */
export class SchedJob {
  readonly name: string;
  /** How much of the hardware's queue it takes up: no more than there is, from its push on. */
  credits: number;
  readonly #timelines: FenceTimelines;
  readonly #dependencies: DmaFence[] = [];
  #nextDependency = 0;
  #fence: SchedFence | null = null;
  /** How often it was found guilty of a hang. */
  karma = 0;
  priority: SchedPriority = 'normal';
  /** Simulated ns at which it was pushed: what fairness goes by. */
  submittedAt = 0;
  /** Called when the hardware is done with it. */
  callback: FenceCallback | null = null;

  constructor(timelines: FenceTimelines, name: string, credits = 1) {
    bugOn(credits < 1, `drm_sched_job_init: ${name}: no credits`);
    this.#timelines = timelines;
    this.name = name;
    this.credits = credits;
  }

  /** Its fences, from the time it is armed on. */
  get fence(): SchedFence {
    if (this.#fence === null) throw new KernelOops(`${this.name}: not armed (drm_sched_job_arm)`);
    return this.#fence;
  }

  get isArmed(): boolean {
    return this.#fence !== null;
  }

  /**
   * It must not run before a fence is signalled. Of one context the latest counts: 0 or -ENOMEM; -EINVAL
   * once it is armed (drm_sched_job_add_dependency).
   */
  addDependency(fence: DmaFence): number {
    if (this.isArmed) return -EINVAL;
    this.#timelines.contract.mayPublish('drm_sched_job_add_dependency', fence);
    const place = this.#dependencies.findIndex(({ context }) => context === fence.context);
    const other = this.#dependencies[place];
    if (other !== undefined) {
      if (fence.isLaterThan(other)) this.#dependencies[place] = fence;
      return 0;
    }
    if (!this.#timelines.mayAlloc('drm_sched_job_add_dependency', GFP_KERNEL)) return -ENOMEM;
    this.#dependencies.push(fence);
    return 0;
  }

  /** All that a buffer has of a usage and before it; its lock is held. */
  addResvDependencies(resv: DmaResv, usage: ResvUsage): number {
    for (const { fence } of resv.fences(usage)) {
      const error = this.addDependency(fence);
      if (error !== 0) return error;
    }
    return 0;
  }

  /** What a reader or a writer of the buffer waits for (drm_sched_job_add_implicit_dependencies). */
  addImplicitDependencies(resv: DmaResv, isWrite: boolean): number {
    return this.addResvDependencies(resv, resvUsageRw(isWrite));
  }

  /** The point of no return: from here on its fences will be signalled. SchedEntity.arm calls it. */
  arm(place: SchedFencePlace, priority: SchedPriority): void {
    bugOn(this.isArmed, `drm_sched_job_arm: ${this.name} twice`);
    this.priority = priority;
    this.#fence = new SchedFence(place);
    const { contract } = this.#timelines;
    for (const one of this.#dependencies) contract.dependsOn(this.#fence.finished, one);
  }

  /** The next fence to wait for, each once; null: there is none left. */
  nextDependency(): DmaFence | null {
    return this.#dependencies[this.#nextDependency++] ?? null;
  }

  /** All that it waits for, signalled or not. */
  get dependencies(): readonly DmaFence[] {
    return this.#dependencies;
  }

  digest(): string {
    const waits = this.#dependencies
      .filter(fence => !fence.wasSignaled)
      .map(fence => fence.digest())
      .join('+');
    const karma = this.karma === 0 ? '' : `k${this.karma}`;
    return `${this.name}${karma}:${this.isArmed ? this.fence.finished.digest() : ''}(${waits})`;
  }
}
