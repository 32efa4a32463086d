import { InputError } from '../types/errors';
import { StateReader } from '../types/state';
import type { Stateful, StateValue } from '../types/state';

/** Texts that are kept; a driver that misuses a register does so in every round of its loop. */
const MOST_TEXTS = 64;

/**
 * What the software did to registers that no manual permits: each text once, with how often it was
 * told, oldest first; texts beyond the first MOST_TEXTS are only counted.
 */
export class GuestErrors implements Stateful {
  readonly #counts = new Map<string, number>();
  #dropped = 0;

  note(text: string): void {
    const count = this.#counts.get(text);
    if (count === undefined && this.#counts.size >= MOST_TEXTS) this.#dropped++;
    else this.#counts.set(text, (count ?? 0) + 1);
  }

  /** How many there were since the last take(). */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, this.#dropped);
  }

  /** A line for each text, and one for those that were dropped; forgets them. */
  take(): string[] {
    const lines = [...this.#counts].map(([text, count]) =>
      count === 1 ? text : `${text} (${count} times)`,
    );
    if (this.#dropped > 0) lines.push(`and ${this.#dropped} more, which were not kept`);
    this.#clear();
    return lines;
  }

  saveState(): StateValue {
    return {
      texts: [...this.#counts.keys()],
      counts: Float64Array.from(this.#counts.values()),
      dropped: this.#dropped,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'guest errors');
    const counts = reader.numbers('counts');
    const texts = reader.list('texts', counts.length);
    this.#clear();
    texts.forEach((text, i) => {
      if (typeof text !== 'string') {
        const place = 'snapshot of guest errors';
        throw new InputError({ place, expected: 'texts', found: 'something else' });
      }
      this.#counts.set(text, counts[i] ?? 0);
    });
    this.#dropped = reader.number('dropped');
  }

  #clear(): void {
    this.#counts.clear();
    this.#dropped = 0;
  }
}
