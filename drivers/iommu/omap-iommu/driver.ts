import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver } from '../../base/kernel/device';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqReturn } from '../../base/kernel/irq';
import { hex } from '../../base/types/address';
import { OMAP_TABLES } from '../../../mm/io-pgtable/omap';
import { TableIommu } from '../../../mm/io-pgtable/table-iommu';
import { OmapMmu } from './driver/mmu';
import type { TlbEntry } from './driver/mmu';
import { COMPATIBLE } from './regs';

/** What the tree says of one, beside its registers and interrupt. */
export interface OmapOptions {
  /** `ti,#tlb-entries`. */
  readonly tlbEntries: number;
  /** `ti,iommu-bus-err-back`. */
  readonly hasBusErrorBack: boolean;
}

/** Pages up to which each is looked for in the TLB; of more, all entries go. */
const MOST_SINGLE = 16;

/**
 * The driver of one OMAP IOMMU (drivers/iommu/omap-iommu.c). It has no `.of_xlate`: the DMA API of its
 * masters is direct, and drivers attach them to domains of their own.
 */
export class OmapIommuDevice extends TableIommu {
  readonly #mmu: OmapMmu;
  readonly #options: OmapOptions;

  constructor(dev: Device, mmu: OmapMmu, options: OmapOptions) {
    super(dev, OMAP_TABLES);
    this.#mmu = mmu;
    this.#options = options;
  }

  defaultDomainType(): 'identity' {
    return 'identity';
  }

  /** Without table walks, the MMU knows what `load` tells it, and no more (__iommu_set_twl). */
  setTableWalk(isOn: boolean): void {
    const { table } = this;
    if (table !== null) this.#mmu.enable(table.address, isOn, this.#options.hasBusErrorBack);
  }

  /** Puts an entry into the TLB: 0, or -EBUSY without room (load_iotlb_entry). */
  load(entry: TlbEntry): number {
    return this.#mmu.load(entry);
  }

  flushPages(start: number, size: number, pageSize: number): void {
    if (size / pageSize > MOST_SINGLE) {
      this.#mmu.flushAll();
      return;
    }
    for (let at = start; at < start + size; at += pageSize) this.#mmu.flushPage(at);
  }

  flushAll(): void {
    this.#mmu.flushAll();
  }

  protected disable(): void {
    this.#mmu.disable();
  }

  protected enable(table: number): number {
    this.#mmu.flushAll();
    this.#mmu.enable(table, true, this.#options.hasBusErrorBack);
    return 0;
  }

  /** What nobody handles is said, and is the last: whoever waits goes on waiting (iommu_fault_handler). */
  protected interrupt(): IrqReturn {
    const { bits, address } = this.#mmu.takeFault();
    if (bits === 0) return IRQ_NONE;
    if (this.told(address, false, hex(bits)) === 0) return IRQ_HANDLED;
    this.#mmu.ignoreFaults();
    const [first, second] = this.table?.wordsAt(address) ?? [0, null];
    const entry = second === null ? '' : ` *pte:${hex(second)}`;
    const text = `errs:${hex(bits)} da:${hex(address)} *pgd:${hex(first)}${entry}`;
    this.log(`${this.name}: ${text}`);
    return IRQ_HANDLED;
  }
}

/** The driver, with what the tree says of the one that it is for. */
export const omapIommuDriver = (options: OmapOptions): Driver<OmapIommuDevice> => ({
  name: 'omap-iommu',
  compatible: COMPATIBLE,
  /** Without an interrupt that the board has wired, nobody hears of faults. */
  probe: dev =>
    probeMapped(dev, base => {
      const mmu = new OmapMmu(dev, base, options.tlbEntries);
      const iommu = new OmapIommuDevice(dev, mmu, options);
      const result = iommu.start();
      if (result !== 0) return result;
      dev.services.log.device('info', dev, `${dev.name} registered, version ${mmu.version}`);
      return iommu;
    }),
});
