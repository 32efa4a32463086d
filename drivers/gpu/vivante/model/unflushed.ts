import { LINE_BYTES } from '../regs/surface';
import type { Access, CacheMismatch, GpuMemory } from './unit';

/** Told of what one reader might have missed. */
export type MismatchSink = (mismatch: CacheMismatch) => void;

/** See UnitPorts.onHeld. */
type HeldSink = (cache: CacheMismatch['cache'], line: number, isHeld: boolean) => void;

/**
 * Of a checked GPU: lines that some cache of it has written and that need not have reached memory,
 * since nothing has flushed that cache. Whoever else reads one is told of.
 */
export class UnflushedLines {
  readonly #onMismatch: MismatchSink;
  readonly #onHeld: HeldSink | null;
  /** By address; who wrote it. */
  readonly #lines = new Map<number, CacheMismatch['cache']>();

  constructor(onMismatch: MismatchSink, onHeld: HeldSink | null) {
    this.#onMismatch = onMismatch;
    this.#onHeld = onHeld;
  }

  wrote(cache: CacheMismatch['cache'], line: number): void {
    this.flushed(line);
    this.#lines.set(line, cache);
    this.#onHeld?.(cache, line, true);
  }

  /** The line has reached memory, or is lost. */
  flushed(line: number): void {
    const cache = this.#lines.get(line);
    if (cache === undefined) return;
    this.#lines.delete(line);
    this.#onHeld?.(cache, line, false);
  }

  /** Tells of the lines of a read that memory need not have yet. `own`: the reader's cache. */
  reads(reader: string, own: CacheMismatch['cache'] | null, address: number, length: number): void {
    if (this.#lines.size === 0) return;
    const first = address - (address % LINE_BYTES);
    for (let line = first; line < address + length; line += LINE_BYTES) {
      const cache = this.#lines.get(line);
      if (cache === undefined || cache === own) continue;
      const from = Math.max(line, address);
      const end = Math.min(line + LINE_BYTES, address + length);
      this.#onMismatch({ cache, what: 'unflushed', reader, address: from, length: end - from });
    }
  }
}

/** Memory as one unit of a checked GPU reads it: what other units have not flushed is told of. */
export class WatchedMemory implements GpuMemory {
  readonly #memory: GpuMemory;
  readonly #unflushed: UnflushedLines;
  readonly #reader: string;
  readonly #own: CacheMismatch['cache'] | null;

  constructor(
    memory: GpuMemory,
    unflushed: UnflushedLines,
    reader: string,
    own: CacheMismatch['cache'] | null,
  ) {
    this.#memory = memory;
    this.#unflushed = unflushed;
    this.#reader = reader;
    this.#own = own;
  }

  read(address: number, length: number, into: Uint8Array, at: number): Access {
    const access = this.#memory.read(address, length, into, at);
    if (access === 'ok') this.#unflushed.reads(this.#reader, this.#own, address, length);
    return access;
  }

  write(address: number, length: number, from: Uint8Array, at: number): Access {
    return this.#memory.write(address, length, from, at);
  }
}
