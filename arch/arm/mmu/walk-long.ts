import { alignDown, join64 } from '../../../drivers/base/types/bits';
import { FaultKind } from '../../../drivers/base/types/isa';
import {
  CONTIGUOUS_ENTRIES,
  HIGH,
  LAST_LEVEL,
  LEVEL_BITS,
  LEVEL_SHIFT,
  LOW,
  SH,
  TABLE_HIGH,
  TYPE,
} from '../regs/long-descriptor';
import {
  Cacheability,
  DEVICE,
  READ,
  STRONGLY_ORDERED,
  USER_READ,
  USER_WRITE,
  WRITE,
  normalMemory,
} from './attributes';
import type { LongRegion } from './long-regions';
import { GLOBAL } from './tlb';
import { walkFault } from './walk';
import type { ReadTableWord, WalkResult } from './walk';

export interface LongWalk {
  /** The region that the address is in, or null between them. */
  readonly region: LongRegion | null;
  /** An address that no table translates faults at level 0; on a core of 32 bits, at level 1. */
  readonly is64: boolean;
  /** An output address that does not fit in so many bits is an address size fault. */
  readonly outputBits: number;
  /** The eight bytes of MAIR. */
  readonly mairLow: number;
  readonly mairHigh: number;
  readonly asid: number;
}

/** Bytes of an entry. */
const ENTRY = 8;

/** Walks the long-descriptor tables of LPAE and VMSAv8-64. Source: DDI 0406C B3.6, DDI 0487 D8. */
export const walkLong = (walk: LongWalk, va: number, read: ReadTableWord): WalkResult => {
  const { region } = walk;
  if (region?.isEnabled !== true) return walkFault(FaultKind.Translation, walk.is64 ? 0 : 1);
  const { bits } = region;
  if (region.base >= 2 ** walk.outputBits) return walkFault(FaultKind.AddressSize, 0);
  let level = firstLevel(bits);
  // The first level resolves what is left of the input address, the others nine bits.
  let indexBits = bits - shiftOf(level);
  let table = alignDown(region.base, ENTRY * 2 ** indexBits);
  let rights = READ | WRITE | USER_READ | USER_WRITE;
  for (;;) {
    const at = table + ENTRY * (Math.floor(va / 2 ** shiftOf(level)) % 2 ** indexBits);
    const low = read(at);
    const high = read(at + 4);
    if (low === null || high === null) return walkFault(FaultKind.External, level);
    if ((low & 1) === 0) return walkFault(FaultKind.Translation, level);
    const isTable = (low & 3) === TYPE.table && level < LAST_LEVEL;
    if (!isTable) return leaf(walk, va, level, low, high, rights);
    rights &= rightsBelow(high);
    table = join64(low & ~0xfff, high & HIGH.paMask);
    if (table >= 2 ** walk.outputBits) return walkFault(FaultKind.AddressSize, level);
    indexBits = LEVEL_BITS;
    level++;
  }
};

/** Level at which a walk of this many bits of address starts. */
export const firstLevel = (bits: number): number =>
  LAST_LEVEL + 1 - Math.ceil((bits - shiftOf(LAST_LEVEL)) / LEVEL_BITS);

const shiftOf = (level: number): number => LEVEL_SHIFT[level] ?? 12;

const leaf = (
  walk: LongWalk,
  va: number,
  level: number,
  low: number,
  high: number,
  rights: number,
): WalkResult => {
  const isPage = level === LAST_LEVEL;
  // A block at level 0 and a page with bit 1 clear are reserved encodings: they fault.
  if (level === 0 || isPage !== ((low & 3) === TYPE.page)) {
    return walkFault(FaultKind.Translation, level);
  }
  const granule = 2 ** shiftOf(level);
  const output = alignDown(join64(low & ~0xfff, high & HIGH.paMask), granule);
  if (output >= 2 ** walk.outputBits) return walkFault(FaultKind.AddressSize, level);
  if ((low & LOW.accessFlag) === 0) return walkFault(FaultKind.AccessFlag, level);
  const span = (high & HIGH.contiguous) !== 0 ? granule * CONTIGUOUS_ENTRIES : granule;
  return {
    ok: true,
    entry: {
      va: alignDown(va, span),
      span,
      pa: alignDown(output, span),
      attributes: memoryOf(walk, low) | (rightsOf(low) & rights),
      domain: 0,
      asid: (low & LOW.nonGlobal) !== 0 ? walk.asid : GLOBAL,
    },
  };
};

/** APTable: what a table entry leaves to everything below it. Source: DDI 0487 D8.4, DDI 0406C B3.6.2. */
const rightsBelow = (high: number): number => {
  const user = (high & TABLE_HIGH.noUser) !== 0 ? 0 : USER_READ | USER_WRITE;
  const write = (high & TABLE_HIGH.readOnly) !== 0 ? ~(WRITE | USER_WRITE) : -1;
  return (READ | WRITE | user) & write;
};

const rightsOf = (low: number): number => {
  const write = (low & LOW.readOnly) === 0;
  const user = (low & LOW.user) !== 0;
  return READ | (write ? WRITE : 0) | (user ? USER_READ : 0) | (user && write ? USER_WRITE : 0);
};

const memoryOf = ({ mairLow, mairHigh }: LongWalk, low: number): number => {
  const index = (low >>> LOW.attrIndexShift) & 7;
  const byte = ((index < 4 ? mairLow : mairHigh) >>> ((index & 3) * 8)) & 0xff;
  if ((byte & 0xf0) === 0) return byte === 0 ? STRONGLY_ORDERED : DEVICE;
  const shareable = ((low >>> LOW.shareabilityShift) & 3) >= SH.outer;
  return normalMemory(policyOf(byte & 0xf), policyOf(byte >>> 4), shareable);
};

/** A nibble of MAIR: 0100 is non-cacheable, 10RW and 00RW write-through, 11RW and 01RW write-back. */
const policyOf = (nibble: number): Cacheability => {
  if (nibble === 0b0100) return Cacheability.none;
  if ((nibble & 0b0100) === 0) return Cacheability.writeThrough;
  return (nibble & 1) !== 0 ? Cacheability.writeBackAllocate : Cacheability.writeBack;
};
