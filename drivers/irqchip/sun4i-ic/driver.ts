import { LevelIrqChip } from '../../base/kernel/level-irq-chip';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../base/kernel/registers';
import type { CpuAddr } from '../../base/types/address';
import { INTC, LINES, NMI, WORDS } from './regs';

/** Driver of the Allwinner A10's controller (cf. drivers/irqchip/irq-sun4i.c). */
export class Sun4iIcDriver extends LevelIrqChip {
  readonly #regs: IoRegisters<typeof INTC>;

  /** `io`: ordered, as Linux has it. */
  constructor({ name, io, base }: { name: string; io: RegisterIo; base: CpuAddr }) {
    super(name, LINES);
    this.#regs = ioRegisters(INTC, io, base);
  }

  /** Everything disabled; masking is left to ENABLE (sun4i_of_init). */
  override init(): void {
    for (let word = 0; word < WORDS; word++) {
      this.#regs.ENABLE(word).write(0);
      this.#regs.MASK(word).write(0);
      this.#regs.PENDING(word).write(0xffff_ffff);
    }
    this.#regs.PROTECTION.write({ ENABLE: 1 });
    this.#regs.NMI_CTRL.write(0);
  }

  /** A vector of 0 is the NMI or nothing; its pending bit tells. */
  protected override pending(): number | null {
    const hwirq = this.#regs.VECTOR.read().value >>> 2;
    if (hwirq !== NMI) return hwirq;
    return (this.#regs.PENDING(0).read().value & 1) === 1 ? NMI : null;
  }

  protected override mask(hwirq: number): void {
    const enable = this.#regs.ENABLE(hwirq >>> 5);
    enable.write((enable.read().value & ~(1 << (hwirq & 31))) >>> 0);
  }

  protected override unmask(hwirq: number): void {
    const enable = this.#regs.ENABLE(hwirq >>> 5);
    enable.write((enable.read().value | (1 << (hwirq & 31))) >>> 0);
  }

  /** Only the NMI is latched. */
  protected override maskAck(hwirq: number): void {
    this.mask(hwirq);
    if (hwirq === NMI) this.#regs.PENDING(0).write(1);
  }
}
