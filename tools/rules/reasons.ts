import type { RuleId } from '../../drivers/base/types/rules';

/** What stands behind a rule. */
export interface Reason {
  /** What happens on the machine, and what follows for a driver. */
  readonly why: string;
  /** Where it is written. */
  readonly source: string;
}

const DMA_API = 'Documentation/core-api/dma-api.rst';
const HOWTO = 'Documentation/core-api/dma-api-howto.rst';
const MEMORY_BARRIERS = 'Documentation/memory-barriers.txt';
const ARMV7 = 'ARM DDI 0406C';

/** Why each rule is one. */
export const REASONS: Readonly<Record<RuleId, Reason>> = {
  'stale-cpu-read': {
    why: 'A device that does not snoop writes past the caches. A line that a cache still holds, or has fetched again meanwhile, hides what it wrote until it is invalidated: by dma_unmap_single() or dma_sync_single_for_cpu(), after the transfer and before the first load.',
    source: `${DMA_API}, Part Id; ${HOWTO}, "Streaming DMA mappings"`,
  },
  'stale-device-read': {
    why: 'What the CPU stores stays in its caches until a line is cleaned. A device that does not snoop reads memory. The buffer is to be mapped, or synced for the device, after the last store and before the doorbell.',
    source: `${DMA_API}, Part Id; ${ARMV7} B2.2.7`,
  },
  'lost-device-write': {
    why: 'Old bytes that wait somewhere (a dirty line, a store buffer, the buffer of an outer cache) arrive in memory after what the device wrote there, and the only copy of it is gone. Nothing dirty may be left of a buffer when a device is to write it.',
    source: `${HOWTO}, "Streaming DMA mappings"; ${ARMV7} B2.2.1`,
  },
  'lost-cpu-write': {
    why: 'An invalidation drops a dirty line without writing it back, and what the CPU had stored there with it. Memory that is invalidated may hold nothing that somebody still needs.',
    source: `${ARMV7} B2.2.7; arch/arm/mm/cache-v7.S, v7_dma_inv_range`,
  },
  'refill-after-invalidate': {
    why: 'A core that speculates may fetch any line that it has a cacheable mapping of, at any moment. To invalidate before the transfer keeps dirty lines from being written back over it; only to invalidate again after it drops what was fetched meanwhile. On cores that do not speculate the first was enough, which is why old drivers lack the second.',
    source: `${ARMV7} A3.5.3; arch/arm/mm/dma-mapping.c, __dma_page_dev_to_cpu`,
  },
  'dirty-line-over-device-data': {
    why: 'A dirty line may be written back at any moment, and takes with it all of its bytes as the CPU last saw them. If a device has written the same line in memory meanwhile, its data are overwritten.',
    source: `${DMA_API}, "warnings"; ${ARMV7} B2.2.1`,
  },
  'shared-line': {
    why: 'Caches are maintained in whole lines. If one half of a line is a DMA buffer and the other something that the CPU uses meanwhile, every access to the neighbour brings the line back, and every maintenance of the buffer hits the neighbour. Buffers begin and end at multiples of ARCH_DMA_MINALIGN, as those of kmalloc() do.',
    source: `${HOWTO}, "What memory is DMA'able?"`,
  },
  'invalidate-of-dirty-bytes': {
    why: 'The range that is invalidated covers a line only in part, and the rest of the line is dirty with bytes of somebody else. A line at the edge of a range is to be cleaned as well.',
    source: 'arch/arm/mm/cache-v7.S, v7_dma_inv_range',
  },
  'never-written-bytes': {
    why: 'Nobody has written these bytes since the memory was allocated, or since a device got them to write and did not: what is read is left over from somebody else. It is harmless if nobody looks at it (a short packet), and a leak or a bug if somebody does.',
    source:
      'kernel commit c50f11c6196f, "Don\'t invalidate FROM_DEVICE buffers at start of DMA transfer"',
  },
  'cpu-access-to-device-buffer': {
    why: 'From mapping to unmapping a buffer belongs to the device. What the CPU does with it meanwhile works by luck: a load may fetch a line that hides the data, a store may be overwritten or overwrite. It gets the buffer back with dma_sync_single_for_cpu().',
    source: `${DMA_API}, Part Id; ${HOWTO}, "Streaming DMA mappings"`,
  },
  'cpu-access-in-transfer': {
    why: 'A transfer was started and has not been seen to end. The device may move its data at the first or at the last moment of that time: an access meanwhile is a race, whatever bytes it gets today.',
    source: `${HOWTO}, "Streaming DMA mappings"`,
  },
  'cpu-access-after-free': {
    why: "A block that dma_pool_free() was called for is given to whoever asks next, maybe for another device's descriptors. It keeps its address, so that nothing faults; a kernel with DMAPOOL_DEBUG sees a store when the block is given again, and a load never.",
    source: 'mm/dmapool.c, pool_check_block(); Documentation/core-api/dma-api.rst, Part Ib',
  },
  'device-access-unmapped': {
    why: 'The device uses an address that no mapping of its own has given it. Behind an IOMMU this is a fault; without one it reads or corrupts whatever lies there.',
    source: `${DMA_API}, Part Id`,
  },
  'device-access-not-given': {
    why: 'dma_sync_single_for_cpu() gave the buffer to the CPU, which may now have lines of it in its caches. Before the device uses it again it is to be given back with dma_sync_single_for_device().',
    source: `${HOWTO}, "dma_sync_single_for_cpu"`,
  },
  'device-access-against-direction': {
    why: 'The direction of a mapping decides which maintenance is done. What a device writes to a buffer that was mapped DMA_TO_DEVICE is invalidated by nobody; behind an IOMMU it is a fault.',
    source: `${DMA_API}, "DMA directions"`,
  },
  'device-access-after-unmap': {
    why: 'The mapping has ended and the memory may have been freed and given to somebody else. The device is to be stopped, and seen to have stopped, before its buffers are unmapped.',
    source: `${HOWTO}, "Streaming DMA mappings"`,
  },
  'memory-type-mismatch': {
    why: 'Two mappings of one page differ in memory type (Normal, Device, Strongly-ordered). What then becomes of order, size and number of accesses is not defined.',
    source: `${ARMV7} A3.5, "Mismatched memory attributes"`,
  },
  'cacheability-mismatch': {
    why: 'A page has a cacheable and a non-cacheable mapping. Through the one a core may fetch lines at any moment; through the other it may hit them or write past them. ARMv8 Linux keeps such an alias, clean and ignored by non-cacheable accesses; on cores that look such lines up, or where they can be dirty, it corrupts data. This was dma_alloc_coherent() before 2011.',
    source: `${ARMV7} A3.5, "Mismatched memory attributes"; the ARM DMA discussion of 2011`,
  },
  'stale-translation': {
    why: 'A TLB keeps an entry until it is invalidated and that has completed. Until then an access may go by the old entry: to memory that has been freed, or with rights that were taken away.',
    source: `${ARMV7} B3.10; arch/arm/include/asm/tlbflush.h`,
  },
  'lazy-invalidation': {
    why: 'With iommu.strict=0 an unmap takes the entry out of the table and leaves it in the TLB; its addresses go to nobody until everything is invalidated, when 255 are waiting or after 10 ms. A device that goes on meanwhile reaches the memory, whoever has that by then. No driver is wrong that stops its device first: the window is the price of fewer invalidations, and is no protection against a device that is not trusted.',
    source: 'drivers/iommu/dma-iommu.c, queue_iova(); kernel-parameters.txt, iommu.strict',
  },
  'table-freed-in-use': {
    why: 'An IOMMU keeps steps of walks, too: which table is next. When an entry that led to a table is taken away, what was kept of it must be invalidated, and that have completed, before the memory of the table is given to somebody else; and a domain must be detached before its tables are. Else whatever is written there next is taken for translations, at any moment, for walks need no transaction.',
    source:
      'drivers/iommu/io-pgtable-arm.c, __arm_lpae_unmap (io_pgtable_tlb_flush_walk before the table is freed); Documentation/arch/arm64; ARM DDI 0487 D8.14',
  },
  'stale-device-cache': {
    why: 'What a GPU has read it may keep in a cache of its own, and what it has written it need not have written back: each cache is flushed by command, in the command stream. Between engines, and between jobs whose textures the CPU has changed meanwhile, the driver flushes; cache maintenance of the CPU does not reach in there.',
    source:
      'drivers/gpu/drm/etnaviv/etnaviv_buffer.c, etnaviv_buffer_queue (VIVS_GL_FLUSH_CACHE before the event)',
  },
  'stale-table-word': {
    why: 'The walker reads translation tables from memory or a cache of its own level. Where it does not look into the first-level cache, an entry that was stored and not cleaned is not yet there.',
    source: `${ARMV7} B3.3; arch/arm/mm/proc-v7-2level.S, set_pte_ext`,
  },
  'missing-write-barrier': {
    why: 'A store waits in a buffer until it is drained. A write to a device register can overtake it, and the device then reads what was there before. writel() has the barrier in it; after writel_relaxed() or between two writes to shared memory it is the driver that needs wmb() or dma_wmb().',
    source: `${MEMORY_BARRIERS}, "dma_wmb()"; Documentation/driver-api/device-io.rst`,
  },
  'missing-completion': {
    why: 'A maintenance instruction only begins something: until a dsb the line may still be dirty, or still there. A routine that maintains caches ends with one.',
    source: `${ARMV7} B2.2.7, "Ordering of cache maintenance operations"`,
  },
  'missing-outer-sync': {
    why: 'An outer cache has buffers of its own, which no barrier of the CPU drains. mb() and wmb() therefore sync it (outer_sync), and so does its range maintenance.',
    source: 'PL310 TRM DDI 0246, "Cache sync"; arch/arm/include/asm/outercache.h',
  },
  'missing-read-barrier': {
    why: 'A core may perform a load before an older one. Data that were read before the status that says they are there may be older than it. Between polling a status in memory and reading what it announces there must be a dma_rmb(); readl() has its barrier in it.',
    source: `${MEMORY_BARRIERS}, "dma_rmb()"; ${ARMV7} A3.8`,
  },
  'coherent-in-tree-only': {
    why: 'With dma-coherent in its node nobody maintains caches for the device. If its accesses do not look into them, it reads old data and what it writes stays hidden.',
    source: 'Devicetree specification, "dma-coherent"; drivers/of/address.c, of_dma_is_coherent',
  },
  'coherent-in-hardware-only': {
    why: 'Without dma-coherent the kernel maintains caches and remaps coherent memory as non-cacheable, and the device then looks up lines by a mapping that nobody else uses: the reverse mismatch, as harmful as the first.',
    source: 'drivers/of/address.c, of_dma_is_coherent',
  },
  'dma-debug': {
    why: 'The kernel can check by itself that what is unmapped was mapped, with the same size and direction, and that errors are looked at (CONFIG_DMA_API_DEBUG). Its message stands in the finding.',
    source: 'kernel/dma/debug.c; Documentation/core-api/dma-api.rst, Part III',
  },
};
