import { int32State } from '../../../drivers/base/hw/state-arrays';
import { InputError } from '../../../drivers/base/types/errors';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';

/** Addresses of one frame that are remembered. */
const ALIASES = 4;

/**
 * Under which virtual pages frames of RAM were reached as cached memory, by any CPU: the addresses
 * through which speculation may come back. Whether one still leads there, the MMU of the CPU that
 * speculates says.
 */
export class Sightings implements Stateful {
  /** Frame to virtual pages, the youngest last. */
  readonly #pages = new Map<number, number[]>();

  note(frame: number, va: number): void {
    const pages = this.#pages.get(frame);
    if (pages === undefined) {
      this.#pages.set(frame, [va]);
      return;
    }
    const known = pages.indexOf(va);
    if (known >= 0) pages.splice(known, 1);
    else if (pages.length >= ALIASES) pages.shift();
    pages.push(va);
  }

  /** One of the pages of a frame, chosen by `n`; undefined if it was never reached. */
  pageOf(frame: number, n: number): number | undefined {
    const pages = this.#pages.get(frame);
    return pages?.[n % pages.length];
  }

  /** All pages of a frame that are remembered. */
  pagesOf(frame: number): readonly number[] {
    return this.#pages.get(frame) ?? [];
  }

  saveState(): StateValue {
    const entries = [...this.#pages];
    return {
      frames: Int32Array.from(entries, ([frame]) => frame),
      pages: entries.map(([, pages]) => Float64Array.from(pages)),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'sightings');
    const frames = int32State(reader.value('frames'), 'sightings.frames');
    const lists = reader.list('pages', frames.length);
    this.#pages.clear();
    frames.forEach((frame, i) => {
      const pages = lists[i];
      if (!(pages instanceof Float64Array) || pages.length === 0 || pages.length > ALIASES) {
        throw new InputError({
          place: `snapshot of sightings.pages[${i}]`,
          expected: `1 to ${ALIASES} numbers`,
          found: pages instanceof Float64Array ? `${pages.length}` : 'something else',
        });
      }
      this.#pages.set(frame, [...pages]);
    });
  }
}
