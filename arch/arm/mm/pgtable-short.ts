import { hex, offsetBy, physAddr } from '../../../drivers/base/types/address';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import type { SysReg } from '../../../drivers/base/types/isa';
import type { PgProt, PgMemory } from '../../../mm/pgprot';
import {
  DOMAIN,
  L1_TABLE,
  L1_TYPE,
  L2_TYPE,
  PAGE,
  PAGE_V5,
  SECTION,
  TABLE,
} from '../regs/short-descriptor';
import { SCTLR, TTBR_SHORT, RGN } from '../regs/sysreg';
import { contextSync } from './barrier';
import type { ProcType } from './cpu-info';
import { EntryWriter } from './pgtable';
import { rightsOf, typesOf } from './memory-short';
import type { TexCb } from './memory-short';
import { changeOf } from './entry-change';
import type { EntryPlace } from './entry-change';
import type { EntryChange, MapRequest, PagesRequest, PageTables, TableContext } from './pgtable';

const SMALL = 4096;
const SECTION_SIZE = SECTION.size;
/** Four second-level tables fill a page: one page serves four neighbouring megabytes. */
const GROUP = SMALL / TABLE.size;
const GROUP_SPAN = GROUP * SECTION_SIZE;
const KERNEL_FIRST = 0xc00;

/** The kernel's only domain: its entries are checked against the permissions. */
const KERNEL_DOMAIN = 0;

/**
 * PRRR: entries 0 strongly ordered, 1 to 3 and 7 normal, 4 device; shareable where S is set.
 * NMRR, inner and outer alike: 1 non-cacheable, 2 write-through, 3 write-back, 7 allocating.
 */
const PRRR = 0xff0a_81a8 | 0;
const NMRR = 0x40e0_40e0;

/**
 * Beside M and C: unaligned accesses fault (they would rotate), ARMv6's own format of table and its
 * unaligned accesses, TEX remap.
 */
const SCTLR_OF_TYPE: Readonly<Record<ProcType, number>> = {
  v4wb: SCTLR.A,
  v6: SCTLR.XP | SCTLR.U,
  v7: SCTLR.TRE,
  v8: 0,
};

/** The registers of every core with these tables, from ARMv6 on, and from ARMv7 on. */
const ROOT: readonly SysReg[] = ['TTBR0', 'DACR'];
const SPLIT: readonly SysReg[] = ['TTBR1', 'TCR'];
const REMAP: readonly SysReg[] = ['PRRR', 'NMRR'];

/** First- and second-level tables of ARMv5, v6 and v7 (pgtable-2level.h, proc-v7-2level.S). */
export class ShortTables implements PageTables {
  readonly #context: TableContext;
  readonly #entries: EntryWriter;
  readonly #types: Readonly<Record<PgMemory, TexCb>>;
  readonly #isV5: boolean;
  readonly #shared: boolean;
  readonly registers: readonly SysReg[];

  constructor(context: TableContext) {
    this.#context = context;
    this.#entries = new EntryWriter(context);
    const { type, broadcasts } = context.info;
    this.#isV5 = type === 'v4wb';
    this.#shared = broadcasts;
    this.registers =
      type === 'v7' ? [...ROOT, ...SPLIT, ...REMAP] : this.#isV5 ? ROOT : [...ROOT, ...SPLIT];
    this.#types = typesOf(type, broadcasts);
  }

  get writes(): number {
    return this.#entries.writes;
  }

  createRoot(): PhysAddr {
    const root = this.#context.memory.allocate(L1_TABLE.size);
    if (root === null) throw new KernelOops('no memory for a first-level table');
    this.#entries.clear(root, L1_TABLE.size);
    return root;
  }

  map(root: PhysAddr, { va, pa, size, prot, blocks }: MapRequest): boolean {
    for (let done = 0; done < size;) {
      const at = va + done;
      const to = pa + done;
      const fitsSection =
        blocks && at % SECTION_SIZE === 0 && to % SECTION_SIZE === 0 && size - done >= SECTION_SIZE;
      if (fitsSection) {
        this.#entries.write32(root, at / SECTION_SIZE, this.#section(to, prot));
        done += SECTION_SIZE;
        continue;
      }
      if (at % GROUP_SPAN === 0 && size - done >= GROUP_SPAN && this.#hasNoGroup(root, at)) {
        if (!this.#fillGroup(root, at, to, prot)) return false;
        done += GROUP_SPAN;
        continue;
      }
      const table = this.#tableFor(root, at);
      if (table === null) return false;
      this.#entries.write32(table, (at / SMALL) % TABLE.entries, this.#page(to, prot));
      done += SMALL;
    }
    return true;
  }

  unmap(root: PhysAddr, va: number, size: number): void {
    for (let done = 0; done < size;) {
      const at = va + done;
      const index = Math.floor(at / SECTION_SIZE);
      const entry = this.#entries.read32(root, index);
      const left = SECTION_SIZE - (at % SECTION_SIZE);
      if ((entry & 3) === L1_TYPE.section) {
        if (left < SECTION_SIZE || size - done < SECTION_SIZE) {
          throw new KernelOops(`unmap of part of the section at ${hex(at)}`);
        }
        this.#entries.write32(root, index, 0);
        done += SECTION_SIZE;
      } else if ((entry & 3) === L1_TYPE.table) {
        const table = tableIn(entry);
        this.#entries.write32(table, (at / SMALL) % TABLE.entries, 0);
        done += SMALL;
      } else {
        done += left;
      }
    }
  }

  spanAt(root: PhysAddr, va: number): number {
    const entry = this.#entries.read32(root, Math.floor(va / SECTION_SIZE));
    if ((entry & 3) === L1_TYPE.section) return SECTION_SIZE;
    if ((entry & 3) !== L1_TYPE.table) return 0;
    const page = this.#entries.read32(tableIn(entry), (va / SMALL) % TABLE.entries);
    return (page & 3) === L2_TYPE.fault ? 0 : SMALL;
  }

  pages(root: PhysAddr, { va, pa, size, prot }: PagesRequest): EntryChange | null {
    const places: EntryPlace[] = [];
    for (let done = 0; done < size; done += SMALL) {
      const at = va + done;
      const entry = this.#entries.read32(root, Math.floor(at / SECTION_SIZE));
      if ((entry & 3) !== L1_TYPE.table) return null;
      const index = (at / SMALL) % TABLE.entries;
      places.push({
        ...{ table: tableIn(entry), offset: index * 4, size: 4 },
        store: isValid => {
          const value = isValid ? this.#page(pa + done, prot) : 0;
          this.#entries.store32(tableIn(entry), index, value);
        },
      });
    }
    return changeOf(this.#entries, { va, size, span: SMALL }, places);
  }

  placesOf(roots: readonly PhysAddr[], va: number): readonly PhysAddr[] {
    const index = Math.floor(va / SECTION_SIZE);
    return roots.flatMap(root => {
      const entry = this.#entries.read32(root, index);
      if ((entry & 3) !== L1_TYPE.table) return offsetBy(root, index * 4);
      return offsetBy(tableIn(entry), ((va / SMALL) % TABLE.entries) * 4);
    });
  }

  split(roots: readonly PhysAddr[], va: number, prot: PgProt): EntryChange | null {
    const [root] = roots;
    const table = this.#takeTable();
    if (root === undefined || table === null) return null;
    const index = Math.floor(va / SECTION_SIZE);
    const section = this.#entries.read32(root, index);
    if ((section & 3) !== L1_TYPE.section) throw new KernelOops(`no section at ${hex(va)}`);
    const pa = (section & SECTION.baseMask) >>> 0;
    for (let i = 0; i < TABLE.entries; i++) {
      this.#entries.store32(table, i, this.#page(pa + i * SMALL, prot));
    }
    this.#entries.publish(table, 0, TABLE.size);
    const range = { va: index * SECTION_SIZE, size: SECTION_SIZE, span: SECTION_SIZE };
    const places = roots.map(one => ({
      ...{ table: one, offset: index * 4, size: 4 },
      store: (isValid: boolean): void => {
        this.#entries.store32(one, index, isValid ? this.#tableEntry(table) : 0);
      },
    }));
    return changeOf(this.#entries, range, places);
  }

  destroyRoot(root: PhysAddr): void {
    const { memory } = this.#context;
    for (let index = 0; index < KERNEL_FIRST; index += GROUP) {
      const entry = this.#entries.read32(root, index);
      if ((entry & 3) !== L1_TYPE.table) continue;
      const table = (entry & TABLE.baseMask) >>> 0;
      memory.free(physAddr(table - (table % SMALL)), SMALL);
    }
    memory.free(root, L1_TABLE.size);
  }

  copyKernelEntries(from: PhysAddr, to: PhysAddr): void {
    for (let index = KERNEL_FIRST; index < L1_TABLE.entries; index++) {
      const entry = this.#entries.read32(from, index);
      if (this.#entries.read32(to, index) !== entry) this.#entries.write32(to, index, entry);
    }
  }

  enable(root: PhysAddr): void {
    const { isa, info } = this.#context;
    if (!this.#isV5) {
      // No walk uses TTBR1 while TTBCR.N is 0: it keeps the kernel's own table for switchTo().
      isa.writeSys('TCR', 0);
      isa.writeSys('TTBR1', this.#ttbr(root));
    }
    isa.writeSys('TTBR0', this.#ttbr(root));
    isa.writeSys('DACR', DOMAIN.client << (KERNEL_DOMAIN * 2));
    if (info.type === 'v7') {
      isa.writeSys('PRRR', PRRR);
      isa.writeSys('NMRR', NMRR);
    }
    isa.writeSys('SCTLR', SCTLR.M | SCTLR.C | SCTLR_OF_TYPE[info.type]);
    contextSync(isa, info);
  }

  /**
   * TTBR0 and the ASID cannot be written at once. In between, the kernel's table is in force: all
   * its entries are global, so that no walk of the old space is tagged with the new ASID
   * (cpu_set_reserved_ttbr0 and cpu_v7_switch_mm; ARMv6, which walks only when asked, as well).
   */
  switchTo(root: PhysAddr, asid: number): void {
    const { isa, info } = this.#context;
    isa.dsb();
    if (!this.#isV5) {
      isa.writeSys('TTBR0', isa.readSys('TTBR1'));
      contextSync(isa, info);
      isa.writeSys('CONTEXTIDR', asid);
      contextSync(isa, info);
    }
    isa.writeSys('TTBR0', this.#ttbr(root));
    contextSync(isa, info);
  }

  /** The walk itself is cached like the tables are written, where the walker looks into caches. */
  #ttbr(root: PhysAddr): number {
    const { info } = this.#context;
    if (this.#isV5 || info.mustCleanTables) return root | 0;
    const wbwa = TTBR_SHORT.irgn0 | (RGN.writeBackAllocate << TTBR_SHORT.rgnShift);
    return root | wbwa | TTBR_SHORT.shareable;
  }

  /** The second-level table of an address, made if there is none. */
  #tableFor(root: PhysAddr, va: number): PhysAddr | null {
    const index = Math.floor(va / SECTION_SIZE);
    const entry = this.#entries.read32(root, index);
    if ((entry & 3) === L1_TYPE.table) return tableIn(entry);
    if ((entry & 3) !== L1_TYPE.fault) {
      throw new KernelOops(`a page is to be mapped inside the section at ${hex(va)}`);
    }
    return this.#newGroup(root, index);
  }

  #hasNoGroup(root: PhysAddr, va: number): boolean {
    const first = va / SECTION_SIZE;
    for (let i = 0; i < GROUP; i++) {
      if (this.#entries.read32(root, first + i) !== L1_TYPE.fault) return false;
    }
    return true;
  }

  /** A page of tables is full before the first walk can reach it; false without memory for it. */
  #fillGroup(root: PhysAddr, va: number, pa: number, prot: PgProt): boolean {
    const page = this.#context.memory.allocate(SMALL);
    if (page === null) return false;
    for (let i = 0; i < GROUP_SPAN / SMALL; i++) {
      this.#entries.store32(page, i, this.#page(pa + i * SMALL, prot));
    }
    this.#entries.publish(page, 0, SMALL);
    this.#link(root, va / SECTION_SIZE, page);
    return true;
  }

  #newGroup(root: PhysAddr, index: number): PhysAddr | null {
    const page = this.#context.memory.allocate(SMALL);
    if (page === null) return null;
    this.#entries.clear(page, SMALL);
    const first = index - (index % GROUP);
    this.#link(root, first, page);
    return physAddr(page + (index - first) * TABLE.size);
  }

  /** Enters the tables of a page, where nothing else is entered. */
  #link(root: PhysAddr, first: number, page: PhysAddr): void {
    for (let i = 0; i < GROUP; i++) {
      const table = page + i * TABLE.size;
      if (this.#entries.read32(root, first + i) !== L1_TYPE.fault) continue;
      this.#entries.write32(root, first + i, this.#tableEntry(table));
    }
  }

  #tableEntry(table: number): number {
    return table | L1_TYPE.table | (KERNEL_DOMAIN << TABLE.domainShift) | (this.#isV5 ? 1 << 4 : 0);
  }

  /** Tables of a page that no section has been split into yet. */
  readonly #spare: PhysAddr[] = [];

  /** A table of its own, whatever its neighbours are; its contents are the caller's. */
  #takeTable(): PhysAddr | null {
    const known = this.#spare.pop();
    if (known !== undefined) return known;
    const page = this.#context.memory.allocate(SMALL);
    if (page === null) return null;
    for (let i = GROUP - 1; i > 0; i--) this.#spare.push(physAddr(page + i * TABLE.size));
    return page;
  }

  #section(pa: number, prot: PgProt): number {
    const { tex, c, b } = this.#types[prot.memory];
    const rights = rightsOf(prot, this.#context.info.type);
    return (
      (pa & SECTION.baseMask) |
      L1_TYPE.section |
      (this.#isV5 ? 1 << 4 : 0) |
      (KERNEL_DOMAIN << SECTION.domainShift) |
      (rights.ap << SECTION.apShift) |
      (this.#isV5 ? 0 : tex << SECTION.texShift) |
      (rights.apx && !this.#isV5 ? SECTION.apx : 0) |
      (this.#isShared(prot) ? SECTION.shareable : 0) |
      (prot.user && !this.#isV5 ? SECTION.nonGlobal : 0) |
      (c ? SECTION.cacheable : 0) |
      (b ? SECTION.bufferable : 0)
    );
  }

  #page(pa: number, prot: PgProt): number {
    const { tex, c, b } = this.#types[prot.memory];
    const rights = rightsOf(prot, this.#context.info.type);
    const common =
      (pa & PAGE.small.baseMask) |
      L2_TYPE.small |
      (c ? PAGE.cacheable : 0) |
      (b ? PAGE.bufferable : 0);
    if (this.#isV5) {
      return PAGE_V5.apShifts.reduce((entry, shift) => entry | (rights.ap << shift), common);
    }
    return (
      common |
      (rights.ap << PAGE.apShift) |
      (tex << PAGE.small.texShift) |
      (rights.apx ? PAGE.apx : 0) |
      (this.#isShared(prot) ? PAGE.shareable : 0) |
      (prot.user ? PAGE.nonGlobal : 0)
    );
  }

  /** On a multiprocessor all normal memory is shareable, and devices are shared devices. */
  #isShared(prot: PgProt): boolean {
    return this.#shared && prot.memory !== 'noncached';
  }
}

const tableIn = (entry: number): PhysAddr => physAddr((entry & TABLE.baseMask) >>> 0);
