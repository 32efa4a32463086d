/** Runs something later (struct timer_list, struct delayed_work). */
export interface Timers {
  /** Once, when so many ns have passed and interrupts are let in. */
  after(nanoseconds: number, expired: () => void): void;
}

/** A timer that was set. */
export interface PendingTimer {
  /** Simulated ns since power-on. */
  readonly at: number;
  readonly expired: () => void;
}

/** Timers that tell the time and can be stopped. */
export interface ClockTimers extends Timers {
  /** Simulated ns since power-on. */
  readonly now: number;
  after(nanoseconds: number, expired: () => void): PendingTimer;
  /** True if it had not expired yet (timer_delete). */
  cancel(timer: PendingTimer): boolean;
}

/**
 * The kernel's timers. They are looked at when the kernel sleeps or is idle: time that passes in a
 * driver's own instructions is too short to matter, and nothing of it is interrupted.
 */
export class KernelTimers implements ClockTimers {
  readonly #clock: () => number;
  /** In the order in which they expire. */
  readonly #pending: PendingTimer[] = [];

  /** `clock`: simulated ns since power-on. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  get now(): number {
    return this.#clock();
  }

  /** When the next one expires, null if none is set. */
  get nextAt(): number | null {
    return this.#pending[0]?.at ?? null;
  }

  after(nanoseconds: number, expired: () => void): PendingTimer {
    const timer = { at: this.#clock() + nanoseconds, expired };
    const before = this.#pending.findLastIndex(other => other.at <= timer.at);
    this.#pending.splice(before + 1, 0, timer);
    return timer;
  }

  cancel(timer: PendingTimer): boolean {
    const place = this.#pending.indexOf(timer);
    if (place >= 0) this.#pending.splice(place, 1);
    return place >= 0;
  }

  /** Runs those whose time has come, also those that they themselves set for now. */
  run(): void {
    for (;;) {
      const [first] = this.#pending;
      if (first === undefined || first.at > this.#clock()) return;
      this.#pending.shift();
      first.expired();
    }
  }
}

/** A kernel's time without a machine: it passes when nobody is runnable, from timer to timer. */
export class VirtualTime {
  /** Simulated ns. */
  now = 0;
  readonly timers = new KernelTimers(() => this.now);

  /** Goes on to the next timer and runs what is due; false: none is set. For Scheduler.run. */
  readonly idle = (): boolean => {
    const { nextAt } = this.timers;
    if (nextAt === null) return false;
    this.now = Math.max(this.now, nextAt);
    this.timers.run();
    return true;
  };

  /** As DriverServices has it: for runToCompletion. */
  waitUntil(done: () => boolean, limit: number): boolean {
    const end = this.now + limit;
    while (!done()) {
      const { nextAt } = this.timers;
      if (nextAt === null || nextAt > end) return false;
      this.idle();
    }
    return true;
  }
}
