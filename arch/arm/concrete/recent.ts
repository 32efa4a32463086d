import { i32 } from '../../../drivers/base/types/arrays';
import { InputError } from '../../../drivers/base/types/errors';
import { int32State } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';

/** Accesses that are remembered; a power of two. */
const RECENT = 16;

/**
 * The last accesses of one CPU that no first level kept, to normal memory: what a load before its
 * time may read. A ring: a store that goes by is noted without building anything.
 */
export class RecentAccesses implements Stateful {
  count = 0;

  readonly #words = new Int32Array(RECENT);
  readonly #attributes = new Int32Array(RECENT);
  #next = 0;

  /** An access to a physical word through a page of these attributes. */
  note(word: number, attributes: number): void {
    this.#words[this.#next] = word;
    this.#attributes[this.#next] = attributes;
    this.#next = (this.#next + 1) & (RECENT - 1);
    if (this.count < RECENT) this.count++;
  }

  /** The n-th word, the oldest first; n below `count`. */
  at(n: number): number {
    return i32(this.#words, this.#place(n));
  }

  /** The attributes under which a word was last accessed, or -1. */
  attributesOf(word: number): number {
    for (let n = this.count - 1; n >= 0; n--) {
      if (this.at(n) === word) return i32(this.#attributes, this.#place(n));
    }
    return -1;
  }

  saveState(): StateValue {
    const places = Array.from({ length: this.count }, (_, n) => this.#place(n));
    return {
      words: Int32Array.from(places, place => i32(this.#words, place)),
      attributes: Int32Array.from(places, place => i32(this.#attributes, place)),
    };
  }

  restoreState(state: StateValue): void {
    const place = 'recent accesses';
    const reader = new StateReader(state, place);
    const words = int32State(reader.value('words'), place);
    const attributes = int32State(reader.value('attributes'), place);
    if (words.length > RECENT || attributes.length !== words.length) {
      const found = `${words.length} words and ${attributes.length} attributes`;
      const expected = `at most ${RECENT} words with attributes each`;
      throw new InputError({ place: `snapshot of ${place}`, expected, found });
    }
    this.count = 0;
    this.#next = 0;
    words.forEach((word, n) => {
      this.note(word, i32(attributes, n));
    });
  }

  #place(n: number): number {
    return (this.#next - this.count + n) & (RECENT - 1);
  }
}
