import { DmaDirection } from '../../../drivers/base/kernel/dma-map-ops';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { ArchDma } from '../../../mm/arch-dma';
import { physToPage } from '../../../mm/page-alloc';
import type { ArmMm } from './init';

type AreaRoutine = (address: number, size: number, direction: DmaDirection) => void;

/** arm: ARCH_DMA_MINALIGN is L1_CACHE_BYTES of the kernel build, 64. arm64: 128. */
const MIN_ALIGN = { arm: 64, nommu: 64, arm64: 128 } as const;

/**
 * Cache maintenance for streaming DMA (arch/arm/mm/dma-mapping.c, arch/arm64/mm/dma-mapping.c).
 * To the device: inner caches first, then the outer one, for what the inner writes back lands
 * there. To the CPU: the outer first, for the inner could refill from what is stale there.
 */
export const armDma = (mm: ArmMm): ArchDma => {
  const { cache, layout } = mm;
  return {
    minAlign: MIN_ALIGN[layout.image],
    syncForDevice: (address, size, direction) => {
      maintainPages(mm, address, size, direction, cache.dmaMapArea);
      if (direction === DmaDirection.FromDevice) mm.outer.invRange(address, size);
      else mm.outer.cleanRange(address, size);
    },
    syncForCpu: (address, size, direction) => {
      if (direction === DmaDirection.ToDevice) return;
      mm.outer.invRange(address, size);
      maintainPages(mm, address, size, direction, cache.dmaUnmapArea);
    },
  };
};

/**
 * Runs a routine of the inner caches over physical memory (dma_cache_maint_page): lowmem in one
 * go; highmem page by page through a temporary mapping, unless temporary mappings are flushed
 * when they end, because then no line of such a page is left to maintain.
 */
const maintainPages = (
  mm: ArmMm,
  address: PhysAddr,
  size: number,
  direction: DmaDirection,
  routine: AreaRoutine,
): void => {
  const { info, layout, kmap } = mm;
  let done = 0;
  while (done < size) {
    const at = (address + done) as PhysAddr;
    const linear = layout.physToVirt(at);
    if (linear !== null) {
      const length = Math.min(size - done, layout.lowmemEnd - at);
      routine(linear, length, direction);
      done += length;
      continue;
    }
    const length = Math.min(size - done, PAGE_SIZE - (at % PAGE_SIZE));
    if (!info.isVivt && !info.isAliasing) {
      kmap.with(physToPage(at), page => {
        routine(page + (at % PAGE_SIZE), length, direction);
      });
    }
    done += length;
  }
};
