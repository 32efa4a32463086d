import { AddressSpace } from '../../drivers/base/hw/address-space';
import { UncachedMemory } from '../../drivers/base/hw/dma-memory';
import { DmaPort } from '../../drivers/base/hw/dma-port';
import type { BusWindow, DmaTiming, IommuHook } from '../../drivers/base/hw/dma-port';
import { EventQueue } from '../../drivers/base/hw/event-queue';
import { IoBus } from '../../drivers/base/hw/io-bus';
import { MemoryRegion } from '../../drivers/base/hw/memory-region';
import { TxResult, readFault } from '../../drivers/base/hw/mmio';
import type { MmioHandler } from '../../drivers/base/hw/mmio';
import { Ram, RamBlock } from '../../drivers/base/hw/ram';
import { Trace } from '../../drivers/base/hw/trace';
import { PAGE_SIZE } from '../../drivers/base/types/bits';

/** Two pages of RAM, then registers, then nobody. */
export const RAM_BASE = 0x8000_0000;
export const RAM_SIZE = 2 * PAGE_SIZE;
export const IO_BASE = RAM_BASE + RAM_SIZE;
/** Registers that keep bytes; those after them refuse every access. */
export const IO_GOOD = 0x20;
export const IO_SIZE = 0x40;
export const IO_END = IO_BASE + IO_SIZE;

/** A bus with RAM and registers and no CPU, and a port of a master on it. */
export class DmaBench {
  readonly events = new EventQueue();
  readonly trace = new Trace();
  readonly registers = new Uint8Array(IO_GOOD);
  /** `read 4 at 0x10`, oldest first. */
  readonly accesses: string[] = [];
  /** Word indices that masters touched. */
  readonly touched: number[] = [];
  readonly ram: Ram;
  readonly memory: UncachedMemory;

  constructor() {
    const system = MemoryRegion.container('system', 2 ** 40);
    const space = new AddressSpace('system', system);
    const block = new RamBlock('ram', RAM_SIZE);
    system.add(RAM_BASE, MemoryRegion.ram('ram', block));
    system.add(IO_BASE, MemoryRegion.io('io', IO_SIZE, this.#handler()));
    this.ram = new Ram(page => {
      const blockPage = page - RAM_BASE / PAGE_SIZE;
      return blockPage >= 0 && blockPage < RAM_SIZE / PAGE_SIZE ? { block, blockPage } : null;
    });
    this.memory = new UncachedMemory(this.ram, new IoBus(space), word => this.touched.push(word));
  }

  port(
    parts: {
      timing?: DmaTiming;
      windows?: readonly BusWindow[];
      iommu?: IommuHook;
    } = {},
  ): DmaPort {
    return new DmaPort({
      name: 'port',
      memory: this.memory,
      windows: parts.windows ?? null,
      iommu: parts.iommu ?? null,
      events: this.events,
      timing: parts.timing ?? 'earliest',
      trace: this.trace,
    });
  }

  /** Bytes of RAM, as they are. */
  peek(address: number, length: number): number[] {
    return Array.from({ length }, (_, i) => {
      const at = address + i;
      return (this.ram.readWord(this.ram.wordOf(at)) >>> (8 * (at % 4))) & 0xff;
    });
  }

  poke(address: number, bytes: readonly number[]): void {
    bytes.forEach((byte, i) => {
      const shift = 8 * ((address + i) % 4);
      this.ram.mergeWord(this.ram.wordOf(address + i), byte << shift, 0xff << shift);
    });
  }

  #handler(): MmioHandler {
    return {
      read: (offset, width) => {
        this.accesses.push(`read ${width} at 0x${offset.toString(16)}`);
        if (offset + width > IO_GOOD) return readFault(TxResult.AccessError);
        let value = 0;
        for (let i = 0; i < width; i++) value += (this.registers[offset + i] ?? 0) * 2 ** (8 * i);
        return value;
      },
      write: (offset, width, value) => {
        this.accesses.push(`write ${width} at 0x${offset.toString(16)}`);
        if (offset + width > IO_GOOD) return TxResult.AccessError;
        for (let i = 0; i < width; i++) this.registers[offset + i] = value / 2 ** (8 * i);
        return TxResult.Ok;
      },
    };
  }
}
