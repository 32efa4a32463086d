import type { Device } from '../../../base/kernel/device';
import { EBUSY } from '../../../base/kernel/errno';
import { ioRegisters } from '../../../base/kernel/registers';
import type { IoRegisters } from '../../../base/kernel/registers';
import type { CpuAddr } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { LARGE_PAGE, SECTION, SUPERSECTION } from '../../regs/omap';
import { OMAP_IOMMU, PageSize, SPAN_OF } from '../regs';

/** A translation that software puts into the TLB itself (struct iotlb_entry). */
export interface TlbEntry {
  readonly start: number;
  readonly address: number;
  /** One of the four page sizes. */
  readonly size: number;
  /** It stays until it is flushed for itself, and is never replaced. */
  readonly preserved: boolean;
}

const FAULTS = { TRANSLATION_FAULT: 1, EMU_MISS: 1, MULTI_HIT: 1 } as const;

const sizeOf = (bytes: number): number => {
  if (bytes === SUPERSECTION) return PageSize.Super;
  if (bytes === SECTION) return PageSize.Section;
  return bytes === LARGE_PAGE ? PageSize.Large : PageSize.Small;
};

/** The MMU as its driver commands it. */
export class OmapMmu {
  readonly #regs: IoRegisters<typeof OMAP_IOMMU>;
  readonly #entries: number;

  constructor(dev: Device, base: CpuAddr, entries: number) {
    this.#regs = ioRegisters(OMAP_IOMMU, dev.services.io, base);
    this.#entries = entries;
  }

  /** Major and minor. */
  get version(): string {
    const { REV } = this.#regs.REVISION.read();
    return `${Math.floor(REV / 16)}.${REV % 16}`;
  }

  /** omap2_iommu_enable(), with table walks, or with the TLB that software fills alone. */
  enable(table: number, walks: boolean, answersBusErrors: boolean): void {
    this.#regs.TTB.write(table);
    if (answersBusErrors) this.#regs.GP_REG.write({ BUS_ERROR_BACK: 1 });
    this.#regs.IRQENABLE.write(
      walks ? { ...FAULTS, TABLE_WALK_FAULT: 1 } : { ...FAULTS, TLB_MISS: 1 },
    );
    this.#regs.CNTL.write({ ENABLE: 1, WALK: walks ? 1 : 0 });
  }

  /** Addresses pass unchanged. */
  disable(): void {
    this.#regs.CNTL.write(0);
  }

  ignoreFaults(): void {
    this.#regs.IRQENABLE.write(0);
  }

  /** What it interrupts for, acknowledged: the bits, 0 for none, and the address. */
  takeFault(): { readonly bits: number; readonly address: number } {
    const { value: bits } = this.#regs.IRQSTATUS.read();
    if (bits === 0) return { bits, address: 0 };
    const { value: address } = this.#regs.FAULT_AD.read();
    this.#regs.IRQSTATUS.write(bits);
    return { bits, address };
  }

  flushAll(): void {
    this.#regs.LOCK.write({ BASE: 0, VICTIM: 0 });
    this.#regs.GFLUSH.write({ GO: 1 });
  }

  /** The entry for an address, if there is one: all are looked at (flush_iotlb_page). */
  flushPage(address: number): void {
    for (let i = 0; i < this.#entries; i++) {
      const cam = this.#camAt(i);
      if (cam.VALID === 0) continue;
      const span = SPAN_OF[cam.SIZE] ?? PAGE_SIZE;
      const start = cam.TAG * PAGE_SIZE;
      if (address < start || address >= start + span) continue;
      this.#regs.CAM.write(cam.value);
      this.#regs.RAM.write(this.#regs.READ_RAM.read().value);
      this.#regs.FLUSH_ENTRY.write({ GO: 1 });
      return;
    }
  }

  /** Puts an entry into the TLB: 0, or -EBUSY without room (load_iotlb_entry). */
  load({ start, address, size, preserved }: TlbEntry): number {
    const { BASE } = this.#regs.LOCK.read();
    if (BASE === this.#entries - 1) return -EBUSY;
    const place = preserved ? BASE : this.#freeEntry(BASE);
    if (place < 0) return place;
    this.#regs.LOCK.write({ BASE, VICTIM: place });
    this.#regs.CAM.write({
      TAG: start / PAGE_SIZE,
      VALID: 1,
      PRESERVED: preserved ? 1 : 0,
      SIZE: sizeOf(size),
    });
    this.#regs.RAM.write({ ADDRESS: address / PAGE_SIZE });
    this.#regs.LD_TLB.write({ GO: 1 });
    const base = preserved ? BASE + 1 : BASE;
    const next = place + 1 < this.#entries ? place + 1 : base;
    this.#regs.LOCK.write({ BASE: base, VICTIM: Math.max(next, base) });
    return 0;
  }

  #freeEntry(base: number): number {
    for (let i = base; i < this.#entries; i++) {
      if (this.#camAt(i).VALID === 0) return i;
    }
    return -EBUSY;
  }

  /** The victim is left on the entry. */
  #camAt(index: number): {
    readonly value: number;
    readonly VALID: number;
    readonly SIZE: number;
    readonly TAG: number;
  } {
    this.#regs.LOCK.update({ VICTIM: index });
    return this.#regs.READ_CAM.read();
  }
}
