import { UncachedMemory } from '../../../drivers/base/hw/dma-memory';
import type { LineObserver, TransferWindows } from '../../../drivers/base/hw/dma-memory';
import type { IoBus } from '../../../drivers/base/hw/io-bus';
import { PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import { u8 } from '../../../drivers/base/types/arrays';
import type { AccessKind, Accessor } from '../../../drivers/base/types/observer';
import { MAY_STALE } from '../coherence/verdicts';
import { highMask, lowMask } from './byte-masks';
import type { Checker } from './checker';
import { Polls } from './polls';
import { NO_WRITER } from './translation-hooks';

export interface CheckedDmaParts {
  readonly ram: Ram;
  readonly io: IoBus;
  readonly observe: LineObserver;
  /** See DmaMemory. */
  readonly piece: number;
  readonly checker: Checker;
  /** The master, for verdicts. */
  readonly name: string;
  readonly snoops: boolean;
}

/**
 * Memory as a master of a checked machine reaches it, snooping or not: the latest bytes, and the
 * states of their line say whether it might have got others.
 */
export class CheckedDmaMemory extends UncachedMemory {
  override readonly windows: TransferWindows = {
    begins: transfer => {
      this.#checker.observer?.transferBegins(this.#by.name, transfer);
    },
    acts: transfer => {
      this.#checker.observer?.transferActs(this.#by.name, transfer);
    },
    ends: transfer => {
      this.#checker.observer?.transferEnds(this.#by.name, transfer);
    },
  };
  readonly #checker: Checker;
  readonly #by: Extract<Accessor, { kind: 'device' }>;
  readonly #polls = new Polls();
  /** The bytes of the access under way, as a mask of its line. */
  #low = 0;
  #high = 0;

  constructor({ ram, io, observe, piece, checker, name, snoops }: CheckedDmaParts) {
    super(ram, io, observe, piece);
    this.#checker = checker;
    this.#by = { kind: 'device', name, snoops };
    checker.pollers.push(this.#polls);
  }

  protected override readRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    this.#consume(word, offset, length, into, at);
  }

  /**
   * What might have been other bytes is told, and the device goes on with the latest: it has seen
   * them, as after a poll. What it does next it would not have done had it seen others.
   */
  protected override fetchRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    const verdict = this.#consume(word, offset, length, into, at);
    if ((verdict & MAY_STALE) !== 0) this.#saw(word);
  }

  /** A device that acts on the new value has seen it: so has it all that was stored before. */
  protected override pollRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    const verdict = this.#read(word, offset, length, true);
    super.readRam(word, offset, length, into, at);
    const line = this.#checker.lineOf(word);
    const poll = { first: word * 4 + offset, line, poller: 0, verdict };
    const { isSeen, isStuck } = this.#polls.poll(poll, into, at, length);
    if (isStuck) this.#tell(verdict, 'device poll', word, offset, length);
    if (isSeen) this.#saw(word);
  }

  protected override walkRam(word: number, length: 4 | 8, into: Uint8Array): void {
    const verdict = this.#read(word, 0, length, false);
    if (verdict !== 0) this.#tell(verdict, 'table walk', word, 0, length);
    super.readRam(word, 0, length, into, 0);
  }

  protected override writeRam(
    word: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
  ): void {
    const line = this.#reach(word, true, offset, length);
    const { lines, overwritten } = this.#checker;
    const verdict = lines.deviceWrite(line, this.#low, this.#high, this.#by.snoops);
    if (verdict !== 0) this.#tell(verdict, 'device write', word, offset, length);
    const words = Math.ceil((offset + length) / 4);
    overwritten.note(word, words);
    super.writeRam(word, offset, length, from, at);
    overwritten.done(word, words);
    for (let i = 0; i < length && this.#polls.isUsed; i++) {
      this.#polls.wrote(word * 4 + offset + i, u8(from, at + i), 0);
    }
    if (this.#checker.isTable(word >>> PAGE_WORDS_SHIFT)) this.#tellTables(word, offset, length);
  }

  #consume(word: number, offset: number, length: number, into: Uint8Array, at: number): number {
    const verdict = this.#read(word, offset, length, false);
    if (verdict !== 0) this.#tell(verdict, 'device read', word, offset, length);
    super.readRam(word, offset, length, into, at);
    return verdict;
  }

  /** The bytes of the access under way were the latest: what contradicts that is gone. */
  #saw(word: number): void {
    const checker = this.#checker;
    checker.lines.deviceSaw(checker.lineOf(word), this.#low, this.#high, this.#by.snoops);
  }

  #read(word: number, offset: number, length: number, isPoll: boolean): number {
    const line = this.#reach(word, false, offset, length);
    const { lines } = this.#checker;
    const { snoops } = this.#by;
    return isPoll
      ? lines.devicePoll(line, this.#low, this.#high, snoops)
      : lines.deviceRead(line, this.#low, this.#high, snoops);
  }

  /** Before the access: who watches is told, the line is made ready, and which bytes of it is kept. */
  #reach(word: number, write: boolean, offset: number, length: number): number {
    const checker = this.#checker;
    checker.touch(word >>> PAGE_WORDS_SHIFT);
    checker.deviceTouches(this.#by.name, write, this.ram.addressOf(word) + offset, length);
    const line = checker.lineOf(word);
    checker.beforeOuter(line);
    const inLine = (word * 4 + offset) & (checker.lineBytes - 1);
    this.#low = lowMask(inLine, length);
    this.#high = highMask(inLine, length);
    return line;
  }

  /** A table was written by a device: each word of it that is new. */
  #tellTables(word: number, offset: number, length: number): void {
    const end = word + Math.ceil((offset + length) / 4);
    for (let each = word; each < end; each++) {
      this.#checker.translations?.tableStored(NO_WRITER, this.ram.addressOf(each));
    }
  }

  #tell(verdict: number, access: AccessKind, word: number, offset: number, length: number): void {
    this.#checker.verdict(verdict, this.#by, access, this.ram.addressOf(word) + offset, length);
  }
}
