import { EEXIST, EINVAL, ENOMEM, ERANGE } from '../../drivers/base/kernel/errno';
import { cpuAddr, hex, offsetBy, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE, alignDown } from '../../drivers/base/types/bits';
import { ENTRY_SIZE, ENTRY_TYPE, HIGH, LAST_LEVEL } from '../../drivers/iommu/regs/lpae';
import type { IotlbGather } from '../iommu/gather';
import { pageSizesIn } from '../iommu/page-sizes';
import { IommuProt } from '../iommu/types';
import type { Mapped } from '../iommu/types';
import {
  addressHigh,
  addressIn,
  addressLow,
  isLeaf,
  isTable,
  leafOf,
  leafType,
  protHigh,
  protLow,
} from './arm-lpae-entries';
import type { Entry } from './arm-lpae-entries';
import { entriesOf, rootSize, spanOf, tableSize } from './arm-lpae-geometry';
import type { LpaeGeometry } from './arm-lpae-geometry';
import { gatedFlush } from './gated-flush';
import { TablePages } from './tables';
import { IoPgtableQuirk, hasBit } from './types';
import type { IoPgtable, IoPgtableConfig } from './types';

/** Addresses of the upper half are held modulo this, as CPU addresses are. */
const ADDRESSES = 2 ** 52;

/** Where an entry, or the first of several next to each other, is. */
interface Place {
  readonly table: CpuAddr;
  readonly level: number;
  readonly index: number;
}

/** Pages that are to be mapped. */
interface MapRequest {
  readonly iova: number;
  readonly address: number;
  readonly pageSize: number;
  readonly count: number;
  readonly leaf: Entry;
}

/** Pages that are to be unmapped. */
interface UnmapRequest {
  readonly iova: number;
  readonly pageSize: number;
  readonly count: number;
  readonly gather: IotlbGather | null;
}

/**
 * Translation tables of LPAE and VMSAv8-64, stage 1 or 2 (drivers/iommu/io-pgtable-arm.c). A table
 * that is empty stays until a block takes its place or all is given back. The order of what is stored
 * is what hardware may rely on: a table before the entry that leads to it; an entry cleared, and
 * everything that was kept of it invalidated, before the table that it led to is given back or a
 * block takes its place. A block that is split is replaced by a table at once, as Linux does: for a
 * moment both may be used, and lead to the same memory but for what is unmapped.
 */
export class ArmLpaeTable implements IoPgtable {
  readonly pageSizes: number;
  readonly ias: number;
  readonly oas: number;
  readonly apertureStart: number;
  readonly apertureEnd: number;
  /** Where the walker finds the root. */
  readonly address: PhysAddr;
  readonly #config: IoPgtableConfig;
  readonly #geometry: LpaeGeometry;
  readonly #stage: 1 | 2;
  readonly #quirks: number;
  readonly #pages: TablePages;
  readonly #root: CpuAddr;

  private constructor(
    config: IoPgtableConfig,
    geometry: LpaeGeometry,
    stage: 1 | 2,
    pages: TablePages,
    root: CpuAddr,
  ) {
    this.#config = config;
    this.#geometry = geometry;
    this.#stage = stage;
    this.#quirks = config.quirks ?? 0;
    this.#pages = pages;
    this.#root = root;
    this.pageSizes = geometry.pageSizes;
    this.ias = geometry.ias;
    this.oas = geometry.oas;
    const isUpper = hasBit(this.#quirks, IoPgtableQuirk.ArmTtbr1);
    this.apertureStart = isUpper ? ADDRESSES - 2 ** this.ias : 0;
    this.apertureEnd = this.apertureStart + 2 ** this.ias - 1;
    this.address = pages.phys(root);
  }

  /** One that maps nothing; null without memory that the walker can have. */
  static make(asked: IoPgtableConfig, geometry: LpaeGeometry, stage: 1 | 2): ArmLpaeTable | null {
    const config = { ...asked, flush: gatedFlush(asked.flush, asked.memory) };
    const pages = new TablePages(config);
    const root = pages.alloc(bytesOfRoot(geometry));
    if (root === null) return null;
    pages.finish();
    return new ArmLpaeTable(config, geometry, stage, pages, root);
  }

  get writes(): number {
    return this.#pages.writes;
  }

  get tables(): number {
    return this.#pages.tables;
  }

  free(): void {
    this.#config.flush.flushAll();
    this.#freeTables(this.#root, this.#geometry.startLevel);
    this.#pages.free(this.#root, bytesOfRoot(this.#geometry));
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
    if (!this.#isInput(iova) || address >= 2 ** this.oas) {
      return this.#warn(`map of ${hex(iova)} to ${hex(address)}`, -ERANGE);
    }
    if (!hasBit(prot, IommuProt.Read) && !hasBit(prot, IommuProt.Write)) return -EINVAL;
    const leaf = leafOf(this.#stage, prot, this.#quirks);
    const result = this.#map({ iova, address, pageSize, count, leaf }, mapped);
    this.#pages.finish();
    return result;
  }

  unmap(iova: DmaAddr, pageSize: number, count: number, gather: IotlbGather | null): number {
    if (!this.#isPageSize(pageSize) || count < 1) {
      return this.#warn(`unmap of ${count} pages of ${hex(pageSize)}`, 0);
    }
    if (!this.#isInput(iova)) return this.#warn(`unmap of ${hex(iova)}`, 0);
    const { startLevel } = this.#geometry;
    return this.#unmap({ iova, pageSize, count, gather }, this.#root, startLevel);
  }

  iovaToPhys(iova: DmaAddr): PhysAddr | null {
    if (!this.#isInput(iova)) return null;
    let table = this.#root;
    for (let level = this.#geometry.startLevel; level <= LAST_LEVEL; level++) {
      const low = this.#pages.load64(entryAt(table, this.#index(iova, level)));
      const leads = this.#leads(low, this.#pages.high);
      if (isLeaf(low, level)) return physAddr(leads + (iova % this.#spanOf(level)));
      if (!isTable(low, level)) return null;
      table = this.#pages.virt(leads);
    }
    return null;
  }

  /** Down to the level of the page size, with tables made where there are none (__arm_lpae_map). */
  #map(request: MapRequest, mapped: Mapped): number {
    const { iova, pageSize, count } = request;
    let table = this.#root;
    let level = this.#geometry.startLevel;
    while (this.#spanOf(level) > pageSize) {
      const next = this.#tableBelow({ table, level, index: this.#index(iova, level) });
      if (next < 0) return next;
      table = cpuAddr(next);
      level++;
    }
    // A block that is larger than what the first level has.
    if (this.#spanOf(level) !== pageSize) return this.#warn('no level for the page size', -EINVAL);
    const index = this.#index(iova, level);
    const fits = Math.min(count, entriesOf(this.#geometry, level) - index);
    const result = this.#storeLeaves(request, { table, level, index }, fits);
    if (result === 0) mapped.bytes += fits * pageSize;
    return result;
  }

  /** The table that an entry leads to, made if there is none, or a negative errno. */
  #tableBelow(place: Place): number {
    const pages = this.#pages;
    const low = pages.load64(atOf(place));
    if (isTable(low, place.level)) return pages.virt(this.#leads(low, pages.high));
    if (low !== 0) return this.#warn('map over a block', -EEXIST);
    const made = pages.alloc(tableSize(this.#geometry));
    if (made === null) return -ENOMEM;
    this.#installTable(place, made);
    return made;
  }

  /** A whole table becomes reachable (arm_lpae_install_table). */
  #installTable(place: Place, table: CpuAddr): void {
    const isNs = hasBit(this.#quirks, IoPgtableQuirk.ArmNs);
    const physical = this.#pages.phys(table);
    const low = addressLow(physical) + ENTRY_TYPE.table;
    this.#pages.order();
    this.#store(place, 1, low, addressHigh(physical) + HIGH.NS_TABLE.at(isNs ? 1 : 0));
  }

  /** Blocks or pages where nothing is, or tables that a block takes the place of (arm_lpae_init_pte). */
  #storeLeaves(request: MapRequest, place: Place, count: number): number {
    const { iova, address, pageSize, leaf } = request;
    const { table, level, index } = place;
    for (let i = 0; i < count; i++) {
      const low = this.#pages.load64(entryAt(table, index + i));
      if (isLeaf(low, level)) return this.#warn(`map of ${hex(iova)}, which is mapped`, -EEXIST);
      if (!isTable(low, level)) continue;
      this.#clear(
        { iova: iova + i * pageSize, pageSize, count: 1, gather: null },
        {
          ...place,
          index: index + i,
        },
      );
    }
    this.#pages.own(atOf(place), count * ENTRY_SIZE);
    for (let i = 0; i < count; i++) {
      this.#storeLeaf({ table, level, index: index + i }, address + i * pageSize, leaf);
    }
    this.#pages.publish(atOf(place), count * ENTRY_SIZE);
    return 0;
  }

  #storeLeaf(place: Place, address: number, { low, high }: Entry): void {
    const type = leafType(place.level);
    this.#pages.store64(atOf(place), low + type + addressLow(address), high + addressHigh(address));
  }

  /** __arm_lpae_unmap(). */
  #unmap(request: UnmapRequest, from: CpuAddr, fromLevel: number): number {
    const { iova, pageSize } = request;
    let table = from;
    for (let level = fromLevel; level <= LAST_LEVEL; level++) {
      const place = { table, level, index: this.#index(iova, level) };
      const low = this.#pages.load64(atOf(place));
      const { high } = this.#pages;
      if (low === 0) return this.#warn(`unmap of ${hex(iova)}, where nothing is mapped`, 0);
      if (this.#spanOf(level) === pageSize) return this.#clear(request, place);
      if (isLeaf(low, level)) return this.#unmapPart(request, place, low, high);
      table = this.#pages.virt(this.#leads(low, high));
    }
    return 0;
  }

  /** Entries of the size that is unmapped: leaves, and tables with all that is below. */
  #clear(request: UnmapRequest, place: Place): number {
    const { iova, pageSize, gather } = request;
    const { table, level, index } = place;
    const most = Math.min(request.count, entriesOf(this.#geometry, level) - index);
    let count = 0;
    for (; count < most; count++) {
      const entry = { table, level, index: index + count };
      const low = this.#pages.load64(atOf(entry));
      if (low === 0) {
        this.#warn(`unmap of ${hex(iova + count * pageSize)}, where nothing is mapped`, 0);
        break;
      }
      if (isTable(low, level)) this.#dropTable(entry, iova + count * pageSize, low);
    }
    this.#store(place, count, 0, 0);
    if (gather !== null && !gather.isQueued) this.#gather(gather, iova, pageSize, count);
    return count * pageSize;
  }

  /** Nobody may be on the way through a table when it is given back. */
  #dropTable(place: Place, iova: number, low: number): void {
    const below = this.#pages.virt(this.#leads(low, this.#pages.high));
    this.#store(place, 1, 0, 0);
    const granule = tableSize(this.#geometry);
    this.#config.flush.flushWalk(iova, this.#spanOf(place.level), granule);
    this.#freeTables(below, place.level + 1);
    this.#pages.free(below, granule);
  }

  #unmapPart(request: UnmapRequest, place: Place, low: number, high: number): number {
    switch (this.#config.partialUnmap ?? 'split') {
      case 'refuse':
        return this.#warn('Unmap of a partial large IOPTE is not allowed', 0);
      case 'whole': {
        const pageSize = this.#spanOf(place.level);
        const iova = alignDown(request.iova, pageSize);
        return this.#clear({ ...request, iova, pageSize, count: 1 }, place);
      }
      case 'split':
        return this.#split(request, place, low, high);
    }
  }

  /** A table for the block, without what is unmapped (arm_lpae_split_blk_unmap). */
  #split(request: UnmapRequest, place: Place, low: number, high: number): number {
    const { iova, pageSize, gather } = request;
    const made = this.#pages.alloc(tableSize(this.#geometry));
    if (made === null) return 0;
    const level = place.level + 1;
    const span = this.#spanOf(level);
    const entries = entriesOf(this.#geometry, level);
    const isHere = span === pageSize;
    const first = isHere ? this.#index(iova, level) : entries;
    const count = isHere ? Math.min(request.count, entries - first) : 0;
    const block = this.#leads(low, high);
    const leaf = { low: protLow(low), high: protHigh(high) };
    this.#pages.own(made, tableSize(this.#geometry));
    for (let index = 0; index < entries; index++) {
      if (index >= first && index < first + count) continue;
      this.#storeLeaf({ table: made, level, index }, block + index * span, leaf);
    }
    this.#pages.publish(made, tableSize(this.#geometry));
    this.#installTable(place, made);
    if (!isHere) return this.#unmap(request, made, level);
    if (gather !== null) this.#gather(gather, iova, pageSize, count);
    return count * pageSize;
  }

  #gather(gather: IotlbGather, iova: number, pageSize: number, count: number): void {
    for (let i = 0; i < count; i++) {
      this.#config.flush.addPage(gather, iova + i * pageSize, pageSize);
    }
  }

  /** The same in some entries next to each other, for the walker to see. */
  #store(place: Place, count: number, low: number, high: number): void {
    const pages = this.#pages;
    pages.own(atOf(place), count * ENTRY_SIZE);
    for (let i = 0; i < count; i++) {
      pages.store64(entryAt(place.table, place.index + i), low, high);
    }
    pages.publish(atOf(place), count * ENTRY_SIZE);
  }

  /** Gives back what is below a table (__arm_lpae_free_pgtable). */
  #freeTables(table: CpuAddr, level: number): void {
    if (level === LAST_LEVEL) return;
    for (let index = 0; index < entriesOf(this.#geometry, level); index++) {
      const low = this.#pages.load64(entryAt(table, index));
      if (!isTable(low, level)) continue;
      const below = this.#pages.virt(this.#leads(low, this.#pages.high));
      this.#freeTables(below, level + 1);
      this.#pages.free(below, tableSize(this.#geometry));
    }
  }

  #leads(low: number, high: number): number {
    return addressIn(low, high, this.#geometry.granule);
  }

  #spanOf(level: number): number {
    return spanOf(this.#geometry, level);
  }

  #index(iova: number, level: number): number {
    const below = Math.floor((iova - this.apertureStart) / this.#spanOf(level));
    return below % entriesOf(this.#geometry, level);
  }

  #isPageSize(pageSize: number): boolean {
    return pageSizesIn(this.pageSizes).includes(pageSize);
  }

  #isInput(iova: number): boolean {
    return iova >= this.apertureStart && iova <= this.apertureEnd;
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

/** The smallest root takes a page: it is aligned to more than its size. */
const bytesOfRoot = (geometry: LpaeGeometry): number => Math.max(PAGE_SIZE, rootSize(geometry));

const entryAt = (table: CpuAddr, index: number): CpuAddr => offsetBy(table, index * ENTRY_SIZE);
const atOf = ({ table, index }: Place): CpuAddr => entryAt(table, index);
