import type { Device, Driver } from '../../base/kernel/device';
import { EFAULT, EIO, ENOMEM, ETIMEDOUT } from '../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqReturn } from '../../base/kernel/irq';
import { hex } from '../../base/types/address';
import type { CpuAddr } from '../../base/types/address';
import { ROCKCHIP_TABLES, ROCKCHIP_V2_TABLES } from '../../../mm/io-pgtable/rockchip';
import { TableIommu } from '../../../mm/io-pgtable/table-iommu';
import { addressBits } from '../regs/rockchip';
import { RockchipMmu } from './driver/mmu';

/** What the tree says of one, beside its registers and interrupts. */
export interface RockchipOptions {
  readonly isV2: boolean;
  /** `rockchip,disable-mmu-reset`: a forced reset does not work. */
  readonly isResetDisabled: boolean;
}

const V1_MASK = 2 ** 32 - 1;
const V2_MASK = 2 ** 40 - 1;

/** The driver of one Rockchip IOMMU: its MMUs do all the same (drivers/iommu/rockchip-iommu.c). */
export class RockchipIommuDevice extends TableIommu {
  readonly #mmus: readonly RockchipMmu[];
  readonly #options: RockchipOptions;

  constructor(dev: Device, mmus: readonly RockchipMmu[], options: RockchipOptions) {
    super(dev, options.isV2 ? ROCKCHIP_V2_TABLES : ROCKCHIP_TABLES);
    this.#mmus = mmus;
    this.#options = options;
    dev.dma.mask = options.isV2 ? V2_MASK : V1_MASK;
    dev.dma.coherentMask = dev.dma.mask;
  }

  flushPages(start: number, size: number): void {
    for (const mmu of this.#mmus) mmu.zapLines(start, size);
  }

  flushAll(): void {
    for (const mmu of this.#mmus) mmu.zapCache();
  }

  /**
   * What lies at the ends of a mapping may share a table with older ones, of which entries are kept
   * as they were (rk_iommu_zap_iova_first_last).
   */
  mapped(start: number, size: number): void {
    for (const mmu of this.#mmus) mmu.zapEnds(start, size);
  }

  /** rk_iommu_enable(): stalled, reset, the table, what was kept, interrupts, on. */
  protected enable(table: number): number {
    const stalled = this.#each(mmu => mmu.enableStall());
    if (stalled !== 0) return stalled;
    const reset = this.#options.isResetDisabled ? 0 : this.#forceReset();
    if (reset === 0) {
      for (const mmu of this.#mmus) mmu.setTable(addressBits(table));
    }
    const result = reset === 0 ? this.#each(mmu => mmu.enablePaging()) : reset;
    this.#each(mmu => mmu.disableStall());
    return result;
  }

  /** rk_iommu_disable(). */
  protected disable(): void {
    this.#each(mmu => mmu.enableStall());
    this.#each(mmu => mmu.disablePaging());
    for (const mmu of this.#mmus) mmu.clearTable();
    this.#each(mmu => mmu.disableStall());
  }

  #forceReset(): number {
    if (!this.#mmus.every(mmu => mmu.hasWorkingTable())) {
      this.log('Error during raw reset. MMU_DTE_ADDR is not functioning');
      return -EFAULT;
    }
    for (const mmu of this.#mmus) mmu.forceReset();
    if (this.#mmus.every(mmu => mmu.isReset())) return 0;
    this.log('FORCE_RESET command timed out');
    return -ETIMEDOUT;
  }

  /** The first failure, or 0; what fails is said. */
  #each(does: (mmu: RockchipMmu) => string | null): number {
    for (const mmu of this.#mmus) {
      const failure = does(mmu);
      if (failure === null) continue;
      this.log(failure);
      return -ETIMEDOUT;
    }
    return 0;
  }

  protected interrupt(): IrqReturn {
    let result: IrqReturn = IRQ_NONE;
    for (const mmu of this.#mmus) {
      const fault = mmu.pending();
      if (fault === null) continue;
      result = IRQ_HANDLED;
      const { address, write, isPageFault, isBusError, status } = fault;
      if (isPageFault) this.#pageFault(address, write);
      if (isPageFault) mmu.endPageFault();
      if (isBusError) this.log(`BUS_ERROR occurred at ${hex(address)}`);
      mmu.clear(status);
    }
    return result;
  }

  #pageFault(address: number, write: boolean): void {
    this.log(`Page fault at ${hex(address)} of type ${write ? 'write' : 'read'}`);
    const [dte, pte] = this.table?.wordsAt(address) ?? [0, null];
    this.log(`dte: ${hex(dte)} pte: ${pte === null ? 'none' : hex(pte)}`);
    if (this.table === null) {
      this.log('Page fault while iommu not attached to domain?');
      return;
    }
    this.told(address, write, 'page fault');
  }
}

/** The driver, with what the tree says of the one that it is for. */
export const rockchipIommuDriver = (options: RockchipOptions): Driver<RockchipIommuDevice> => ({
  name: 'rk_iommu',
  compatible: ['rockchip,iommu', 'rockchip,rk3568-iommu'],
  probe: dev => {
    const bases: CpuAddr[] = [];
    const bound = probeBanks(dev, options, bases);
    if (typeof bound === 'number') for (const base of bases) dev.services.iounmap(base);
    return bound;
  },
});

/** `bases`: is given where the registers of each MMU are mapped. */
const probeBanks = (
  dev: Device,
  options: RockchipOptions,
  bases: CpuAddr[],
): RockchipIommuDevice | number => {
  for (const { start, size } of dev.registers) {
    const base = dev.services.ioremap(start, size);
    if (base === null) return -ENOMEM;
    bases.push(base);
  }
  if (bases.length === 0) return -EIO;
  const mmus = bases.map(base => new RockchipMmu(dev, base));
  const iommu = new RockchipIommuDevice(dev, mmus, options);
  const result = iommu.start();
  return result === 0 ? iommu : result;
};
