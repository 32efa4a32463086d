import { alignDown } from '../../base/types/bits';
import {
  ENTRY_SIZE,
  FIRST_ENTRIES,
  FIRST_SHIFT,
  FIRST_TYPE,
  LARGE,
  REPEATED,
  SECOND_ENTRIES,
  SECOND_SHIFT,
  SECOND_TYPE,
  SECTION,
  SMALL,
  SUPERSECTION,
  TABLE,
  TYPE,
} from '../regs/v7s';
import { Attribute, TableWalk, WalkFault } from './types';
import type { TableReader, TableWalker, WalkStep, WalkedEntry } from './types';

const INPUTS = 2 ** 32;
const FIRST_SIZE = 2 ** FIRST_SHIFT;
const SECOND_SIZE = 2 ** SECOND_SHIFT;

/** What the registers of a context say of a short-descriptor table. */
export interface V7sRegime {
  /** Address of the first-level table, in any alignment. */
  readonly root: number;
  /** TTBCR.N of TTBR0: the table translates 2^(32 - N) bytes from address 0 on. 0 for TTBR1. */
  readonly split: number;
  /** SCTLR.AFE: AP[0] is the access flag. */
  readonly hasAccessFlag: boolean;
  readonly outputBits: number;
}

/**
 * Walks short-descriptor tables as ARMv7 has them. Domains are all of clients. Source: ARM DDI 0406C
 * B3.5.
 */
export class V7sWalker implements TableWalker<V7sRegime> {
  readonly walk = new TableWalk(2);
  readonly #tables: TableReader;

  constructor(tables: TableReader) {
    this.#tables = tables;
  }

  translate(regime: V7sRegime, address: number, from: WalkedEntry | null): WalkFault {
    const { walk } = this;
    walk.count = 0;
    if (address >= INPUTS / 2 ** regime.split) {
      return walk.failed(WalkFault.Translation, 1);
    }
    if (from !== null) return this.#second(regime, from, address);
    const root = alignDown(regime.root, (FIRST_ENTRIES * ENTRY_SIZE) / 2 ** regime.split);
    if (root >= 2 ** regime.outputBits) return walk.failed(WalkFault.AddressSize, 1);
    const index = Math.floor(address / FIRST_SIZE);
    const step = this.#read(1, root + ENTRY_SIZE * index, FIRST_SIZE, address);
    if (step === null) return walk.failed(WalkFault.External, 1);
    const type = TYPE.of(step.low);
    if (type === FIRST_TYPE.section) return this.#section(regime, step);
    if (type !== FIRST_TYPE.table) return walk.failed(WalkFault.Translation, 1);
    step.leads = TABLE.ADDRESS.at(TABLE.ADDRESS.of(step.low));
    step.attributes = TABLE.NS.of(step.low) === 1 ? Attribute.nonSecure : 0;
    if (step.leads >= 2 ** regime.outputBits) return walk.failed(WalkFault.AddressSize, 1);
    return this.#second(regime, step, address);
  }

  #second(regime: V7sRegime, { leads, attributes }: WalkedEntry, address: number): WalkFault {
    const index = Math.floor(address / SECOND_SIZE) % SECOND_ENTRIES;
    const step = this.#read(2, leads + ENTRY_SIZE * index, SECOND_SIZE, address);
    if (step === null) return this.walk.failed(WalkFault.External, 2);
    const { low } = step;
    const type = TYPE.of(low);
    if (type === 0) return this.walk.failed(WalkFault.Translation, 2);
    const isLarge = type === SECOND_TYPE.large;
    const { hasAccessFlag } = regime;
    if (hasAccessFlag && SMALL.AF.of(low) === 0) return this.walk.failed(WalkFault.AccessFlag, 2);
    if (isLarge) step.widen(SECOND_SIZE * REPEATED);
    step.leads = isLarge
      ? LARGE.ADDRESS.at(LARGE.ADDRESS.of(low))
      : SMALL.ADDRESS.at(SMALL.ADDRESS.of(low));
    const isXn = isLarge ? LARGE.XN.of(low) === 1 : type === SECOND_TYPE.smallXn;
    const tex = isLarge ? LARGE.TEX.of(low) : SMALL.TEX.of(low);
    step.attributes =
      attributes |
      rightsOf(hasAccessFlag, SMALL.AF.of(low), SMALL.USER.of(low), SMALL.READ_ONLY.of(low)) |
      memoryOf(tex, SMALL.C.of(low), SMALL.B.of(low)) |
      sharedOf(SMALL.S.of(low), SMALL.NG.of(low), isXn);
    return this.#found(regime, step);
  }

  #section(regime: V7sRegime, step: WalkStep): WalkFault {
    const { low } = step;
    const { hasAccessFlag } = regime;
    if (hasAccessFlag && SECTION.AF.of(low) === 0) return this.walk.failed(WalkFault.AccessFlag, 1);
    if (SECTION.SUPER.of(low) === 1) {
      step.widen(FIRST_SIZE * REPEATED);
      step.leads =
        SUPERSECTION.ADDRESS_36.of(low) * 2 ** 36 +
        SUPERSECTION.ADDRESS_32.of(low) * 2 ** 32 +
        SUPERSECTION.ADDRESS.at(SUPERSECTION.ADDRESS.of(low));
    } else {
      step.leads = SECTION.ADDRESS.at(SECTION.ADDRESS.of(low));
    }
    step.attributes =
      (SECTION.NS.of(low) === 1 ? Attribute.nonSecure : 0) |
      rightsOf(hasAccessFlag, SECTION.AF.of(low), SECTION.USER.of(low), SECTION.READ_ONLY.of(low)) |
      memoryOf(SECTION.TEX.of(low), SECTION.C.of(low), SECTION.B.of(low)) |
      sharedOf(SECTION.S.of(low), SECTION.NG.of(low), SECTION.XN.of(low) === 1);
    return this.#found(regime, step);
  }

  #read(level: number, at: number, size: number, address: number): WalkStep | null {
    const low = this.#tables.readTable(at);
    return low === null ? null : this.walk.next(level, at, low, 0, address, size);
  }

  #found({ outputBits }: V7sRegime, step: WalkStep): WalkFault {
    const { walk } = this;
    const isTooLong = step.leads >= 2 ** outputBits;
    return isTooLong ? walk.failed(WalkFault.AddressSize, step.level) : walk.found(step);
  }
}

/**
 * AP[2:0]. Where AP[0] is the access flag, AP[1] lets unprivileged accesses in and AP[2] forbids to
 * write. Source: DDI 0406C B3.7.1, tables B3-6 and B3-8.
 */
const rightsOf = (hasAccessFlag: boolean, ap0: number, ap1: number, ap2: number): number => {
  const isReadOnly = ap2 === 1;
  const privileged = Attribute.privilegedRead | (isReadOnly ? 0 : Attribute.privilegedWrite);
  if (hasAccessFlag) {
    const user = Attribute.read | (isReadOnly ? 0 : Attribute.write);
    return ap1 === 1 ? privileged | user : privileged;
  }
  if (ap1 === 0) return ap0 === 0 ? 0 : privileged;
  const mayWrite = ap0 === 1 && !isReadOnly;
  return privileged | Attribute.read | (mayWrite ? Attribute.write : 0);
};

const memoryOf = (tex: number, c: number, b: number): number =>
  ((tex << 2) | (c << 1) | b) << Attribute.memoryShift;

/** Shared means inner and outer. */
const sharedOf = (s: number, nG: number, isXn: boolean): number =>
  (s === 1 ? 3 << Attribute.shareabilityShift : 0) |
  (nG === 1 ? Attribute.nonGlobal : 0) |
  (isXn ? Attribute.xn : 0);
