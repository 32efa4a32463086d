import { u8 } from '../types/arrays';
import type { IoBus } from './io-bus';
import { TxResult, orResults, readResult } from './mmio';
import type { Ram } from './ram';

/** Told of each line of RAM that a master touches, by word index, before it is touched. */
export type LineObserver = (word: number) => void;

/** In check mode: told of what a master is about to read and write of RAM, piece by piece. */
export interface TransferWatch {
  /** `length` bytes from byte `offset` of a word on. */
  beforeRead(word: number, offset: number, length: number): void;
  /** As beforeRead; the bytes are those of `from`, from index `at` on. */
  beforeWrite(word: number, offset: number, length: number, from: Uint8Array, at: number): void;
}

/**
 * What a master makes of what it reads: it moves or compares it; it acts on it, as on a descriptor; it
 * waits for it to change.
 */
export type ReadUse = 'data' | 'fetch' | 'poll';

/** Is told of the transfers of a master, which are numbers from 1 on. */
export interface TransferWindows {
  /** A transfer begins: its doorbell. */
  begins(transfer: number): void;
  /** What the master touches from now on is of this transfer; 0: of none. */
  acts(transfer: number): void;
  /** A transfer ends: its completion, or its being aborted. */
  ends(transfer: number): void;
}

const join4 = (a: number, b: number, c: number, d: number): number =>
  (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;

/** What a walker finds of translation tables: for walks that are no event of the machine. */
export class UnseenTables {
  /** Of what readTable64 read last. */
  tableHigh = 0;
  readonly #ram: Ram;
  readonly #peek: (word: number) => number;

  constructor(ram: Ram, peek: (word: number) => number) {
    this.#ram = ram;
    this.#peek = peek;
  }

  /** As DmaMemory.readTable. */
  readTable(address: number): number | null {
    const word = this.#ram.wordOf(address);
    return word < 0 ? null : this.#peek(word) >>> 0;
  }

  /** As DmaMemory.readTable64. */
  readTable64(address: number): number | null {
    const low = this.readTable(address);
    this.tableHigh = this.readTable(address + 4) ?? 0;
    return low;
  }
}

/** Most bytes that a bus moves in one piece. */
export const MAX_PIECE = 32;

/**
 * Where a master's transactions go, by physical address: a piece of a line at a time, RAM by the
 * rules of a subclass, everything else to the device that answers there.
 */
export abstract class DmaMemory {
  /** Null but in check mode. */
  transferWatch: TransferWatch | null = null;
  /** Null where nobody asks. */
  readonly windows: TransferWindows | null = null;
  /** Of what readTable64 read last. */
  tableHigh = 0;
  /** For what an IOMMU fetches unasked. */
  readonly unseen: UnseenTables;
  protected readonly ram: Ram;
  readonly #io: IoBus;
  readonly #observe: LineObserver;
  readonly #piece: number;
  readonly #tableBytes = new Uint8Array(8);

  /** `piece`: the bytes of the shortest line of any cache, if below MAX_PIECE; a power of two. */
  constructor(ram: Ram, io: IoBus, observe: LineObserver, piece = MAX_PIECE) {
    this.ram = ram;
    this.unseen = new UnseenTables(ram, word => this.peekRam(word));
    this.#io = io;
    this.#observe = observe;
    this.#piece = piece;
  }

  /**
   * Copies `length` bytes at `address` to `into`, from index `at` on. Results are ORed. A master that
   * polls may see the old value late, not for ever.
   */
  read(
    address: number,
    length: number,
    into: Uint8Array,
    at: number,
    use: ReadUse = 'data',
  ): TxResult {
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length;) {
      const from = address + done;
      const part = Math.min(length - done, this.#piece - (from % this.#piece));
      const word = this.ram.wordOf(from);
      if (word >= 0) {
        this.#observe(word);
        this.transferWatch?.beforeRead(word, from % 4, part);
        if (use === 'poll') this.pollRam(word, from % 4, part, into, at + done);
        else if (use === 'fetch') this.fetchRam(word, from % 4, part, into, at + done);
        else this.readRam(word, from % 4, part, into, at + done);
      } else {
        result = orResults(result, this.#readIo(from, part, into, at + done));
      }
      done += part;
    }
    return result;
  }

  /** Copies `length` bytes of `from`, from index `at` on, to `address`. Results are ORed. */
  write(address: number, length: number, from: Uint8Array, at: number): TxResult {
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length;) {
      const to = address + done;
      const part = Math.min(length - done, this.#piece - (to % this.#piece));
      const word = this.ram.wordOf(to);
      if (word >= 0) {
        this.#observe(word);
        this.transferWatch?.beforeWrite(word, to % 4, part, from, at + done);
        this.writeRam(word, to % 4, part, from, at + done);
      } else {
        result = orResults(result, this.#writeIo(to, part, from, at + done));
      }
      done += part;
    }
    return result;
  }

  /**
   * The word of a translation table at a physical address that 4 divides, as the walker of an IOMMU
   * reads it, unsigned; null where no RAM answers.
   */
  readTable(address: number): number | null {
    return this.#walk(address, 4) ? this.#tableWord(0) : null;
  }

  /**
   * As readTable, eight bytes at an address that 8 divides, in one single-copy atomic read: the low
   * half is the answer, the high half is `tableHigh` until the next readTable64; both unsigned.
   */
  readTable64(address: number): number | null {
    if (!this.#walk(address, 8)) return null;
    this.tableHigh = this.#tableWord(4);
    return this.#tableWord(0);
  }

  /** The same event of the machine, for a walker that has the word already and reads nothing. */
  passTable(address: number): void {
    const word = this.ram.wordOf(address);
    if (word >= 0) this.#observe(word);
  }

  /** `length` bytes of one line, from byte `offset` of `word` on. */
  protected abstract readRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void;

  /** As readRam, for a master that acts on the bytes. */
  protected fetchRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    this.readRam(word, offset, length, into, at);
  }

  /** As readRam, for a master that waits for the bytes to change. */
  protected pollRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    this.readRam(word, offset, length, into, at);
  }

  /** As readRam, an aligned word or two for the walker of an IOMMU. */
  protected walkRam(word: number, length: 4 | 8, into: Uint8Array): void {
    this.readRam(word, 0, length, into, 0);
  }

  /** A word as readRam finds it, without a trace. */
  protected peekRam(word: number): number {
    return this.ram.readWord(word);
  }

  protected abstract writeRam(
    word: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
  ): void;

  /** Leaves bytes of a table in #tableBytes; false where no RAM answers. */
  #walk(address: number, length: 4 | 8): boolean {
    const word = this.ram.wordOf(address);
    if (word < 0) return false;
    this.#observe(word);
    this.transferWatch?.beforeRead(word, 0, length);
    this.walkRam(word, length, this.#tableBytes);
    return true;
  }

  #tableWord(at: number): number {
    const bytes = this.#tableBytes;
    return join4(u8(bytes, at), u8(bytes, at + 1), u8(bytes, at + 2), u8(bytes, at + 3));
  }

  #readIo(address: number, length: number, into: Uint8Array, at: number): TxResult {
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length;) {
      const isWord = (address + done) % 4 === 0 && length - done >= 4;
      const value = this.#io.read(address + done, isWord ? 4 : 1);
      if (value < 0) result = orResults(result, readResult(value));
      const bytes = isWord ? 4 : 1;
      for (let i = 0; i < bytes && value >= 0; i++) into[at + done + i] = value >>> (8 * i);
      done += bytes;
    }
    return result;
  }

  #writeIo(address: number, length: number, from: Uint8Array, at: number): TxResult {
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length;) {
      const isWord = (address + done) % 4 === 0 && length - done >= 4;
      const bytes = isWord ? 4 : 1;
      let value = 0;
      for (let i = 0; i < bytes; i++) value += u8(from, at + done + i) * 2 ** (8 * i);
      result = orResults(result, this.#io.write(address + done, isWord ? 4 : 1, value));
      done += bytes;
    }
    return result;
  }
}

/** Memory as a master that does not snoop reaches it: RAM itself, whatever any cache holds. */
export class UncachedMemory extends DmaMemory {
  protected readRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    const from = this.ram.poolIndex(word) * 4 + offset;
    const { bytes } = this.ram;
    for (let i = 0; i < length; i++) into[at + i] = u8(bytes, from + i);
  }

  protected writeRam(
    word: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
  ): void {
    const to = this.ram.poolIndex(word) * 4 + offset;
    const { bytes } = this.ram;
    for (let i = 0; i < length; i++) bytes[to + i] = u8(from, at + i);
  }
}
