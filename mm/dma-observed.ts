import { DmaAttr, DmaDirection, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { SgEntry } from '../drivers/base/kernel/scatterlist';
import type { CpuAddr, DmaAddr } from '../drivers/base/types/address';
import { callSite } from '../drivers/base/types/call-site';
import type { CallSite } from '../drivers/base/types/call-site';
import type {
  Direction,
  DmaArguments,
  DmaCall,
  DmaCaller,
  DmaKind,
  DmaMemoryCall,
  DmaMemoryRange,
  DmaOperation,
  DmaRequest,
  SgCall,
  SgPiece,
  SoftwareObserver,
} from '../drivers/base/types/observer';
import { pageToPhys } from './page-alloc';
import { sgPhys } from './scatterlist';

/*
 * What an observer is told of a call of the DMA API. Without an observer nothing is taken or made.
 */

/** A call that was begun: what was told of it, to whom, and where in the driver it is. */
export interface Observed<Told> {
  readonly observer: SoftwareObserver;
  readonly told: Told;
  readonly site: CallSite;
}

/** A direction that a mapping can have. */
export type MappingDirection = Exclude<DmaDirection, typeof DmaDirection.None>;

const DIRECTIONS: Readonly<Record<MappingDirection, Direction>> = {
  [DmaDirection.Bidirectional]: 'bidirectional',
  [DmaDirection.ToDevice]: 'to-device',
  [DmaDirection.FromDevice]: 'from-device',
};

/** What one range of bus addresses can be of. */
export type StreamingKind = Extract<DmaKind, 'single' | 'linked' | 'resource'>;

/** The name of a bus stands for the driver that a device does not have (dev_driver_string). */
const BUS = 'platform';

/** A device and its driver, as messages name them. */
export const deviceNames = (dev: Device): { readonly device: string; readonly driver: string } => ({
  device: dev.name,
  driver: dev.driver ?? BUS,
});

/** Who makes a call, as every call tells it. */
export const callerOf = (dev: Device): DmaCaller => ({
  ...deviceNames(dev),
  coherent: dev.dma.coherent,
});

/** Tells that a mapping begins; null without an observer. */
export const beginMap = (
  dev: Device,
  page: Page,
  offset: number,
  size: number,
  direction: MappingDirection,
  attrs: DmaAttrs,
  kind: StreamingKind = 'single',
): Observed<DmaRequest> | null => {
  const { observer } = dev.services;
  if (observer === null) return null;
  const told = {
    ...argumentsOf(dev, size, direction, attrs, kind),
    address: pageToPhys(page) + offset,
  };
  const site = callSite();
  observer.mapBegins(told, site);
  return { observer, told, site };
};

/** Tells that a call on a mapping begins; null without an observer. */
export const beginCall = (
  operation: DmaOperation,
  dev: Device,
  busAddress: DmaAddr,
  size: number,
  direction: MappingDirection,
  attrs: DmaAttrs = DmaAttr.None,
  kind: StreamingKind = 'single',
): Observed<DmaCall> | null => {
  const { observer } = dev.services;
  if (observer === null) return null;
  const told = { ...argumentsOf(dev, size, direction, attrs, kind), busAddress };
  const site = callSite();
  observer.callBegins(operation, told, site);
  return { observer, told, site };
};

/** Tells that a scatter list is to be mapped; null without an observer. */
export const beginSgMap = (
  dev: Device,
  entries: readonly SgEntry[],
  direction: MappingDirection,
  attrs: DmaAttrs,
): Observed<SgCall> | null => {
  const { observer } = dev.services;
  if (observer === null) return null;
  const told = sgCallOf(dev, entries, direction, attrs);
  const site = callSite();
  observer.sgMapBegins(told, site);
  return { observer, told, site };
};

/**
 * Tells how it ended: `mapped` entries carry bus addresses now, none if it failed.
 * `isAllocation`: of dma_alloc_noncontiguous, in which the list has a single one.
 */
export const endSgMap = (
  observed: Observed<SgCall> | null,
  dev: Device,
  entries: readonly SgEntry[],
  mapped: number,
  isAllocation = false,
): void => {
  if (observed === null) return;
  const { observer, told, site } = observed;
  if (mapped <= 0) {
    observer.sgMapFailed(told, site);
    return;
  }
  const { maxSegSize, segBoundary } = dev.dma;
  const list = { ...told, entries: entries.map(pieceOf) };
  observer.sgMapped({ ...list, mapped, maxSegSize, segBoundary, isAllocation }, site);
};

/** Tells that a call on a mapped scatter list begins; null without an observer. */
export const beginSgCall = (
  operation: DmaOperation,
  dev: Device,
  entries: readonly SgEntry[],
  direction: MappingDirection,
  attrs: DmaAttrs = DmaAttr.None,
): Observed<SgCall> | null => {
  const { observer } = dev.services;
  if (observer === null) return null;
  const told = sgCallOf(dev, entries, direction, attrs);
  const site = callSite();
  observer.sgCallBegins(operation, told, site);
  return { observer, told, site };
};

/** What of an allocation only the call itself knows. */
export interface ToldMemory {
  readonly kind: DmaMemoryCall['kind'];
  readonly size: number;
  readonly direction: MappingDirection;
  readonly attrs: DmaAttrs;
  readonly busAddress: DmaAddr;
  readonly virtualAddress: CpuAddr;
  /** It came from `dev.dma.pool`. */
  readonly ofDevicePool?: boolean;
}

/** Tells that the DMA API has allocated memory, and where it is; nothing without an observer. */
export const tellAllocated = (
  dev: Device,
  memory: ToldMemory,
  pieces: DmaMemoryRange['pieces'],
): void => {
  const { observer } = dev.services;
  observer?.memoryAllocated({ ...memoryCallOf(dev, memory), pieces }, callSite());
};

/** Tells that such memory is about to be freed, as the driver names it. */
export const tellFreed = (dev: Device, memory: ToldMemory): void => {
  dev.services.observer?.memoryFreed(memoryCallOf(dev, memory), callSite());
};

/**
 * Tells of a misuse that Linux warns of outside dma-debug: the words of its WARN, without driver
 * and device.
 */
export const tellWarning = (dev: Device, words: string): void => {
  dev.services.observer?.warned(deviceNames(dev), words, callSite());
};

const memoryCallOf = (dev: Device, memory: ToldMemory): DmaMemoryCall => ({
  ...callerOf(dev),
  ...memory,
  direction: DIRECTIONS[memory.direction],
});

const sgCallOf = (
  dev: Device,
  entries: readonly SgEntry[],
  direction: MappingDirection,
  attrs: DmaAttrs,
): SgCall => ({
  ...callerOf(dev),
  entries: entries.map(pieceOf),
  direction: DIRECTIONS[direction],
  attrs,
  skipsSync: hasDmaAttr(attrs, DmaAttr.SkipCpuSync),
});

const pieceOf = (entry: SgEntry): SgPiece => ({
  address: sgPhys(entry),
  length: entry.length,
  busAddress: entry.dmaAddress,
  busLength: entry.dmaLength,
});

const argumentsOf = (
  dev: Device,
  size: number,
  direction: MappingDirection,
  attrs: DmaAttrs,
  kind: StreamingKind,
): DmaArguments => ({
  ...callerOf(dev),
  kind,
  size,
  direction: DIRECTIONS[direction],
  attrs,
  skipsSync: hasDmaAttr(attrs, DmaAttr.SkipCpuSync),
});
