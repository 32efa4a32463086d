import type { CurrentCpu } from '../../../drivers/base/kernel/current-cpu';
import type { Barriers } from '../../../drivers/base/kernel/barriers';
import { gated } from '../../../drivers/base/kernel/call-gate';
import type { CallGate } from '../../../drivers/base/kernel/call-gate';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import type { IoBarriers } from '../../../drivers/base/kernel/io';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { Isa } from '../../../drivers/base/types/isa';
import { GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import { PageAllocator, pageToPhys, physToPage } from '../../../mm/page-alloc';
import { PAGE_KERNEL } from '../../../mm/pgprot';
import { VmallocSpace } from '../../../mm/vmalloc';
import { getOrder } from '../../../mm/zone';
import { ACTLR } from '../regs/sysreg';
import { makeBarriers } from './barrier';
import type { CacheFns } from './cache-fns';
import { noOuterCache } from './cache-l2x0';
import type { OuterCacheFns } from './cache-l2x0';
import { cacheV4wb } from './cache-v4wb';
import { cacheV6 } from './cache-v6';
import { cacheV7 } from './cache-v7';
import { cacheV8 } from './cache-v8';
import { probeCpu } from './cpu-info';
import type { CpuInfo, KernelImage } from './cpu-info';
import { EarlyMemory } from './early-memory';
import { FaultHandler } from './fault';
import { Kmap } from './kmap';
import { layoutFor } from './layout';
import type { KernelLayout, RamRange } from './layout';
import type { PageTables, TableContext } from './pgtable';
import { LongTables } from './pgtable-long';
import { FlatTables } from './pgtable-nommu';
import { ShortTables } from './pgtable-short';
import { makeTlbFns } from './tlb';
import type { TlbFns } from './tlb';

/** What the boot loader and the device tree tell the kernel of memory. */
export interface BootMemory {
  readonly image: KernelImage;
  readonly ram: readonly RamRange[];
  /** In use already, but mapped like other RAM. */
  readonly reserved: readonly RamRange[];
  /** Not to be mapped at all (`no-map`). */
  readonly noMap: readonly RamRange[];
  /** Highest physical address that ZONE_DMA may hold, or null: no such zone. */
  readonly dmaLimit: number | null;
  /** Use LPAE where the core has it. */
  readonly lpae: boolean;
  /** Of the linear map, what is not to be made of sections and blocks: all, or these ranges. */
  readonly inPages?: 'all' | readonly RamRange[];
  /** Memory that the page allocator does not get. */
  readonly setAside?: readonly SetAside[];
  /** Memory to bounce through; absent: none. */
  readonly bounce?: SetAside | null;
}

/** Lowmem that is set aside at boot, wherever there is room. */
export interface SetAside {
  readonly size: number;
  readonly align: number;
  /** Lowest byte that it may have; absent: any. */
  readonly start?: number;
  /** One past the highest byte that it may have; null: any. */
  readonly end: number | null;
  /** Not mapped at all, as by `no-map`; in pages; or as memory around it is. */
  readonly linearMap: 'none' | 'pages' | 'any';
  /** Where there is no room, half of it is tried, down to so many bytes; absent: nothing else is. */
  readonly least?: number;
}

/** What the kernel image itself takes of the first megabyte of RAM. */
export const KERNEL_IMAGE_SIZE = 0x10_0000;
const FOUR_GIB = 2 ** 32;
/** Physical addresses of short descriptors, and of cores without tables. */
const SHORT_PA_BITS = 32;

/**
 * The architecture's part of a booted kernel: its caches, barriers, tables and address map
 * (setup_arch, paging_init, mem_init).
 */
export class ArmMm {
  readonly cpu: CurrentCpu;
  readonly info: CpuInfo;
  readonly layout: KernelLayout;
  readonly cache: CacheFns;
  readonly barriers: Barriers;
  readonly ioBarriers: IoBarriers;
  readonly tlb: TlbFns;
  readonly tables: PageTables;
  readonly faults = new FaultHandler();
  readonly pages: PageAllocator;
  readonly vmalloc: VmallocSpace | null;
  readonly kmap: Kmap;
  /** swapper_pg_dir. */
  readonly root: PhysAddr;
  /** First-level tables that have the kernel's entries: its own, and copies in those of users. */
  readonly roots = new Set<PhysAddr>();
  /** What was set aside, in the order in which it was asked for; null where there was no room. */
  readonly setAside: readonly (RamRange | null)[];
  /** Where there is memory to bounce through; null: nowhere. */
  readonly bounce: RamRange | null;
  /** The cache outside the cores; none until its driver has switched one on. */
  outer: OuterCacheFns = noOuterCache();
  /** Pages of the allocator that translation tables hold. */
  tablePages = 0;

  #translationIsOn = false;

  constructor(cpu: CurrentCpu, boot: BootMemory, gate: CallGate | null = null) {
    this.cpu = cpu;
    this.info = probeCpu(cpu, boot.image);
    const isLong = this.info.type === 'v8' || (boot.lpae && this.info.hasLpae);
    this.layout = layoutFor(boot.image, boot.ram, isLong ? this.info.paBits : SHORT_PA_BITS);
    this.cache = gated(gate, 'cache', this.#cacheFns());
    const made = makeBarriers(cpu, this.info.type, {
      sync: () => {
        this.outer.sync();
      },
    });
    this.barriers = gated(gate, 'barrier', made.barriers);
    this.ioBarriers = gated(gate, 'barrier', made.io);
    this.tlb = gated(gate, 'tlb', makeTlbFns(cpu, this.info));

    const early = this.#earlyMemory(boot);
    this.setAside = (boot.setAside ?? []).map(wish => place(wish, early));
    this.bounce = boot.bounce ? place(boot.bounce, early) : null;
    this.tables = this.#makeTables(isLong, early);
    this.#setVectors(cpu);
    this.cache.invalidateL1();
    this.root = this.tables.createRoot();
    this.roots.add(this.root);
    this.#mapLowmem(boot);
    this.#startCaching(cpu);
    this.tlb.flushLocal();
    this.tables.enable(this.root);
    this.#translationIsOn = true;

    const { vmalloc } = this.layout;
    this.vmalloc = vmalloc === null ? null : new VmallocSpace(vmalloc.start, vmalloc.end);
    this.kmap = new Kmap(this);
    this.pages = new PageAllocator(
      {
        ranges: early.freeRanges(),
        dmaEnd: boot.dmaLimit === null ? null : Math.floor((boot.dmaLimit + 1) / PAGE_SIZE),
        dma32End: dma32EndOf(this.layout),
        lowEnd: this.layout.lowmemEnd / PAGE_SIZE,
      },
      {
        clearPage: page => {
          this.#clearPage(page);
        },
      },
    );
  }

  /** A secondary CPU takes over what CPU 0 set up (secondary_start_kernel). */
  startSecondary(isa: Isa): void {
    const boot = this.cpu;
    const number = boot.online;
    const registers = this.tables.registers.map(
      name => [name, boot.readSys(name), boot.readSysHigh(name)] as const,
    );
    const sctlr = boot.readSys('SCTLR');
    boot.add(isa);
    boot.on(number, () => {
      this.#setVectors(isa);
      this.cache.invalidateL1();
      this.tlb.flushLocal();
      for (const [name, low, high] of registers) isa.writeSys(name, low, high);
      this.#startCaching(isa);
      isa.writeSys('SCTLR', sctlr);
      isa.isb();
    });
  }

  /** Takes interrupts from now on, on every CPU that is up. */
  handleInterrupts(handle: () => void): void {
    this.#onInterrupt = handle;
  }

  #onInterrupt: () => void = () => {
    throw new KernelOops('an interrupt, and nobody to handle it');
  };

  #setVectors(isa: Isa): void {
    isa.setVectors({
      abort: fault => this.faults.handle(fault),
      interrupt: () => {
        this.#onInterrupt();
      },
    });
  }

  #cacheFns(): CacheFns {
    const { type, lineSize, levels } = this.info;
    const line = lineSize === 0 ? 32 : lineSize;
    switch (type) {
      case 'v4wb':
        return cacheV4wb(this.cpu, line);
      case 'v6':
        return cacheV6(this.cpu, line);
      case 'v7':
        return cacheV7(this.cpu, line, levels);
      case 'v8':
        return cacheV8(this.cpu, line, levels);
    }
  }

  #earlyMemory(boot: BootMemory): EarlyMemory {
    const early = new EarlyMemory(this.layout.ram, this.layout.lowmemEnd);
    early.reserve(this.layout.physOffset, KERNEL_IMAGE_SIZE);
    for (const { base, size } of [...boot.reserved, ...boot.noMap]) early.reserve(base, size);
    return early;
  }

  #makeTables(isLong: boolean, early: EarlyMemory): PageTables {
    if (this.layout.image === 'nommu') return new FlatTables(this.cpu);
    const context: TableContext = {
      isa: this.cpu,
      info: this.info,
      cache: this.cache,
      memory: {
        allocate: size => (this.#translationIsOn ? this.#tableOf(size) : early.allocate(size)),
        free: (table, size) => {
          this.tablePages -= 2 ** getOrder(size);
          this.pages.freePagesAt(physToPage(table), getOrder(size));
        },
        virtual: table => this.#tableAddress(table),
      },
    };
    return isLong ? new LongTables(context) : new ShortTables(context);
  }

  #tableOf(size: number): PhysAddr | null {
    const page = this.pages.allocKernelPages(GFP_KERNEL, getOrder(size));
    if (page === null) return null;
    this.tablePages += 2 ** getOrder(size);
    return pageToPhys(page);
  }

  /** Before translation is on, tables are reached by their physical addresses. */
  #tableAddress(table: PhysAddr): number {
    if (!this.#translationIsOn) return table;
    const address = this.layout.physToVirt(table);
    if (address === null) throw new KernelOops('a translation table outside lowmem');
    return address;
  }

  /**
   * map_lowmem: the linear map, in sections where the alignment permits, without no-map ranges. What
   * is asked for in pages is (MT_MEMORY_DMA_READY): entries of pages can be changed later.
   */
  #mapLowmem({ noMap, inPages = [], setAside = [] }: BootMemory): void {
    const placed = (how: SetAside['linearMap']): RamRange[] =>
      setAside.flatMap(({ linearMap }, i) => (linearMap === how ? (this.setAside[i] ?? []) : []));
    const mapped = subtract(this.layout.ram, [...noMap, ...placed('none')]);
    if (inPages === 'all') {
      this.#mapLinear(mapped, false);
      return;
    }
    const pages = [...inPages, ...placed('pages')];
    const blocks = subtract(mapped, pages);
    this.#mapLinear(subtract(mapped, blocks), false);
    this.#mapLinear(blocks, true);
  }

  #mapLinear(ranges: readonly RamRange[], blocks: boolean): void {
    const { physOffset, pageOffset, lowmemEnd } = this.layout;
    for (const { base, size } of ranges) {
      const end = Math.min(base + size, lowmemEnd);
      if (end <= base) continue;
      this.tables.map(this.root, {
        va: base - physOffset + pageOffset,
        pa: base,
        size: end - base,
        prot: PAGE_KERNEL,
        blocks,
      });
    }
  }

  /** A core of a multiprocessor joins the coherent domain before its cache goes on. */
  #startCaching(isa: Isa): void {
    if (this.info.type === 'v7' && this.info.broadcasts)
      isa.writeSys('ACTLR', ACTLR.SMP | ACTLR.FW);
  }

  #clearPage(page: Page): void {
    this.kmap.with(page, address => {
      for (let offset = 0; offset < PAGE_SIZE; offset += 4) this.cpu.store32(address + offset, 0);
    });
  }
}

/** Takes memory for what is to be set aside; null if there is no room. */
const place = (wish: SetAside, early: EarlyMemory): RamRange | null => {
  for (let { size } = wish; size >= (wish.least ?? wish.size); size /= 2) {
    const base = early.allocateBelow(size, wish.align, wish.end ?? Infinity, wish.start);
    if (base !== null) return { base, size };
  }
  return null;
};

/**
 * One past the last frame of ZONE_DMA32, which is arm64's only: 4 GiB, or all of RAM where no RAM
 * lies below (max_zone_phys).
 */
const dma32EndOf = ({ image, ram: [first], lowmemEnd }: KernelLayout): number | null => {
  if (image !== 'arm64') return null;
  return (first !== undefined && first.base >= FOUR_GIB ? lowmemEnd : FOUR_GIB) / PAGE_SIZE;
};

/** The parts of `ranges` outside `holes`, cut to whole pages. */
const subtract = (ranges: readonly RamRange[], holes: readonly RamRange[]): RamRange[] => {
  let left = [...ranges];
  for (const hole of holes) {
    left = left.flatMap(({ base, size }) => {
      const before = Math.min(base + size, hole.base) - base;
      const after = base + size - Math.max(base, hole.base + hole.size);
      if (before >= size || after >= size) return [{ base, size }];
      return [
        ...(before > 0 ? [{ base, size: before }] : []),
        ...(after > 0 ? [{ base: base + size - after, size: after }] : []),
      ];
    });
  }
  return left;
};
