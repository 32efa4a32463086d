import { Scheduler, roundRobin } from '../../../drivers/base/kernel/scheduler';
import type { RunOutcome } from '../../../drivers/base/kernel/scheduler';
import type { Sleeping, Task } from '../../../drivers/base/kernel/task';
import { VirtualTime } from '../../../drivers/base/kernel/timers';
import { FenceTimelines, SoftwareFence } from '../../../mm/dma-buf/fence';
import { FenceContract } from '../../../mm/dma-buf/fence-contract';

/** What tests of fences have of a kernel. */
export class FenceBench {
  readonly scheduler = new Scheduler();
  readonly time = new VirtualTime();
  readonly contract = new FenceContract(() => this.scheduler.current);
  readonly timelines = new FenceTimelines(this.time.timers, this.contract);

  /** A fence on a timeline of its own, or the next of one. */
  fence(context = this.timelines.allocContext(), seqno = 1): SoftwareFence {
    return new SoftwareFence(this.timelines, { context, seqno }, ['test', `t${context}`]);
  }

  spawn<Value>(body: Sleeping<Value>, name = 'task'): Task<Value> {
    return this.scheduler.spawn(name, body);
  }

  /** Until nobody can go on, and no timer is set. */
  run(): RunOutcome {
    for (;;) {
      const outcome = this.settle();
      if (outcome === 'limit' || !this.time.idle()) return outcome;
    }
  }

  /** Until nobody can go on without time passing. */
  settle(): RunOutcome {
    return this.scheduler.run(roundRobin(this.scheduler), { steps: 20_000 });
  }

  /** What a function that may sleep answers, if nobody else is needed for it to end. */
  now<Value>(body: Sleeping<Value>): Value {
    const task = this.spawn(body, 'now');
    while (!task.isDead) {
      if (task.isRunnable) this.scheduler.step(task);
      else if (!this.time.idle()) throw new Error(`blocked: ${this.scheduler.describeBlocked()}`);
    }
    return task.value as Value;
  }
}
