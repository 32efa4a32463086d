import { alignDown, join64 } from '../../../drivers/base/types/bits';
import { FaultKind } from '../../../drivers/base/types/isa';
import { UPPER_HALF } from '../../../drivers/base/types/address';
import {
  CONTIGUOUS_ENTRIES,
  HIGH,
  LAST_LEVEL,
  LEVEL_BITS,
  LEVEL_SHIFT,
  LOW,
  SH,
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
import { GLOBAL } from './tlb';
import { walkFault } from './walk';
import type { ReadTableWord, WalkResult } from './walk';

/** One half of the address map: its table, and how many bits of address it resolves. */
export interface LongRegion {
  readonly table: number;
  /** log2 of the bytes covered; 0 switches the half off (EPD). */
  readonly bits: number;
}

export interface LongWalkRegisters {
  readonly bits64: boolean;
  readonly lower: LongRegion;
  readonly upper: LongRegion;
  /** The eight bytes of MAIR. */
  readonly mairLow: number;
  readonly mairHigh: number;
  readonly asid: number;
}

/** Walks the long-descriptor tables of LPAE and VMSAv8-64. Source: DDI 0406C B3.6, DDI 0487 D8. */
export const walkLong = (
  registers: LongWalkRegisters,
  va: number,
  read: ReadTableWord,
): WalkResult => {
  const region = regionOf(registers, va);
  if (region === null) return walkFault(FaultKind.Translation, 0);
  let level = firstLevel(region.bits);
  let table = region.table;
  for (;;) {
    const shift = LEVEL_SHIFT[level] ?? 12;
    // The first level resolves what is left of the input address, the others nine bits.
    const indexBits = level === firstLevel(region.bits) ? region.bits - shift : LEVEL_BITS;
    const index = Math.floor(va / 2 ** shift) % 2 ** indexBits;
    const low = read(table + index * 8);
    const high = read(table + index * 8 + 4);
    if (low === null || high === null) return walkFault(FaultKind.External, level);
    if ((low & 1) === 0) return walkFault(FaultKind.Translation, level);
    const isTable = (low & 3) === TYPE.table && level < LAST_LEVEL;
    if (!isTable) return leaf(registers, va, level, low, high);
    table = join64(low & ~0xfff, high & HIGH.paMask);
    level++;
  }
};

/** The half of the map that an address is in, or null between them. */
const regionOf = (registers: LongWalkRegisters, va: number): LongRegion | null => {
  const { bits64, lower, upper } = registers;
  if (lower.bits > 0 && va < 2 ** lower.bits) return lower;
  const top = bits64 ? UPPER_HALF * 2 : 2 ** 32;
  if (upper.bits > 0 && va >= top - 2 ** upper.bits) return upper;
  return null;
};

/** Level at which a walk of this many bits of address starts. */
export const firstLevel = (bits: number): number =>
  LAST_LEVEL + 1 - Math.ceil((bits - 12) / LEVEL_BITS);

const leaf = (
  registers: LongWalkRegisters,
  va: number,
  level: number,
  low: number,
  high: number,
): WalkResult => {
  const isPage = level === LAST_LEVEL;
  // A block at level 0 and a page with bit 1 clear are reserved encodings: they fault.
  if (level === 0 || isPage !== ((low & 3) === TYPE.page)) {
    return walkFault(FaultKind.Translation, level);
  }
  if ((low & LOW.accessFlag) === 0) return walkFault(FaultKind.AccessFlag, level);
  const granule = 2 ** (LEVEL_SHIFT[level] ?? 12);
  const span = (high & HIGH.contiguous) !== 0 ? granule * CONTIGUOUS_ENTRIES : granule;
  const output = alignDown(join64(low & ~0xfff, high & HIGH.paMask), granule);
  return {
    ok: true,
    entry: {
      va: alignDown(va, span),
      span,
      pa: alignDown(output, span),
      attributes: memoryOf(registers, low) | rightsOf(low),
      domain: 0,
      asid: (low & LOW.nonGlobal) !== 0 ? registers.asid : GLOBAL,
    },
  };
};

const rightsOf = (low: number): number => {
  const write = (low & LOW.readOnly) === 0;
  const user = (low & LOW.user) !== 0;
  return READ | (write ? WRITE : 0) | (user ? USER_READ : 0) | (user && write ? USER_WRITE : 0);
};

const memoryOf = ({ mairLow, mairHigh }: LongWalkRegisters, low: number): number => {
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
