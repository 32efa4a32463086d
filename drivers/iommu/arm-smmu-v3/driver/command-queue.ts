import { GFP_KERNEL } from '../../../base/kernel/gfp';
import type { Device } from '../../../base/kernel/device';
import { hex, offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { at } from '../../../base/types/arrays';
import { hi32 } from '../../../base/types/bits';
import { dmaAllocCoherent } from '../../../../mm/dma-mapping-common';
import { CommandError } from '../regs';
import { COMMAND, Opcode } from '../regs/commands';
import type { Words } from '../regs/words';
import { sync } from './commands';
import { isFull, isPast, nextIndex, pollUntil } from './registers';
import type { SmmuRegisters } from './registers';

/** Entries that the driver asks for at most, as log2 (CMDQ_MAX_SZ_SHIFT). */
const MOST_SHIFT = 12;

/** Commands that are written at once, before the hardware is told of them (CMDQ_BATCH_ENTRIES). */
const BATCH = 64;

const ERRORS: readonly string[] = ['No error', 'Illegal command', 'Abort on command fetch'];

/** A command that waits to be written, and its place. */
interface Slot {
  readonly command: Words;
  readonly index: number;
}

/** The command queue as the driver writes it. */
export class CommandQueue {
  readonly base: DmaAddr;
  readonly log2Size: number;
  /** Commands of these opcodes are left out: for drivers that are wrong on purpose. Null: none. */
  forgets: ((opcode: number) => boolean) | null = null;
  readonly #dev: Device;
  readonly #regs: SmmuRegisters;
  readonly #entries: CpuAddr;
  /** Completion of a CMD_SYNC is a write to its own entry (ARM_SMMU_OPT_MSIPOLL). */
  readonly #messages: boolean;
  /** Of the next command. */
  #producer = 0;
  /** As it was read last. */
  #consumer = 0;
  /** Commands that have a place and are not written: an interrupt handler's are behind ours. */
  readonly #unwritten: Slot[] = [];

  private constructor(
    dev: Device,
    regs: SmmuRegisters,
    memory: { readonly cpuAddr: CpuAddr; readonly dmaHandle: DmaAddr },
    log2Size: number,
    messages: boolean,
  ) {
    this.#dev = dev;
    this.#regs = regs;
    this.#entries = memory.cpuAddr;
    this.base = memory.dmaHandle;
    this.log2Size = log2Size;
    this.#messages = messages;
  }

  /** Null without memory. */
  static make(dev: Device, regs: SmmuRegisters, messages: boolean): CommandQueue | null {
    const log2Size = Math.min(MOST_SHIFT, regs.IDR1.read().CMDQS);
    const memory = dmaAllocCoherent(dev, COMMAND.SIZE * 2 ** log2Size, GFP_KERNEL);
    return memory === null ? null : new CommandQueue(dev, regs, memory, log2Size, messages);
  }

  /** Writes its place to the registers; nothing is in it. */
  start(): void {
    const { CMDQ_BASE_LO, CMDQ_BASE_HI, CMDQ_PROD, CMDQ_CONS } = this.#regs;
    CMDQ_BASE_LO.write((this.base % 2 ** 32) + this.log2Size);
    CMDQ_BASE_HI.write({ ADDR: hi32(this.base), RA: 1 });
    CMDQ_PROD.write({ WR: 0 });
    CMDQ_CONS.write({ RD: 0 });
    this.#producer = 0;
    this.#consumer = 0;
  }

  /** Writes commands; nobody waits for them (arm_smmu_cmdq_issue_cmd). */
  issue(...commands: readonly Words[]): void {
    const wanted = commands.filter(command => this.forgets?.(COMMAND.OP.of(command)) !== true);
    for (let first = 0; first < wanted.length; first += BATCH) {
      for (const command of wanted.slice(first, first + BATCH)) this.#claim(() => command);
      this.#write();
    }
  }

  /** Writes commands and waits until they are carried out (arm_smmu_cmdq_issue_cmd_with_sync). */
  issueWithSync(...commands: readonly Words[]): void {
    this.issue(...commands);
    if (this.forgets?.(Opcode.Sync) === true) return;
    const index = this.#claim(own => sync(this.#messages ? this.#busAddress(own) : null));
    this.#write();
    if (pollUntil(() => this.#isComplete(index))) return;
    const { CMDQ_PROD, CMDQ_CONS } = this.#regs;
    const places = `hwprod ${hex(CMDQ_PROD.read().WR)}, hwcons ${hex(CMDQ_CONS.read().RD)}`;
    this.#log('err', `CMD_SYNC timeout at ${hex(index)} [${places}]`);
  }

  /** What stopped the queue is said, and, if it was a command, a CMD_SYNC takes its place. */
  skipError(): void {
    const { RD, ERR, value } = this.#regs.CMDQ_CONS.read();
    this.#log('err', `CMDQ error (cons ${hex(value)}): ${ERRORS[ERR] ?? 'Unknown'}`);
    if (ERR === CommandError.Abort) this.#log('err', 'retrying command fetch');
    if (ERR !== CommandError.Illegal) return;
    const { relaxed } = this.#dev.services.io;
    const entry = this.#cpuAddress(RD);
    this.#log('err', 'skipping command in error state:');
    for (let word = 0; word < COMMAND.WORDS; word++) {
      this.#log('err', `\t${hex(relaxed.readl(offsetBy(entry, 4 * word)))}`);
    }
    this.#store({ command: sync(null), index: RD });
    this.#dev.services.barriers.wmb();
  }

  /** Gives a command its place, and waits for one if there is none. */
  #claim(command: (index: number) => Words): number {
    const isThere = (): boolean => {
      if (!isFull(this.#producer, this.#consumer, this.log2Size)) return true;
      if (this.#unwritten.length > 0) this.#write();
      this.#consumer = this.#regs.CMDQ_CONS.read().RD;
      return false;
    };
    if (!pollUntil(isThere)) this.#log('err', 'CMDQ timeout');
    const index = this.#producer;
    this.#producer = nextIndex(index, this.log2Size);
    this.#unwritten.push({ command: command(index), index });
    return index;
  }

  /**
   * Writes what has a place, in order, and tells the hardware. An interrupt handler that comes in
   * between writes ours first, and we find them written.
   */
  #write(): void {
    const unwritten = this.#unwritten;
    while (unwritten.length > 0) {
      const slot = at(unwritten, 0);
      this.#store(slot);
      if (unwritten[0] === slot) unwritten.shift();
    }
    // Ordered after the entries: writel.
    this.#regs.CMDQ_PROD.write({ WR: this.#producer });
  }

  #store({ command, index }: Slot): void {
    const { relaxed } = this.#dev.services.io;
    const entry = this.#cpuAddress(index);
    command.forEach((word, i) => {
      relaxed.writel(word, offsetBy(entry, 4 * i));
    });
  }

  /** By the message, if there is one, else, or if it has been missed, by CONS. */
  #isComplete(index: number): boolean {
    const { barriers, io } = this.#dev.services;
    if (this.#messages && io.relaxed.readl(this.#cpuAddress(index)) === 0) {
      barriers.dmaRmb();
      return true;
    }
    this.#consumer = this.#regs.CMDQ_CONS.read().RD;
    return isPast(this.#consumer, index, this.log2Size);
  }

  #cpuAddress(index: number): CpuAddr {
    return offsetBy(this.#entries, COMMAND.SIZE * (index % 2 ** this.log2Size));
  }

  #busAddress(index: number): number {
    return this.base + COMMAND.SIZE * (index % 2 ** this.log2Size);
  }

  #log(level: 'err', text: string): void {
    this.#dev.services.log.device(level, this.#dev, text);
  }
}
