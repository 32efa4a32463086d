import { CurrentCpu } from '../../drivers/base/kernel/current-cpu';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DmaMapOps, DriverServices, IrqResource } from '../../drivers/base/kernel/device';
import { DMA_MAPPING_ERROR } from '../../drivers/base/kernel/dma-mapping';
import { ENODEV } from '../../drivers/base/kernel/errno';
import { KernelIo } from '../../drivers/base/kernel/io';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { ticks, cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr } from '../../drivers/base/types/address';
import type { DeviceModel } from '../../drivers/base/hw/device';
import { dmaBitMask } from '../../mm/dma-mapping-common';
import { ArmMachine } from '../arch/arm/machine';
import { DeviceBus } from './device-bus';
import type { DmaBench } from './dma-bench';
import { NO_PAGES } from './no-pages';

const nothing = (): void => undefined;

/**
 * What a driver gets of a kernel, and a model behind its registers: no caches, no tables, memory at
 * its own addresses. What a test wants to go wrong it sets.
 */
export class DriverBench {
  /** `map 64 at 0x80000000 1`, `unmap 64 at 0x80000000 1`: size, bus address, direction. */
  readonly dmaCalls: string[] = [];
  /** Bus addresses that cannot be mapped. */
  readonly unreachable = new Set<number>();
  /** Largest mask the bus does not refuse; and whether there is room to map registers. */
  smallestMask = 0;
  hasAddressSpace = true;
  /** Nobody lets time pass: whatever is waited for does not happen. */
  isStuck = false;
  readonly ioremapped: string[] = [];
  iounmapped = 0;
  readonly #bench: DmaBench;
  readonly #bus: DeviceBus;

  constructor(bench: DmaBench, model: DeviceModel) {
    this.#bench = bench;
    this.#bus = new DeviceBus(model);
  }

  get registers(): DeviceBus {
    return this.#bus;
  }

  /** A device that the model is behind; without registers if so asked. */
  device(irqs: readonly IrqResource[] = [], hasRegisters = true): Device {
    return new Device({
      name: 'dev',
      ofPath: null,
      dma: deviceDmaOf({ ops: this.#ops() }),
      registers: hasRegisters ? [{ start: physAddr(0x9000_0000), size: 0x1000 }] : [],
      irqs,
      services: this.#services(),
    });
  }

  #services(): DriverServices {
    const cpu = new CurrentCpu(new ArmMachine({ core: 'arm926ej-s', off: true }).cpu);
    const none = { afterRead: nothing, beforeWrite: nothing };
    return {
      io: Object.assign(new KernelIo(cpu, none), { ...this.#bus.io, relaxed: this.#bus.io }),
      barriers: { mb: nothing, rmb: nothing, wmb: nothing, dmaRmb: nothing, dmaWmb: nothing },
      memory: { virtToPhys: physAddr, physToVirt: cpuAddr },
      pages: NO_PAGES,
      log: new KernelLog(),
      observer: null,
      ioremap: (address, size) => this.#ioremap(address, size),
      iounmap: () => {
        this.iounmapped++;
      },
      dmaMinAlign: 64,
      irqsDisabled: () => false,
      flushKernelVmapRange: nothing,
      invalidateKernelVmapRange: nothing,
      reservedMemDeviceInit: () => -ENODEV,
      waitUntil: (done, limit) => this.#waitUntil(done, limit),
    };
  }

  #ioremap(address: number, size: number): CpuAddr | null {
    this.ioremapped.push(`0x${size.toString(16)} at 0x${address.toString(16)}`);
    return this.hasAddressSpace ? this.#bus.baseOf(0) : null;
  }

  #waitUntil(done: () => boolean, limit: number): boolean {
    const { events } = this.#bench;
    const end = events.now + limit;
    while (!done()) {
      const next = events.nextTime();
      if (this.isStuck || next === null || next > end) {
        events.advanceTo(ticks(this.isStuck ? events.now : end));
        return false;
      }
      events.advanceTo(next);
    }
    return true;
  }

  #ops(): DmaMapOps {
    const tell = (verb: string, address: number, size: number, direction: number): void => {
      this.dmaCalls.push(`${verb} ${size} at 0x${address.toString(16)} ${direction}`);
    };
    return {
      mapPage: (_dev, page, offset, size, direction) => {
        const address = page * 4096 + offset;
        if (this.unreachable.has(address)) return DMA_MAPPING_ERROR;
        tell('map', address, size, direction);
        return dmaAddr(address);
      },
      unmapPage: (_dev, address, size, direction) => {
        tell('unmap', address, size, direction);
      },
      syncSingleForCpu: nothing,
      syncSingleForDevice: nothing,
      dmaSupported: (_dev, mask) => mask >= this.smallestMask,
      getRequiredMask: () => dmaBitMask(32),
    };
  }
}
