import type { Device } from '../../../base/kernel/device';
import { EBUSY, ENODEV, ENOMEM, ETIMEDOUT } from '../../../base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE } from '../../../base/kernel/irq';
import type { IrqReturn } from '../../../base/kernel/irq';
import { ioRegisters } from '../../../base/kernel/registers';
import type { IoRegisters } from '../../../base/kernel/registers';
import { hex } from '../../../base/types/address';
import type { CpuAddr } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { AsCommand, EVENTS, GC_LITE, IdleBit, Interrupt } from '../regs';
import type { FaultMode } from '../regs';
import { OPCODE, Opcode } from '../regs/command-stream';
import { GC_STATES } from '../regs/states';
import { CommandPool } from './command-pool';
import type { CommandBuffer } from './command-pool';
import { CommandWriter } from './commands';
import { GpuContext, kernelVa, makeKernelTables } from './context';
import { Events, seqnoAfter } from './events';
import { GemObject, GemStatistics } from './gem';
import type { GemRequest } from './gem';
import { Ring } from './ring';
import { SafePage } from './safe-page';
import { TableWriter } from './tables';
import type { PageTables, TableMemory } from './tables';

const { MMUV2_CONFIGURATION, MMUV2_SAFE_ADDRESS } = GC_STATES.registers;

/** How long the front end may take to run a few words. */
const START_NANOSECONDS = 1_000_000;
/** A job that takes longer without the front end moving hangs (etnaviv: 500 ms). */
export const HANG_NANOSECONDS = 500_000_000;
/** Bits of IDLE_STATE that say the hardware has nothing to do. */
const ALL_IDLE = 2 ** IdleBit.FE + 2 ** IdleBit.DE + 2 ** IdleBit.PE;

/** A stream that does nothing. */
const NOTHING: readonly number[] = [OPCODE.at(Opcode.Nop), 0];

/** A job as the hardware sees it. */
export interface HardwareJob {
  readonly seqno: number;
  readonly context: GpuContext;
  readonly words: readonly number[];
  readonly commands: CommandBuffer;
  /** Called once, from the interrupt or a reset: 0 or a negative errno. */
  readonly done: (error: number) => void;
}

/** What a look at the front end saw: for whether it has moved since (etnaviv_sched_timedout_job). */
export interface Progress {
  readonly address: number;
  readonly completed: number;
}

/** What the driver is made with. */
export interface GpuOptions {
  readonly tables?: TableMemory;
}

/** One GPU: its registers, ring, tables and events (etnaviv_gpu.c). */
export class VivanteGpu {
  readonly dev: Device;
  readonly base: CpuAddr;
  readonly regs: IoRegisters<typeof GC_LITE>;
  readonly statistics = new GemStatistics();
  readonly writer: TableWriter;
  readonly events = new Events<HardwareJob>();
  readonly ring: Ring;
  /** Flushes of the TLB that went into the stream, and switches of address spaces. */
  readonly counts = { flushes: 0, switches: 0, jobs: 0, interrupts: 0, exceptions: 0, resets: 0 };
  /** The address space that the front end is in, once all that is queued has run. */
  #current: GpuContext | null = null;
  #flushSeq = -1;
  #seqno = 0;
  readonly #pool: CommandPool;
  readonly #kernel: PageTables;
  readonly #idle: GpuContext;
  readonly #safe: SafePage;
  readonly #isPolled: boolean;
  #names = 0;
  /** Called from the interrupt for faults that are to be serviced; null: none ever is. */
  onFault: (() => void) | null = null;
  /** The last exception of the MMU: which address, and its code. */
  lastException: { readonly address: number; readonly code: number } | null = null;

  private constructor(
    dev: Device,
    base: CpuAddr,
    parts: {
      readonly writer: TableWriter;
      readonly pool: CommandPool;
      readonly kernel: PageTables;
      readonly idle: GpuContext;
      readonly safe: SafePage;
      readonly ring: CommandBuffer;
    },
  ) {
    this.dev = dev;
    this.base = base;
    this.regs = ioRegisters(GC_LITE, dev.services.io, base);
    this.writer = parts.writer;
    this.#pool = parts.pool;
    this.#kernel = parts.kernel;
    this.#idle = parts.idle;
    this.#safe = parts.safe;
    this.ring = new Ring(dev.services, parts.ring, kernelVa(parts.ring.offset));
    this.#isPolled = dev.irqs.length === 0;
  }

  /** Everything that the driver needs in memory; -ENOMEM, with nothing left behind. */
  static make(dev: Device, base: CpuAddr, options: GpuOptions = {}): VivanteGpu | number {
    const writer = new TableWriter(dev, options.tables ?? 'wc');
    const pool = CommandPool.make(dev);
    if (pool === null) return -ENOMEM;
    const safe = SafePage.make(dev);
    const kernel = safe && makeKernelTables(writer, pool);
    const idle = kernel && GpuContext.make('idle', writer, kernel);
    const ring = pool.alloc(PAGE_SIZE);
    if (safe !== null && kernel !== null && idle !== null && ring !== null) {
      return new VivanteGpu(dev, base, { writer, pool, kernel, idle, safe, ring });
    }
    kernel?.free();
    safe?.free();
    pool.release();
    return -ENOMEM;
  }

  /** Requests the interrupt and brings the hardware up: 0 or a negative errno. */
  start(): number {
    if (this.regs.X_VERSION.read().value === 0) return -ENODEV;
    const [irq] = this.dev.irqs;
    const handler = (): IrqReturn => this.#interrupt();
    const shared = { shared: true };
    const result = irq?.domain.requestIrq(irq.hwirq, this.dev.name, handler, shared) ?? 0;
    return result === 0 ? this.#initialize() : result;
  }

  /** An address space for a client; null without memory. */
  createContext(name: string): GpuContext | null {
    return GpuContext.make(name, this.writer, this.#kernel);
  }

  /** An object, named after nothing but its number; -EINVAL for a size that none has. */
  createObject(request: GemRequest, name = `object ${++this.#names}`): GemObject | number {
    return GemObject.make(this.dev, name, request, this.statistics);
  }

  /** Where every address space has the ring. */
  get ringVa(): number {
    return kernelVa(this.ring.buffer.offset);
  }

  /** Bytes of command buffers in use, the ring among them. */
  get commandBytes(): number {
    return this.#pool.used;
  }

  /** Whether a stream of so many words could be handed over now. */
  canSubmit(words: number): boolean {
    return this.events.hasFree && this.#pool.hasRoom(words * 4 + 8);
  }

  /**
   * Has the GPU forget what it keeps of a space's tables now, by a job that does nothing else, and waits
   * for that: what an MMU costs whose flush is no part of the stream. 0 or a negative errno.
   */
  flushNow(context: GpuContext): number {
    const result = this.submit(context, NOTHING, () => undefined);
    return result === 0 ? this.waitIdle(HANG_NANOSECONDS) : result;
  }

  get isBusy(): boolean {
    return this.events.inUse > 0;
  }

  /**
   * Hands a stream over that was validated (etnaviv_gpu_submit). 0; -EBUSY while no event or no
   * room for commands is free. `done` is called once, later.
   */
  submit(context: GpuContext, words: readonly number[], done: (error: number) => void): number {
    if (!this.events.hasFree) return -EBUSY;
    // A LINK back follows the commands.
    const commands = this.#pool.alloc(words.length * 4 + 8);
    if (commands === null) return -EBUSY;
    const writer = new CommandWriter(this.dev.services.io, commands.cpuAddr, commands.size);
    for (const word of words) writer.word(word);
    const job = { seqno: ++this.#seqno, context, words, commands, done };
    const event = this.events.give(job);
    const isOther = this.#current !== context;
    const mmu = {
      table: isOther ? context.table : null,
      flush: isOther || this.#flushSeq !== context.flushSeq,
      space: context.space,
    };
    this.counts.jobs++;
    if (isOther) this.counts.switches++;
    if (mmu.flush) this.counts.flushes++;
    this.#current = context;
    this.#flushSeq = context.flushSeq;
    this.ring.queue({ va: kernelVa(commands.offset), writer, event, mmu });
    return 0;
  }

  /**
   * Sleeps until the GPU has nothing under way: 0, or -ETIMEDOUT. What hangs stays as it is: see
   * `recover`.
   */
  waitIdle(nanoseconds: number): number {
    const done = this.dev.services.waitUntil(() => this.poll(() => !this.isBusy), nanoseconds);
    return done ? 0 : -ETIMEDOUT;
  }

  /** A condition that interrupts make true; without an interrupt, looks itself. */
  poll(condition: () => boolean): boolean {
    if (this.#isPolled) this.#interrupt();
    return condition();
  }

  /** Where the front end is: for whether it moves. */
  get progress(): Progress {
    return { address: this.regs.DMA_ADDRESS.read().value, completed: this.events.completed };
  }

  /** Whether it went on since: 16 bytes are the WAIT and LINK that a front end goes round. */
  static hasMoved(before: Progress, now: Progress): boolean {
    const distance = now.address - before.address;
    return seqnoAfter(now.completed, before.completed) || distance < 0 || distance > 16;
  }

  /**
   * Resets the hardware and starts it anew. Jobs that were under way, the earliest first: whose
   * fault it is, and whether they are tried again, is not decided here.
   */
  recover(): readonly HardwareJob[] {
    this.counts.resets++;
    const jobs = this.events.takeAll();
    for (const { commands } of jobs) this.#pool.free(commands);
    const result = this.#initialize();
    if (result !== 0) this.dev.services.log.device('err', this.dev, `reset failed: ${result}`);
    return jobs;
  }

  /**
   * A client's address space ends, once nothing of it runs any more. If the front end is still in it, it
   * goes to the kernel's own first: 0, or -ETIMEDOUT, and the tables stay for a hanging GPU to read.
   */
  retire(context: GpuContext): number {
    if (this.#current === context) {
      const refused = this.submit(this.#idle, NOTHING, () => undefined);
      const result = refused === 0 ? this.waitIdle(START_NANOSECONDS) : refused;
      if (result !== 0) return result;
    }
    context.free();
    return 0;
  }

  /** What a context's tables are called in the hardware's space of its own, from now on. */
  enterSpace(context: GpuContext, space: number, mode: FaultMode): void {
    context.space = space;
    const as = this.regs.X_AS(space);
    as.TABLE.write(context.table);
    as.FAULT_CTRL.write({ MODE: mode });
    as.COMMAND.write({ CODE: AsCommand.Update });
  }

  /** The GPU forgets what it keeps of an address space of the hardware's own, at once (X_AS). */
  flushSpace(space: number): void {
    this.regs.X_AS(space).COMMAND.write({ CODE: AsCommand.FlushPt });
    this.counts.flushes++;
  }

  /** The device is not used any more. */
  free(): void {
    this.regs.INTR_ENBL.write(0);
    this.regs.CLOCK_CONTROL.write({ SOFT_RESET: 1 });
    this.#idle.free();
    this.#kernel.free();
    this.#safe.free();
    this.#pool.release();
  }

  #initialize(): number {
    const { regs } = this;
    regs.CLOCK_CONTROL.write({ SOFT_RESET: 1 });
    regs.CLOCK_CONTROL.write({ SOFT_RESET: 0 });
    regs.INTR_ACKNOWLEDGE.read();
    const result = this.#enableMmu();
    if (result !== 0) return result;
    this.#current = this.#idle;
    this.#flushSeq = this.#idle.flushSeq;
    const qwords = this.ring.init();
    regs.INTR_ENBL.write(0xffff_ffff);
    this.#startFrontEnd(kernelVa(this.ring.buffer.offset), qwords);
    return 0;
  }

  /** The front end itself sets up the MMU, from where the bus has the ring (etnaviv_buffer_config_mmuv2). */
  #enableMmu(): number {
    const { regs } = this;
    const { buffer } = this.ring;
    const writer = new CommandWriter(this.dev.services.io, buffer.cpuAddr, buffer.size);
    writer.state(MMUV2_CONFIGURATION.at, this.#idle.table);
    writer.state(MMUV2_SAFE_ADDRESS.at, this.#safe.address);
    writer.end();
    this.dev.services.barriers.mb();
    this.#startFrontEnd(buffer.dmaAddr, writer.qwords);
    const isIdle = (): boolean => (regs.IDLE_STATE.read().value & ALL_IDLE) === ALL_IDLE;
    if (!this.dev.services.waitUntil(isIdle, START_NANOSECONDS)) return -ETIMEDOUT;
    regs.MMU_CONTROL.write({ ENABLE: 1 });
    return 0;
  }

  #startFrontEnd(address: number, qwords: number): void {
    this.regs.COMMAND_ADDRESS.write(address);
    this.regs.COMMAND_CONTROL.write({ PREFETCH: qwords, ENABLE: 1 });
  }

  /** The status is gone once it is read: all of it is handled now (irq_handler). */
  #interrupt(): IrqReturn {
    const status = this.regs.INTR_ACKNOWLEDGE.read().value;
    const faults = this.onFault === null ? 0 : this.regs.X_INTR.read().value;
    if (faults !== 0) {
      this.regs.X_INTR.write(faults);
      this.onFault?.();
    }
    if (status === 0 && faults === 0) return IRQ_NONE;
    this.counts.interrupts++;
    const { log } = this.dev.services;
    if (status >= Interrupt.AXI_BUS_ERROR) log.device('err', this.dev, 'AXI bus error');
    if (Math.floor(status / Interrupt.MMU_EXCEPTION) % 2 === 1) this.#mmuException();
    for (let event = 0; event < EVENTS; event++) {
      if (Math.floor(status / 2 ** event) % 2 === 1) this.#eventCame(event);
    }
    return IRQ_HANDLED;
  }

  #eventCame(event: number): void {
    const job = this.events.take(event);
    if (job === null) return;
    this.#pool.free(job.commands);
    job.done(0);
  }

  /** Only told of: the engine stands still, and the hang check finds it (dump_mmu_fault). */
  #mmuException(): void {
    this.counts.exceptions++;
    const status = this.regs.MMU_STATUS.read().value;
    for (let mmu = 0; mmu < 4; mmu++) {
      const code = (status >>> (4 * mmu)) & 3;
      if (code === 0) continue;
      const address = this.regs.MMU_EXCEPTION_ADDR(mmu).read().value;
      this.lastException = { address, code };
      const text = `MMU ${mmu} fault, status ${code}, addr ${hex(address)}`;
      this.dev.services.log.device('err', this.dev, text);
    }
  }
}
