import { i32 } from '../../../drivers/base/types/arrays';
import { restoreInt32 } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';

const LINES = 128;

/**
 * The physical words that something lately happened to (maintenance, DMA): where spontaneous
 * events of a random run are most telling. A ring, shared by the machine's CPUs and DMA ports.
 * Non-cacheable accesses are not among them: each CPU remembers its own (RecentAccesses).
 */
export class Interest implements Stateful {
  readonly #words = new Int32Array(LINES);
  #next = 0;
  count = 0;

  note(word: number): void {
    this.#words[this.#next] = word;
    this.#next = (this.#next + 1) % LINES;
    if (this.count < LINES) this.count++;
  }

  /** The n-th noted word, n below `count`. */
  at(n: number): number {
    return i32(this.#words, n);
  }

  saveState(): StateValue {
    return { words: this.#words.slice(), next: this.#next, count: this.count };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'lines of interest');
    restoreInt32(this.#words, reader.value('words'), 'lines of interest');
    this.#next = reader.number('next');
    this.count = reader.number('count');
  }
}
