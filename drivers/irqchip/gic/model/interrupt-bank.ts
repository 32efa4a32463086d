import { IrqInputs } from '../../../base/hw/irq';
import type { ReadHook, WriteHook } from '../../../base/hw/register-file';
import { onesMask } from '../../../base/types/bits';
import { FIRST_SPECIAL, SGI_CONFIG } from '../regs';

/** A register with one element for each word, or part of a word, of interrupts. */
type Vector = (index: number) => { value: number };

/** The registers that a bank works on; both sheets of interrupts have them. */
export interface BankRegisters {
  readonly IGROUPR: Vector;
  readonly ISENABLER: Vector;
  readonly ISPENDR: Vector;
  readonly ISACTIVER: Vector;
  readonly IPRIORITYR: Vector;
  readonly ICFGR: Vector;
}

/** The bits of a priority that exist: the upper ones. */
export const implementedPriority = (bits: number): number => (0xff << (8 - bits)) & 0xff;

/**
 * Priority and number of a pending interrupt in one number: the smaller is the more urgent, and
 * of equal priorities the smaller number is (IHI 0048B, 3.3.1).
 */
export type Rank = number;
/** Nothing is pending: less urgent than any interrupt. */
export const NO_RANK: Rank = Infinity;
const IDS = 1024;
/** The number of the interrupt in a rank. */
export const intidOf = (rank: Rank): number => rank % IDS;
/** The priority in a rank; lower is more urgent. */
export const priorityOf = (rank: Rank): number => Math.floor(rank / IDS);

/** Which interrupts a bank has, and whose registers hold their state. */
export interface BankOptions {
  readonly name: string;
  /** Number of the first interrupt: 0 or 32. */
  readonly first: number;
  /** How many interrupts there are; the registers of the others read as zero. */
  readonly count: number;
  /** Implemented bits of a priority, from the top. */
  readonly priorityBits: number;
  readonly registers: () => BankRegisters;
  /** Something changed that may raise or lower an output. */
  readonly onChange: () => void;
}

/**
 * State of a run of interrupts: enabled, pending, active, priority, trigger. What a register can
 * hold is in the registers; the levels of the wires are in `inputs`.
 *
 * An edge is latched in ISPENDR until acknowledged. A level is pending as long as it lasts, and
 * software may latch it too (IHI 0048B, 4.3.7).
 */
export class InterruptBank {
  /** By position in the bank. */
  readonly inputs: IrqInputs;
  readonly first: number;
  readonly count: number;
  readonly #options: BankOptions;

  constructor(options: BankOptions) {
    this.#options = options;
    this.first = options.first;
    this.count = options.count;
    const inputs = Math.min(options.count, FIRST_SPECIAL - options.first);
    this.inputs = new IrqInputs(options.name, inputs, (position, level) => {
      if (level && this.#isEdge(position)) {
        this.#registers.ISPENDR(position >>> 5).value |= 1 << (position & 31);
      }
      options.onChange();
    });
  }

  /** The most urgent interrupt that may be signalled and that `accepts`. */
  best(accepts: (intid: number) => boolean): Rank {
    let best = NO_RANK;
    for (let word = 0; word < this.#words; word++) {
      const { ISENABLER, ISACTIVER } = this.#registers;
      let ready = ISENABLER(word).value & ~ISACTIVER(word).value;
      if (ready !== 0) ready &= this.pendingWord(word);
      for (; ready !== 0; ready &= ready - 1) {
        const position = 32 * word + 31 - Math.clz32(ready & -ready);
        const intid = this.first + position;
        if (accepts(intid)) best = Math.min(best, this.#priority(position) * IDS + intid);
      }
    }
    return best;
  }

  /** Pending to active; a level that is still asserted stays pending as well. */
  acknowledge(intid: number): void {
    const { word, bit } = this.#place(intid);
    this.#registers.ISPENDR(word).value &= ~bit;
    this.#registers.ISACTIVER(word).value |= bit;
  }

  /** Active to inactive. */
  deactivate(intid: number): void {
    const { word, bit } = this.#place(intid);
    this.#registers.ISACTIVER(word).value &= ~bit;
  }

  /** Latches an interrupt that arrives as a message: an SGI. */
  latch(intid: number): void {
    const { word, bit } = this.#place(intid);
    this.#registers.ISPENDR(word).value |= bit;
  }

  /** In Group 1, which only GICv3 has. */
  inGroup1(intid: number): boolean {
    const { word, bit } = this.#place(intid);
    return (this.#registers.IGROUPR(word).value & bit) !== 0;
  }

  /** Word `word` of what is pending: latched, or a level that is asserted. */
  pendingWord(word: number): number {
    let pending = this.#registers.ISPENDR(word).value;
    let asserted = this.inputs.levels[word] ?? 0;
    for (; asserted !== 0; asserted &= asserted - 1) {
      const bit = asserted & -asserted;
      if (!this.#isEdge(32 * word + 31 - Math.clz32(bit))) pending |= bit;
    }
    return pending >>> 0;
  }

  /** The bits of a word that stand for interrupts. */
  implemented(word: number): number {
    if (word >= this.#words) return 0;
    const left = FIRST_SPECIAL - this.first - 32 * word;
    return left >= 32 ? 0xffff_ffff : onesMask(left);
  }

  /** Power-on values that the sheet cannot know. */
  reset(): void {
    if (this.first === 0) this.#registers.ICFGR(0).value = SGI_CONFIG;
  }

  /** Hooks for the bank's part of a register file. */
  readHooks(): { ISPENDR: ReadHook; ICPENDR: ReadHook } {
    const pending = (word: number): number => this.pendingWord(word);
    return { ISPENDR: pending, ICPENDR: pending };
  }

  /** Each keeps what the hardware has not at zero, then tells of the change. */
  writeHooks(): Record<
    'ISENABLER' | 'ICENABLER' | 'ISPENDR' | 'ICPENDR' | 'ISACTIVER' | 'ICACTIVER',
    WriteHook
  > &
    Record<'IPRIORITYR' | 'ICFGR', WriteHook> {
    const bits =
      (name: 'ISENABLER' | 'ISPENDR' | 'ISACTIVER'): WriteHook =>
      (_written, _previous, index) => {
        this.#keep(this.#registers[name](index), this.implemented(index));
      };
    return {
      ISENABLER: bits('ISENABLER'),
      ICENABLER: bits('ISENABLER'),
      ISPENDR: bits('ISPENDR'),
      ICPENDR: bits('ISPENDR'),
      ISACTIVER: bits('ISACTIVER'),
      ICACTIVER: bits('ISACTIVER'),
      IPRIORITYR: (_written, _previous, index) => {
        const implemented = 0x0101_0101 * implementedPriority(this.#options.priorityBits);
        this.#keep(this.#registers.IPRIORITYR(index), index < 8 * this.#words ? implemented : 0);
      },
      ICFGR: (_written, _previous, index) => {
        const cell = this.#registers.ICFGR(index);
        if (this.first === 0 && index === 0) cell.value = SGI_CONFIG;
        this.#keep(cell, index < 2 * this.#words ? 0xaaaa_aaaa : 0);
      },
    };
  }

  get #registers(): BankRegisters {
    return this.#options.registers();
  }

  get #words(): number {
    return Math.ceil(this.count / 32);
  }

  #keep(cell: { value: number }, mask: number): void {
    cell.value &= mask;
    this.#options.onChange();
  }

  #place(intid: number): { word: number; bit: number } {
    const position = intid - this.first;
    return { word: position >>> 5, bit: 1 << (position & 31) };
  }

  /** The upper of an interrupt's two configuration bits. */
  #isEdge(position: number): boolean {
    const config = this.#registers.ICFGR(position >>> 4).value;
    return ((config >>> (2 * (position & 15) + 1)) & 1) === 1;
  }

  #priority(position: number): number {
    return (this.#registers.IPRIORITYR(position >>> 2).value >>> (8 * (position & 3))) & 0xff;
  }
}
