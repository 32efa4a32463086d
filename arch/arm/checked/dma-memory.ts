import { DmaMemory } from '../../../drivers/base/hw/dma-memory';
import type { LineObserver, TransferWindows } from '../../../drivers/base/hw/dma-memory';
import type { IoBus } from '../../../drivers/base/hw/io-bus';
import { PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import type { Ram } from '../../../drivers/base/hw/ram';
import { u8 } from '../../../drivers/base/types/arrays';
import type { AccessKind, Accessor } from '../../../drivers/base/types/observer';
import { MAY_STALE, STUCK } from '../coherence/verdicts';
import { highMask, lowMask } from './byte-masks';
import type { Checker } from './checker';
import { Polls } from './polls';
import { NO_WRITER } from './translation-hooks';

/**
 * Memory as a master of a checked machine reaches it, snooping or not: the latest bytes, and the
 * states of their line say whether it might have got others.
 */
export class CheckedDmaMemory extends DmaMemory {
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

  constructor(
    ram: Ram,
    io: IoBus,
    observe: LineObserver,
    checker: Checker,
    name: string,
    snoops: boolean,
  ) {
    super(ram, io, observe);
    this.#checker = checker;
    this.#by = { kind: 'device', name, snoops };
  }

  protected readRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    const verdict = this.#read(word, offset, length, false);
    if (verdict !== 0) this.#tell(verdict, 'device read', word, offset, length);
    this.#copy(word, offset, length, into, at);
  }

  /** A device that acts on the new value has seen it: so has it all that was stored before. */
  protected override pollRam(
    word: number,
    offset: number,
    length: number,
    into: Uint8Array,
    at: number,
  ): void {
    const { lines, lineBytes } = this.#checker;
    const verdict = this.#read(word, offset, length, true);
    const isStuck = (verdict & STUCK) !== 0;
    if (isStuck) this.#tell(verdict, 'device poll', word, offset, length);
    const mayBeOld = (verdict & MAY_STALE) !== 0 && !isStuck;
    this.#copy(word, offset, length, into, at);
    let isOld = false;
    // Word by word: a device that waits for a word decides by that.
    for (let i = 0; i < length; i++) {
      const byte = word * 4 + offset + i;
      const value = u8(into, at + i);
      const answer = this.#polls.answer(byte, value, mayBeOld);
      if (answer !== value) isOld = true;
      into[at + i] = answer;
    }
    if (isOld) return;
    const inLine = (word * 4 + offset) & (lineBytes - 1);
    const low = lowMask(inLine, length);
    const high = highMask(inLine, length);
    lines.deviceSaw(this.#checker.lineOf(word), low, high, this.#by.snoops);
  }

  protected writeRam(
    word: number,
    offset: number,
    length: number,
    from: Uint8Array,
    at: number,
  ): void {
    const { snoops } = this.#by;
    const line = this.#reach(word, true, offset, length);
    const inLine = (word * 4 + offset) & (this.#checker.lineBytes - 1);
    const low = lowMask(inLine, length);
    const high = highMask(inLine, length);
    const verdict = this.#checker.lines.deviceWrite(line, low, high, snoops);
    if (verdict !== 0) this.#tell(verdict, 'device write', word, offset, length);
    this.#checker.overwritten.note(this.ram, word, Math.ceil((offset + length) / 4));
    const to = this.ram.poolIndex(word) * 4 + offset;
    const { bytes } = this.ram;
    for (let i = 0; i < length; i++) {
      bytes[to + i] = u8(from, at + i);
      this.#polls.wrote(word * 4 + offset + i, u8(from, at + i));
    }
    if (this.#checker.isTable(word >>> PAGE_WORDS_SHIFT)) this.#tellTables(word, offset, length);
  }

  #read(word: number, offset: number, length: number, isPoll: boolean): number {
    const line = this.#reach(word, false, offset, length);
    const inLine = (word * 4 + offset) & (this.#checker.lineBytes - 1);
    const low = lowMask(inLine, length);
    const high = highMask(inLine, length);
    const { lines } = this.#checker;
    const { snoops } = this.#by;
    return isPoll
      ? lines.devicePoll(line, low, high, snoops)
      : lines.deviceRead(line, low, high, snoops);
  }

  /** Before the access: who watches is told, and the line is made ready. */
  #reach(word: number, write: boolean, offset: number, length: number): number {
    const checker = this.#checker;
    checker.touch(word >>> PAGE_WORDS_SHIFT);
    checker.deviceTouches(this.#by.name, write, this.ram.addressOf(word) + offset, length);
    const line = checker.lineOf(word);
    checker.beforeOuter(line);
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

  #copy(word: number, offset: number, length: number, into: Uint8Array, at: number): void {
    const from = this.ram.poolIndex(word) * 4 + offset;
    const { bytes } = this.ram;
    for (let i = 0; i < length; i++) into[at + i] = u8(bytes, from + i);
  }
}
