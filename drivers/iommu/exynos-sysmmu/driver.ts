import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver } from '../../base/kernel/device';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqReturn } from '../../base/kernel/irq';
import { hex } from '../../base/types/address';
import { EXYNOS_TABLES, EXYNOS_V5_TABLES } from '../../../mm/io-pgtable/exynos';
import { TableIommu } from '../../../mm/io-pgtable/table-iommu';
import { SysmmuHardware } from './driver/mmu';
import { COMPATIBLE } from './regs';

const V5_MASK = 2 ** 36 - 1;

/** The driver of one SYSMMU; those of one master share its domain (drivers/iommu/exynos-iommu.c). */
export class SysmmuDevice extends TableIommu {
  readonly #hardware: SysmmuHardware;

  constructor(dev: Device, hardware: SysmmuHardware) {
    super(dev, hardware.isV5 ? EXYNOS_V5_TABLES : EXYNOS_TABLES);
    this.#hardware = hardware;
    if (!hardware.isV5) return;
    dev.dma.mask = V5_MASK;
    dev.dma.coherentMask = V5_MASK;
  }

  flushPages(start: number, size: number, pageSize: number): void {
    this.#hardware.flushPages(start, size, pageSize);
  }

  flushAll(): void {
    this.#hardware.flushAll();
  }

  protected disable(): void {
    this.#hardware.disable();
  }

  protected enable(table: number): number {
    this.#hardware.enable(table);
    return 0;
  }

  /** Nobody recovers what nobody handles: where Linux stops (BUG), this has said so, and goes on. */
  protected interrupt(): IrqReturn {
    const fault = this.#hardware.pending();
    if (fault === null) return IRQ_NONE;
    const { name, address, write } = fault;
    if (!this.isAttached || this.told(address, write, name) !== 0) {
      this.log(`[${write ? 'WRITE' : 'READ'}] ${name} FAULT occurred at ${hex(address)}`);
      this.#logTable(address);
    }
    this.#hardware.clear(fault);
    return IRQ_HANDLED;
  }

  #logTable(address: number): void {
    const { table } = this;
    if (table === null) return;
    const [first, second] = table.wordsAt(address);
    this.log(`Page table base: ${hex(table.address)}`);
    this.log(`\tLv1 entry: ${hex(first)}`);
    if (second !== null) this.log(`\tLv2 entry: ${hex(second)}`);
  }
}

export const sysmmuDriver: Driver<SysmmuDevice> = {
  name: 'exynos-sysmmu',
  compatible: COMPATIBLE,
  /** Without an interrupt that the board has wired, nobody hears of faults. */
  probe: dev =>
    probeMapped(dev, base => {
      const iommu = new SysmmuDevice(dev, new SysmmuHardware(dev, base));
      const result = iommu.start();
      return result === 0 ? iommu : result;
    }),
};
