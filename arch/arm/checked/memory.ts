import { i32 } from '../../../drivers/base/types/arrays';
import { PAGE_SHIFT, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { CacheOp } from '../../../drivers/base/types/isa';
import type { BarrierKind, TlbOp } from '../../../drivers/base/types/isa';
import type { AccessKind } from '../../../drivers/base/types/observer';
import { PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { BarrierCode, TraceKind, ofCpu } from '../../../drivers/base/hw/trace';
import type { Trace } from '../../../drivers/base/hw/trace';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import type { LineStates } from '../coherence/line-states';
import { GRANULE_SHIFT } from '../coherence/line-store';
import { MAY_STALE, STUCK, WATCHED } from '../coherence/verdicts';
import type { MemoryModel } from '../memory-model';
import { IS_CACHED, IS_RAM, IS_TOLD } from '../micro-tlb';
import { READ, WRITE, isNormal } from '../mmu/attributes';
import type { Cacheability } from '../mmu/attributes';
import type { Accesses } from './accesses';
import { byteCount, firstByte, highMask, lowMask } from './byte-masks';
import { FAST_SHIFT, GRANULE, LOADS, POOL, STORES } from './fast-pages';
import { CheckedMaintenance } from './maintenance';
import type { MaintenanceParts } from './maintenance';
import type { Polls } from './polls';

export interface CheckedParts extends MaintenanceParts {
  readonly trace: Trace;
  readonly accesses: Accesses;
  readonly polls: Polls;
  /** Other CPUs' TLBs, for broadcast maintenance; this CPU's own first. */
  readonly invalidateTlbs: (op: TlbOp, operand: number, asid: number) => void;
}

const WORD = 4;

/**
 * RAM as one CPU of a checked machine reaches it: the latest bytes, always; what they might have
 * been is for the states of their line to say. A slot of the micro-TLB carries what the fast path
 * needs: `tag` is the page in RAM's pool with the flags, `index` the access of LineStates.
 */
export class CheckedMemory implements MemoryModel, Stateful {
  high = 0;
  /** The next load is a poll. */
  isPoll = false;
  /** What the fast path needs of the pages in the micro-TLB: see fast-pages.ts. */
  readonly pages: Int32Array;
  readonly #parts: CheckedParts;
  readonly #lines: LineStates;
  readonly #maintenance: CheckedMaintenance;
  /** The word of a poll. */
  readonly #polled = new Uint8Array(WORD);
  readonly #polledWord = new DataView(this.#polled.buffer);

  constructor(parts: CheckedParts) {
    this.#parts = parts;
    this.pages = new Int32Array(parts.micro.va.length << FAST_SHIFT);
    this.#lines = parts.checker.lines;
    this.#maintenance = new CheckedMaintenance(parts);
  }

  /** A page has been put into a slot of the micro-TLB; `frame` is negative where there is no RAM. */
  fill(slot: number, frame: number, va: number): void {
    const { micro, ram, checker, accesses, aliases } = this.#parts;
    const at = slot << FAST_SHIFT;
    if (frame < 0) {
      // What the slot held before is nothing of this page.
      this.pages[at + LOADS] = 0;
      this.pages[at + STORES] = 0;
      return;
    }
    checker.touch(frame);
    const attributes = i32(micro.attributes, slot);
    const cached = accesses.isCached(attributes);
    const alias = cached ? aliases.of(frame, va / PAGE_SIZE) : 0;
    if (cached) this.#maintenance.noteCached(frame);
    const access = accesses.ofPage(attributes, alias);
    micro.index[slot] = access;
    micro.tag[slot] = i32(micro.tag, slot) | IS_RAM | (cached ? IS_CACHED : 0);
    // While the outer cache is off, each access takes the slow path, which knows of that.
    const isShort = checker.lineBytes < 2 ** GRANULE_SHIFT;
    const isFast = !isShort && !checker.isOuterOff && (i32(micro.tag, slot) & IS_TOLD) === 0;
    const isRead = isFast && (attributes & READ) !== 0;
    const isWritten = isFast && isNormal(attributes) && (attributes & WRITE) !== 0;
    this.pages[at + POOL] = i32(ram.frameBase, frame);
    this.pages[at + GRANULE] = frame << (PAGE_SHIFT - GRANULE_SHIFT);
    this.pages[at + LOADS] = isRead ? 1 << access : 0;
    this.pages[at + STORES] = isWritten ? 1 << access : 0;
  }

  loadWord(slot: number, word: number, mask: number): number {
    const { micro, ram } = this.#parts;
    const home = i32(micro.home, slot) + word;
    if (this.isPoll) {
      this.isPoll = false;
      return this.#poll(slot, home, mask);
    }
    const verdict = this.#load(slot, home, mask);
    if (verdict !== 0) this.#told(verdict, 'load', home, mask);
    return ram.readWord(home);
  }

  storeWord(slot: number, word: number, value: number, mask: number): void {
    const { micro, ram } = this.#parts;
    const home = i32(micro.home, slot) + word;
    const verdict = this.#store(slot, home, firstByte(mask), byteCount(mask));
    ram.mergeWord(home, value, mask);
    if (verdict !== 0) this.#told(verdict, 'store', home, mask);
  }

  /** A word of a page that the fast path knows: RAM that is mapped to be written, behind no cache that is off. */
  storeFast(slot: number, word: number, value: number): void {
    const { micro, ram, checker, number } = this.#parts;
    const home = i32(micro.home, slot) + word;
    const offset = (home * WORD) & (checker.lineBytes - 1);
    const low = lowMask(offset, WORD);
    const high = highMask(offset, WORD);
    const access = i32(micro.index, slot);
    const verdict = this.#lines.store(checker.lineOf(home), low, high, access, number);
    ram.writeWord(home, value);
    if (verdict !== 0) this.#tell(verdict, 'store', home, 0, WORD);
  }

  /** One store to each line: what a part of it would lose, the next part writes. */
  storeUnaligned(slot: number, offset: number, width: number, value: number): void {
    const { micro, ram, checker } = this.#parts;
    const first = i32(micro.home, slot) * WORD + offset;
    const inLine = checker.lineBytes - (first % checker.lineBytes);
    const verdict = this.#storePiece(slot, first, Math.min(width, inLine));
    const next = width > inLine ? this.#storePiece(slot, first + inLine, width - inLine) : 0;
    for (let i = 0; i < width; i++) {
      const shift = ((first + i) % WORD) * 8;
      ram.mergeWord(Math.floor((first + i) / WORD), (value >>> (8 * i)) << shift, 0xff << shift);
    }
    this.#toldPiece(verdict, first, Math.min(width, inLine));
    this.#toldPiece(next, first + inLine, width - inLine);
  }

  loadPair(slot: number, word: number): number {
    this.high = this.loadWord(slot, word + 1, -1);
    return this.loadWord(slot, word, -1);
  }

  storePair(slot: number, word: number, low: number, high: number): void {
    const { micro, ram } = this.#parts;
    const home = i32(micro.home, slot) + word;
    // One store: what only half of it would lose, the other half writes.
    const verdict = this.#store(slot, home, 0, 8);
    ram.writeWord(home, low);
    ram.writeWord(home + 1, high);
    // One store, told once: an entry of a table that is half written is seen by nobody.
    if (verdict !== 0) this.#tell(verdict, 'store', home, 0, 8);
  }

  beforeDeviceStore(): void {
    this.#lines.barriers.deviceStore(this.#parts.number);
  }

  dmb(kind: BarrierKind): void {
    const { number } = this.#parts;
    this.#fold(TraceKind.Barrier, BarrierCode.Dmb, 0);
    if (kind !== 'ld') this.#lines.barriers.orderStores(number);
    if (kind !== 'st') this.#lines.barriers.orderLoads(number);
  }

  dsb(): void {
    const { number, checker } = this.#parts;
    this.#fold(TraceKind.Barrier, BarrierCode.Dsb, 0);
    this.#maintenance.complete();
    this.#lines.barriers.dsb(number);
    checker.translations?.synchronised(number);
  }

  maintainLine(op: CacheOp, va: number, slot: number): void {
    this.#fold(TraceKind.Maintenance, op, va | 0);
    this.#maintenance.line(op, va, slot);
  }

  maintainSetWay(op: CacheOp, operand: number): void {
    this.#fold(TraceKind.Maintenance, op, operand);
    this.#maintenance.setWay(op, operand);
  }

  maintainAll(op: CacheOp): void {
    this.#fold(TraceKind.Maintenance, op, 0);
    this.#maintenance.all(op);
  }

  tlbMaintenance(op: TlbOp, operand: number, asid: number): void {
    const { trace, number, checker, invalidateTlbs } = this.#parts;
    trace.foldAddress(ofCpu(TraceKind.Tlb, number), operand, op | (asid << 8));
    invalidateTlbs(op, operand, asid);
    checker.translations?.tlbMaintained(number, op, operand, asid);
  }

  readTableWord(word: number, inner: Cacheability, outer: Cacheability): number {
    const { checker, accesses, ram, number } = this.#parts;
    checker.touch(word >>> PAGE_WORDS_SHIFT);
    const line = checker.lineOf(word);
    checker.beforeOuter(line);
    const offset = this.#offset(word, -1);
    const access = accesses.ofWalk(inner, outer);
    const verdict = this.#lines.walk(line, lowMask(offset, 4), highMask(offset, 4), access);
    if (verdict !== 0) {
      const by = { kind: 'walker', cpu: number } as const;
      checker.verdict(verdict, by, 'table walk', ram.addressOf(word), 4);
    }
    return ram.readWord(word);
  }

  saveState(): StateValue {
    throw new UnmodelledError('snapshot', 'of a checked machine: run it again instead');
  }

  restoreState(): void {
    throw new UnmodelledError('snapshot', 'on a checked machine: run it again instead');
  }

  /** Answers the old value once where it may be one; whoever gets the new one has seen it. */
  #poll(slot: number, home: number, mask: number): number {
    const { micro, ram, polls, checker, number } = this.#parts;
    const line = checker.lineOf(home);
    checker.beforeOuter(line);
    const offset = this.#offset(home, mask);
    const low = lowMask(offset, byteCount(mask));
    const high = highMask(offset, byteCount(mask));
    const access = i32(micro.index, slot);
    const verdict = this.#lines.poll(line, low, high, access, number);
    const first = home * WORD;
    checker.polled(line);
    const before = (verdict & STUCK) === 0 ? null : checker.overwritten.of(home);
    if (before !== null) polls.expect(first, before, WORD);
    const bytes = this.#polled;
    this.#polledWord.setInt32(0, ram.readWord(home), true);
    const poll = { first, line, poller: number, verdict };
    const { isSeen, isStuck } = polls.poll(poll, bytes, 0, WORD);
    const told = isStuck ? verdict : verdict & WATCHED;
    if (told !== 0) this.#told(told, 'poll', home, mask);
    const hasSeen = isSeen && (verdict & MAY_STALE) !== 0;
    if (hasSeen) this.#lines.see(line, low, high, access, number);
    return this.#polledWord.getInt32(0, true);
  }

  #load(slot: number, home: number, mask: number): number {
    const { checker, micro, number } = this.#parts;
    const line = checker.lineOf(home);
    checker.beforeOuter(line);
    const offset = this.#offset(home, mask);
    const size = byteCount(mask);
    const access = i32(micro.index, slot);
    const low = lowMask(offset, size);
    const high = highMask(offset, size);
    return this.#lines.load(line, low, high, access, number);
  }

  /** `size` bytes of one line, from byte `first` of a word on. */
  #store(slot: number, home: number, first: number, size: number): number {
    const { checker, micro, number } = this.#parts;
    const line = checker.lineOf(home);
    checker.beforeOuter(line);
    const offset = (home * 4 + first) & (checker.lineBytes - 1);
    const access = i32(micro.index, slot);
    const isDevice = !isNormal(i32(micro.attributes, slot));
    // A store to Device memory goes after those of earlier epochs, and does not wait itself.
    if (isDevice) this.#lines.barriers.deviceStore(number);
    const low = lowMask(offset, size);
    const verdict = this.#lines.store(line, low, highMask(offset, size), access, number);
    if (isDevice) this.#lines.drain(line);
    return verdict;
  }

  /** Bytes of one line, by the number of the first in RAM. */
  #storePiece(slot: number, first: number, size: number): number {
    return this.#store(slot, Math.floor(first / WORD), first % WORD, size);
  }

  /** What was found of an access of `size` bytes at byte `offset` of a word. */
  #tell(verdict: number, access: AccessKind, home: number, offset: number, size: number): void {
    if (access === 'store' && (verdict & WATCHED) !== 0) this.#noteStored(home, offset, size);
    this.#parts.checker.told(verdict, this.#parts.number, access, home, offset, size);
  }

  /** To a line that may be polled: the CPU cannot be answered anything older. */
  #noteStored(home: number, offset: number, size: number): void {
    const { ram, polls, number } = this.#parts;
    if (!polls.isUsed) return;
    const first = home * WORD + offset;
    for (let byte = first; byte < first + size; byte++) {
      const word = ram.readWord(Math.floor(byte / WORD));
      polls.wrote(byte, (word >>> ((byte % WORD) * 8)) & 0xff, number);
    }
  }

  /** Who watches is told word by word, as of the entries of a table. */
  #toldPiece(verdict: number, first: number, size: number): void {
    const bits = verdict & ~WATCHED;
    if (bits !== 0) this.#tell(bits, 'store', Math.floor(first / WORD), first % WORD, size);
    if ((verdict & WATCHED) === 0) return;
    for (let at = first; at < first + size; at += WORD - (at % WORD)) {
      const length = Math.min(WORD - (at % WORD), first + size - at);
      this.#tell(WATCHED, 'store', Math.floor(at / WORD), at % WORD, length);
    }
  }

  #told(verdict: number, access: AccessKind, home: number, mask: number): void {
    this.#tell(verdict, access, home, firstByte(mask), byteCount(mask));
  }

  /** Of the first byte of a mask, in its line. */
  #offset(home: number, mask: number): number {
    return (home * 4 + firstByte(mask)) & (this.#parts.checker.lineBytes - 1);
  }

  #fold(kind: number, a: number, b: number): void {
    this.#parts.trace.fold(ofCpu(kind, this.#parts.number), a, b);
  }
}
