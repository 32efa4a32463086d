import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver } from '../../base/kernel/device';
import { EIO, ETIMEDOUT } from '../../base/kernel/errno';
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

/** Registers by readl() and writel(), or by readl_relaxed() and writel_relaxed(). */
export type Order = 'ordered' | 'relaxed';

/**
 * The driver of a test master: it moves what its caller has mapped, and polls for the end.
 * Mapping and syncing are the caller's part: that is what is being tested.
 */
export class TestMasterDevice {
  readonly dev: Device;
  readonly #regs: IoRegisters<typeof TEST_MASTER>;
  /** The same registers by accessors that order nothing. */
  readonly #relaxed: IoRegisters<typeof TEST_MASTER>;

  constructor(dev: Device, base: CpuAddr) {
    this.dev = dev;
    const { io } = dev.services;
    this.#regs = ioRegisters(TEST_MASTER, io, base);
    this.#relaxed = ioRegisters(TEST_MASTER, io.relaxed, base);
  }

  /** The device writes the pattern of `seed` to memory. 0, -EIO or -ETIMEDOUT. */
  writePattern(address: DmaAddr, length: number, seed: number): number {
    this.startWrite(address, length, seed);
    return this.finish();
  }

  /** The device reads memory and compares it with the pattern of `seed`. */
  checkPattern(address: DmaAddr, length: number, seed: number): CheckResult {
    this.startCheck(address, length, seed);
    return this.finishCheck();
  }

  /** As checkPattern, but returns while the transfer is under way; `finishCheck` waits for it. */
  startCheck(address: DmaAddr, length: number, seed: number, order: Order = 'ordered'): void {
    this.#program(address, length, seed, order);
    this.#by(order).CMD.write({ CHECK: 1 });
  }

  finishCheck(): CheckResult {
    const error = this.finish();
    return {
      error,
      mismatches: this.#regs.MISMATCHES.read().value,
      first: this.#regs.FIRST_MISMATCH.read().value,
    };
  }

  /** As writePattern, but returns while the transfer is under way; `finish` waits for it. */
  startWrite(address: DmaAddr, length: number, seed: number, order: Order = 'ordered'): void {
    this.#program(address, length, seed, order);
    this.#by(order).CMD.write({ WRITE: 1 });
  }

  /** Whether DONE is set, by readl() or readl_relaxed(): nothing waits, and nothing is cleared. */
  isDone(order: Order = 'ordered'): boolean {
    return this.#by(order).STATUS.read().DONE === 1;
  }

  /** Waits for the end of the transfer. 0, -EIO, or -ETIMEDOUT after it was aborted. */
  finish(): number {
    const { services } = this.dev;
    if (!services.waitUntil(() => this.isDone(), TIMEOUT_NANOSECONDS)) {
      this.#regs.CMD.write({ ABORT: 1 });
      return -ETIMEDOUT;
    }
    const { RESULT } = this.#regs.STATUS.read();
    this.#regs.STATUS.write({ DONE: 1 });
    return RESULT === 0 ? 0 : -EIO;
  }

  /**
   * Points the device at a ring of `entries` descriptors (DESCRIPTOR), and its head at the first.
   * The descriptors, and when they may be seen, are the caller's part.
   */
  startRing(address: DmaAddr, entries: number): void {
    this.#regs.RING_ADDRESS_LO.write(lo32(address));
    this.#regs.RING_ADDRESS_HI.write(hi32(address));
    this.#regs.RING_ENTRIES.write({ COUNT: entries });
  }

  /** Whether the device has stopped at a descriptor that was not its. */
  isRingHalted(): boolean {
    return this.#regs.STATUS.read().HALTED === 1;
  }

  /** Gives up what the ring is at; the end of a descriptor that was not waited for is forgotten. */
  stopRing(): void {
    this.#regs.RING_ENTRIES.write({ COUNT: 0 });
    this.#regs.STATUS.write({ DONE: 1 });
  }

  /**
   * The doorbell: descriptors before `tail` are the device's. A writel(), or with `relaxed` a
   * writel_relaxed(), before which the caller has what barrier it takes.
   */
  ringDoorbell(tail: number, order: Order = 'ordered'): void {
    this.#by(order).RING_TAIL.write({ INDEX: tail });
  }

  /** The device looks at the next descriptor by itself, so many times. */
  pollRing(looks: number): void {
    this.#regs.RING_POLLS.write({ COUNT: looks });
  }

  #program(address: DmaAddr, length: number, seed: number, order: Order): void {
    const regs = this.#by(order);
    regs.ADDRESS_LO.write(lo32(address));
    regs.ADDRESS_HI.write(hi32(address));
    regs.LENGTH.write({ BYTES: length });
    regs.SEED.write(seed);
  }

  #by(order: Order): IoRegisters<typeof TEST_MASTER> {
    return order === 'ordered' ? this.#regs : this.#relaxed;
  }
}

export const testMasterDriver: Driver<TestMasterDevice> = {
  name: 'test-master',
  compatible: ['dmabench,test-master'],
  probe: dev => probeMapped(dev, base => new TestMasterDevice(dev, base)),
};
