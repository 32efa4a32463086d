import { alignDown } from '../../base/types/bits';
import { BenchError } from '../../base/types/errors';
import {
  ENTRY_SIZE,
  ENTRY_TYPE,
  GRANULES,
  HIGH,
  LAST_LEVEL,
  LOW,
  LOW_TOP_ADDRESS,
  MOST_CONCATENATED,
  contiguousEntries,
  hasBlocks,
  levelBits,
  levelShift,
} from '../regs/lpae';
import type { GranuleShift } from '../regs/lpae';
import { ALL_RIGHTS, Attribute, TableWalk, WalkFault } from './types';
import type { TableReader, TableWalker, WalkStep, WalkedEntry } from './types';

/** Addresses of the upper half are held modulo this, as CPU addresses are. */
const ADDRESSES = 2 ** 52;
const MOST_OUTPUT_BITS = 52;

/** What the registers of a context say of a long-descriptor table. */
export interface LpaeRegime {
  readonly stage: 1 | 2;
  /** AArch64: an address that the table does not translate faults at level 0, else at level 1. */
  readonly is64: boolean;
  /** Address of the first table, or of the first of several. */
  readonly root: number;
  /** Bits of input addresses: 64 or 32, without TnSZ. */
  readonly inputBits: number;
  /** log2 of the granule. */
  readonly granule: GranuleShift;
  readonly startLevel: number;
  readonly outputBits: number;
  /** Stage 1, TTBR1: the addresses are the last, not the first, of 2^64; held modulo 2^52. */
  readonly isUpper: boolean;
  /** An entry whose access flag is clear faults; false: the flag means nothing (AFFD). */
  readonly heedsAccessFlag: boolean;
}

/** Where a stage 1 walk of so many bits starts; null where the architecture has none. */
export const startLevelOf = (inputBits: number, granule: GranuleShift): number | null => {
  const level = LAST_LEVEL + 1 - Math.ceil((inputBits - granule) / levelBits(granule));
  return level >= 0 && level <= LAST_LEVEL ? level : null;
};

/**
 * Whether a stage 2 walk may start at a level with so many bits of address: at most
 * MOST_CONCATENATED tables there. Source: DDI 0487 D8.2.10.
 */
export const mayStartAt = (level: number, inputBits: number, granule: GranuleShift): boolean => {
  const indexBits = inputBits - levelShift(level, granule);
  return (
    level >= 0 &&
    level <= LAST_LEVEL &&
    indexBits >= 1 &&
    2 ** indexBits <= MOST_CONCATENATED * 2 ** levelBits(granule)
  );
};

const levelOfSpan = new Map<number, number>(
  GRANULES.flatMap(({ shift }) =>
    [0, 1, 2, 3].map((level): [number, number] => [shift * 64 + levelShift(level, shift), level]),
  ),
);

/** The level of an entry of a table that translates so many bytes. */
const levelOf = (size: number, granule: number): number => {
  const level = levelOfSpan.get(granule * 64 + Math.round(Math.log2(size)));
  if (level === undefined) throw new BenchError(`a kept table of ${size} bytes`);
  return level;
};

/**
 * Walks long-descriptor tables, stage 1 or 2. Of a stage 1 walk behind a stage 2 nothing is known
 * here. Sources: ARM DDI 0487 D8.2 and D8.3, DDI 0406C B3.6.
 */
export class LpaeWalker implements TableWalker<LpaeRegime> {
  readonly walk = new TableWalk(LAST_LEVEL + 1);
  readonly #tables: TableReader;

  constructor(tables: TableReader) {
    this.#tables = tables;
  }

  translate(regime: LpaeRegime, address: number, from: WalkedEntry | null): WalkFault {
    const { walk } = this;
    walk.count = 0;
    const input = inputOf(regime, address);
    if (input === null) return walk.failed(WalkFault.Translation, regime.is64 ? 0 : 1);
    if (from === null && regime.root >= 2 ** regime.outputBits) {
      return walk.failed(WalkFault.AddressSize, regime.is64 ? 0 : 1);
    }
    const { granule } = regime;
    let level = from === null ? regime.startLevel : levelOf(from.size, granule) + 1;
    let table = from === null ? rootOf(regime) : from.leads;
    let attributes = from === null ? ALL_RIGHTS : from.attributes;
    for (;;) {
      const step = this.#read(regime, level, table, address, input);
      if (step === null) return walk.failed(WalkFault.External, level);
      if (LOW.VALID.of(step.low) === 0) return walk.failed(WalkFault.Translation, level);
      const isTable = level < LAST_LEVEL && LOW.TYPE.of(step.low) === ENTRY_TYPE.table;
      if (!isTable) return this.#leaf(regime, step, attributes);
      step.leads = addressOf(regime, step);
      if (regime.stage === 1) attributes = below(attributes, step.high);
      step.attributes = attributes;
      if (step.leads >= 2 ** regime.outputBits) return walk.failed(WalkFault.AddressSize, level);
      table = step.leads;
      level++;
    }
  }

  /** The entry of an address in a table; null where nobody answers. */
  #read(
    regime: LpaeRegime,
    level: number,
    table: number,
    address: number,
    input: number,
  ): WalkStep | null {
    const shift = levelShift(level, regime.granule);
    // The first table has as many entries as there are bits left.
    const indexed =
      level === regime.startLevel ? input : input % 2 ** (shift + levelBits(regime.granule));
    const at = table + ENTRY_SIZE * Math.floor(indexed / 2 ** shift);
    const low = this.#tables.readTable64(at);
    if (low === null) return null;
    return this.walk.next(level, at, low, this.#tables.tableHigh, address, 2 ** shift);
  }

  /** Blocks and pages; what is reserved faults. */
  #leaf(regime: LpaeRegime, step: WalkStep, inherited: number): WalkFault {
    const { granule, outputBits } = regime;
    const { level, low, high } = step;
    const isPage = LOW.TYPE.of(low) === ENTRY_TYPE.page;
    const isLegal =
      level === LAST_LEVEL ? isPage : !isPage && hasBlocks(level, granule, outputBits);
    if (!isLegal) return this.walk.failed(WalkFault.Translation, level);
    const output = alignDown(addressOf(regime, step), step.size);
    if (output >= 2 ** outputBits) return this.walk.failed(WalkFault.AddressSize, level);
    if (regime.heedsAccessFlag && LOW.AF.of(low) === 0) {
      return this.walk.failed(WalkFault.AccessFlag, level);
    }
    const joined = HIGH.CONTIGUOUS.of(high) === 1 ? contiguousEntries(level, granule) : 1;
    const span = step.size * joined;
    step.widen(span);
    step.leads = alignDown(output, span);
    step.attributes =
      regime.stage === 1 ? stage1(inherited, low, high) : stage2(inherited, low, high);
    return this.walk.found(step);
  }
}

/** The part of an address that indexes tables; null for one that the table does not translate. */
const inputOf = ({ isUpper, inputBits }: LpaeRegime, address: number): number | null => {
  if (!isUpper) return address < 2 ** inputBits ? address : null;
  const first = ADDRESSES - 2 ** inputBits;
  return address >= first ? address - first : null;
};

/** A table is aligned to its size, several are to all of theirs. */
const rootOf = ({ root, inputBits, startLevel, granule }: LpaeRegime): number =>
  alignDown(root, ENTRY_SIZE * 2 ** (inputBits - levelShift(startLevel, granule)));

/** Of the next table or of memory. */
const addressOf = ({ granule, outputBits }: LpaeRegime, { low, high }: WalkStep): number => {
  const address = HIGH.ADDRESS.of(high) * 2 ** 32 + LOW.ADDRESS.at(LOW.ADDRESS.of(low));
  const top = granule === 16 && outputBits === MOST_OUTPUT_BITS ? LOW_TOP_ADDRESS.of(low) : 0;
  return alignDown(address, 2 ** granule) + top * 2 ** 48;
};

const USER = Attribute.read | Attribute.write;
const WRITE = Attribute.write | Attribute.privilegedWrite;

/** APTable and its like: what a table leaves to what is below it. Source: DDI 0487 D8.4.3. */
const below = (attributes: number, high: number): number => {
  let left = attributes;
  if (HIGH.NO_USER_TABLE.of(high) === 1) left &= ~USER;
  if (HIGH.READ_ONLY_TABLE.of(high) === 1) left &= ~WRITE;
  if (HIGH.XN_TABLE.of(high) === 1) left |= Attribute.xn;
  if (HIGH.PXN_TABLE.of(high) === 1) left |= Attribute.pxn;
  if (HIGH.NS_TABLE.of(high) === 1) left |= Attribute.nonSecure;
  return left;
};

const stage1 = (inherited: number, low: number, high: number): number => {
  let rights = ALL_RIGHTS;
  if (LOW.USER.of(low) === 0) rights &= ~USER;
  if (LOW.READ_ONLY.of(low) === 1) rights &= ~WRITE;
  return (
    (rights & inherited) |
    (inherited & ~ALL_RIGHTS) |
    (HIGH.XN.of(high) === 1 ? Attribute.xn : 0) |
    (HIGH.PXN.of(high) === 1 ? Attribute.pxn : 0) |
    (LOW.NG.of(low) === 1 ? Attribute.nonGlobal : 0) |
    (LOW.NS.of(low) === 1 ? Attribute.nonSecure : 0) |
    (LOW.ATTR_INDEX.of(low) << Attribute.memoryShift) |
    (LOW.SH.of(low) << Attribute.shareabilityShift)
  );
};

/** Stage 2 knows no privilege. */
const stage2 = (inherited: number, low: number, high: number): number =>
  (LOW.READ.of(low) === 1 ? Attribute.read | Attribute.privilegedRead : 0) |
  (LOW.WRITE.of(low) === 1 ? WRITE : 0) |
  (inherited & ~ALL_RIGHTS) |
  (HIGH.XN.of(high) === 1 ? Attribute.xn : 0) |
  (LOW.MEM_ATTR.of(low) << Attribute.memoryShift) |
  (LOW.SH.of(low) << Attribute.shareabilityShift);
