import { i32 } from '../../../drivers/base/types/arrays';
import { DEVICE_WRITE } from './line-store';
import type { LineStore } from './line-store';

/**
 * When devices last wrote each byte, by the numbers of Barriers.deviceWrite: 0 is never, or before
 * somebody else did. A line keeps the number of its last; only where its bytes differ is there more,
 * in a table beside.
 */
export class DeviceWrites {
  readonly #store: LineStore;
  readonly #lineBytes: number;
  readonly #differing = new Map<number, Int32Array>();

  constructor(store: LineStore, lineBytes: number) {
    this.#store = store;
    this.#lineBytes = lineBytes;
  }

  /** Bytes of a line are written, or 0: not any more. There must be room for the line. */
  note(line: number, low: number, high: number, write: number): void {
    const before = this.#store.get(line, DEVICE_WRITE);
    const known = this.#differing.get(line);
    if (known === undefined && before === write) return;
    const numbers = known ?? new Int32Array(this.#lineBytes).fill(before);
    let last = 0;
    let areSame = true;
    for (let byte = 0; byte < this.#lineBytes; byte++) {
      if (isIn(byte, low, high)) numbers[byte] = write;
      const number = i32(numbers, byte);
      areSame &&= number === i32(numbers, 0);
      last = Math.max(last, number);
    }
    this.#store.set(line, DEVICE_WRITE, last);
    if (areSame) this.#differing.delete(line);
    else if (known === undefined) this.#differing.set(line, numbers);
  }

  /** The last write of any of these bytes. */
  lastOf(line: number, low: number, high: number): number {
    const numbers = this.#differing.get(line);
    if (numbers === undefined) return this.#store.get(line, DEVICE_WRITE);
    let last = 0;
    for (let byte = 0; byte < this.#lineBytes; byte++) {
      if (isIn(byte, low, high)) last = Math.max(last, i32(numbers, byte));
    }
    return last;
  }
}

const isIn = (byte: number, low: number, high: number): boolean =>
  ((byte < 32 ? low >>> byte : high >>> (byte - 32)) & 1) !== 0;
