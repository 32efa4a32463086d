import { EEXIST, EINVAL, ENOMEM, ERANGE } from '../../drivers/base/kernel/errno';
import { hex, offsetBy, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { alignDown } from '../../drivers/base/types/bits';
import { UnmodelledError } from '../../drivers/base/types/errors';
import {
  ENTRY_SIZE,
  FIRST_ENTRIES,
  FIRST_SHIFT,
  PRRR,
  PRRR_TYPE,
  REPEATED,
  RGN,
  SECOND_ENTRIES,
  SECOND_SHIFT,
  TTBR,
  nmrrInner,
  nmrrOuter,
  prrrNos,
  prrrType,
} from '../../drivers/iommu/regs/v7s';
import type { IotlbGather } from '../iommu/gather';
import { pageSizesIn } from '../iommu/page-sizes';
import { IommuProt } from '../iommu/types';
import type { Mapped } from '../iommu/types';
import {
  addressOf,
  isInvalid,
  isRepeated,
  isTable,
  leafWord,
  protOf,
  tableWord,
} from './arm-v7s-entries';
import type { Level } from './arm-v7s-entries';
import { gatedFlush } from './gated-flush';
import { TablePages } from './tables';
import { IoPgtableQuirk, hasBit } from './types';
import type { IoPgtable, IoPgtableConfig } from './types';

const ADDRESS_BITS = 32;
/** With MediaTek's bits. */
const MTK_BITS = { input: 34, output: 35 } as const;
const PAGE_SIZES = [2 ** 12, 2 ** 16, 2 ** 20, 2 ** 24] as const;
const FIRST_BYTES = FIRST_ENTRIES * ENTRY_SIZE;
const SECOND_BYTES = SECOND_ENTRIES * ENTRY_SIZE;
const INVALID = 0;

const FIRST_SPAN = 2 ** FIRST_SHIFT;
const SECOND_SPAN = 2 ** SECOND_SHIFT;
const spanOf = (level: Level): number => (level === 1 ? FIRST_SPAN : SECOND_SPAN);
const entriesOf = (level: Level): number => (level === 1 ? FIRST_ENTRIES : SECOND_ENTRIES);

/** What the registers of a context are to have (arm_v7s_cfg). */
export interface V7sConfig {
  readonly ttbr: number;
  readonly tcr: number;
  readonly nmrr: number;
  readonly prrr: number;
}

/** Where a word, or the first of several, is. */
interface Place {
  readonly table: CpuAddr;
  readonly level: Level;
  readonly index: number;
}

/**
 * Short-descriptor tables of ARMv7, two levels for 32 bits of address, second-level tables of 1 KiB
 * (drivers/iommu/io-pgtable-arm-v7s.c). The order of stores is that of ArmLpaeTable. A larger page
 * is sixteen words, which change one after the other: when one is split, for a moment hardware
 * may use any of them, as they lead to the same memory.
 */
export class ArmV7sTable implements IoPgtable {
  readonly pageSizes: number;
  readonly ias: number;
  readonly oas: number;
  readonly apertureStart = 0;
  readonly apertureEnd: number;
  readonly #config: IoPgtableConfig;
  readonly #quirks: number;
  readonly #pages: TablePages;
  readonly #root: CpuAddr;

  private constructor(config: IoPgtableConfig, pages: TablePages, root: CpuAddr) {
    this.#config = config;
    this.#quirks = config.quirks ?? 0;
    this.#pages = pages;
    this.#root = root;
    this.pageSizes = sizesIn(config.pageSizes);
    this.ias = config.ias;
    this.oas = config.oas;
    this.apertureEnd = 2 ** config.ias - 1;
  }

  /**
   * One that maps nothing (arm_v7s_alloc_pgtable): null for what the format does not have, as a
   * quirk of another, and without memory that the walker can have. UnmodelledError for MediaTek's
   * bits.
   */
  static make(asked: IoPgtableConfig): ArmV7sTable | null {
    const quirks = asked.quirks ?? 0;
    if (!isLegal(asked, quirks)) return null;
    if (hasBit(quirks, IoPgtableQuirk.ArmMtkExt)) {
      throw new UnmodelledError('io-pgtable v7s', "MediaTek's address bits");
    }
    const config = { ...asked, flush: gatedFlush(asked.flush, asked.memory) };
    const pages = new TablePages(config);
    const root = pages.alloc(FIRST_BYTES);
    if (root === null) return null;
    pages.finish();
    return new ArmV7sTable(config, pages, root);
  }

  get writes(): number {
    return this.#pages.writes;
  }

  get tables(): number {
    return this.#pages.tables;
  }

  /** What the registers of a context are to have. */
  get config(): V7sConfig {
    const index = { device: 1, normal: 4, cached: 7 } as const;
    const walks = this.#config.coherentWalk
      ? TTBR.S.at(1) + TTBR.NOS.at(1) + rgnOf(RGN.writeBackAllocate)
      : rgnOf(RGN.nonCacheable);
    return {
      ttbr: this.#pages.phys(this.#root) + walks,
      tcr: 0,
      prrr:
        prrrType(index.device, PRRR_TYPE.device) +
        prrrType(index.normal, PRRR_TYPE.normal) +
        prrrType(index.cached, PRRR_TYPE.normal) +
        PRRR.DS0.at(1) +
        PRRR.DS1.at(1) +
        PRRR.NS1.at(1) +
        prrrNos(index.cached),
      nmrr:
        nmrrInner(index.cached, RGN.writeBackAllocate) +
        nmrrOuter(index.cached, RGN.writeBackAllocate),
    };
  }

  free(): void {
    this.#config.flush.flushAll();
    for (let index = 0; index < FIRST_ENTRIES; index++) {
      const word = this.#pages.load32(entryAt(this.#root, index));
      if (isTable(word, 1)) this.#pages.free(this.#pages.virt(addressOf(word, 1)), SECOND_BYTES);
    }
    this.#pages.free(this.#root, FIRST_BYTES);
    this.#pages.freePieces();
  }

  map(
    iova: DmaAddr,
    address: PhysAddr,
    pageSize: number,
    count: number,
    prot: number,
    mapped: Mapped,
  ): number {
    if (!this.#isPageSize(pageSize)) return this.#warn(`map of pages of ${hex(pageSize)}`, -EINVAL);
    if (iova > this.apertureEnd || address >= 2 ** this.oas) {
      return this.#warn(`map of ${hex(iova)} to ${hex(address)}`, -ERANGE);
    }
    if (!hasBit(prot, IommuProt.Read) && !hasBit(prot, IommuProt.Write)) return -EINVAL;
    let result = 0;
    for (let page = 0; page < count && result === 0; page++) {
      const done = page * pageSize;
      result = this.#mapPage(iova + done, address + done, pageSize, prot);
      if (result === 0) mapped.bytes += pageSize;
    }
    this.#pages.finish();
    return result;
  }

  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather | null): number {
    if (!this.#isPageSize(pageSize) || iova > this.apertureEnd) {
      return this.#warn(`unmap of pages of ${hex(pageSize)} at ${hex(iova)}`, 0);
    }
    let unmapped = 0;
    for (let page = 0; page < count; page++) {
      const bytes = this.#unmapPage(iova + page * pageSize, pageSize, gather);
      if (bytes === 0) break;
      unmapped += bytes;
    }
    return unmapped;
  }

  iovaToPhys(iova: DmaAddr): PhysAddr | null {
    if (iova > this.apertureEnd) return null;
    let place: Place = this.#first(iova);
    let word = this.#load(place);
    if (isTable(word, 1)) {
      place = this.#second(word, iova);
      word = this.#load(place);
    }
    if (isInvalid(word)) return null;
    const { level } = place;
    const size = spanOf(level) * (isRepeated(word, level) ? REPEATED : 1);
    return physAddr(addressOf(word, level) + (iova % size));
  }

  /** One page, of whatever size (__arm_v7s_map). */
  #mapPage(iova: number, address: number, pageSize: number, prot: number): number {
    let place = this.#first(iova);
    if (pageSize < spanOf(1)) {
      let word = this.#load(place);
      if (isInvalid(word)) {
        const made = this.#pages.alloc(SECOND_BYTES);
        if (made === null) return -ENOMEM;
        word = this.#installTable(place, made);
      } else if (!isTable(word, 1)) {
        return this.#warn(`map of ${hex(iova)}, which is mapped`, -EEXIST);
      }
      place = this.#second(word, iova);
    }
    const words = pageSize / spanOf(place.level);
    const isFree = this.#makeFree(place, words, iova);
    if (!isFree) return this.#warn(`map of ${hex(iova)}, which is mapped`, -EEXIST);
    const word = leafWord(prot, this.#quirks, place.level, words > 1) + address;
    this.#store(place, words, () => word);
    return 0;
  }

  /** Tables in the way of a section are dropped; false where there is a leaf. */
  #makeFree(place: Place, words: number, iova: number): boolean {
    for (let i = 0; i < words; i++) {
      const at = { ...place, index: place.index + i };
      const word = this.#load(at);
      if (isTable(word, place.level)) {
        this.#store(at, 1, () => INVALID);
        this.#dropTable(word, iova + i * spanOf(1));
      } else if (!isInvalid(word)) {
        return false;
      }
    }
    return true;
  }

  #installTable(place: Place, table: CpuAddr): number {
    const word = tableWord(this.#pages.phys(table), this.#quirks);
    this.#pages.order();
    this.#store(place, 1, () => word);
    return word;
  }

  /** One page, of whatever size (__arm_v7s_unmap): the bytes that are mapped no more. */
  #unmapPage(iova: number, pageSize: number, gather: IotlbGather | null): number {
    let place = this.#first(iova);
    let word = this.#load(place);
    if (pageSize < spanOf(1) && isTable(word, 1)) {
      place = this.#second(word, iova);
      word = this.#load(place);
    }
    if (isInvalid(word)) return this.#warn(`unmap of ${hex(iova)}, where nothing is mapped`, 0);
    const span = spanOf(place.level);
    const size = isRepeated(word, place.level) ? span * REPEATED : span;
    if (pageSize >= size || isTable(word, place.level)) {
      return this.#clear(place, iova, pageSize, gather);
    }
    return this.#unmapPart({ place, word, size }, iova, pageSize, gather);
  }

  /** All the words of a page, be they leaves or tables. */
  #clear(place: Place, iova: number, pageSize: number, gather: IotlbGather | null): number {
    const span = spanOf(place.level);
    const words = Array.from({ length: pageSize / span }, (_, i) =>
      this.#load({ ...place, index: place.index + i }),
    );
    if (words.some(isInvalid)) {
      return this.#warn(`unmap of ${hex(iova)}, where not all is mapped`, 0);
    }
    this.#store(place, words.length, () => INVALID);
    for (const [i, word] of words.entries()) {
      const at = iova + i * span;
      if (isTable(word, place.level)) this.#dropTable(word, at);
      else if (gather?.isQueued === false) this.#config.flush.addPage(gather, at, span);
    }
    return pageSize;
  }

  /** The word that led to it is gone: nobody may be on the way through it. */
  #dropTable(word: number, iova: number): void {
    this.#config.flush.flushWalk(iova, spanOf(1), spanOf(2));
    this.#pages.free(this.#pages.virt(addressOf(word, 1)), SECOND_BYTES);
  }

  #unmapPart(
    leaf: { readonly place: Place; readonly word: number; readonly size: number },
    iova: number,
    pageSize: number,
    gather: IotlbGather | null,
  ): number {
    const { place, word, size } = leaf;
    switch (this.#config.partialUnmap ?? 'split') {
      case 'refuse':
        return this.#warn('Unmap of a partial large IOPTE is not allowed', 0);
      case 'whole': {
        const start = alignDown(iova, size);
        const first = alignDown(place.index, size / spanOf(place.level));
        return this.#clear({ ...place, index: first }, start, size, gather);
      }
      case 'split': {
        const made = this.#split(place, word, iova, pageSize);
        return made ? this.#unmapPage(iova, pageSize, gather) : 0;
      }
    }
  }

  /**
   * A larger page becomes sixteen of the next size (arm_v7s_split_cont), a section a table
   * (arm_v7s_split_blk_unmap): false without memory for it.
   */
  #split(place: Place, word: number, iova: number, pageSize: number): boolean {
    const { level } = place;
    const prot = protOf(word, level);
    if (isRepeated(word, level)) {
      const first = { ...place, index: alignDown(place.index, REPEATED) };
      const single = leafWord(prot, this.#quirks, level, false) + addressOf(word, level);
      this.#store(first, REPEATED, i => single + i * spanOf(level));
      const size = REPEATED * spanOf(level);
      this.#config.flush.flushWalk(alignDown(iova, size), size, size);
      return true;
    }
    const made = this.#pages.alloc(SECOND_BYTES);
    if (made === null) return false;
    const words = pageSize / spanOf(2);
    const leaf = leafWord(prot, this.#quirks, 2, words > 1) + addressOf(word, 1);
    const inTable = { table: made, level: 2, index: 0 } as const;
    this.#store(inTable, SECOND_ENTRIES, i => leaf + alignDown(i, words) * spanOf(2));
    this.#installTable(place, made);
    return true;
  }

  #store(place: Place, words: number, wordAt: (index: number) => number): void {
    const pages = this.#pages;
    const at = entryAt(place.table, place.index);
    pages.own(at, words * ENTRY_SIZE);
    for (let i = 0; i < words; i++) pages.store32(offsetBy(at, i * ENTRY_SIZE), wordAt(i));
    pages.publish(at, words * ENTRY_SIZE);
  }

  #load({ table, index }: Place): number {
    return this.#pages.load32(entryAt(table, index));
  }

  #first(iova: number): Place {
    return { table: this.#root, level: 1, index: indexOf(iova, 1) };
  }

  #second(word: number, iova: number): Place {
    const table = this.#pages.virt(addressOf(word, 1));
    return { table, level: 2, index: indexOf(iova, 2) };
  }

  #isPageSize(pageSize: number): boolean {
    return pageSizesIn(this.pageSizes).includes(pageSize);
  }

  /** What WARN_ON would say, and the answer that goes with it. */
  #warn(what: string, answer: number): number {
    const { dev } = this.#config;
    if (!hasBit(this.#quirks, IoPgtableQuirk.NoWarn)) {
      dev.services.log.device('warn', dev, `WARNING: io-pgtable: ${what}`);
    }
    return answer;
  }
}

const indexOf = (iova: number, level: Level): number =>
  Math.floor(iova / spanOf(level)) % entriesOf(level);

const entryAt = (table: CpuAddr, index: number): CpuAddr => offsetBy(table, index * ENTRY_SIZE);

/** Those that the format has; supersections only where the IOMMU says so. */
const sizesIn = (pageSizes: number): number =>
  PAGE_SIZES.reduce((sum, size) => sum + (hasBit(pageSizes, size) ? size : 0), 0);

/** Cacheability of walks, the inner one in two bits that are apart. */
const rgnOf = (rgn: number): number =>
  TTBR.RGN.at(rgn) + TTBR.IRGN_0.at(rgn % 2) + TTBR.IRGN_1.at(Math.floor(rgn / 2));

const QUIRKS = [
  IoPgtableQuirk.ArmNs,
  IoPgtableQuirk.NoPerms,
  IoPgtableQuirk.ArmMtkExt,
  IoPgtableQuirk.ArmMtkTtbrExt,
  IoPgtableQuirk.NoWarn,
];

const isLegal = ({ ias, oas, pageSizes }: IoPgtableConfig, quirks: number): boolean => {
  const isMtk = hasBit(quirks, IoPgtableQuirk.ArmMtkExt);
  if (ias > (isMtk ? MTK_BITS.input : ADDRESS_BITS)) return false;
  if (oas > (isMtk ? MTK_BITS.output : ADDRESS_BITS)) return false;
  const others = QUIRKS.reduce((left, one) => (hasBit(left, one) ? left - one : left), quirks);
  if (others !== 0 || sizesIn(pageSizes) === 0) return false;
  if (isMtk) return hasBit(quirks, IoPgtableQuirk.NoPerms);
  return !hasBit(quirks, IoPgtableQuirk.ArmMtkTtbrExt);
};
