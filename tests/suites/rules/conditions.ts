import type { Machine } from '../../../machines/machine';
import { aliasIsHarmless, coreOf, isTranslated } from '../driver-bench';

/*
 * Why a mistake is none on some machine. Each answers the reason, or null.
 */

export type Condition = (machine: Machine) => string | null;

/** The first reason of several conditions, or null. */
export const all =
  (...conditions: readonly Condition[]): Condition =>
  machine =>
    conditions.map(condition => condition(machine)).find(reason => reason !== null) ?? null;

export const anywhere: Condition = () => null;

export const invalidatesLazily: Condition = ({ masters, kernel }) =>
  masters.some(({ device }) => kernel.iommus.dmaDomain(device.dev)?.queue)
    ? null
    : 'no master behind an IOMMU that invalidates lazily';

export const leavesTablesToCore: Condition = machine =>
  machine.masters.some(({ device }) => isTranslated(machine, device.dev))
    ? null
    : 'no IOMMU whose driver leaves it to the core when a table may go';

export const hasCache: Condition = machine =>
  coreOf(machine).l1d === null ? 'no data cache' : null;

export const hasMmu: Condition = ({ kernel }) => (kernel.mm.vmalloc === null ? 'no MMU' : null);

export const speculates: Condition = machine =>
  coreOf(machine).speculativeFill ? null : 'this core fills no line that it was not told to';

/** Mapping for the device invalidates; arm64 cleans only, and then the first invalidate is late. */
export const mapInvalidates: Condition = ({ kernel }) =>
  kernel.mm.info.type === 'v8' ? 'arm64 invalidates no buffer before its transfer' : null;

/** Unmapping invalidates; v4wb's does not, because nothing fills a line meanwhile. */
export const unmapInvalidates: Condition = ({ kernel }) =>
  kernel.mm.info.type === 'v4wb' ? 'unmapping maintains nothing on this core' : null;

/** Maintenance and uncached stores are under way until a barrier. */
export const maintenanceIsPending: Condition = machine =>
  ['v4', 'v5'].includes(coreOf(machine).architecture)
    ? 'maintenance is complete when its instruction is'
    : null;

export const buffersStores: Condition = machine =>
  coreOf(machine).storeBuffer > 0 ? null : 'no store buffer';

/** On ARMv5 memory that is shared with devices is strongly ordered. */
export const sharedStoresWait: Condition = ({ kernel }) =>
  kernel.mm.info.type === 'v4wb' ? 'shared memory is strongly ordered on this core' : null;

export const loadsEarly: Condition = machine =>
  coreOf(machine).earlyLoads ? null : 'loads are performed in order';

/** An outer cache that the kernel drives, and whose buffer barriers drain. */
export const hasOuterBuffer: Condition = ({ plan }) => {
  if (plan.outer?.driven !== true) return 'no outer cache that the kernel drives';
  const isCoherent = plan.outer.cache.control.has('arm,io-coherent') || plan.facts.outerIoCoherent;
  return isCoherent ? 'the outer cache is io-coherent: no barrier syncs it' : null;
};

export const hasSnoopPort: Condition = machine =>
  coreOf(machine).snoopPort === 'none' ? 'nothing can snoop these cores' : null;

export const hasNoOuter: Condition = ({ plan }) =>
  plan.outer === null ? null : 'the outer cache takes maintenance of its own';

/** Before ARMv6 there are no memory types that could differ. */
export const typesMatter: Condition = ({ kernel }) =>
  kernel.mm.info.type === 'v4wb' ? 'no memory types before ARMv6' : null;

export const aliasIsHarmful: Condition = machine =>
  aliasIsHarmless(machine)
    ? 'a clean line is not looked at by uncached accesses, or never filled unasked'
    : null;

/** Short descriptors, on a core whose walker does not look into the nearest cache. */
export const tablesAreCleaned: Condition = ({ kernel }) => {
  const { info } = kernel.mm;
  if (!info.mustCleanTables) return 'the walker looks into the caches';
  return info.hasLpae ? 'long descriptors' : null;
};

/** An outer cache that the kernel maintains. */
export const hasOuter: Condition = ({ plan }) =>
  plan.outer?.driven === true ? null : 'no outer cache that the kernel drives';
