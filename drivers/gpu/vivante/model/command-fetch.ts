import type { DmaPort } from '../../../base/hw/dma-port';
import { dmaAddr } from '../../../base/types/address';
import { i32 } from '../../../base/types/arrays';
import { OPCODE, Opcode, QWORD } from '../regs/command-stream';
import { PAGE } from '../regs/page-tables';
import type { ClientMemory } from './client-memory';
import type { Access, CacheMismatch } from './unit';

/** Bytes that the front end fetches ahead, within a page. _Assumed_. */
const AHEAD = 512;
/** Most words of a command: LOAD_STATE of 1024 states; a draw of 255 rectangles and 2047 data words. */
const MOST_WORDS = 4096;

/** As Access, or there is no such word: the last that was to be fetched has been taken. */
export type Fetched = Access | 'starved';

export interface CommandFetchParts {
  readonly memory: ClientMemory;
  readonly port: DmaPort;
  /**
   * Nothing is fetched ahead, but each command when it is executed; what might have been fetched ahead is
   * compared with it.
   */
  readonly looksPast: boolean;
  readonly onMismatch: (mismatch: CacheMismatch) => void;
  /** Told of what is read, by the GPU's addresses. */
  readonly onRead: (address: number, length: number) => void;
}

/** Opcodes that software replaces by one another while the front end may look at them. */
const CHANGES: readonly number[] = [Opcode.Wait, Opcode.Link, Opcode.End];

/**
 * The front end's way to its commands. The first header at the target of a LINK may be polled: software
 * changes it under way. All else is acted upon as it is, and was fetched when the front end came near.
 */
export class CommandFetch {
  /** Of the command that is decoded. */
  address = 0;
  /** Its words, after header and operands. */
  readonly words = new Uint32Array(MOST_WORDS);
  readonly #parts: CommandFetchParts;
  /** 64-bit words that may be taken from `address` on. */
  #left = 0;
  #isTarget = false;
  readonly #bytes = new Uint8Array(MOST_WORDS * 4);
  readonly #view = new DataView(this.#bytes.buffer);
  /** What was fetched ahead, or might have been: bytes and words from #aheadFrom to #aheadTo. */
  readonly #ahead = new Uint8Array(AHEAD);
  readonly #aheadWords = new Int32Array(AHEAD / 4);
  #aheadFrom = 0;
  #aheadTo = 0;

  constructor(parts: CommandFetchParts) {
    this.#parts = parts;
  }

  /** The last fetch that ended as a fault did so on the bus. */
  get isBusError(): boolean {
    return this.#parts.memory.isBusError;
  }

  /** A word of the command. */
  word(index: number): number {
    return this.words[index] ?? 0;
  }

  /** Goes on at `address`, of which `count` 64-bit words may be taken. */
  goTo(address: number, count: number): void {
    this.address = address;
    this.#left = count;
    this.#isTarget = true;
    this.#aheadTo = this.#aheadFrom;
  }

  /** Leaves the header in `words`. After `wait` it is called again. */
  header(): Fetched {
    if (this.#left === 0) return 'starved';
    if (!this.#parts.looksPast) return this.#take(0, 1);
    const { memory, onRead } = this.#parts;
    const access = memory.read(this.address, 4, this.#bytes, 0, this.#isTarget ? 'poll' : 'fetch');
    if (access !== 'ok') return access;
    const header = this.#view.getUint32(0, true);
    if (this.#isTarget && !CHANGES.includes(OPCODE.of(header))) {
      memory.read(this.address, 4, this.#bytes, 0, 'fetch');
    }
    onRead(this.address, 4);
    this.#note();
    this.#settle(0, 1);
    return 'ok';
  }

  /** Leaves the words after the header in `words`, up to `count` words of the command in all. */
  operands(count: number): Fetched {
    if (Math.ceil(count / 2) > this.#left) return 'starved';
    if (count <= 1) return 'ok';
    if (!this.#parts.looksPast) return this.#take(1, count);
    const { memory, onRead } = this.#parts;
    const from = this.address + 4;
    const access = memory.read(from, (count - 1) * 4, this.#bytes, 4, 'fetch');
    if (access !== 'ok') return access;
    onRead(from, (count - 1) * 4);
    this.#settle(1, count);
    return 'ok';
  }

  /** The command had so many words: the next begins at the next multiple of 8. */
  advance(count: number): void {
    const taken = Math.ceil(count / 2);
    this.address += taken * QWORD;
    this.#left -= taken;
    this.#isTarget = false;
  }

  /** Words of the command from one to another, by what is fetched ahead. */
  #take(first: number, end: number): Fetched {
    for (let word = first; word < end;) {
      const at = this.address + word * 4;
      if (at < this.#aheadFrom || at >= this.#aheadTo) {
        const access = this.#fill(at);
        if (access !== 'ok') return access;
      }
      const from = at - this.#aheadFrom;
      const part = Math.min(end - word, (this.#aheadTo - at) / 4);
      this.#bytes.set(this.#ahead.subarray(from, from + part * 4), word * 4);
      word += part;
    }
    for (let word = first; word < end; word++) {
      this.words[word] = this.#view.getUint32(word * 4, true);
    }
    return 'ok';
  }

  /** Fetches ahead from the 64-bit word of an address on. */
  #fill(address: number): Access {
    const from = address - (address % QWORD);
    const length = Math.min(AHEAD, this.#reach(from));
    const access = this.#parts.memory.read(from, length, this.#ahead, 0, 'fetch');
    if (access !== 'ok') return access;
    this.#aheadFrom = from;
    this.#aheadTo = from + length;
    return 'ok';
  }

  /** Bytes from an address on that may be fetched: no further than the page, and the count. */
  #reach(from: number): number {
    const end = this.address + this.#left * QWORD;
    return Math.min(end - from, PAGE - (from % PAGE));
  }

  /** The header is where the MMU has just said: what is ahead of it might be fetched by now. */
  #note(): void {
    const { address } = this;
    if (!this.#isTarget && address >= this.#aheadFrom && address < this.#aheadTo) return;
    const { port, memory } = this.#parts;
    const { bus } = memory;
    const length = Math.min(AHEAD, this.#reach(address));
    this.#aheadFrom = address;
    this.#aheadTo = address;
    for (let at = 0; at < length && bus !== null; at += 4) {
      const word = port.peekTable(dmaAddr(bus + at));
      if (word === null) return;
      this.#aheadWords[at / 4] = word;
      this.#aheadTo = address + at + 4;
    }
  }

  /** Words were read: they are taken, and might have been others. */
  #settle(first: number, end: number): void {
    for (let word = first; word < end; word++) {
      const value = this.#view.getUint32(word * 4, true);
      this.words[word] = value;
      const at = this.address + word * 4;
      const isAhead = at >= this.#aheadFrom && at < this.#aheadTo;
      const isPolled = word === 0 && this.#isTarget;
      if (!isAhead || isPolled) continue;
      if (i32(this.#aheadWords, (at - this.#aheadFrom) / 4) === (value | 0)) continue;
      this.#parts.onMismatch({
        cache: 'prefetch',
        what: 'stale',
        reader: 'FE',
        address: at,
        length: 4,
      });
      this.#aheadWords[(at - this.#aheadFrom) / 4] = value;
    }
  }
}
