import { AddressSpace } from '../../../../drivers/base/hw/address-space';
import { UncachedMemory } from '../../../../drivers/base/hw/dma-memory';
import { DmaPort } from '../../../../drivers/base/hw/dma-port';
import type { BusWindow, DmaTiming } from '../../../../drivers/base/hw/dma-port';
import { EventQueue } from '../../../../drivers/base/hw/event-queue';
import { IoBus } from '../../../../drivers/base/hw/io-bus';
import type { StaleEntry } from '../../../../drivers/base/hw/iommu';
import { IrqLine } from '../../../../drivers/base/hw/irq';
import { MemoryRegion } from '../../../../drivers/base/hw/memory-region';
import { Ram, RamBlock } from '../../../../drivers/base/hw/ram';
import { Trace } from '../../../../drivers/base/hw/trace';
import { ioRegisters } from '../../../../drivers/base/kernel/registers';
import type { IoRegisters } from '../../../../drivers/base/kernel/registers';
import { ticks } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { VivanteGpu } from '../../../../drivers/gpu/vivante/model';
import type { GpuMismatch, HeldLine } from '../../../../drivers/gpu/vivante/model';
import { GC_LITE } from '../../../../drivers/gpu/vivante/regs';
import {
  OPCODE,
  Opcode,
  TOKEN,
  loadState,
} from '../../../../drivers/gpu/vivante/regs/command-stream';
import { ENTRY, addressBits } from '../../../../drivers/gpu/vivante/regs/page-tables';
import { RS } from '../../../../drivers/gpu/vivante/regs/rs';
import { GC_STATES } from '../../../../drivers/gpu/vivante/regs/states';
import { DeviceBus } from '../../../support/device-bus';

export const RAM_BASE = 0x1000_0000;
const RAM_PAGES = 32;
/** Where tests put what they need, on the bus. */
export const RING = RAM_BASE;
export const MASTER_TABLE = RAM_BASE + 0x1000;
export const SLAVE_TABLE = RAM_BASE + 0x2000;
export const QUEUE = RAM_BASE + 0x3000;
export const SAFE = RAM_BASE + 0x4000;
export const DATA = RAM_BASE + 0x5000;

const { registers: STATES } = GC_STATES;
const STATE = RS.registers;

export interface GpuBenchOptions {
  readonly timing?: DmaTiming;
  readonly version?: 1 | 2;
  readonly looksPast?: boolean;
  readonly windows?: readonly BusWindow[];
}

/** A GPU with memory and no CPU: what a driver would write to memory and registers the test writes. */
export class GpuBench {
  readonly events = new EventQueue();
  readonly ram: Ram;
  readonly irq = new IrqLine('irq');
  readonly gpu: VivanteGpu;
  readonly guestErrors: string[] = [];
  readonly stale: StaleEntry[] = [];
  readonly mismatches: GpuMismatch[] = [];
  readonly held: HeldLine[] = [];
  #bus: DeviceBus | null = null;

  constructor({ timing, version, looksPast, windows }: GpuBenchOptions = {}) {
    const system = MemoryRegion.container('system', 2 ** 40);
    const block = new RamBlock('ram', RAM_PAGES * PAGE_SIZE);
    system.add(RAM_BASE, MemoryRegion.ram('ram', block));
    this.ram = new Ram(page => {
      const blockPage = page - RAM_BASE / PAGE_SIZE;
      return blockPage >= 0 && blockPage < RAM_PAGES ? { block, blockPage } : null;
    });
    const io = new IoBus(new AddressSpace('system', system));
    const dma = new DmaPort({
      name: 'gpu',
      memory: new UncachedMemory(this.ram, io, () => undefined),
      windows: windows ?? null,
      iommu: null,
      events: this.events,
      timing: timing ?? 'latest',
      trace: new Trace(),
    });
    this.gpu = new VivanteGpu({
      name: 'gpu',
      version: version ?? 2,
      dma,
      irq: this.irq,
      events: this.events,
      looksPast: looksPast ?? false,
      tlbEntries: 16,
      onGuestError: text => this.guestErrors.push(text),
      onStale: stale => this.stale.push(stale) < 0,
      onMismatch: mismatch => this.mismatches.push(mismatch),
      onHeld: line => this.held.push(line),
    });
  }

  /** As a driver has the registers. */
  get regs(): IoRegisters<typeof GC_LITE> {
    this.#bus ??= new DeviceBus(this.gpu);
    return ioRegisters(GC_LITE, this.#bus.io, this.#bus.baseOf(0));
  }

  poke(address: number, ...words: number[]): void {
    words.forEach((word, i) => {
      this.ram.writeWord(this.ram.wordOf(address + 4 * i), word);
    });
  }

  peek(address: number): number {
    return this.ram.readWord(this.ram.wordOf(address)) >>> 0;
  }

  /** Starts the front end. */
  start(address: number, prefetch: number): void {
    this.regs.COMMAND_ADDRESS.write(address);
    this.regs.COMMAND_CONTROL.write({ PREFETCH: prefetch, ENABLE: 1 });
  }

  /** Puts a stream at an address, ends it, and lets it be executed. */
  execute(address: number, ...words: number[]): void {
    const stream = [...words, ...END];
    this.poke(address, ...stream);
    this.start(address, stream.length / 2);
    this.pass();
  }

  pass(nanoseconds = 100_000): void {
    this.events.advanceTo(ticks(this.events.now + nanoseconds));
  }

  /** Tables in which `entries` are the pages from 0 on, and the MMU on. */
  enableMmu(...entries: number[]): void {
    this.poke(MASTER_TABLE, addressBits(SLAVE_TABLE) + ENTRY.PRESENT.at(1));
    this.poke(SLAVE_TABLE, ...entries);
    this.execute(
      RING,
      ...state(STATES.MMUV2_CONFIGURATION.at, MASTER_TABLE),
      ...state(STATES.MMUV2_SAFE_ADDRESS.at, SAFE),
    );
    this.regs.MMU_CONTROL.write({ ENABLE: 1 });
  }
}

export const END = [OPCODE.at(Opcode.End), 0] as const;
export const NOP = [OPCODE.at(Opcode.Nop), 0] as const;
export const wait = (cycles: number): number[] => [OPCODE.at(Opcode.Wait) + cycles, 0];
export const link = (address: number, prefetch: number): number[] => [
  OPCODE.at(Opcode.Link) + prefetch,
  address,
];
export const state = (offset: number, value: number): number[] => [loadState(offset, 1), value];
export const stall = (to: number): number[] => {
  const token = TOKEN.FROM.at(1) + TOKEN.TO.at(to);
  return [...state(STATES.SEMAPHORE_TOKEN.at, token), OPCODE.at(Opcode.Stall), token];
};
export const event = (id: number, from: 'FROM_FE' | 'FROM_PE'): number[] =>
  state(STATES.EVENT.at, id + STATES.EVENT.fields[from].at(1));
/** A page entry. */
export const page = (address: number, isWriteable = true): number =>
  addressBits(address) + ENTRY.PRESENT.at(1) + ENTRY.WRITEABLE.at(isWriteable ? 1 : 0);

/** Fills 256 bytes, four lines of 16 pixels, with a word. */
export const fill = (address: number, word: number): number[] => {
  const { CONFIG, WINDOW_SIZE, CLEAR_CONTROL } = STATE;
  return [
    ...state(CONFIG.at, CONFIG.fields.SOURCE_FORMAT.at(6) + CONFIG.fields.DEST_FORMAT.at(6)),
    ...state(STATE.DEST_ADDR.at, address),
    ...state(STATE.DEST_STRIDE.at, 64),
    ...state(WINDOW_SIZE.at, WINDOW_SIZE.fields.WIDTH.at(16) + WINDOW_SIZE.fields.HEIGHT.at(4)),
    ...state(CLEAR_CONTROL.at, 0xffff + CLEAR_CONTROL.fields.MODE.at(1)),
    ...state(STATE.FILL_VALUE.at, word),
    ...state(STATE.KICKER.at, 1),
  ];
};
