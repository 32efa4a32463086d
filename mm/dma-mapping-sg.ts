import { DmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import { EINVAL, EIO, ENOMEM, EREMOTEIO } from '../drivers/base/kernel/errno';
import type { SgEntry, SgTable } from '../drivers/base/kernel/scatterlist';
import { checkDirection, dmaOpsOf } from './dma-dispatch';
import { beginSgCall, beginSgMap, endSgMap } from './dma-observed';

/*
 * Streaming DMA of scatterlists (kernel/dma/mapping.c). `nents` is always that of the memory, as
 * the list was mapped: what dmaMapSg answers is for programming the device alone.
 */

/** What a mapping may say is wrong; anything else is -EIO. */
const MAP_ERRORS: readonly number[] = [-EINVAL, -ENOMEM, -EIO, -EREMOTEIO];

const mapSg = (
  dev: Device,
  sgl: readonly SgEntry[],
  nents: number,
  direction: DmaDirection,
  attrs: DmaAttrs,
): number => {
  checkDirection(direction);
  const ops = dmaOpsOf(dev);
  // A device that is not set up for DMA: no error, and nothing is mapped (dma_mask is NULL).
  if (ops === null) return 0;
  const entries = sgl.slice(0, nents);
  const observed = beginSgMap(dev, entries, direction, attrs);
  const mapped = ops.mapSg?.(dev, entries, direction, attrs) ?? -EIO;
  endSgMap(observed, dev, entries, mapped);
  return mapped > 0 || MAP_ERRORS.includes(mapped) ? mapped : -EIO;
};

/**
 * Maps the first `nents` pieces of a list: how many segments the device is given, which may be
 * fewer, in the dmaAddress and dmaLength of the first so many entries. 0 if it failed, and nothing
 * is mapped then; never a negative number (dma_map_sg_attrs).
 */
export const dmaMapSg = (
  dev: Device,
  sgl: readonly SgEntry[],
  nents: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): number => Math.max(0, mapSg(dev, sgl, nents, direction, attrs));

/** Ends a mapping; `nents` is that of the call which made it (dma_unmap_sg_attrs). */
export const dmaUnmapSg = (
  dev: Device,
  sgl: readonly SgEntry[],
  nents: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  checkDirection(direction);
  const entries = sgl.slice(0, nents);
  const observed = beginSgCall('unmap', dev, entries, direction, attrs);
  try {
    dmaOpsOf(dev)?.unmapSg?.(dev, entries, direction, attrs);
  } finally {
    observed?.observer.sgUnmapped(observed.told, observed.site);
  }
};

/** The CPU may look at the pieces again; the device must not touch them until they are given back. */
export const dmaSyncSgForCpu = (
  dev: Device,
  sgl: readonly SgEntry[],
  nents: number,
  direction: DmaDirection,
): void => {
  checkDirection(direction);
  const entries = sgl.slice(0, nents);
  const observed = beginSgCall('sync for CPU', dev, entries, direction);
  try {
    dmaOpsOf(dev)?.syncSgForCpu?.(dev, entries, direction);
  } finally {
    observed?.observer.sgSyncedForCpu(observed.told, observed.site);
  }
};

/** The device gets the pieces back. */
export const dmaSyncSgForDevice = (
  dev: Device,
  sgl: readonly SgEntry[],
  nents: number,
  direction: DmaDirection,
): void => {
  checkDirection(direction);
  const entries = sgl.slice(0, nents);
  const observed = beginSgCall('sync for device', dev, entries, direction);
  try {
    dmaOpsOf(dev)?.syncSgForDevice?.(dev, entries, direction);
  } finally {
    observed?.observer.sgSyncedForDevice(observed.told, observed.site);
  }
};

/**
 * Maps a table: 0, and `nents` says what the device is given; or why not (dma_map_sgtable).
 * -EINVAL: it never will be. -ENOMEM: it may be later. -EIO: for a reason that nobody told.
 */
export const dmaMapSgtable = (
  dev: Device,
  table: SgTable,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): number => {
  const nents = mapSg(dev, table.sgl, table.origNents, direction, attrs);
  if (nents < 0) return nents;
  table.nents = nents;
  return 0;
};

/** Ends what dmaMapSgtable made (dma_unmap_sgtable). */
export const dmaUnmapSgtable = (
  dev: Device,
  table: SgTable,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  dmaUnmapSg(dev, table.sgl, table.origNents, direction, attrs);
};

/** As dmaSyncSgForCpu, of all pieces of a table (dma_sync_sgtable_for_cpu). */
export const dmaSyncSgtableForCpu = (
  dev: Device,
  table: SgTable,
  direction: DmaDirection,
): void => {
  dmaSyncSgForCpu(dev, table.sgl, table.origNents, direction);
};

/** As dmaSyncSgForDevice, of all pieces of a table (dma_sync_sgtable_for_device). */
export const dmaSyncSgtableForDevice = (
  dev: Device,
  table: SgTable,
  direction: DmaDirection,
): void => {
  dmaSyncSgForDevice(dev, table.sgl, table.origNents, direction);
};
