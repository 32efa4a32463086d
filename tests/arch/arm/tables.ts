import type { CoreProfile } from '../../../arch/arm/profile';
import type { Ram } from '../../../drivers/base/hw/ram';
import type { SysReg } from '../../../drivers/base/types/isa';

/** What a page is mapped as. */
export type Memory = 'cached' | 'write-through' | 'non-cached' | 'device' | 'strongly-ordered';

/** Descriptors as numbers, on purpose not from the data sheet that the product reads. */
const SHORT_V5: Readonly<Record<Memory, number>> = {
  cached: 0b1100,
  'write-through': 0b1000,
  'non-cached': 0b0100,
  device: 0,
  'strongly-ordered': 0,
};
/** Small page of ARMv6 and v7, no remap: TEX at bit 6, C and B at 3 and 2. */
const SHORT_V7: Readonly<Record<Memory, number>> = {
  cached: (0b001 << 6) | 0b1100,
  'write-through': 0b1000,
  'non-cached': 0b001 << 6,
  device: 0b0100,
  'strongly-ordered': 0,
};
/** Index into MAIR, which is 0xff_bb_44_04_00 from its highest used byte down. */
const LONG: Readonly<Record<Memory, number>> = {
  'strongly-ordered': 0,
  device: 1,
  'non-cached': 2,
  'write-through': 3,
  cached: 4,
};
const MAIR_LOW = 0xbb44_0400 | 0;
const MAIR_HIGH = 0xff;

const isLong = (core: CoreProfile): boolean => core.tables[0] === 'lpae' || core.tables[0] === 'v8';

/**
 * Writes page tables straight into RAM, as a loader would before the caches are on: one region of
 * pages of 4 KiB from 0x4000_0000, in the first format of the core.
 */
export class TableWriter {
  readonly #ram: Ram;
  readonly #core: CoreProfile;
  readonly #base: number;
  readonly #shared: boolean;
  readonly #onWrite: (address: number) => void;

  /** `onWrite` is told of each word that was written. */
  constructor(
    ram: Ram,
    core: CoreProfile,
    base: number,
    shared: boolean,
    onWrite: (address: number) => void = () => undefined,
  ) {
    this.#ram = ram;
    this.#core = core;
    this.#base = base;
    this.#shared = shared;
    this.#onWrite = onWrite;
  }

  map(va: number, pa: number, memory: Memory): void {
    if (isLong(this.#core)) this.#long(va, pa, memory);
    else this.#short(va, pa, memory);
  }

  /** The address of the entry of a page. */
  entryOf(va: number): number {
    return isLong(this.#core)
      ? this.#base + 0x5000 + ((va >>> 12) & 511) * 8
      : this.#base + 0x4000 + ((va >>> 12) & 255) * 4;
  }

  #short(va: number, pa: number, memory: Memory): void {
    const isV5 = this.#core.tables[0] === 'v5';
    const share = this.#shared && memory !== 'device' ? 1 << 10 : 0;
    const entry = isV5 ? 0xff2 | SHORT_V5[memory] : 0x32 | SHORT_V7[memory] | share;
    this.#write(this.#base + (va >>> 20) * 4, (this.#base + 0x4000) | 1);
    this.#write(this.entryOf(va), pa | entry);
  }

  #long(va: number, pa: number, memory: Memory): void {
    this.#write(this.#base + (va >>> 30) * 8, (this.#base + 0x4000) | 3);
    this.#write(this.#base + 0x4000 + ((va >>> 21) & 511) * 8, (this.#base + 0x5000) | 3);
    this.#write(this.entryOf(va), pa | (1 << 10) | (3 << 8) | (LONG[memory] << 2) | 3);
  }

  #write(address: number, value: number): void {
    this.#ram.writeWord(this.#ram.wordOf(address), value);
    this.#onWrite(address);
  }
}

/** The registers that make a core walk these tables. */
export const tableRegisters = (
  core: CoreProfile,
  base: number,
): readonly (readonly [SysReg, number, number])[] => {
  const [format] = core.tables;
  if (format === undefined) return [];
  if (format === 'v8') {
    const tcr = 32 | (32 << 16) | (2 << 30);
    return [
      ['MAIR', MAIR_LOW, MAIR_HIGH],
      ['TTBR0', base | 0, 0],
      ['TCR', tcr, 0],
    ];
  }
  if (format === 'lpae') {
    return [
      ['MAIR', MAIR_LOW, MAIR_HIGH],
      ['TTBR0', base | 0, 0],
      ['TCR', 0x8000_0000 | 0, 0],
    ];
  }
  return [
    ['TTBR0', base | 0, 0],
    ['DACR', 1, 0],
  ];
};
