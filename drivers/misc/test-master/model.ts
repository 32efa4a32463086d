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
import { u8 } from '../../base/types/arrays';
import { join64 } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { DescriptorRing } from './model/ring';
import type { Transfer } from './model/ring';
import { MAX_LENGTH, TEST_MASTER, patternByte } from './regs';

const SETUP_NANOSECONDS = 100;

/** What a test master is wired to. */
export interface TestMasterPorts {
  readonly name: string;
  readonly dma: DmaPort;
  readonly irq: IrqLine;
  readonly events: EventQueue;
  readonly onGuestError: GuestErrorSink;
}

/**
 * The DMA master that the bench adds to a board: it writes a pattern to memory, or checks it, and
 * says when it is done by status and interrupt. Registers and descriptors: regs.ts. One transfer
 * at a time: a command during one is ignored, descriptors wait for its end.
 */
export class TestMaster extends Device {
  readonly reset: ResetNode;
  readonly #regs: RegisterFile<typeof TEST_MASTER>;
  readonly #ports: TestMasterPorts;
  readonly #buffer = new Uint8Array(MAX_LENGTH);
  readonly #ring: DescriptorRing;
  #running: Timer | null = null;

  constructor(ports: TestMasterPorts) {
    super(ports.name);
    this.#ports = ports;
    this.#regs = registerFile(TEST_MASTER, {
      onGuestError: ports.onGuestError,
      onWrite: {
        CMD: written => {
          this.#command(written);
        },
        STATUS: () => {
          this.#updateIrq();
        },
        IRQ_ENABLE: () => {
          this.#updateIrq();
        },
        RING_ENTRIES: () => {
          this.#ring.start();
        },
        RING_TAIL: (_written, previous) => {
          this.#ring.promise(previous);
        },
        RING_POLLS: () => {
          this.#ring.next();
        },
      },
    });
    this.#ring = new DescriptorRing({
      name: ports.name,
      dma: ports.dma,
      events: ports.events,
      regs: this.#regs,
      onGuestError: ports.onGuestError,
      move: (transfer, isWrite) => this.#move(transfer, isWrite),
      finish: result => {
        this.#finish(result);
      },
    });
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      enter: () => {
        this.#stop();
        this.#regs.reset();
      },
      hold: () => {
        this.#updateIrq();
      },
    });
  }

  /** BenchError while a transfer is under way: what its timer will do cannot be saved. */
  saveState(): StateValue {
    const isIdle = this.#running === null && this.#ring.isIdle;
    invariant(isIdle, `${this.name}: a snapshot while a transfer is under way`);
    return { registers: this.#regs.saveState() };
  }

  /** What was under way is given up. */
  restoreState(state: StateValue): void {
    this.#cancel();
    this.#regs.restoreState(new StateReader(state, this.name).value('registers'));
    this.#ports.irq.restore(this.#irqLevel());
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, TEST_MASTER.size, this.#regs)];
  }

  #command(written: number): void {
    const { WRITE, CHECK, ABORT } = TEST_MASTER.registers.CMD.fields;
    if (ABORT.of(written) === 1) this.#stop();
    else if (WRITE.of(written) === 1) this.#start(transfer => this.#write(transfer));
    else if (CHECK.of(written) === 1) this.#start(transfer => this.#check(transfer));
  }

  #start(access: (transfer: Transfer) => TxResult): void {
    if (this.#regs.STATUS.BUSY === 1) return;
    const transfer = {
      address: dmaAddr(join64(this.#regs.ADDRESS_LO.value, this.#regs.ADDRESS_HI.value)),
      length: this.#regs.LENGTH.BYTES,
      seed: this.#regs.SEED.value,
    };
    const { length } = transfer;
    if (length > MAX_LENGTH) {
      this.#ports.onGuestError(`${this.name}.LENGTH: ${length} bytes are more than ${MAX_LENGTH}`);
      this.#finish(TxResult.Error);
      return;
    }
    this.#regs.STATUS.BUSY = 1;
    let result: TxResult = TxResult.Ok;
    this.#running = this.#ports.dma.transfer(
      SETUP_NANOSECONDS + length,
      () => {
        result = access(transfer);
      },
      () => {
        this.#finish(result);
      },
    );
  }

  /** As a descriptor says. */
  #move(transfer: Transfer, isWrite: boolean): TxResult {
    this.#regs.MISMATCHES.value = 0;
    if (transfer.length > MAX_LENGTH) return TxResult.Error;
    return isWrite ? this.#write(transfer) : this.#check(transfer);
  }

  #write({ address, length, seed }: Transfer): TxResult {
    for (let i = 0; i < length; i++) this.#buffer[i] = patternByte(seed, i);
    return this.#ports.dma.write(address, length, this.#buffer);
  }

  #check({ address, length, seed }: Transfer): TxResult {
    const result = this.#ports.dma.read(address, length, this.#buffer);
    let mismatches = 0;
    let first = 0;
    for (let i = length - 1; i >= 0; i--) {
      if (u8(this.#buffer, i) === patternByte(seed, i)) continue;
      mismatches++;
      first = i;
    }
    this.#regs.MISMATCHES.value = mismatches;
    this.#regs.FIRST_MISMATCH.value = first;
    return result;
  }

  #finish(result: TxResult): void {
    this.#running = null;
    const { STATUS } = this.#regs;
    STATUS.BUSY = 0;
    STATUS.DONE = 1;
    STATUS.RESULT = result;
    this.#updateIrq();
    this.#ring.next();
  }

  #stop(): void {
    this.#cancel();
    this.#regs.RING_POLLS.COUNT = 0;
    this.#regs.STATUS.BUSY = 0;
  }

  #cancel(): void {
    if (this.#running !== null) this.#ports.dma.abort(this.#running);
    this.#running = null;
    this.#ring.stop();
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#irqLevel());
  }

  #irqLevel(): boolean {
    return this.#regs.STATUS.DONE === 1 && this.#regs.IRQ_ENABLE.DONE === 1;
  }
}
