import { u8 } from '../types/arrays';
import type { IoBus } from './io-bus';
import { TxResult, orResults, readResult } from './mmio';
import type { Ram } from './ram';

/** Told of each line of RAM that a master touches, by word index, before it is touched. */
export type LineObserver = (word: number) => void;

/** A bus moves data in pieces of this size; a page is a multiple of it. */
const LINE = 32;

/**
 * Where a master's transactions go, by physical address: a piece of a line at a time, RAM by the
 * rules of a subclass, everything else to the device that answers there.
 */
export abstract class DmaMemory {
  protected readonly ram: Ram;
  readonly #io: IoBus;
  readonly #observe: LineObserver;

  constructor(ram: Ram, io: IoBus, observe: LineObserver) {
    this.ram = ram;
    this.#io = io;
    this.#observe = observe;
  }

  /** Copies `length` bytes at `address` to `into`, from index `at` on. Results are ORed. */
  read(address: number, length: number, into: Uint8Array, at: number): TxResult {
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length;) {
      const from = address + done;
      const part = Math.min(length - done, LINE - (from % LINE));
      const word = this.ram.wordOf(from);
      if (word >= 0) {
        this.#observe(word);
        this.readRam(word, from % 4, part, into, at + done);
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
      const part = Math.min(length - done, LINE - (to % LINE));
      const word = this.ram.wordOf(to);
      if (word >= 0) {
        this.#observe(word);
        this.writeRam(word, to % 4, part, from, at + done);
      } else {
        result = orResults(result, this.#writeIo(to, part, from, at + done));
      }
      done += part;
    }
    return result;
  }

  /** `length` bytes of one line, from byte `offset` of `word` on. */
  protected abstract readRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void;

  protected abstract writeRam(
    word: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
  ): void;

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
