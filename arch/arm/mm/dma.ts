import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import type { PhysAddr } from '../../../drivers/base/types/address';
import { offsetBy } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { ArchDma, CacheMaintenance, CoherentAllocator } from '../../../mm/arch-dma';
import { physToPage } from '../../../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../../../mm/pgprot';
import type { ArmMm } from './init';
import type { KernelMappings } from './ioremap';

type AreaRoutine = (address: number, size: number, direction: DmaDirection) => void;

/** One step of the maintenance tables: which caches, before or after the transfer, which way. */
export interface StreamingStep {
  readonly caches: 'inner' | 'outer';
  readonly phase: 'map' | 'unmap';
  readonly direction: DmaDirection;
}

/** Carries out a step, or does not: a kernel that forgets one is how a table is tested. */
export type StreamingSteps = (step: StreamingStep, run: () => void) => void;

/** The kernel as it is: every step is carried out. */
export const ALL_STEPS: StreamingSteps = (_step, run) => {
  run();
};

/** arm: ARCH_DMA_MINALIGN is L1_CACHE_BYTES of the kernel build, 64. arm64: 128. */
export const MIN_ALIGN = { arm: 64, nommu: 64, arm64: 128 } as const;

/**
 * Cache maintenance for streaming DMA (arch/arm/mm/dma-mapping.c, arch/arm64/mm/dma-mapping.c).
 * To the device: inner caches first, then the outer one, for what the inner writes back lands
 * there. To the CPU: the outer first, for the inner could refill from what is stale there.
 */
export const armStreaming = (mm: ArmMm, steps: StreamingSteps): CacheMaintenance => {
  const { cache } = mm;
  return {
    syncForDevice: (address, size, direction) => {
      steps({ caches: 'inner', phase: 'map', direction }, () => {
        maintainPages(mm, address, size, direction, cache.dmaMapArea);
      });
      steps({ caches: 'outer', phase: 'map', direction }, () => {
        if (direction === DmaDirection.FromDevice) mm.outer.invRange(address, size);
        else mm.outer.cleanRange(address, size);
      });
    },
    syncForCpu: (address, size, direction) => {
      if (direction === DmaDirection.ToDevice) return;
      steps({ caches: 'outer', phase: 'unmap', direction }, () => {
        mm.outer.invRange(address, size);
      });
      steps({ caches: 'inner', phase: 'unmap', direction }, () => {
        maintainPages(mm, address, size, direction, cache.dmaUnmapArea);
      });
    },
  };
};

/** All that the DMA layer asks of the architecture. */
export const armDma = (
  mm: ArmMm,
  mappings: KernelMappings,
  steps: StreamingSteps,
  coherent: CoherentAllocator,
): ArchDma => ({
  ...armStreaming(mm, steps),
  minAlign: MIN_ALIGN[mm.layout.image],
  coherent,
  prepareCoherent: (address, size) => {
    maintainPages(mm, address, size, DmaDirection.Bidirectional, (start, bytes) => {
      mm.cache.dmaFlushRange(start, bytes);
    });
    mm.outer.flushRange(address, size);
  },
  vmap: (pages, memory) => mappings.vmap(pages, withMemory(PAGE_KERNEL, memory)),
  vunmap: address => {
    mappings.vunmap(address);
  },
});

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
    const at = offsetBy(address, done);
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
