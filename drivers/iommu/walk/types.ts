import { alignDown } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
/*
 * What the table walkers of IOMMUs answer. A walk allocates nothing: its record is used again by the
 * next walk of the same walker.
 */

/** How a walk ended. */
export const WalkFault = {
  None: 0,
  /** No valid entry, or an address that the table does not translate. */
  Translation: 1,
  AccessFlag: 2,
  /** An address that is read from an entry has more bits than the IOMMU puts out. */
  AddressSize: 3,
  /** Nobody answers where a table should be. */
  External: 4,
} as const;
export type WalkFault = (typeof WalkFault)[keyof typeof WalkFault];

/** Bits of `attributes`: who may do what, and what kind of memory it is. */
export const Attribute = {
  /** Unprivileged accesses. */
  read: 1 << 0,
  write: 1 << 1,
  privilegedRead: 1 << 2,
  privilegedWrite: 1 << 3,
  /** Nobody, or nobody privileged, may fetch instructions. */
  xn: 1 << 4,
  pxn: 1 << 5,
  /** Of one ASID only. */
  nonGlobal: 1 << 6,
  nonSecure: 1 << 7,
  /**
   * The type of memory as the format has it, eight bits: LPAE stage 1, the index into MAIR; stage 2,
   * MemAttr; short descriptors, TEX, C and B.
   */
  memoryShift: 8,
  /** Shareability as in LPAE, two bits. */
  shareabilityShift: 16,
} as const;

/** All that an entry can permit. */
export const ALL_RIGHTS =
  Attribute.read | Attribute.write | Attribute.privilegedRead | Attribute.privilegedWrite;

/** Whether a translation with these attributes lets an access through. */
export const permits = (attributes: number, write: boolean, privileged = false): boolean => {
  const unprivileged = write ? Attribute.write : Attribute.read;
  return (attributes & (privileged ? unprivileged << 2 : unprivileged)) !== 0;
};

/** What an entry of a table holds for, and where it leads: what an IOMMU may keep of it. */
export interface WalkedEntry {
  /** First of `size` input addresses. */
  readonly start: number;
  /** Bytes: a power of two that divides `start`. */
  readonly size: number;
  /** Where `start` leads: to memory, or to the next table. */
  readonly leads: number;
  /** Bits of Attribute; for a table, what it leaves to the entries below. */
  readonly attributes: number;
}

/** One word that a walk read. */
export class WalkStep implements WalkedEntry {
  level = 0;
  /** Its physical address. */
  at = 0;
  /** Its halves; `high` is 0 for entries of 32 bits. Unsigned. */
  low = 0;
  high = 0;
  start = 0;
  size = 0;
  leads = 0;
  attributes = 0;

  /** It is one of several that say the same of something larger, which begins where its size divides. */
  widen(size: number): void {
    this.start = alignDown(this.start, size);
    this.size = size;
  }
}

/** A walk: how it ended, and each word that was read for it. */
export class TableWalk implements WalkedEntry {
  fault: WalkFault = WalkFault.None;
  /** Of the entry that translates, or of the fault. */
  level = 0;
  start = 0;
  size = 0;
  leads = 0;
  attributes = 0;
  /** In order; only the first `count` are of this walk. Those before the last lead to tables. */
  readonly steps: readonly WalkStep[];
  count = 0;

  /** `most`: words that a walk can read. */
  constructor(most: number) {
    this.steps = Array.from({ length: most }, () => new WalkStep());
  }

  /** The next word that was read: at `at`, for the `size` bytes that `address` is one of. */
  next(
    level: number,
    at: number,
    low: number,
    high: number,
    address: number,
    size: number,
  ): WalkStep {
    const step = this.steps[this.count];
    invariant(step !== undefined, 'a walk of more levels than there are');
    this.count++;
    step.level = level;
    step.at = at;
    step.low = low;
    step.high = high;
    step.start = alignDown(address, size);
    step.size = size;
    step.leads = 0;
    step.attributes = 0;
    return step;
  }

  /** It ends at the entry of a step. */
  found(step: WalkStep): WalkFault {
    this.fault = WalkFault.None;
    this.level = step.level;
    this.start = step.start;
    this.size = step.size;
    this.leads = step.leads;
    this.attributes = step.attributes;
    return WalkFault.None;
  }

  failed(fault: WalkFault, level: number): WalkFault {
    this.fault = fault;
    this.level = level;
    return fault;
  }
}

/** The walker's way to the tables. */
export interface TableReader {
  /** See DmaMemory. */
  readTable(address: number): number | null;
  readTable64(address: number): number | null;
  readonly tableHigh: number;
}

/** Walks tables of one format; `Regime` is what the registers of a context say of them. */
export interface TableWalker<Regime> {
  readonly walk: TableWalk;
  /**
   * Walks for an input address and leaves the outcome in `walk`: from the root, or from where a step
   * leads that was kept of an earlier walk in the same regime and holds for the address.
   */
  translate(regime: Regime, address: number, from: WalkedEntry | null): WalkFault;
}
