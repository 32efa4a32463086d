import { DmaAttr, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaMemory } from '../drivers/base/kernel/dma-map-ops';
import type { DevicePool } from '../drivers/base/kernel/dma-pools';
import { ENXIO } from '../drivers/base/kernel/errno';
import type { Gfp } from '../drivers/base/kernel/gfp';
import type { SgTable } from '../drivers/base/kernel/scatterlist';
import type { UserVma } from '../drivers/base/kernel/user-vma';
import type { CpuAddr, DmaAddr } from '../drivers/base/types/address';
import { physToDma } from './dma-direct';
import { dmaOpsOf } from './dma-dispatch';
import { tellAllocated, tellFreed, tellWarning } from './dma-observed';
import type { ToldMemory } from './dma-observed';
import { sgPhys } from './scatterlist';

/*
 * Memory of a device's own (kernel/dma/mapping.c): coherent, which CPU and device share without
 * maintenance; and pages, which are cached, come with a direction, and are the CPU's first. Null is
 * the kernel's NULL.
 */

/** An allocation leaves the zone to whoever knows what the device reaches. */
const withoutZones = (gfp: Gfp): Gfp => ({ ...gfp, dma: false, dma32: false, highmem: false });

const coherentMemory = (
  dev: Device,
  size: number,
  { cpuAddr, dmaHandle }: DmaMemory,
  attrs: DmaAttrs,
): ToldMemory => ({
  kind: 'coherent',
  size,
  direction: DmaDirection.Bidirectional,
  attrs,
  busAddress: dmaHandle,
  virtualAddress: cpuAddr,
  ofDevicePool: dev.dma.pool !== null,
});

/**
 * Zeroed memory that the device and the CPU share: null without memory, or for a device that is
 * not set up for DMA (dma_alloc_attrs). A device with a pool of its own gets it there or not at
 * all. Flags of zones mean nothing. With DmaAttr.NoKernelMapping `cpuAddr` is not an address: it
 * is for dmaMmapAttrs and dmaFreeAttrs, which are to be given the attribute, too.
 */
export const dmaAllocAttrs = (
  dev: Device,
  size: number,
  gfp: Gfp,
  attrs: DmaAttrs,
): DmaMemory | null => {
  const { pool, coherentMask } = dev.dma;
  if (coherentMask === 0) tellWarning(dev, 'dma_alloc_attrs() without a coherent mask');
  if (pool !== null) return allocFromPool(dev, pool, size, attrs);
  const memory = dmaOpsOf(dev)?.alloc?.(dev, size, withoutZones(gfp), attrs) ?? null;
  if (memory !== null && dev.services.observer !== null) {
    const told = coherentMemory(dev, size, memory, attrs);
    tellAllocated(dev, told, piecesOf(dev, size, memory, attrs));
  }
  return memory;
};

/** dma_alloc_from_dev_coherent(). */
const allocFromPool = (
  dev: Device,
  pool: DevicePool,
  size: number,
  attrs: DmaAttrs,
): DmaMemory | null => {
  const block = pool.alloc(size);
  if (block === null) return null;
  const { cpuAddr, phys, dmaHandle = physToDma(dev, phys) } = block;
  const memory = { cpuAddr, dmaHandle };
  tellAllocated(dev, coherentMemory(dev, size, memory, attrs), [{ address: phys, size }]);
  return memory;
};

/** Frees what dmaAllocAttrs gave; all arguments are those of then (dma_free_attrs). */
export const dmaFreeAttrs = (
  dev: Device,
  size: number,
  cpuAddr: CpuAddr | null,
  dmaHandle: DmaAddr,
  attrs: DmaAttrs,
): void => {
  if (cpuAddr === null) return;
  const memory = { cpuAddr, dmaHandle };
  if (dev.services.observer !== null) tellFreed(dev, coherentMemory(dev, size, memory, attrs));
  if (dev.dma.pool?.release(cpuAddr, size) === true) return;
  // What was mapped for it is unmapped, which may sleep.
  if (dev.services.irqsDisabled()) tellWarning(dev, 'dma_free_attrs() with interrupts disabled');
  dmaOpsOf(dev)?.free?.(dev, size, cpuAddr, dmaHandle, attrs);
};

/** dmaAllocAttrs without attributes (dma_alloc_coherent). */
export const dmaAllocCoherent = (dev: Device, size: number, gfp: Gfp): DmaMemory | null =>
  dmaAllocAttrs(dev, size, gfp, gfp.noWarn === true ? DmaAttr.NoWarn : DmaAttr.None);

/** dmaFreeAttrs without attributes (dma_free_coherent). */
export const dmaFreeCoherent = (
  dev: Device,
  size: number,
  cpuAddr: CpuAddr | null,
  dmaHandle: DmaAddr,
): void => {
  dmaFreeAttrs(dev, size, cpuAddr, dmaHandle, DmaAttr.None);
};

/** Write-combined memory where the architecture has it (dma_alloc_wc). */
export const dmaAllocWc = (dev: Device, size: number, gfp: Gfp): DmaMemory | null =>
  dmaAllocAttrs(
    dev,
    size,
    gfp,
    DmaAttr.WriteCombine + (gfp.noWarn === true ? DmaAttr.NoWarn : DmaAttr.None),
  );

/** Frees what dmaAllocWc gave (dma_free_wc). */
export const dmaFreeWc = (
  dev: Device,
  size: number,
  cpuAddr: CpuAddr | null,
  dmaHandle: DmaAddr,
): void => {
  dmaFreeAttrs(dev, size, cpuAddr, dmaHandle, DmaAttr.WriteCombine);
};

/** True if memory of dmaAllocAttrs can be mapped to user mode (dma_can_mmap). */
export const dmaCanMmap = (dev: Device): boolean => dmaOpsOf(dev)?.mmap !== undefined;

/**
 * Maps memory of dmaAllocAttrs, given by its arguments, to user mode (dma_mmap_attrs): 0, or -ENXIO
 * if the area is not within it or the device cannot.
 */
export const dmaMmapAttrs = (
  dev: Device,
  vma: UserVma,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
  size: number,
  attrs: DmaAttrs,
): number => {
  const ofPool = dev.dma.pool?.mmap(vma, cpuAddr, size) ?? null;
  if (ofPool !== null) return ofPool;
  return dmaOpsOf(dev)?.mmap?.(dev, vma, cpuAddr, dmaHandle, size, attrs) ?? -ENXIO;
};

/** dmaMmapAttrs without attributes (dma_mmap_coherent). */
export const dmaMmapCoherent = (
  dev: Device,
  vma: UserVma,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
  size: number,
): number => dmaMmapAttrs(dev, vma, cpuAddr, dmaHandle, size, DmaAttr.None);

/** dmaMmapAttrs for memory of dmaAllocWc (dma_mmap_wc). */
export const dmaMmapWc = (
  dev: Device,
  vma: UserVma,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
  size: number,
): number => dmaMmapAttrs(dev, vma, cpuAddr, dmaHandle, size, DmaAttr.WriteCombine);

/**
 * The pieces of memory behind an allocation, or -ENXIO (dma_get_sgtable_attrs). They are for
 * another device to be told of. Streaming calls on them maintain the cached alias of the memory,
 * not the mapping that is used: that is a mistake.
 */
export const dmaGetSgtableAttrs = (
  dev: Device,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
  size: number,
  attrs: DmaAttrs,
): SgTable | number => dmaOpsOf(dev)?.getSgtable?.(dev, cpuAddr, dmaHandle, size, attrs) ?? -ENXIO;

/** dmaGetSgtableAttrs without attributes (dma_get_sgtable). */
export const dmaGetSgtable = (
  dev: Device,
  cpuAddr: CpuAddr,
  dmaHandle: DmaAddr,
  size: number,
): SgTable | number => dmaGetSgtableAttrs(dev, cpuAddr, dmaHandle, size, DmaAttr.None);

/** Where an allocation is, for an observer. */
const piecesOf = (
  dev: Device,
  size: number,
  { cpuAddr, dmaHandle }: DmaMemory,
  attrs: DmaAttrs,
): { address: number; size: number }[] => {
  const table = dmaGetSgtableAttrs(dev, cpuAddr, dmaHandle, size, attrs);
  if (typeof table === 'number') return [];
  return table.sgl.map(entry => ({ address: sgPhys(entry), size: entry.length }));
};
