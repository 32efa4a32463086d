import { ticks, type Ticks } from '../types/address';
import { BenchError, invariant } from '../types/errors';

/** One thing that will happen. Made by EventQueue only. */
export class Timer {
  readonly name: string;
  readonly time: Ticks;
  readonly fire: () => void;
  /** Order of scheduling: what decides between two timers of one time. */
  readonly order: number;
  /** Place in the queue's heap, or -1 once fired or cancelled. */
  place = -1;

  constructor(name: string, time: Ticks, fire: () => void, order: number) {
    this.name = name;
    this.time = time;
    this.fire = fire;
    this.order = order;
  }

  get isPending(): boolean {
    return this.place >= 0;
  }
}

/** A timer as a snapshot or a digest sees it. */
export interface TimerRecord {
  readonly name: string;
  readonly time: Ticks;
}

/** More events than this at one tick is a device that re-arms itself without time passing. */
const MAX_EVENTS_PER_TICK = 1_000_000;

const isBefore = (a: Timer, b: Timer): boolean =>
  a.time < b.time || (a.time === b.time && a.order < b.order);

/**
 * The machine's one clock, in simulated nanoseconds, and all that is to happen on it.
 *
 * Timers fire in order of time, and in order of scheduling where times are equal. Misuse is a
 * BenchError: a time in the past, a delay that is no whole number, advancing from a callback.
 */
export class EventQueue {
  /** Binary heap: a timer is never before its parent at (i - 1) >> 1. */
  readonly #heap: Timer[] = [];
  #now = ticks(0);
  #order = 0;
  #advancing = false;

  /** Inside a callback, the time for which it was scheduled. */
  get now(): Ticks {
    return this.#now;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#heap.length;
  }

  /** Schedules `fire` `delay` nanoseconds from now; 0 is later in this same tick. */
  after(delay: number, name: string, fire: () => void): Timer {
    return this.at(ticks(this.#now + delay), name, fire);
  }

  /** Schedules `fire` at an absolute time. */
  at(time: Ticks, name: string, fire: () => void): Timer {
    if (!Number.isSafeInteger(time) || time < this.#now) {
      throw new BenchError(`timer ${name}: ${time} is not a whole tick from ${this.#now} on`);
    }
    const timer = new Timer(name, time, fire, this.#order++);
    this.#heap.push(timer);
    this.#siftUp(timer, this.#heap.length - 1);
    return timer;
  }

  /** A timer that fired or was cancelled already is left alone. */
  cancel(timer: Timer): void {
    if (!timer.isPending) return;
    if (this.#heap[timer.place] !== timer) {
      throw new BenchError(`timer ${timer.name} belongs to another event queue`);
    }
    this.#remove(timer);
  }

  /** When the next timer fires, or null if none waits. */
  nextTime(): Ticks | null {
    return this.#heap[0]?.time ?? null;
  }

  /** Fires all that is due up to and including `time`; then it is `time`. */
  advanceTo(time: Ticks): void {
    invariant(!this.#advancing, 'the event queue was advanced from one of its own callbacks');
    if (!Number.isSafeInteger(time) || time < this.#now) {
      throw new BenchError(`the event queue cannot go from ${this.#now} to ${time}`);
    }
    this.#advancing = true;
    try {
      this.#fireUntil(time);
    } finally {
      this.#advancing = false;
    }
    this.#now = time;
  }

  /** What waits, in the order in which it will fire: for digests and snapshots. */
  timers(): TimerRecord[] {
    return [...this.#heap]
      .sort((a, b) => a.time - b.time || a.order - b.order)
      .map(({ name, time }) => ({ name, time }));
  }

  /**
   * Sets the clock, forward or back, and forgets every timer. Restoring a snapshot starts here:
   * callbacks cannot be saved, so each device then re-arms its timers from its own state.
   */
  restart(now: Ticks): void {
    invariant(!this.#advancing, 'the event queue was restarted from one of its own callbacks');
    for (const timer of this.#heap) timer.place = -1;
    this.#heap.length = 0;
    this.#now = now;
  }

  #fireUntil(time: Ticks): void {
    let firedAtThisTick = 0;
    for (let next = this.#heap[0]; next !== undefined && next.time <= time; next = this.#heap[0]) {
      firedAtThisTick = next.time === this.#now ? firedAtThisTick + 1 : 1;
      if (firedAtThisTick > MAX_EVENTS_PER_TICK) {
        throw new BenchError(`timer ${next.name} re-arms itself at tick ${next.time} for ever`);
      }
      this.#remove(next);
      this.#now = next.time;
      next.fire();
    }
  }

  #remove(timer: Timer): void {
    const place = timer.place;
    timer.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === timer) return;
    if (!this.#siftUp(last, place)) this.#siftDown(last, place);
  }

  /** Puts a timer at `place` or nearer the top; true if it moved up. */
  #siftUp(timer: Timer, place: number): boolean {
    let at = place;
    while (at > 0) {
      const parent = this.#heap[(at - 1) >> 1];
      if (parent === undefined || !isBefore(timer, parent)) break;
      this.#put(parent, at);
      at = (at - 1) >> 1;
    }
    this.#put(timer, at);
    return at !== place;
  }

  #siftDown(timer: Timer, place: number): void {
    let at = place;
    for (;;) {
      const left = this.#heap[2 * at + 1];
      const right = this.#heap[2 * at + 2];
      if (left === undefined) break;
      const useRight = right !== undefined && isBefore(right, left);
      const child = useRight ? right : left;
      if (!isBefore(child, timer)) break;
      this.#put(child, at);
      at = 2 * at + (useRight ? 2 : 1);
    }
    this.#put(timer, at);
  }

  #put(timer: Timer, place: number): void {
    this.#heap[place] = timer;
    timer.place = place;
  }
}
