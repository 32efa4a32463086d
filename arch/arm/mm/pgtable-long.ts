import { hex, offsetBy, physAddr } from '../../../drivers/base/types/address';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { hi32, join64, lo32 } from '../../../drivers/base/types/bits';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import type { PgMemory, PgProt } from '../../../mm/pgprot';
import { ENTRIES, HIGH, LAST_LEVEL, LEVEL_SHIFT, LOW, SH, TYPE } from '../regs/long-descriptor';
import { MAIR, PA_BITS, RGN, SCTLR, TCR, TTBCR, TTBR_LONG } from '../regs/sysreg';
import { EntryWriter } from './pgtable';
import { changeOf } from './entry-change';
import type { EntryPlace } from './entry-change';
import type { EntryChange, MapRequest, PagesRequest, PageTables, TableContext } from './pgtable';

const TABLE_SIZE = 4096;
/** arm64: 48 bits of address in each half, four levels. LPAE: 32 bits, three levels. */
const VA_BITS_64 = 48;
/** LPAE: the top-level entry of the last gigabyte. */
const KERNEL_ENTRY = 3;

/** Index into MAIR of each memory type. */
const ATTRIBUTE: Readonly<Record<PgMemory, number>> = {
  cached: 0,
  dmacoherent: 1,
  writecombine: 1,
  noncached: 2,
  device: 3,
  writethrough: 4,
};

/** The byte of each index of ATTRIBUTE. */
const MAIR_BYTES = [
  MAIR.normalWriteBack,
  MAIR.normalNonCacheable,
  MAIR.deviceNGnRnE,
  MAIR.deviceNGnRE,
  MAIR.normalWriteThrough,
] as const;

/** Translation tables of LPAE and arm64 (pgtable-3level.h, asm/pgtable-hwdef.h), 4 KiB granule. */
export class LongTables implements PageTables {
  readonly registers = ['MAIR', 'TCR', 'TTBR0', 'TTBR1'] as const;
  readonly #context: TableContext;
  readonly #entries: EntryWriter;
  readonly #is64: boolean;
  readonly #topLevel: number;

  constructor(context: TableContext) {
    this.#context = context;
    this.#entries = new EntryWriter(context);
    this.#is64 = context.info.image === 'arm64';
    this.#topLevel = this.#is64 ? 0 : 1;
  }

  get writes(): number {
    return this.#entries.writes;
  }

  createRoot(): PhysAddr {
    const root = this.#newTable();
    if (root === null) throw new KernelOops('no memory for a top-level table');
    return root;
  }

  map(root: PhysAddr, { va, pa, size, prot, blocks }: MapRequest): boolean {
    for (let done = 0; done < size;) {
      const level = blocks ? this.#levelFor(va + done, pa + done, size - done) : LAST_LEVEL;
      const table = this.#tableAt(root, va + done, level);
      if (table === null) return false;
      this.#writeLeaf(table, va + done, pa + done, level, prot);
      done += spanOf(level);
    }
    return true;
  }

  unmap(root: PhysAddr, va: number, size: number): void {
    for (let done = 0; done < size;) {
      const at = va + done;
      const leaf = this.#findLeaf(root, at);
      if (leaf.table === null) {
        done += spanOf(leaf.level) - (at % spanOf(leaf.level));
        continue;
      }
      const span = spanOf(leaf.level);
      if (at % span !== 0 || size - done < span) {
        throw new KernelOops(`unmap of part of the block at ${hex(at)}`);
      }
      this.#entries.write64(leaf.table, this.#index(at, leaf.level), 0, 0);
      done += span;
    }
  }

  spanAt(root: PhysAddr, va: number): number {
    const { table, level } = this.#findLeaf(root, va);
    return table === null ? 0 : spanOf(level);
  }

  pages(root: PhysAddr, { va, pa, size, prot }: PagesRequest): EntryChange | null {
    const places: EntryPlace[] = [];
    for (let done = 0; done < size; done += TABLE_SIZE) {
      const at = va + done;
      const table = this.#lastTable(root, at);
      if (table === null) return null;
      const index = this.#index(at, LAST_LEVEL);
      places.push({
        ...{ table, offset: index * 8, size: 8 },
        store: isValid => {
          const { low, high } = isValid ? this.#leaf(pa + done, LAST_LEVEL, prot) : INVALID;
          this.#entries.store64(table, index, low, high);
        },
      });
    }
    return changeOf(this.#entries, { va, size, span: TABLE_SIZE }, places);
  }

  /** The roots share the tables below them. */
  placesOf([root]: readonly PhysAddr[], va: number): readonly PhysAddr[] {
    if (root === undefined) return [];
    const { table, level } = this.#findLeaf(root, va);
    return table === null ? [] : [offsetBy(table, this.#index(va, level) * 8)];
  }

  /** The roots share the table that has the block: it is changed in the first. */
  split([root]: readonly PhysAddr[], va: number, prot: PgProt): EntryChange | null {
    if (root === undefined) return null;
    const { table, level } = this.#findLeaf(root, va);
    if (table === null || level === LAST_LEVEL) throw new KernelOops(`no block at ${hex(va)}`);
    const made = this.#context.memory.allocate(TABLE_SIZE);
    if (made === null) return null;
    const index = this.#index(va, level);
    const pa = tableAddress(this.#entries.read64(table, index), this.#context.isa.high);
    const span = spanOf(level);
    for (let i = 0; i < ENTRIES; i++) {
      const { low, high } = this.#leaf(pa + (i * span) / ENTRIES, level + 1, prot);
      this.#entries.store64(made, i, low, high);
    }
    this.#entries.publish(made, 0, TABLE_SIZE);
    const place = {
      ...{ table, offset: index * 8, size: 8 },
      store: (isValid: boolean): void => {
        const low = isValid ? lo32(made) | TYPE.table : 0;
        this.#entries.store64(table, index, low, isValid ? hi32(made) : 0);
      },
    };
    return changeOf(this.#entries, { va: va - (va % span), size: span, span }, [place]);
  }

  destroyRoot(root: PhysAddr): void {
    const count = this.#is64 ? ENTRIES : KERNEL_ENTRY;
    for (let index = 0; index < count; index++) this.#freeBelow(root, index, this.#topLevel);
    this.#context.memory.free(root, TABLE_SIZE);
  }

  /** LPAE: the last of four top-level entries is the kernel's. arm64 has two roots. */
  copyKernelEntries(from: PhysAddr, to: PhysAddr): void {
    if (this.#is64) return;
    const low = this.#entries.read64(from, KERNEL_ENTRY);
    const high = this.#context.isa.high;
    const isThere = this.#entries.read64(to, KERNEL_ENTRY) === low;
    if (!isThere || this.#context.isa.high !== high) {
      this.#entries.write64(to, KERNEL_ENTRY, low, high);
    }
  }

  enable(root: PhysAddr): void {
    const { isa, info } = this.#context;
    const [a, b, c, d, e] = MAIR_BYTES;
    isa.writeSys('MAIR', a | (b << 8) | (c << 16) | (d << 24), e);
    const walk0 =
      (RGN.writeBackAllocate << TCR.irgn0Shift) |
      (RGN.writeBackAllocate << TCR.orgn0Shift) |
      (SH.inner << TCR.sh0Shift);
    if (this.#is64) {
      const walk1 =
        (RGN.writeBackAllocate << TCR.irgn1Shift) |
        (RGN.writeBackAllocate << TCR.orgn1Shift) |
        (SH.inner << TCR.sh1Shift);
      const size = 64 - VA_BITS_64;
      // No user table yet: walks of the lower half fault until one is switched to.
      const sizes = (size << TCR.t0szShift) | (size << TCR.t1szShift);
      const granules = (TCR.tg0Granule4K << TCR.tg0Shift) | (TCR.tg1Granule4K << TCR.tg1Shift);
      isa.writeSys(
        'TCR',
        sizes | granules | walk0 | walk1 | TCR.epd0,
        PA_BITS.findIndex(bits => bits === info.paBits),
      );
      this.#writeRoot('TTBR1', root, 0);
    } else {
      isa.writeSys('TCR', TTBCR.eae | walk0);
      this.#writeRoot('TTBR0', root, 0);
    }
    isa.writeSys('SCTLR', SCTLR.M | SCTLR.C);
    isa.isb();
  }

  switchTo(root: PhysAddr, asid: number): void {
    const { isa } = this.#context;
    isa.dsb();
    this.#writeRoot('TTBR0', root, asid);
    isa.isb();
    if (!this.#is64 || (isa.readSys('TCR') & TCR.epd0) === 0) return;
    // The first table of the lower half: walks begin when it is in its register, not before.
    isa.writeSys('TCR', isa.readSys('TCR') & ~TCR.epd0, isa.readSysHigh('TCR'));
    isa.isb();
  }

  #freeBelow(table: PhysAddr, index: number, level: number): void {
    const low = this.#entries.read64(table, index);
    const high = this.#context.isa.high;
    if (level === LAST_LEVEL || (low & 3) !== TYPE.table) return;
    const below = tableAddress(low, high);
    for (let i = 0; i < ENTRIES; i++) this.#freeBelow(below, i, level + 1);
    this.#context.memory.free(below, TABLE_SIZE);
  }

  #writeRoot(register: 'TTBR0' | 'TTBR1', root: PhysAddr, asid: number): void {
    this.#context.isa.writeSys(
      register,
      lo32(root) | 0,
      (hi32(root) & TTBR_LONG.baseHighMask) | (asid << TTBR_LONG.asidShift),
    );
  }

  /** The highest level at which an entry can cover the rest of the range in one go. */
  #levelFor(va: number, pa: number, left: number): number {
    for (let level = 1; level < LAST_LEVEL; level++) {
      const span = spanOf(level);
      if (va % span === 0 && pa % span === 0 && left >= span) return level;
    }
    return LAST_LEVEL;
  }

  /** The table of `level` for an address, made where it is missing. */
  #tableAt(root: PhysAddr, va: number, level: number): PhysAddr | null {
    let table = root;
    for (let at = this.#topLevel; at < level; at++) {
      const index = this.#index(va, at);
      const low = this.#entries.read64(table, index);
      const high = this.#context.isa.high;
      if ((low & 3) === TYPE.table) {
        table = tableAddress(low, high);
        continue;
      }
      if ((low & 1) !== 0) {
        throw new KernelOops(`a page is to be mapped inside the block at ${hex(va)}`);
      }
      const made = this.#newTable();
      if (made === null) return null;
      this.#entries.write64(table, index, lo32(made) | TYPE.table, hi32(made));
      table = made;
    }
    return table;
  }

  #findLeaf(root: PhysAddr, va: number): { table: PhysAddr | null; level: number } {
    let table = root;
    for (let level = this.#topLevel; ; level++) {
      const low = this.#entries.read64(table, this.#index(va, level));
      const high = this.#context.isa.high;
      if ((low & 1) === 0) return { table: null, level };
      if (level === LAST_LEVEL || (low & 3) === TYPE.block) return { table, level };
      table = tableAddress(low, high);
    }
  }

  /** The table that has the entries of pages around an address; null if there is none. */
  #lastTable(root: PhysAddr, va: number): PhysAddr | null {
    let table = root;
    for (let level = this.#topLevel; level < LAST_LEVEL; level++) {
      const low = this.#entries.read64(table, this.#index(va, level));
      if ((low & 3) !== TYPE.table) return null;
      table = tableAddress(low, this.#context.isa.high);
    }
    return table;
  }

  #writeLeaf(table: PhysAddr, va: number, pa: number, level: number, prot: PgProt): void {
    const { low, high } = this.#leaf(pa, level, prot);
    this.#entries.write64(table, this.#index(va, level), low, high);
  }

  #leaf(pa: number, level: number, prot: PgProt): LongEntry {
    const shareable = prot.memory === 'device' || prot.memory === 'noncached' ? SH.non : SH.inner;
    const low =
      lo32(pa) |
      (level === LAST_LEVEL ? TYPE.page : TYPE.block) |
      (ATTRIBUTE[prot.memory] << LOW.attrIndexShift) |
      (prot.user ? LOW.user | LOW.nonGlobal : 0) |
      (prot.write ? 0 : LOW.readOnly) |
      (shareable << LOW.shareabilityShift) |
      LOW.accessFlag;
    return { low, high: (hi32(pa) & HIGH.paMask) | HIGH.xn | HIGH.pxn };
  }

  #newTable(): PhysAddr | null {
    const table = this.#context.memory.allocate(TABLE_SIZE);
    if (table !== null) this.#entries.clear(table, TABLE_SIZE);
    return table;
  }

  #index(va: number, level: number): number {
    return Math.floor(va / spanOf(level)) % ENTRIES;
  }
}

/** The two halves of an entry. */
interface LongEntry {
  readonly low: number;
  readonly high: number;
}

const INVALID: LongEntry = { low: 0, high: 0 };

const spanOf = (level: number): number => 2 ** (LEVEL_SHIFT[level] ?? 12);

const tableAddress = (low: number, high: number): PhysAddr =>
  physAddr(join64(low & ~0xfff, high & HIGH.paMask));
