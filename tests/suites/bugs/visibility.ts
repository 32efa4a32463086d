import type { DriverBench } from '../driver-bench';
import type { Visibility } from './bug';

/*
 * On which boards a bug shows, by what the core and the device do.
 */

/** The device does not snoop, and there is a cache. */
export const isExposed = ({ dev, core }: DriverBench): boolean =>
  !dev.dma.coherent && core.l1d !== null;

/** Must where the condition holds for a device that does not snoop, never elsewhere. */
export const exposedIf =
  (condition: (bench: DriverBench) => boolean) =>
  (bench: DriverBench): Visibility =>
    isExposed(bench) && condition(bench) ? 'must' : 'never';

/** Wherever a device does not snoop. */
export const wherever = exposedIf(() => true);

/**
 * An offence against ownership: wherever a device does not snoop. One that snoops makes it
 * harmless and no less an offence.
 */
export const offence = (bench: DriverBench): Visibility => (isExposed(bench) ? 'must' : 'may');

export const speculates = ({ core }: DriverBench): boolean => core.speculativeFill;

/** One page has different lines at different addresses. */
export const aliases = ({ kernel: { mm } }: DriverBench): boolean =>
  mm.info.isVivt || mm.info.isAliasing;

export const isV5 = ({ kernel: { mm } }: DriverBench): boolean => mm.info.type === 'v4wb';

export const isV8 = ({ kernel: { mm } }: DriverBench): boolean => mm.info.type === 'v8';

/** Stores to shared memory wait in a buffer: before ARMv6 that memory is strongly ordered. */
export const sharedStoresWait = (bench: DriverBench): boolean =>
  !isV5(bench) && bench.core.storeBuffer > 0;
