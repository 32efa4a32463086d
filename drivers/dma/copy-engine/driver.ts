import { probeMapped } from '../../base/kernel/device';
import type { Device, Driver } from '../../base/kernel/device';
import { EIO, ENODEV, ENOMEM, ETIMEDOUT } from '../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../base/kernel/irq';
import type { IrqReturn } from '../../base/kernel/irq';
import { ioRegisters } from '../../base/kernel/registers';
import type { IoRegisters } from '../../base/kernel/registers';
import { offsetBy, type CpuAddr, type DmaAddr } from '../../base/types/address';
import { hi32, lo32 } from '../../base/types/bits';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaSetMaskAndCoherent,
  dmaUnmapSingle,
} from '../../../mm/dma-mapping-common';
import { CHANNELS, COPY_ENGINE, MAX_LENGTH } from './regs';

/** A copy that takes longer than this has failed. */
const TIMEOUT_NANOSECONDS = 10_000_000;
const ADDRESS_MASK = 2 ** 40 - 1;

/** The driver of one copy engine. */
export class CopyEngineDevice {
  readonly #dev: Device;
  readonly #regs: IoRegisters<typeof COPY_ENGINE>;
  readonly #isPolled: boolean;
  /** Channels whose end the interrupt handler has seen, as bits of IRQ_STAT. */
  #ended = 0;
  #next = 0;

  constructor(dev: Device, base: CpuAddr) {
    this.#dev = dev;
    this.#regs = ioRegisters(COPY_ENGINE, dev.services.io, base);
    this.#isPolled = dev.irqs.length === 0;
  }

  /** Requests the interrupt, if the board has wired it, and turns the engine on. 0 or an errno. */
  start(): number {
    const [irq] = this.#dev.irqs;
    const handler = (): IrqReturn => this.#interrupt();
    const shared = { shared: true };
    const result = irq?.domain.requestIrq(irq.hwirq, this.#dev.name, handler, shared) ?? 0;
    if (result !== 0) return result;
    this.#regs.CTRL.write({ EN: 1 });
    const all = 2 ** CHANNELS - 1;
    if (!this.#isPolled) this.#regs.IRQ_MASK.write({ DONE: all, FAULT: all });
    return 0;
  }

  /**
   * Copies `length` bytes from one buffer of the linear map to another and waits for the end.
   * 0, or -ENOMEM if a buffer cannot be mapped, -EIO if the engine met a fault, -ETIMEDOUT.
   */
  copy(destination: CpuAddr, source: CpuAddr, length: number): number {
    for (let done = 0; done < length; done += MAX_LENGTH) {
      const part = Math.min(MAX_LENGTH, length - done);
      const result = this.#copyPart(offsetBy(destination, done), offsetBy(source, done), part);
      if (result !== 0) return result;
    }
    return 0;
  }

  #copyPart(destination: CpuAddr, source: CpuAddr, length: number): number {
    const from = dmaMapSingle(this.#dev, source, length, DmaDirection.ToDevice);
    if (dmaMappingError(this.#dev, from) !== 0) return -ENOMEM;
    const to = dmaMapSingle(this.#dev, destination, length, DmaDirection.FromDevice);
    if (dmaMappingError(this.#dev, to) !== 0) {
      dmaUnmapSingle(this.#dev, from, length, DmaDirection.ToDevice);
      return -ENOMEM;
    }
    const result = this.#run(from, to, length);
    dmaUnmapSingle(this.#dev, to, length, DmaDirection.FromDevice);
    dmaUnmapSingle(this.#dev, from, length, DmaDirection.ToDevice);
    return result;
  }

  #run(from: DmaAddr, to: DmaAddr, length: number): number {
    const channel = this.#next;
    this.#next = (this.#next + 1) % CHANNELS;
    const ch = this.#regs.CH(channel);
    ch.SRC_LO.write(lo32(from));
    ch.SRC_HI.write(hi32(from));
    ch.DST_LO.write(lo32(to));
    ch.DST_HI.write(hi32(to));
    ch.LENGTH.write({ BYTES: length });
    this.#ended &= ~(0x101 << channel);
    ch.CMD.write({ START: 1 });
    if (!this.#dev.services.waitUntil(() => this.#hasEnded(channel), TIMEOUT_NANOSECONDS)) {
      ch.CMD.write({ ABORT: 1 });
      return -ETIMEDOUT;
    }
    return ch.STATUS.read().RESULT === 0 ? 0 : -EIO;
  }

  #hasEnded(channel: number): boolean {
    if (this.#isPolled) this.#interrupt();
    return (this.#ended & (0x101 << channel)) !== 0;
  }

  #interrupt(): IrqReturn {
    const status = this.#regs.IRQ_STAT.read().value;
    if (status === 0) return IRQ_NONE;
    this.#regs.IRQ_STAT.write(status);
    this.#ended |= status;
    return IRQ_HANDLED;
  }
}

/** What the tree reserves for the engine, if it does; 0 or an errno. */
const ownMemory = (dev: Device): number => {
  const result = dev.services.reservedMemDeviceInit(dev, 0);
  return result === -ENODEV ? 0 : result;
};

export const copyEngineDriver: Driver<CopyEngineDevice> = {
  name: 'copy-engine',
  compatible: ['dmabench,copy-engine'],
  /** Without an interrupt that the board has wired, the engine is polled. */
  probe: dev =>
    probeMapped(dev, base => {
      // The engine drives 40 address bits; the bus it sits on may carry fewer.
      const reached = dmaSetMaskAndCoherent(dev, ADDRESS_MASK);
      const engine = new CopyEngineDevice(dev, base);
      const given = reached === 0 ? ownMemory(dev) : reached;
      const result = given === 0 ? engine.start() : given;
      return result === 0 ? engine : result;
    }),
};
