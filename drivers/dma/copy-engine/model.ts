import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaPort } from '../../base/hw/dma-port';
import type { EventQueue, Timer } from '../../base/hw/event-queue';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { TxResult } from '../../base/hw/mmio';
import { registerFile } from '../../base/hw/register-file';
import type { RegisterFile } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { dmaAddr } from '../../base/types/address';
import { join64 } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { CHANNELS, COPY_ENGINE, MAX_LENGTH } from './regs';

/** Set-up of a copy, and what each byte adds. */
const SETUP_NANOSECONDS = 200;
const NANOSECONDS_PER_BYTE = 1;

/** What the engine is wired to. */
export interface CopyEnginePorts {
  readonly name: string;
  readonly dma: DmaPort;
  readonly irq: IrqLine;
  readonly events: EventQueue;
  readonly onGuestError: GuestErrorSink;
}

/** The engine. It sees a DMA port and an interrupt line, and nothing else of the machine. */
export class CopyEngine extends Device {
  readonly reset: ResetNode;
  readonly #regs: RegisterFile<typeof COPY_ENGINE>;
  readonly #ports: CopyEnginePorts;
  readonly #running = new Map<number, Timer>();

  constructor(ports: CopyEnginePorts) {
    super(ports.name);
    this.#ports = ports;
    this.#regs = registerFile(COPY_ENGINE, {
      onGuestError: ports.onGuestError,
      onWrite: {
        IRQ_STAT: () => {
          this.#updateIrq();
        },
        IRQ_MASK: () => {
          this.#updateIrq();
        },
        'CH.CMD': (written, _previous, channel) => {
          this.#command(written, channel);
        },
      },
    });
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      enter: () => {
        for (let channel = 0; channel < CHANNELS; channel++) this.#stop(channel);
        this.#regs.reset();
      },
      hold: () => {
        this.#updateIrq();
      },
    });
  }

  /** BenchError while a copy is under way: what its timer will do cannot be saved. */
  saveState(): StateValue {
    invariant(this.#running.size === 0, `${this.name}: a snapshot while a copy is under way`);
    return { registers: this.#regs.saveState() };
  }

  /** What was under way is given up. */
  restoreState(state: StateValue): void {
    for (const timer of this.#running.values()) this.#ports.dma.abort(timer);
    this.#running.clear();
    this.#regs.restoreState(new StateReader(state, this.name).value('registers'));
    this.#ports.irq.restore(this.#irqLevel());
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, COPY_ENGINE.size, this.#regs)];
  }

  #command(written: number, channel: number): void {
    const { START, ABORT } = COPY_ENGINE.arrays.CH.registers.CMD.fields;
    if (ABORT.of(written) === 1) this.#stop(channel);
    else if (START.of(written) === 1) this.#start(channel);
  }

  #start(channel: number): void {
    const ch = this.#regs.CH(channel);
    if (this.#regs.CTRL.EN === 0 || ch.STATUS.BUSY === 1) return;
    const length = ch.LENGTH.BYTES;
    if (length > MAX_LENGTH) {
      this.#ports.onGuestError(
        `${this.name}.CH.LENGTH: ${length} bytes are more than ${MAX_LENGTH}`,
      );
      this.#finish(channel, TxResult.Error);
      return;
    }
    ch.STATUS.BUSY = 1;
    const source = dmaAddr(join64(ch.SRC_LO.value, ch.SRC_HI.value));
    const destination = dmaAddr(join64(ch.DST_LO.value, ch.DST_HI.value));
    // Of its own for each copy: what is written may be the doorbell of another channel.
    const data = new Uint8Array(length);
    let result: TxResult = TxResult.Ok;
    const { dma } = this.#ports;
    const timer = dma.transfer(
      SETUP_NANOSECONDS + length * NANOSECONDS_PER_BYTE,
      () => {
        result = dma.read(source, length, data);
        if (result === TxResult.Ok) result = dma.write(destination, length, data);
      },
      () => {
        this.#finish(channel, result);
      },
    );
    this.#running.set(channel, timer);
  }

  #finish(channel: number, result: TxResult): void {
    const { STATUS } = this.#regs.CH(channel);
    STATUS.BUSY = 0;
    STATUS.RESULT = result;
    this.#running.delete(channel);
    const { IRQ_STAT } = this.#regs;
    if (result === TxResult.Ok) IRQ_STAT.DONE |= 1 << channel;
    else IRQ_STAT.FAULT |= 1 << channel;
    this.#updateIrq();
  }

  #stop(channel: number): void {
    const timer = this.#running.get(channel);
    if (timer !== undefined) this.#ports.dma.abort(timer);
    this.#running.delete(channel);
    this.#regs.CH(channel).STATUS.BUSY = 0;
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#irqLevel());
  }

  #irqLevel(): boolean {
    return (this.#regs.IRQ_STAT.value & this.#regs.IRQ_MASK.value) !== 0;
  }
}
