import { CheckedComplex } from '../arch/arm/checked/complex';
import { KERNEL_IMAGE_SIZE } from '../arch/arm/mm/init';
import { physAddr } from '../drivers/base/types/address';
import type { Hardware } from './hardware';
import type { Kernel } from './kernel';
import { Observation } from './observation';

/**
 * Watches hardware and the kernel that has just been set up on it, before anything else is done
 * with either; null on a machine whose caches are concrete: there is nothing to be told there.
 */
export const observe = (hardware: Hardware, kernel: Kernel): Observation | null => {
  const { complex } = hardware;
  if (!(complex instanceof CheckedComplex)) return null;
  const { layout, info } = kernel.mm;
  const observation = new Observation({
    watch: complex.watch,
    now: () => complex.pulse.now,
    lineBytes: info.lineSize === 0 ? 1 : complex.checker.lineBytes,
    dropsAtMap: layout.image !== 'arm64',
    areas: {
      kernel: { start: layout.physOffset, size: KERNEL_IMAGE_SIZE },
      vmalloc: layout.vmalloc,
      physToVirt: address => layout.physToVirt(physAddr(address)),
      pointerBytes: layout.image === 'arm64' ? 8 : 4,
    },
    snoops: device => hardware.snoops(device),
  });
  complex.observer = observation;
  kernel.observe(observation);
  return observation;
};
