import type { CpuAddr, DmaAddr } from '../../../drivers/base/types/address';
import { hi32, lo32 } from '../../../drivers/base/types/bits';
import { DESCRIPTOR, DESCRIPTOR_FLAGS } from '../../../drivers/misc/test-master/regs';
import type { DriverBench } from '../driver-bench';

/*
 * The driver's side of a descriptor ring, but for what orders its parts: that is what the drivers
 * here get wrong.
 */

export const { OWN, DONE, WRITE } = DESCRIPTOR_FLAGS;

/** What a descriptor asks for: that the device write the pattern, or compare with it. */
export interface Request {
  readonly write: boolean;
  readonly address: DmaAddr;
  readonly length: number;
  readonly seed: number;
}

/** Fills in all of a descriptor but the word with OWN. */
export const setOperands = ({ cpu }: DriverBench, descriptor: CpuAddr, request: Request): void => {
  const { address, length, seed } = request;
  cpu.store32(descriptor + DESCRIPTOR.LENGTH, length);
  cpu.store32(descriptor + DESCRIPTOR.ADDRESS_LO, lo32(address) | 0);
  cpu.store32(descriptor + DESCRIPTOR.ADDRESS_HI, hi32(address));
  cpu.store32(descriptor + DESCRIPTOR.SEED, seed);
};

/** Gives a descriptor to the device. */
export const setOwn = ({ cpu }: DriverBench, descriptor: CpuAddr, write: boolean): void => {
  cpu.store32(descriptor + DESCRIPTOR.FLAGS, OWN.at(1) | WRITE.at(write ? 1 : 0) | 0);
};

/** How often a driver looks for the end of a descriptor, and how long it waits in between. */
const LOOKS = 200;
const LOOK_NANOSECONDS = 100;

/** Waits until the device has given a descriptor back: false if it never does. */
export const waitForDone = ({ cpu }: DriverBench, descriptor: CpuAddr): boolean => {
  for (let look = 0; look < LOOKS; look++) {
    if (DONE.of(cpu.poll32(descriptor + DESCRIPTOR.FLAGS)) === 1) return true;
    cpu.relax(LOOK_NANOSECONDS);
  }
  return false;
};
