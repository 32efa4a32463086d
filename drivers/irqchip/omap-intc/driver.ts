import { LevelIrqChip } from '../../base/kernel/level-irq-chip';
import { bugOn } from '../../base/kernel/oops';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../base/kernel/registers';
import type { CpuAddr } from '../../base/types/address';
import { INTC, LINES_PER_BANK } from './regs';

/** Polls of SYSSTATUS; Linux waits for ever. */
const MAX_POLLS = 1000;

/** Where the driver finds its registers, and how many lines it has. */
export interface OmapIntcDriverOptions {
  readonly name: string;
  /** Unordered accessors, as Linux uses. */
  readonly io: RegisterIo;
  readonly base: CpuAddr;
  /** 96, or 128 for ti,am33xx-intc. */
  readonly lines: number;
}

/** Driver of the OMAP interrupt controller (cf. drivers/irqchip/irq-omap-intc.c). */
export class OmapIntcDriver extends LevelIrqChip {
  readonly #regs: IoRegisters<typeof INTC>;

  constructor({ name, io, base, lines }: OmapIntcDriverOptions) {
    super(name, lines);
    this.#regs = ioRegisters(INTC, io, base);
  }

  /** Resets the controller, which masks everything (omap_irq_soft_reset). */
  override init(): void {
    this.#regs.SYSCONFIG.update({ SOFTRESET: 1 });
    for (let polls = 0; this.#regs.SYSSTATUS.read().RESETDONE === 0; polls++) {
      bugOn(polls > MAX_POLLS, `${this.name} never ends its soft reset`);
    }
    this.#regs.SYSCONFIG.write({ AUTOIDLE: 1 });
    this.#regs.PROTECTION.update({ PROTECTION: 1 });
  }

  /**
   * What was signalled may have gone since. Agreeing to a new interrupt then lowers the line,
   * which would otherwise call the vector for ever.
   */
  protected override pending(): number | null {
    for (let bank = 0; bank < this.lines / LINES_PER_BANK; bank++) {
      if (this.#regs.BANK(bank).PENDING_IRQ.read().value !== 0) {
        return this.#regs.SIR_IRQ.read().ACTIVEIRQ;
      }
    }
    this.#regs.CONTROL.write({ NEWIRQAGR: 1 });
    return null;
  }

  protected override mask(hwirq: number): void {
    this.#regs.BANK(hwirq >>> 5).MIR_SET.write(2 ** (hwirq & 31));
  }

  protected override unmask(hwirq: number): void {
    this.#regs.BANK(hwirq >>> 5).MIR_CLEAR.write(2 ** (hwirq & 31));
  }

  protected override maskAck(hwirq: number): void {
    this.mask(hwirq);
    this.#regs.CONTROL.write({ NEWIRQAGR: 1 });
  }
}
