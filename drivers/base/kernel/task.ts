/*
 * Tasks: what can sleep or be preempted is a generator that yields where it does. Between two
 * yields nothing else runs, as on a kernel with one CPU that is preempted at named places only.
 */

/** What a task is resumed with: it may go on, or a signal broke an interruptible sleep. */
export type Wake = 'run' | 'signal';

/** A function that may sleep: called with `yield*`, from another such or from a task's body. */
export type Sleeping<Value> = Generator<YieldPoint, Value, Wake>;

/** A value that belongs to the state of a task: what it does next depends on it. */
export type LiveValue = number | string;

/** A place where a task may be off the CPU. */
export interface YieldPoint {
  /** The name of the place, the kernel's where it has one: `ww_mutex_lock`. */
  readonly at: string;
  /** What is waited for; null: the task is runnable, and merely may be preempted. */
  readonly until: (() => boolean) | null;
  /** A pending signal ends the sleep (TASK_INTERRUPTIBLE). */
  readonly interruptible: boolean;
  /** What the task's future depends on beside kernel objects: for the digest of a state. */
  readonly live?: () => readonly LiveValue[];
  /** The task is back in user mode: signals that wait for it are delivered here. */
  readonly isUserMode?: boolean;
}

/**
 * State that two runs can be compared by. Equal digests: the same future. Canonical: no number in
 * it counts what happened before, where rank or place says the same.
 */
export interface Digestible {
  digest(): string | number;
}

/** A place at which the task may be preempted (cond_resched). */
export function* preemptionPoint(at: string, live?: YieldPoint['live']): Sleeping<void> {
  yield { at, until: null, interruptible: false, ...(live === undefined ? {} : { live }) };
}

/**
 * Back to user mode and in again: signals are delivered, so that a system call which a signal
 * interrupted can be made once more.
 */
export function* userMode(at: string, live?: YieldPoint['live']): Sleeping<void> {
  const point = { at, until: null, interruptible: false, isUserMode: true };
  yield live === undefined ? point : { ...point, live };
}

/** Sleeps until `until` answers true: `signal` if a signal came first to an interruptible sleep. */
export function* sleepUntil(
  at: string,
  until: () => boolean,
  { interruptible = false, live }: Partial<Pick<YieldPoint, 'interruptible' | 'live'>> = {},
): Sleeping<Wake> {
  const point = { at, until, interruptible };
  return yield live === undefined ? point : { ...point, live };
}

/**
 * `inner`, as part of the frame `at` whose local values are `live`: both are put before those of
 * each place at which `inner` sleeps, so that a digest sees the whole stack.
 */
export function* inFrame<Value>(
  at: string,
  live: () => readonly LiveValue[],
  inner: Sleeping<Value>,
): Sleeping<Value> {
  let step = inner.next();
  while (step.done !== true) {
    const point = step.value;
    const wake: Wake = yield {
      ...point,
      at: `${at}/${point.at}`,
      live: () => (point.live === undefined ? live() : [...live(), ...point.live()]),
    };
    step = inner.next(wake);
  }
  return step.value;
}

/** One thread of kernel code (struct task_struct). Scheduler.spawn makes it. */
export class Task<Value = unknown> implements Digestible {
  readonly name: string;
  /** A kernel thread: nobody waits for its end. */
  readonly isDaemon: boolean;
  readonly #body: Sleeping<Value>;
  /** Where it is off the CPU; null before its first step, while it runs, and when it has ended. */
  point: YieldPoint | null = null;
  state: 'new' | 'running' | 'off' | 'dead' = 'new';
  /** A signal waits for it (signal_pending): until it is in user mode again. */
  isSignalled = false;
  /** What the body returned; undefined before, and if it ended with an oops. */
  value: Value | undefined = undefined;

  constructor(name: string, body: Sleeping<Value>, isDaemon: boolean) {
    this.name = name;
    this.#body = body;
    this.isDaemon = isDaemon;
  }

  /** Sends it a signal, of which it learns in an interruptible sleep. */
  signal(): void {
    this.isSignalled = true;
  }

  get isDead(): boolean {
    return this.state === 'dead';
  }

  /** It would go on if it were given the CPU. */
  get isRunnable(): boolean {
    if (this.point === null) return this.state === 'new';
    const { until, interruptible } = this.point;
    return until === null || (interruptible && this.isSignalled) || until();
  }

  /**
   * Runs from where it is to the next place where it may be off the CPU. What the code throws comes
   * out, and the task is dead. A signal that has come with what was waited for: the latter wins.
   */
  step(): void {
    const wake = this.#wake();
    this.point = null;
    this.state = 'running';
    let next: IteratorResult<YieldPoint, Value> | null = null;
    try {
      next = this.#body.next(wake);
    } finally {
      this.state = next === null || next.done === true ? 'dead' : 'off';
    }
    if (next.done === true) this.value = next.value;
    else this.point = next.value;
  }

  /** Place and live values, and whether a signal waits. */
  digest(): string {
    const signal = this.isSignalled ? '!' : '';
    if (this.point === null) return `${this.state}${signal}`;
    const { at, live } = this.point;
    return live === undefined ? `${at}${signal}` : `${at}${signal}(${live().join(',')})`;
  }

  #wake(): Wake {
    if (this.point === null) return 'run';
    const { until, interruptible, isUserMode } = this.point;
    if (isUserMode === true) this.isSignalled = false;
    if (until === null || !interruptible || !this.isSignalled) return 'run';
    return until() ? 'run' : 'signal';
  }
}
