import { AddressSpace } from '../../drivers/base/hw/address-space';
import type { DeviceModel } from '../../drivers/base/hw/device';
import { MemoryRegion } from '../../drivers/base/hw/memory-region';
import { readFault, readResult, TxResult, type AccessWidth } from '../../drivers/base/hw/mmio';
import type { RegisterIo } from '../../drivers/base/kernel/registers';
import { cpuAddr, hex, type CpuAddr } from '../../drivers/base/types/address';

/** Distance between the windows of a device on its bus. */
const WINDOW_STRIDE = 2 ** 32;

/**
 * A realized device on a bus of its own, and what a driver reaches it with: address space and
 * flat view are the real ones, the CPU is not there. Window i begins at baseOf(i).
 */
export class DeviceBus {
  readonly #space: AddressSpace;

  constructor(device: DeviceModel) {
    device.realize();
    const root = MemoryRegion.container('bus', 2 ** 48);
    device.regions.forEach((region, i) => {
      root.add(this.baseOf(i), region);
    });
    this.#space = new AddressSpace('bus', root);
  }

  baseOf(window: number): CpuAddr {
    return cpuAddr(window * WINDOW_STRIDE);
  }

  /** As MmioHandler.read; DecodeError where no window is. */
  read(address: number, width: AccessWidth): number {
    const range = this.#space.find(address);
    if (range?.region.content.kind !== 'io') return readFault(TxResult.DecodeError);
    return range.region.content.io.read(address - range.start + range.offset, width);
  }

  /** As MmioHandler.write; DecodeError where no window is. */
  write(address: number, width: AccessWidth, value: number): TxResult {
    const range = this.#space.find(address);
    if (range?.region.content.kind !== 'io') return TxResult.DecodeError;
    return range.region.content.io.write(address - range.start + range.offset, width, value);
  }

  /** Accessors that throw where a CPU would take an abort. */
  readonly io: RegisterIo = {
    readb: address => this.#load(address, 1),
    readw: address => this.#load(address, 2),
    readl: address => this.#load(address, 4),
    writeb: (value, address) => {
      this.#store(address, 1, value);
    },
    writew: (value, address) => {
      this.#store(address, 2, value);
    },
    writel: (value, address) => {
      this.#store(address, 4, value);
    },
  };

  #load(address: CpuAddr, width: AccessWidth): number {
    const value = this.read(address, width);
    if (value < 0) throw new Error(`abort ${readResult(value)}: read of ${hex(address)}`);
    return value;
  }

  #store(address: CpuAddr, width: AccessWidth, value: number): void {
    const result = this.write(address, width, value);
    if (result !== TxResult.Ok) throw new Error(`abort ${result}: write of ${hex(address)}`);
  }
}
