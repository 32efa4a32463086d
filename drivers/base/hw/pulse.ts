import { StateReader } from '../types/state';
import type { Stateful, StateValue } from '../types/state';

/** No whim comes before this many events: about two thousand million. */
export const NEVER = 0x7fff_ffff;

/**
 * The count of events (accesses of any CPU or device, maintenance, barriers), kept as one
 * countdown so that the hot path pays a decrement. When it passes zero, whoever owns the whims of
 * the machine is asked what happens now and when to ask again.
 */
export class Pulse implements Stateful {
  /** Events left until the next whim; the hot path decrements it itself. */
  countdown = NEVER;
  #armed = NEVER;
  #before = 0;

  /** Events since power-on. */
  get now(): number {
    return this.#before + this.#armed - this.countdown;
  }

  /** One event. True if a whim is due; its owner then arms the next. */
  tick(): boolean {
    return --this.countdown < 0;
  }

  /** Arms the next whim, `events` from now. */
  arm(events: number): void {
    this.#before = this.now;
    this.#armed = Math.min(events, NEVER);
    this.countdown = this.#armed;
  }

  saveState(): StateValue {
    return { now: this.now, countdown: this.countdown };
  }

  /** Takes up the count of a saved machine; the whim that was armed is armed again. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'pulse');
    this.countdown = reader.number('countdown');
    this.#armed = this.countdown;
    this.#before = reader.number('now');
  }
}
