import { hex } from '../../../drivers/base/types/address';
import { alignDown, join64 } from '../../../drivers/base/types/bits';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import { FaultKind } from '../../../drivers/base/types/isa';
import {
  AP,
  L1_TABLE,
  L1_TYPE,
  L2_TYPE,
  PAGE,
  PAGE_V5,
  SECTION,
  SUPERSECTION,
  TABLE,
} from '../regs/short-descriptor';
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

/** The registers that a walk of short-descriptor tables depends on. */
export interface ShortWalkRegisters {
  readonly format: 'v5' | 'v6' | 'v7';
  /** The TTBR that the address goes through. */
  readonly ttbr: number;
  /** Its table covers 2^(32 - split) bytes and is aligned to its size: TTBCR.N, for TTBR0. */
  readonly split: number;
  readonly texRemap: boolean;
  readonly prrr: number;
  readonly nmrr: number;
  readonly asid: number;
}

/** Walks the two levels of a short-descriptor table. Source: DDI 0100I B4.7, DDI 0406C B3.5. */
export const walkShort = (
  registers: ShortWalkRegisters,
  va: number,
  read: ReadTableWord,
): WalkResult => {
  const first = read(firstLevelAddress(registers, va));
  if (first === null) return walkFault(FaultKind.External, 1);
  switch (first & 3) {
    case L1_TYPE.section:
      return section(registers, va, first);
    case L1_TYPE.table:
      return secondLevel(registers, va, first, read);
    default:
      if (registers.format === 'v5' && (first & 3) === L1_TYPE.fineTable) {
        throw new UnmodelledError('ARMv5 fine table', `entry ${hex(first >>> 0)}`);
      }
      return walkFault(FaultKind.Translation, 1);
  }
};

const firstLevelAddress = ({ ttbr, split }: ShortWalkRegisters, va: number): number =>
  alignDown(ttbr >>> 0, L1_TABLE.size / 2 ** split) + (va >>> L1_TABLE.shift) * 4;

const section = (registers: ShortWalkRegisters, va: number, entry: number): WalkResult => {
  const isSuper = registers.format !== 'v5' && (entry & SECTION.super) !== 0;
  const span = isSuper ? SUPERSECTION.size : SECTION.size;
  const high = isSuper
    ? ((entry >>> SUPERSECTION.pa32Shift) & 0xf) | (((entry >>> SUPERSECTION.pa36Shift) & 0xf) << 4)
    : 0;
  const base = entry & (isSuper ? SUPERSECTION.baseMask : SECTION.baseMask);
  const ap = (entry >>> SECTION.apShift) & 3;
  return {
    ok: true,
    entry: {
      va: alignDown(va, span),
      span,
      pa: join64(base, high),
      attributes:
        memoryOf(
          registers,
          (entry >>> SECTION.texShift) & 7,
          (entry & SECTION.cacheable) !== 0,
          (entry & SECTION.bufferable) !== 0,
          (entry & SECTION.shareable) !== 0,
        ) | rightsOf(ap, registers.format !== 'v5' && (entry & SECTION.apx) !== 0),
      domain: isSuper ? 0 : (entry >>> SECTION.domainShift) & 0xf,
      asid:
        registers.format !== 'v5' && (entry & SECTION.nonGlobal) !== 0 ? registers.asid : GLOBAL,
    },
  };
};

const secondLevel = (
  registers: ShortWalkRegisters,
  va: number,
  table: number,
  read: ReadTableWord,
): WalkResult => {
  const index = (va >>> 12) & (TABLE.entries - 1);
  const entry = read(((table & TABLE.baseMask) >>> 0) + index * 4);
  if (entry === null) return walkFault(FaultKind.External, 2);
  const type = entry & 3;
  if (type === L2_TYPE.fault) return walkFault(FaultKind.Translation, 2);
  const domain = (table >>> TABLE.domainShift) & 0xf;
  if (registers.format === 'v5') return pageV5(va, entry, domain);
  const shape = type === L2_TYPE.large ? PAGE.large : PAGE.small;
  return {
    ok: true,
    entry: {
      va: alignDown(va, shape.size),
      span: shape.size,
      pa: (entry & shape.baseMask) >>> 0,
      attributes:
        memoryOf(
          registers,
          (entry >>> shape.texShift) & 7,
          (entry & PAGE.cacheable) !== 0,
          (entry & PAGE.bufferable) !== 0,
          (entry & PAGE.shareable) !== 0,
        ) | rightsOf((entry >>> PAGE.apShift) & 3, (entry & PAGE.apx) !== 0),
      domain,
      asid: (entry & PAGE.nonGlobal) !== 0 ? registers.asid : GLOBAL,
    },
  };
};

/** ARMv5: each quarter of a page has permissions of its own; modelled where the four agree. */
const pageV5 = (va: number, entry: number, domain: number): WalkResult => {
  const type = entry & 3;
  if (type === L2_TYPE.smallXn) {
    throw new UnmodelledError('ARMv5 extended small page', `entry ${hex(entry >>> 0)}`);
  }
  const shape = type === L2_TYPE.large ? PAGE.large : PAGE.small;
  const ap = (entry >>> PAGE.apShift) & 3;
  if (!PAGE_V5.apShifts.every(shift => ((entry >>> shift) & 3) === ap)) {
    throw new UnmodelledError('ARMv5 subpage permissions', `entry ${hex(entry >>> 0)} mixes them`);
  }
  return {
    ok: true,
    entry: {
      va: alignDown(va, shape.size),
      span: shape.size,
      pa: (entry & shape.baseMask) >>> 0,
      attributes:
        memoryV5((entry & PAGE.cacheable) !== 0, (entry & PAGE.bufferable) !== 0) |
        rightsOf(ap, false),
      domain,
      asid: GLOBAL,
    },
  };
};

/** Rights by AP[1:0] and APX. Source: DDI 0406C B3.7. */
const rightsOf = (ap: number, apx: boolean): number => {
  if (ap === AP.none) return 0;
  const privileged = READ | (apx ? 0 : WRITE);
  if (ap === AP.privileged) return privileged;
  if (ap === AP.userRead) return privileged | USER_READ;
  return privileged | USER_READ | (apx ? 0 : USER_WRITE);
};

const WT = Cacheability.writeThrough;
const WB = Cacheability.writeBack;
const WBWA = Cacheability.writeBackAllocate;
const NC = Cacheability.none;

/** TEX[1:0] and C,B as policies, where TEX[2] is set: 00 NC, 01 WBWA, 10 WT, 11 WB. */
const POLICIES = [NC, WBWA, WT, WB] as const;

const memoryOf = (
  registers: ShortWalkRegisters,
  tex: number,
  c: boolean,
  b: boolean,
  s: boolean,
): number => {
  if (registers.format === 'v5') return memoryV5(c, b);
  if (registers.texRemap) return memoryRemapped(registers, tex, c, b, s);
  const cb = (c ? 2 : 0) | (b ? 1 : 0);
  if ((tex & 4) !== 0) return normalMemory(POLICIES[cb] ?? NC, POLICIES[tex & 3] ?? NC, s);
  switch ((tex << 2) | cb) {
    case 0b000_00:
      return STRONGLY_ORDERED;
    case 0b000_01:
    case 0b010_00:
      return DEVICE;
    case 0b000_10:
      return normalMemory(WT, WT, s);
    case 0b000_11:
      return normalMemory(WB, WB, s);
    case 0b001_00:
      return normalMemory(NC, NC, s);
    case 0b001_11:
      return normalMemory(WBWA, WBWA, s);
    default:
      // Reserved and implementation-defined encodings: what no cache may touch.
      return STRONGLY_ORDERED;
  }
};

/** ARMv5 knows cacheable and bufferable only; bufferable alone is write-combining. */
const memoryV5 = (c: boolean, b: boolean): number => {
  if (c) return b ? normalMemory(WB, WB, false) : normalMemory(WT, WT, false);
  return b ? normalMemory(NC, NC, false) : STRONGLY_ORDERED;
};

/** TEX remap: PRRR gives the type, NMRR the policies. Source: DDI 0406C B3.8.3. */
const memoryRemapped = (
  { prrr, nmrr }: ShortWalkRegisters,
  tex: number,
  c: boolean,
  b: boolean,
  s: boolean,
): number => {
  const n = ((tex & 1) << 2) | (c ? 2 : 0) | (b ? 1 : 0);
  const type = (prrr >>> (n * 2)) & 3;
  if (type === 0) return STRONGLY_ORDERED;
  if (type === 1) return DEVICE;
  const inner = POLICIES[(nmrr >>> (n * 2)) & 3] ?? NC;
  const outer = POLICIES[(nmrr >>> (n * 2 + 16)) & 3] ?? NC;
  // PRRR.NS1 and NS0 say what the S bit of a normal page means.
  const shareable = (prrr & (s ? 1 << 19 : 1 << 18)) !== 0;
  return normalMemory(inner, outer, shareable);
};
