import type { Device, Driver } from '../../base/kernel/device';
import { EIO, ENOMEM, ETIMEDOUT } from '../../base/kernel/errno';
import { ioRegisters } from '../../base/kernel/registers';
import type { IoRegisters } from '../../base/kernel/registers';
import type { CpuAddr, DmaAddr } from '../../base/types/address';
import { hi32, lo32 } from '../../base/types/bits';
import { TEST_MASTER } from './regs';

const TIMEOUT_NANOSECONDS = 10_000_000;

/** What a CHECK found. */
export interface CheckResult {
  /** 0, -EIO if the bus answered with an error, -ETIMEDOUT. */
  readonly error: number;
  readonly mismatches: number;
  /** Offset of the first byte that differed. */
  readonly first: number;
}

/**
 * The driver of a test master: it moves what its caller has mapped, and polls for the end.
 * Mapping and syncing are the caller's part: that is what is being tested.
 */
export class TestMasterDevice {
  readonly dev: Device;
  readonly #regs: IoRegisters<typeof TEST_MASTER>;

  constructor(dev: Device, base: CpuAddr) {
    this.dev = dev;
    this.#regs = ioRegisters(TEST_MASTER, dev.services.io, base);
  }

  /** The device writes the pattern of `seed` to memory. 0, -EIO or -ETIMEDOUT. */
  writePattern(address: DmaAddr, length: number, seed: number): number {
    this.startWrite(address, length, seed);
    return this.finish();
  }

  /** The device reads memory and compares it with the pattern of `seed`. */
  checkPattern(address: DmaAddr, length: number, seed: number): CheckResult {
    this.#program(address, length, seed);
    this.#regs.CMD.write({ CHECK: 1 });
    const error = this.finish();
    return {
      error,
      mismatches: this.#regs.MISMATCHES.read().value,
      first: this.#regs.FIRST_MISMATCH.read().value,
    };
  }

  /** As writePattern, but returns while the transfer is under way; `finish` waits for it. */
  startWrite(address: DmaAddr, length: number, seed: number): void {
    this.#program(address, length, seed);
    this.#regs.CMD.write({ WRITE: 1 });
  }

  /** Waits for the end of the transfer. 0, -EIO, or -ETIMEDOUT after it was aborted. */
  finish(): number {
    const { services } = this.dev;
    const isDone = (): boolean => this.#regs.STATUS.read().DONE === 1;
    if (!services.waitUntil(isDone, TIMEOUT_NANOSECONDS)) {
      this.#regs.CMD.write({ ABORT: 1 });
      return -ETIMEDOUT;
    }
    const { RESULT } = this.#regs.STATUS.read();
    this.#regs.STATUS.write({ DONE: 1 });
    return RESULT === 0 ? 0 : -EIO;
  }

  #program(address: DmaAddr, length: number, seed: number): void {
    this.#regs.ADDRESS_LO.write(lo32(address));
    this.#regs.ADDRESS_HI.write(hi32(address));
    this.#regs.LENGTH.write({ BYTES: length });
    this.#regs.SEED.write(seed);
  }
}

export const testMasterDriver: Driver<TestMasterDevice> = {
  name: 'test-master',
  compatible: ['dmabench,test-master'],
  probe: dev => {
    const [registers] = dev.registers;
    if (registers === undefined) return -EIO;
    const base = dev.services.ioremap(registers.start, registers.size);
    return base === null ? -ENOMEM : new TestMasterDevice(dev, base);
  },
};
