const FIRST_CAPACITY = 64;
const encoder = new TextEncoder();

/** Big-endian bytes, appended one after another. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_CAPACITY);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  u64(value: bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
  }

  bytes(value: Uint8Array): void {
    const at = this.#reserve(value.length);
    this.#bytes.set(value, at);
  }

  /** A string in UTF-8 and its NUL. */
  string(value: string): void {
    this.bytes(encoder.encode(value));
    this.u8(0);
  }

  /** Zeros up to the next multiple of `granule`. */
  align(granule: number): void {
    const over = this.#length % granule;
    if (over !== 0) this.#reserve(granule - over);
  }

  /** The bytes written so far, as an array of their own; the writer begins anew. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
    return taken;
  }

  #reserve(count: number): number {
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = needed;
    return at;
  }
}

/** A string in UTF-8 and its NUL, as a property holds it. */
export const stringBytes = (value: string): Uint8Array => {
  const text = encoder.encode(value);
  const bytes = new Uint8Array(text.length + 1);
  bytes.set(text);
  return bytes;
};

/** Cells, big-endian, as a property holds them. */
export const cellBytes = (cells: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(4 * cells.length);
  const view = new DataView(bytes.buffer);
  cells.forEach((cell, i) => {
    view.setUint32(4 * i, cell);
  });
  return bytes;
};

/** One cell of a property's value, at any byte offset; undefined beyond its end. */
export const cellAt = (value: Uint8Array, offset: number): number | undefined =>
  offset + 4 > value.length
    ? undefined
    : new DataView(value.buffer, value.byteOffset, value.length).getUint32(offset);
