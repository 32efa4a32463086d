import type { BarrierKind, CacheOp, TlbOp } from '../../drivers/base/types/isa';
import type { Cacheability } from './mmu/attributes';

/**
 * What happens to an access once it is translated and known to be RAM: the concrete machine with
 * its caches, or a checker that needs none. One per CPU; `slot` is a slot of that CPU's
 * micro-TLB and `word` an offset in words into its page.
 */
export interface MemoryModel {
  /** Some bits of one word: `mask` says which are wanted (the rest of the answer is noise). */
  loadWord(slot: number, word: number, mask: number): number;
  storeWord(slot: number, word: number, value: number, mask: number): void;
  /** `width` bytes of a page from byte `offset` on, in pieces that nothing keeps together. */
  storeUnaligned(slot: number, offset: number, width: number, value: number): void;
  /** Two words at an even `word`, at one moment; the high one is left in `high`. */
  loadPair(slot: number, word: number): number;
  readonly high: number;
  storePair(slot: number, word: number, low: number, high: number): void;

  /** A store to a device is about to leave the CPU: stores of earlier epochs go first. */
  beforeDeviceStore(): void;

  dmb(kind: BarrierKind): void;
  dsb(): void;

  /** Maintenance of one line by address; `slot` is negative where a virtual tag needs none. */
  maintainLine(op: CacheOp, va: number, slot: number): void;
  maintainSetWay(op: CacheOp, operand: number): void;
  maintainAll(op: CacheOp): void;
  tlbMaintenance(op: TlbOp, operand: number, asid: number): void;

  /** A table word as the walker of this CPU reads it. */
  readTableWord(word: number, inner: Cacheability, outer: Cacheability): number;
}
