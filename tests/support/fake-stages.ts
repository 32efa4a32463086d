import type { DmaMapOps } from '../../drivers/base/kernel/device';
import { EINVAL } from '../../drivers/base/kernel/errno';
import { DMA_MAPPING_ERROR, DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import { GIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import type { CacheMaintenance } from '../../mm/arch-dma';
import { directTranslation } from '../../mm/dma-direct';
import { dmaBitMask } from '../../mm/dma-limits';
import { composeDmaOps } from '../../mm/dma-ops';
import type { Bounce, Translation } from '../../mm/dma-stages';

/** Where bounce slots are, and where the fake IOMMU's addresses begin. */
export const SLOTS = 0x10_0000;
export const IOVA = 0x8000_0000;

/** What stages were asked, in order: `clean`, `invalidate` for the caches. */
export class Stages {
  readonly told: string[] = [];
  /** Bounces whatever is at this page and above, however far the device reaches. */
  bouncesFrom = Infinity;
  slotsLeft = 8;
  /** Calls to the IOMMU that succeed. */
  mapsLeft = Infinity;
  sgResult: number | null = null;
  #next = 0;

  take(): string[] {
    return this.told.splice(0);
  }

  readonly cache: CacheMaintenance = {
    syncForDevice: (address, size) => this.told.push(`for device ${address} ${size}`),
    syncForCpu: (address, size) => this.told.push(`for CPU ${address} ${size}`),
  };

  readonly bounce: Bounce = {
    name: 'swiotlb',
    needs: (_dev, address, _size, _direction, { isReachable }) =>
      !isReachable || address >= this.bouncesFrom,
    map: (_dev, address, size) => {
      this.told.push(`copy in ${address} ${size}`);
      if (this.slotsLeft === 0) return null;
      this.slotsLeft--;
      return physAddr(SLOTS + (address % PAGE_SIZE));
    },
    isSlot: (_dev, address) => address >= SLOTS && address < SLOTS + PAGE_SIZE,
    unmap: (_dev, slot, size, _direction, attrs) => {
      this.slotsLeft++;
      this.told.push(`${attrs === DmaAttr.SkipCpuSync ? 'drop' : 'copy out'} ${slot} ${size}`);
    },
    syncForDevice: (_dev, slot, size) => this.told.push(`copy in part ${slot} ${size}`),
    syncForCpu: (_dev, slot, size) => this.told.push(`copy out part ${slot} ${size}`),
    isForced: () => this.bouncesFrom === 0,
    maxMappingSize: () => 256 * 1024,
  };

  readonly direct: Translation = directTranslation({ maxAddress: GIB, dmaZoneLimit: null });

  /** Gives addresses in turn; a list becomes one segment. */
  readonly iommu: Translation = {
    name: 'iommu',
    map: (_dev, address, size) => {
      this.told.push(`translate ${address} ${size}`);
      if (this.mapsLeft-- <= 0) return DMA_MAPPING_ERROR;
      return dmaAddr(IOVA + address);
    },
    unmap: (_dev, address, size) => this.told.push(`end ${address - IOVA} ${size}`),
    toPhys: (_dev, address) => (address < IOVA ? null : physAddr(address - IOVA)),
    reaches: () => true,
    mapSg: (_dev, entries) => {
      const length = entries.reduce((sum, entry) => sum + entry.length, 0);
      this.told.push(`translate list ${length}`);
      if (this.sgResult !== null) return this.sgResult;
      const [first] = entries;
      for (const entry of entries) entry.dmaLength = 0;
      if (first === undefined) return -EINVAL;
      [first.dmaAddress, first.dmaLength] = [dmaAddr(IOVA + this.#next++), length];
      return 1;
    },
    unmapSg: (_dev, entries) => this.told.push(`end list of ${entries.length}`),
    mapResource: (_dev, address) => dmaAddr(IOVA + address),
    maxSize: () => 2 ** 20,
    optSize: () => 2 ** 17,
    mergeBoundary: () => PAGE_SIZE - 1,
    supported: () => true,
    requiredMask: () => dmaBitMask(32),
  };

  ops(translation: 'direct' | 'iommu', cache: boolean, bounce: boolean): DmaMapOps {
    return composeDmaOps({
      translation: this[translation],
      cache: cache ? this.cache : null,
      bounce: bounce ? this.bounce : null,
      allocation: {},
    });
  }
}
