import { UPPER_HALF } from '../../../drivers/base/types/address';
import { join64 } from '../../../drivers/base/types/bits';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import { TCR, TTBR_LONG } from '../regs/sysreg';
import type { TranslationRegisters } from './registers';

/** One part of the address map that a TTBR translates. */
export interface LongRegion {
  readonly name: 'TTBR0' | 'TTBR1';
  /** TTBR's address; where the table begins depends on its size. */
  readonly base: number;
  /** log2 of the bytes that its table covers. */
  readonly bits: number;
  /** False: walks are switched off (EPD), every address of it faults. */
  readonly isEnabled: boolean;
  /** RGN encodings of the walk itself. */
  readonly inner: number;
  readonly outer: number;
}

/** VMSAv8-64 without extensions: 25 to 48 bits of address. Source: DDI 0487 D8.2, TnSZ. */
const LEAST_BITS_64 = 25;
const MOST_BITS_64 = 48;

/**
 * Which of TTBR0 and TTBR1 translates an address; null for an address between them, which faults.
 * UnmodelledError for a size that the architecture does not have.
 */
export const regionOf = (
  registers: TranslationRegisters,
  is64: boolean,
  va: number,
): LongRegion | null => (is64 ? region64(registers, va) : regionLpae(registers, va));

/** A LongRegion that can be walked, and [start, end) of its virtual addresses. */
export interface LongRange {
  readonly region: LongRegion;
  readonly start: number;
  readonly end: number;
}

/** All that can be walked now; what is of a size that the architecture does not have is left out. */
export const longRegions = (
  registers: TranslationRegisters,
  is64: boolean,
): readonly LongRange[] => {
  const width = is64 ? 64 : 32;
  const lower = lowerRegion(registers, width);
  const upper = upperRegion(registers, width);
  const ranges = is64 ? ranges64(lower, upper) : rangesLpae(lower, upper);
  return ranges.filter(({ region, start, end }) => region.isEnabled && start < end);
};

const ranges64 = (lower: LongRegion, upper: LongRegion): readonly LongRange[] => [
  ...(isSized(lower) ? [{ region: lower, start: 0, end: 2 ** lower.bits }] : []),
  ...(isSized(upper)
    ? [{ region: upper, start: 2 * UPPER_HALF - 2 ** upper.bits, end: 2 * UPPER_HALF }]
    : []),
];

const isSized = ({ bits }: LongRegion): boolean => bits >= LEAST_BITS_64 && bits <= MOST_BITS_64;

const rangesLpae = (lower: LongRegion, upper: LongRegion): readonly LongRange[] => {
  const border = upperStart(lower, upper);
  return [
    { region: lower, start: 0, end: Math.min(border, 2 ** lower.bits) },
    { region: upper, start: border, end: 2 ** 32 },
  ];
};

/** The upper half's addresses are held modulo 2^52: see CpuAddr. */
const region64 = (registers: TranslationRegisters, va: number): LongRegion | null => {
  const region = va >= UPPER_HALF ? upperRegion(registers, 64) : lowerRegion(registers, 64);
  const { name, bits, isEnabled } = region;
  if (isEnabled && !isSized(region)) {
    throw new UnmodelledError(`TCR of ${name}`, `${bits} bits of address`);
  }
  const isInside = va >= UPPER_HALF ? va >= 2 * UPPER_HALF - 2 ** bits : va < 2 ** bits;
  return isInside ? region : null;
};

/**
 * TTBR1 has the top 2^(32 - T1SZ) bytes; with T1SZ = 0, all that T0SZ leaves. TTBR0 has the bottom
 * 2^(32 - T0SZ), or with T0SZ = 0 the rest. Source: DDI 0406C B3.6.4.
 */
const regionLpae = (registers: TranslationRegisters, va: number): LongRegion | null => {
  const lower = lowerRegion(registers, 32);
  const upper = upperRegion(registers, 32);
  if (va >= upperStart(lower, upper)) return upper;
  return va < 2 ** lower.bits ? lower : null;
};

const upperStart = (lower: LongRegion, upper: LongRegion): number =>
  upper.bits < 32 ? 2 ** 32 - 2 ** upper.bits : 2 ** lower.bits;

const lowerRegion = (r: TranslationRegisters, width: 32 | 64): LongRegion => ({
  name: 'TTBR0',
  base: join64(r.ttbr0, r.ttbr0High & TTBR_LONG.baseHighMask),
  bits: width - sizeOf(r.tcr >>> TCR.t0szShift, width),
  isEnabled: (r.tcr & TCR.epd0) === 0,
  inner: (r.tcr >>> TCR.irgn0Shift) & 3,
  outer: (r.tcr >>> TCR.orgn0Shift) & 3,
});

const upperRegion = (r: TranslationRegisters, width: 32 | 64): LongRegion => ({
  name: 'TTBR1',
  base: join64(r.ttbr1, r.ttbr1High & TTBR_LONG.baseHighMask),
  bits: width - sizeOf(r.tcr >>> TCR.t1szShift, width),
  isEnabled: (r.tcr & TCR.epd1) === 0,
  inner: (r.tcr >>> TCR.irgn1Shift) & 3,
  outer: (r.tcr >>> TCR.orgn1Shift) & 3,
});

const sizeOf = (field: number, width: 32 | 64): number =>
  field & (2 ** (width === 64 ? TCR.tszBits : TCR.tszBitsLpae) - 1);
