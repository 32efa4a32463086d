import { DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { DmaAttrs, DmaDirection } from '../drivers/base/kernel/dma-mapping';
import type { Device } from '../drivers/base/kernel/device';
import type { IovaOps } from '../drivers/base/kernel/iova-ops';
import { EINVAL, EIO } from '../drivers/base/kernel/errno';
import { dmaAddr, offsetBy } from '../drivers/base/types/address';
import type { DmaAddr, PhysAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { checkDirection, dmaOpsOf } from './dma-dispatch';
import { beginCall, beginMap } from './dma-observed';
import type { MappingDirection } from './dma-observed';
import { physToPage } from './page-alloc';

/*
 * DMA in two steps, as Linux has it from 6.16 on: addresses are reserved at once for all that is to
 * come, memory is linked to them piece by piece, and what TLBs need to know they are told at the
 * end. A device without addresses of its own takes dmaMapPage instead: dmaIovaTryAlloc answers so.
 */

/** What a driver keeps of its addresses (struct dma_iova_state). */
export class DmaIovaState {
  addr: DmaAddr = dmaAddr(0);
  /** Bytes that are reserved from `addr` on; 0: none are (dma_use_iova). */
  size = 0;
  /** What an observer was told is linked; empty without one. */
  links: readonly ToldLink[] = [];
}

/** A piece of memory that was linked. */
interface ToldLink {
  readonly offset: number;
  readonly size: number;
  readonly direction: MappingDirection;
  readonly attrs: DmaAttrs;
}

/** True while the state has addresses (dma_use_iova). */
export const dmaUseIova = (state: DmaIovaState): boolean => state.size > 0;

/** The bytes that are reserved (dma_iova_size). */
export const dmaIovaSize = (state: DmaIovaState): number => state.size;

const iovaOf = (dev: Device): IovaOps<Device> | null => dmaOpsOf(dev)?.iova ?? null;

/**
 * Reserves addresses for `size` bytes, whose first is to lie in its frame as `physical` does. False,
 * and the driver maps page by page: the device is behind no IOMMU, there are no addresses left, or
 * the size is 0.
 */
export const dmaIovaTryAlloc = (
  dev: Device,
  state: DmaIovaState,
  physical: PhysAddr,
  size: number,
): boolean => {
  state.addr = dmaAddr(0);
  state.size = 0;
  state.links = [];
  const address = size > 0 ? (iovaOf(dev)?.alloc(dev, physical, size) ?? null) : null;
  if (address === null) return false;
  state.addr = address;
  state.size = size;
  return true;
};

/** Gives addresses back to which nothing is linked. */
export const dmaIovaFree = (dev: Device, state: DmaIovaState): void => {
  iovaOf(dev)?.free(dev, state.addr, state.size);
};

/**
 * Links memory to the addresses from `offset` on: 0; -EIO for memory that does not begin with a
 * frame and is not the first; -EINVAL beyond what was reserved; or what the IOMMU answers. The
 * device may use it after dmaIovaSync.
 */
export const dmaIovaLink = (
  dev: Device,
  state: DmaIovaState,
  physical: PhysAddr,
  offset: number,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): number => {
  checkDirection(direction);
  const iova = iovaOf(dev);
  if (iova === null) return -EIO;
  if (physical % iova.granule(dev) !== 0 && offset > 0) return -EIO;
  if (offset + size > state.size) return -EINVAL;
  const address = offsetBy(state.addr, offset);
  const observed = hasDmaAttr(attrs, DmaAttr.Mmio)
    ? null
    : beginMap(dev, physToPage(physical), physical % PAGE_SIZE, size, direction, attrs, 'linked');
  const result = iova.link(dev, address, physical, size, direction, attrs);
  if (observed === null) return result;
  const { observer, told, site } = observed;
  if (result === 0) {
    observer.dmaMapped({ ...told, busAddress: address }, site);
    state.links = [...state.links, { offset, size, direction, attrs }];
  } else {
    observer.mapFailed(told, site);
  }
  return result;
};

/** The device may use what was linked in these bytes: 0 or an errno. */
export const dmaIovaSync = (
  dev: Device,
  state: DmaIovaState,
  offset: number,
  size: number,
): number => iovaOf(dev)?.sync(dev, offsetBy(state.addr, offset), size) ?? -EIO;

/** Takes the memory from the addresses again, which stay reserved; whole links, or it is not told. */
export const dmaIovaUnlink = (
  dev: Device,
  state: DmaIovaState,
  offset: number,
  size: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  const isEnded = (link: ToldLink): boolean =>
    link.offset >= offset && link.offset + link.size <= offset + size;
  const ended = state.links.filter(isEnded).map(link => {
    const address = offsetBy(state.addr, link.offset);
    return beginCall('unmap', dev, address, link.size, link.direction, link.attrs, 'linked');
  });
  iovaOf(dev)?.unlink(dev, offsetBy(state.addr, offset), size, direction, attrs);
  // Calls that have begun end the other way round.
  for (const call of ended.reverse()) call?.observer.dmaUnmapped(call.told, call.site);
  state.links = state.links.filter(link => !isEnded(link));
};

/** Unlinks the first `mappedLength` bytes, if there are any, and gives all addresses back. */
export const dmaIovaDestroy = (
  dev: Device,
  state: DmaIovaState,
  mappedLength: number,
  direction: DmaDirection,
  attrs: DmaAttrs = DmaAttr.None,
): void => {
  if (mappedLength > 0) dmaIovaUnlink(dev, state, 0, mappedLength, direction, attrs);
  dmaIovaFree(dev, state);
};
