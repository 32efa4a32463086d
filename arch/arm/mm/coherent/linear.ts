import { KernelOops } from '../../../../drivers/base/kernel/oops';
import type { CpuAddr, PhysAddr } from '../../../../drivers/base/types/address';
import { hex, offsetBy } from '../../../../drivers/base/types/address';
import { PAGE_SIZE, alignDown } from '../../../../drivers/base/types/bits';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import type { PgMemory } from '../../../../mm/pgprot';
import { KERNEL_IMAGE_SIZE } from '../init';
import type { ArmMm } from '../init';
import type { EntryChange } from '../pgtable';
import { stepsOf } from './steps';
import type { Change, MappingStep, Purpose, StepName, StepOrder } from './steps';

/** What of the linear map changes for the sake of memory that is not cached. */
export class LinearMapping {
  /** Blocks that became tables since boot. */
  splits = 0;
  readonly #mm: ArmMm;
  readonly #order: StepOrder;

  constructor(mm: ArmMm, order: StepOrder) {
    this.#mm = mm;
    this.#order = order;
  }

  /** Where the linear map has lowmem. */
  addressOf(phys: PhysAddr): CpuAddr {
    const address = this.#mm.layout.physToVirt(phys);
    if (address === null) throw new KernelOops(`${hex(phys)} is not of lowmem`);
    return address;
  }

  /** Whether each page of lowmem in the range has an entry of its own, valid or not. */
  isInPages(phys: PhysAddr, size: number): boolean {
    return this.#pages(phys, size, 'cached') !== null;
  }

  /** Gives pages of the linear map that are in use other attributes, where they are. */
  makeUncached(phys: PhysAddr, size: number, memory: PgMemory): void {
    this.#change('make uncached', phys, size, memory);
  }

  /**
   * And those of ordinary memory, before the pages go back. The last uncached writes leave every
   * buffer first: one that waits behind the outer cache would land on what the next owner writes.
   */
  makeCached(phys: PhysAddr, size: number): void {
    this.#mm.barriers.mb();
    this.#change('make cached', phys, size, 'cached');
  }

  /** Takes pages out of the linear map. */
  unmap(phys: PhysAddr, size: number): void {
    this.#change('unmap', phys, size, 'cached');
  }

  /** Puts them in again. */
  map(phys: PhysAddr, size: number): void {
    this.#change('map', phys, size, 'cached');
  }

  /** Takes unmapped memory out of the caches, through an uncached mapping that it has elsewhere. */
  finishUnmap(address: CpuAddr, phys: PhysAddr, size: number): void {
    this.#run('finish unmap', { entries: null, flushed: { address, phys, size } });
  }

  /** Takes memory out of the caches through some mapping of it, and changes nothing else. */
  flush(address: CpuAddr, phys: PhysAddr, size: number): void {
    this.#run('flush', { entries: null, flushed: { address, phys, size } });
  }

  /**
   * Gives each page in the range an entry of its own, by splitting blocks while the kernel runs; why
   * that cannot be done, or null. As under stop_machine(): no other CPU runs, no interrupt is taken.
   * While the block is broken nobody may need what it maps: neither the kernel's image nor the
   * tables whose entries change.
   */
  splitBlocks(phys: PhysAddr, size: number): string | null {
    for (let done = 0; done < size; done += PAGE_SIZE) {
      for (;;) {
        const at = offsetBy(phys, done);
        const span = this.spanAt(at);
        if (span <= PAGE_SIZE) break;
        const refused = this.#split(at, span);
        if (refused !== null) return refused;
      }
    }
    return null;
  }

  /** Bytes that the linear map has in one entry there; 0 where it has nothing. */
  spanAt(phys: PhysAddr): number {
    const { tables, root } = this.#mm;
    return tables.spanAt(root, this.addressOf(phys));
  }

  #split(phys: PhysAddr, span: number): string | null {
    const { cpu, layout, roots, tables } = this.#mm;
    const start = alignDown(phys, span);
    const image = layout.physOffset;
    if (start < image + KERNEL_IMAGE_SIZE && image < start + span) {
      return `the block at ${hex(start)} cannot be split: it maps the kernel itself`;
    }
    const address = this.addressOf(phys);
    const places = tables.placesOf([...roots], address);
    if (places.some(place => place >= start && place < start + span)) {
      return `the block at ${hex(start)} cannot be split: it maps the tables that would change`;
    }
    const entries = tables.split([...roots], address, PAGE_KERNEL);
    if (entries === null) return 'no memory for a translation table';
    const wereEnabled = cpu.setInterruptsEnabled(false);
    this.#run('split', { entries, flushed: { address, phys, size: 0 } });
    cpu.setInterruptsEnabled(wereEnabled);
    this.splits++;
    return null;
  }

  #pages(phys: PhysAddr, size: number, memory: PgMemory): EntryChange | null {
    const { tables, root } = this.#mm;
    const va = this.addressOf(phys);
    return tables.pages(root, { va, pa: phys, size, prot: withMemory(PAGE_KERNEL, memory) });
  }

  #change(purpose: Purpose, phys: PhysAddr, size: number, memory: PgMemory): void {
    const entries = this.#pages(phys, size, memory);
    if (entries === null) throw new KernelOops(`the linear map at ${hex(phys)} is not in pages`);
    this.#run(purpose, { entries, flushed: { address: this.addressOf(phys), phys, size } });
  }

  #run(purpose: Purpose, change: Change): void {
    const due = stepsOf(purpose, this.#mm).map(name => this.#step(name, change));
    for (const { run } of this.#order(purpose, due)) run();
  }

  #step(name: StepName, { entries, flushed }: Change): MappingStep {
    const mm = this.#mm;
    const { address, phys, size } = flushed;
    const runs: Readonly<Record<StepName, () => void>> = {
      'clear entries': () => {
        entries?.clear();
      },
      'write entries': () => {
        entries?.write();
      },
      'publish entries': () => {
        entries?.publish();
      },
      'invalidate TLB': () => {
        if (entries !== null) mm.tlb.issueKernelRange(entries.va, entries.size, entries.span);
      },
      complete: () => {
        mm.tlb.complete();
      },
      'flush inner caches': () => {
        const flushInner = (): void => {
          mm.cache.dmaFlushRange(address, size);
        };
        flushInner();
        if (!mm.info.broadcasts) mm.cpu.onOthers(flushInner);
      },
      // A load through an uncached mapping waits for no register of the outer cache by itself.
      'flush outer cache': () => {
        mm.outer.flushRange(phys, size);
        mm.barriers.rmb();
      },
    };
    return { name, run: runs[name] };
  }
}
