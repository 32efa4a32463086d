import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import { ENOMEM } from '../../../drivers/base/kernel/errno';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import type { UserVma } from '../../../drivers/base/kernel/user-vma';
import { FaultKind } from '../../../drivers/base/types/isa';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { pageToPhys } from '../../../mm/page-alloc';
import { PAGE_SHARED, withMemory } from '../../../mm/pgprot';
import type { PgProt } from '../../../mm/pgprot';
import { contextSync } from './barrier';
import type { ArmMm } from './init';

/** ASID 0 is the kernel's own; eight bits in every format here. */
const ASIDS = 256;

/** A user address space (struct mm_struct): a table of its own and an ASID. */
export interface AddressSpaceOfUser {
  readonly root: PhysAddr;
  asid: number;
  /** The generation of ASIDs that `asid` belongs to. */
  generation: number;
  /** What is mapped, by address. */
  readonly pages: Map<number, Page>;
}

/**
 * User address spaces and the switch between them (arch/arm/mm/context.c). ASIDs are handed out
 * in turn; when they run out a new generation begins and every TLB is emptied.
 */
export class UserSpaces {
  readonly #mm: ArmMm;
  #next = 1;
  /** Belongs to the space that was in force when this generation began; 0: none was. */
  #reserved = 0;
  #generation = 1;
  #current: AddressSpaceOfUser | null = null;

  constructor(mm: ArmMm) {
    this.#mm = mm;
    mm.faults.addFixup(fault => this.#syncKernelEntry(fault.kind, fault.address));
  }

  create(): AddressSpaceOfUser {
    const root = this.#mm.tables.createRoot();
    this.#mm.tables.copyKernelEntries(this.#mm.root, root);
    this.#mm.roots.add(root);
    return { root, asid: 0, generation: 0, pages: new Map() };
  }

  /** Maps a page at a user address that has none so far. False: no memory for a table. */
  mapPage(space: AddressSpaceOfUser, va: number, page: Page, prot: PgProt = PAGE_SHARED): boolean {
    const { info, kmap, cache } = this.#mm;
    // Dirty lines of the kernel's own address of the page would be written over it later. Uncached
    // memory has none, and its address in the linear map may not be mapped at all.
    if ((info.isVivt || info.isAliasing) && prot.memory === 'cached') {
      kmap.with(page, address => {
        cache.dmaFlushRange(address, PAGE_SIZE);
      });
    }
    const made = this.#mm.tables.map(space.root, {
      va,
      pa: pageToPhys(page),
      size: PAGE_SIZE,
      prot,
      blocks: false,
    });
    contextSync(this.#mm.cpu, info);
    if (made) space.pages.set(va, page);
    return made;
  }

  /** An area of a space for a driver's mmap to fill; its pages stay the driver's. */
  vma(space: AddressSpaceOfUser, start: number, size: number, pgoff = 0): UserVma {
    return {
      start,
      size,
      pgoff,
      insertPage: (address, page, memory) =>
        this.mapPage(space, address, page, withMemory(PAGE_SHARED, memory)) ? 0 : -ENOMEM,
    };
  }

  /** Gives a space's tables back; it must not be the current one, and its pages are the caller's. */
  destroy(space: AddressSpaceOfUser): void {
    if (space === this.#current) throw new KernelOops('an address space in use is destroyed');
    const { info, cache } = this.#mm;
    // Its dirty lines outlive its translations (flush_cache_mm); VIVT lost them at the switch.
    if (info.isAliasing) cache.flushKernAll();
    this.#mm.tlb.flushAsid(space.asid);
    this.#mm.roots.delete(space.root);
    this.#mm.tables.destroyRoot(space.root);
  }

  unmapPage(space: AddressSpaceOfUser, va: number): void {
    const { tables, tlb } = this.#mm;
    this.#flushCachePage(space, va);
    tables.unmap(space.root, va, PAGE_SIZE);
    space.pages.delete(va);
    tlb.flushUserPage(va, space.asid);
  }

  /**
   * flush_cache_page. A virtually tagged cache has lines of the current space only, and writes them
   * back by its translation. With physical tags, lines of any space are found by their colour.
   */
  #flushCachePage(space: AddressSpaceOfUser, va: number): void {
    const { info, cache, kmap } = this.#mm;
    if (info.isVivt && space === this.#current) cache.dmaFlushRange(va, PAGE_SIZE);
    const page = space.pages.get(va);
    if (info.isAliasing && page !== undefined) kmap.flushPfnAlias(page, va);
  }

  /** Puts another page at an address: break before make, so no TLB ever sees both. */
  replacePage(
    space: AddressSpaceOfUser,
    va: number,
    page: Page,
    prot: PgProt = PAGE_SHARED,
  ): boolean {
    this.unmapPage(space, va);
    return this.mapPage(space, va, page, prot);
  }

  /** switch_mm. */
  switchTo(space: AddressSpaceOfUser): void {
    const { info, cache, tables, tlb } = this.#mm;
    if (info.isVivt) cache.flushKernAll();
    if (space.generation !== this.#generation) this.#newAsid(space);
    tables.switchTo(space.root, space.asid);
    // Without ASIDs the TLB still holds the pages of the space before.
    if (info.isVivt) tlb.flushLocal();
    this.#current = space;
  }

  /** Back to the kernel's own tables, before a space that is in use goes away. */
  switchToKernel(): void {
    const { info, cache, tables, tlb, root } = this.#mm;
    if (info.isVivt) cache.flushKernAll();
    if (info.image === 'arm64') tables.switchTo(this.#emptyRoot(), 0);
    else tables.switchTo(root, 0);
    if (info.isVivt) tlb.flushLocal();
    this.#current = null;
  }

  #empty: PhysAddr | null = null;

  /** arm64: the lower half then has a table without entries (reserved_pg_dir). */
  #emptyRoot(): PhysAddr {
    this.#empty ??= this.#mm.tables.createRoot();
    return this.#empty;
  }

  #newAsid(space: AddressSpaceOfUser): void {
    if (this.#next === this.#reserved) this.#next++;
    if (this.#next === ASIDS) this.#newGeneration();
    space.asid = this.#next++;
    space.generation = this.#generation;
  }

  /**
   * flush_context. The space in force keeps its ASID: until the switch, a walk may still fill a TLB
   * with its entries (reserved_asids).
   */
  #newGeneration(): void {
    const current = this.#current;
    this.#generation++;
    this.#reserved = current?.asid ?? 0;
    this.#next = this.#reserved === 1 ? 2 : 1;
    if (current !== null) current.generation = this.#generation;
    this.#mm.tlb.flushAll();
  }

  /** A kernel mapping made after the space was: its first-level entry is copied (do_translation_fault). */
  #syncKernelEntry(kind: FaultKind, address: number): boolean {
    const { layout, tables, root, info } = this.#mm;
    const space = this.#current;
    if (space === null || kind !== FaultKind.Translation || info.image !== 'arm') return false;
    if (address < layout.pageOffset) return false;
    const before = tables.writes;
    tables.copyKernelEntries(root, space.root);
    return tables.writes !== before;
  }
}
