import { DmaAttr, DmaDirection, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, Page } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { DmaAddr } from '../drivers/base/types/address';
import { callSite } from '../drivers/base/types/call-site';
import type { CallSite } from '../drivers/base/types/call-site';
import type {
  Direction,
  DmaArguments,
  DmaCall,
  DmaOperation,
  DmaRequest,
  SoftwareObserver,
} from '../drivers/base/types/observer';
import { pageToPhys } from './page-alloc';

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

/** The name of a bus stands for the driver that a device does not have (dev_driver_string). */
const BUS = 'platform';

/** A device and its driver, as messages name them. */
export const deviceNames = (dev: Device): { readonly device: string; readonly driver: string } => ({
  device: dev.name,
  driver: dev.driver ?? BUS,
});

/** Tells that a mapping begins; null without an observer. */
export const beginMap = (
  dev: Device,
  page: Page,
  offset: number,
  size: number,
  direction: MappingDirection,
  attrs: DmaAttrs,
): Observed<DmaRequest> | null => {
  const { observer } = dev.services;
  if (observer === null) return null;
  const told = {
    ...argumentsOf(dev, size, direction, attrs),
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
): Observed<DmaCall> | null => {
  const { observer } = dev.services;
  if (observer === null) return null;
  const told = { ...argumentsOf(dev, size, direction, attrs), busAddress };
  const site = callSite();
  observer.callBegins(operation, told, site);
  return { observer, told, site };
};

const argumentsOf = (
  dev: Device,
  size: number,
  direction: MappingDirection,
  attrs: DmaAttrs,
): DmaArguments => ({
  ...deviceNames(dev),
  coherent: dev.dma.coherent,
  size,
  direction: DIRECTIONS[direction],
  skipsSync: hasDmaAttr(attrs, DmaAttr.SkipCpuSync),
});
