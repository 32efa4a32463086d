/** Runs something later (struct timer_list, struct delayed_work). */
export interface Timers {
  /** Once, when so many ns have passed and interrupts are let in. */
  after(nanoseconds: number, expired: () => void): void;
}

interface Pending {
  readonly at: number;
  readonly expired: () => void;
}

/**
 * The kernel's timers. They are looked at when the kernel sleeps or is idle: time that passes in a
 * driver's own instructions is too short to matter, and nothing of it is interrupted.
 */
export class KernelTimers implements Timers {
  readonly #clock: () => number;
  /** In the order in which they expire. */
  readonly #pending: Pending[] = [];

  /** `clock`: simulated ns since power-on. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  after(nanoseconds: number, expired: () => void): void {
    const at = this.#clock() + nanoseconds;
    const before = this.#pending.findLastIndex(other => other.at <= at);
    this.#pending.splice(before + 1, 0, { at, expired });
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
