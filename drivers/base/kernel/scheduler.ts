import { BenchError, InputError } from '../types/errors';
import type { Random } from '../types/random';
import { KernelOops } from './oops';
import { Task } from './task';
import type { Digestible, Sleeping } from './task';

/** Which of those that are runnable goes on: they stand in the order in which they were spawned. */
export type Chooser = (runnable: readonly Task[]) => Task;

/**
 * How a run ended: every task has (and no kernel thread has anything to do), nobody can ever go on,
 * or the steps were used up.
 */
export type RunOutcome = 'done' | 'deadlock' | 'limit';

/** Lets something else happen, such as time, while nobody is runnable; false: nothing ever will. */
export type Idle = () => boolean;

/** Bounds of a run. */
export interface RunLimits {
  /** Steps; more is a task that never sleeps for long. */
  readonly steps?: number;
  readonly idle?: Idle;
  /** Ends the run, as `done`, after the step that makes it true. */
  readonly isOver?: () => boolean;
}

const MOST_STEPS = 1_000_000;

/** Runs tasks, one at a time, in an order that somebody else chooses. */
export class Scheduler implements Digestible {
  readonly tasks: Task[] = [];
  /** The task that runs, null between steps (current). */
  current: Task | null = null;
  /** Steps so far. */
  steps = 0;

  /** Makes a task, which has not run yet. */
  spawn<Value>(name: string, body: Sleeping<Value>, { isDaemon = false } = {}): Task<Value> {
    const task = new Task(name, body, isDaemon);
    this.tasks.push(task);
    return task;
  }

  /** Those that would go on, in the order in which they were spawned. */
  runnable(): Task[] {
    return this.tasks.filter(task => task.isRunnable);
  }

  /** Lets one go on to its next yield point. What its code throws comes out of here. */
  step(task: Task): void {
    if (this.current !== null) {
      throw new BenchError(`task ${task.name} was run from within ${this.current.name}`);
    }
    if (!task.isRunnable) throw new BenchError(`task ${task.name} is not runnable`);
    this.current = task;
    this.steps++;
    try {
      task.step();
    } finally {
      this.current = null;
    }
  }

  /** Lets tasks run until all have ended, nobody can go on, or the limit is reached. */
  run(
    choose: Chooser,
    { steps = MOST_STEPS, idle = () => false, isOver = () => false }: RunLimits = {},
  ): RunOutcome {
    for (let left = steps; left > 0;) {
      const runnable = this.runnable();
      if (runnable.length > 0) {
        this.step(choose(runnable));
        left--;
        if (isOver()) return 'done';
      } else if (this.isDone) return 'done';
      else if (!idle()) return 'deadlock';
    }
    return this.isDone ? 'done' : 'limit';
  }

  /** All but kernel threads have ended. */
  get isDone(): boolean {
    return this.tasks.every(task => task.isDead || task.isDaemon);
  }

  /** Who sleeps, and where: what to say of a deadlock. */
  describeBlocked(): string {
    return this.tasks
      .filter(task => task.point !== null && !task.isRunnable)
      .map(task => `${task.name} in ${task.point?.at ?? ''}`)
      .join(', ');
  }

  /** Each task's place and live values, in the order in which they were spawned. */
  digest(): string {
    return this.tasks.map(task => task.digest()).join(';');
  }
}

/** Each in turn, beginning after the one that ran last. */
export const roundRobin = (scheduler: Scheduler): Chooser => {
  let last: Task | null = null;
  return runnable => {
    const { tasks } = scheduler;
    const from = last === null ? -1 : tasks.indexOf(last);
    const next = runnable.find(task => tasks.indexOf(task) > from) ?? runnable[0];
    if (next === undefined) throw new BenchError('nobody is runnable');
    last = next;
    return next;
  };
};

/** By chance. */
export const seeded =
  (random: Random): Chooser =>
  runnable => {
    const next = runnable[random.below(runnable.length)];
    if (next === undefined) throw new BenchError('nobody is runnable');
    return next;
  };

/**
 * As a list of places in `scheduler.tasks` says, and then as `after` does. An InputError if it names
 * one that is not runnable: the schedule is of another program.
 */
export const scheduled = (
  scheduler: Scheduler,
  list: readonly number[],
  after: Chooser,
): Chooser => {
  let at = 0;
  return runnable => {
    const index = list[at];
    if (index === undefined) return after(runnable);
    const task = scheduler.tasks[index];
    if (task === undefined || !runnable.includes(task)) {
      throw new InputError({
        place: `schedule, step ${at + 1}`,
        expected: `one of ${runnable.map(one => scheduler.tasks.indexOf(one)).join(', ')}`,
        found: String(index),
      });
    }
    at++;
    return task;
  };
};

/** How synchronous code sleeps, as DriverServices has it. */
export interface SleepServices {
  waitUntil(done: () => boolean, limit: number): boolean;
}

/** What runToCompletion can be told. */
export interface CompletionOptions {
  /** The name under which the task is reported. */
  readonly name?: string;
  /** Whose other tasks, such as kernel threads, run meanwhile. */
  readonly scheduler?: Scheduler;
  /** Simulated ns that nobody may be runnable for before the task counts as hung. */
  readonly limit?: number;
  /** Steps after which a task that does not sleep counts as locked up. */
  readonly steps?: number;
}

/** As long as Linux waits before it calls a task hung: 120 s. */
const HUNG_TASK = 120e9;

/**
 * Runs what may sleep from code that does not yield: time passes and interrupts come meanwhile. A
 * KernelOops, and never a hang, if nothing makes it runnable within the limit, or if it goes on for
 * ever.
 */
export const runToCompletion = <Value>(
  body: Sleeping<Value>,
  services: SleepServices,
  options: CompletionOptions = {},
): Value => {
  const { name = 'task', scheduler = new Scheduler(), limit = HUNG_TASK, steps } = options;
  const task = scheduler.spawn(name, body);
  try {
    const outcome = scheduler.run(roundRobin(scheduler), {
      ...(steps === undefined ? {} : { steps }),
      idle: () => services.waitUntil(() => scheduler.tasks.some(one => one.isRunnable), limit),
      isOver: () => task.isDead,
    });
    if (outcome === 'deadlock') {
      throw new KernelOops(`blocked for more than ${limit} ns: ${scheduler.describeBlocked()}`);
    }
    if (outcome === 'limit') throw new KernelOops(`soft lockup: ${name} does not end`);
    return task.value as Value;
  } finally {
    scheduler.tasks.splice(scheduler.tasks.indexOf(task), 1);
  }
};
