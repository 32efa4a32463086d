import { DmaAttr, hasDmaAttr } from './dma-mapping';
import type { DmaAttrs } from './dma-mapping';
import type { DmaMapOps } from './device';

/** Which of the kernel's own interfaces a call is of. */
export type CallLayer = 'dma' | 'barrier' | 'cache' | 'outer cache' | 'tlb' | 'iommu';

/** Asked before each call of these interfaces: whoever answers no leaves the call out. */
export interface CallGate {
  isCarriedOut(layer: CallLayer, name: string): boolean;
}

/** The same functions, each behind the gate; without one, the functions as they are. */
export const gated = <Fns extends object>(
  gate: CallGate | null,
  layer: CallLayer,
  fns: Fns,
): Fns => {
  if (gate === null) return fns;
  return new Proxy(fns, {
    get: (target, name): unknown => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]): unknown =>
        gate.isCarriedOut(layer, String(name)) ? Reflect.apply(member, target, args) : undefined;
    },
  });
};

/**
 * The DMA layer behind the gate. What is left out of a call is its maintenance: the mapping itself
 * is made and ended as ever. Coherent memory is given by `allocCached` instead, null where nothing
 * can give it: cached, as what kmalloc gives.
 */
export const gatedDma = (
  gate: CallGate | null,
  ops: DmaMapOps,
  allocCached: DmaMapOps['alloc'] | null,
): DmaMapOps => {
  if (gate === null) return ops;
  const alloc: DmaMapOps['alloc'] = (dev, size, gfp, attrs) => {
    if (allocCached === null || gate.isCarriedOut('dma', 'alloc')) {
      return ops.alloc?.(dev, size, gfp, attrs) ?? null;
    }
    return allocCached?.(dev, size, gfp, attrs) ?? null;
  };
  return { ...ops, ...gatedStreaming(gate, ops), ...(ops.alloc === undefined ? {} : { alloc }) };
};

/** DMA in two steps: what its link and unlink do for caches, and the sync. */
const gatedIova = (
  gate: CallGate,
  iova: NonNullable<DmaMapOps['iova']>,
  maintained: (name: string, attrs: DmaAttrs) => DmaAttrs,
): NonNullable<DmaMapOps['iova']> => ({
  ...iova,
  link: (dev, address, physical, size, direction, attrs) =>
    iova.link(dev, address, physical, size, direction, maintained('map', attrs)),
  sync: (dev, address, size) =>
    gate.isCarriedOut('dma', 'sync of a link') ? iova.sync(dev, address, size) : 0,
  unlink: (dev, address, size, direction, attrs) => {
    iova.unlink(dev, address, size, direction, maintained('unmap', attrs));
  },
});

const gatedStreaming = (gate: CallGate, ops: DmaMapOps): Partial<DmaMapOps> => {
  const maintained = (name: string, attrs: DmaAttrs): DmaAttrs =>
    gate.isCarriedOut('dma', name) || hasDmaAttr(attrs, DmaAttr.SkipCpuSync)
      ? attrs
      : attrs + DmaAttr.SkipCpuSync;
  const { iova } = ops;
  return {
    ...(iova === undefined ? {} : { iova: gatedIova(gate, iova, maintained) }),
    mapPage: (dev, page, offset, size, direction, attrs) =>
      ops.mapPage(dev, page, offset, size, direction, maintained('map', attrs)),
    unmapPage: (dev, address, size, direction, attrs) => {
      ops.unmapPage(dev, address, size, direction, maintained('unmap', attrs));
    },
    syncSingleForCpu: (dev, address, size, direction) => {
      if (gate.isCarriedOut('dma', 'sync for the CPU')) {
        ops.syncSingleForCpu(dev, address, size, direction);
      }
    },
    syncSingleForDevice: (dev, address, size, direction) => {
      if (gate.isCarriedOut('dma', 'sync for the device')) {
        ops.syncSingleForDevice(dev, address, size, direction);
      }
    },
    mapSg: (dev, entries, direction, attrs) =>
      ops.mapSg?.(dev, entries, direction, maintained('map', attrs)) ?? 0,
    unmapSg: (dev, entries, direction, attrs) => {
      ops.unmapSg?.(dev, entries, direction, maintained('unmap', attrs));
    },
    syncSgForCpu: (dev, entries, direction) => {
      if (gate.isCarriedOut('dma', 'sync for the CPU')) ops.syncSgForCpu?.(dev, entries, direction);
    },
    syncSgForDevice: (dev, entries, direction) => {
      if (gate.isCarriedOut('dma', 'sync for the device')) {
        ops.syncSgForDevice?.(dev, entries, direction);
      }
    },
  };
};
