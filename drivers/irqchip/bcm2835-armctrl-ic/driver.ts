import { IrqType, type IrqSpecifier } from '../../base/kernel/irq';
import { badSpecifier, LevelIrqChip, lowestBit } from '../../base/kernel/level-irq-chip';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../base/kernel/registers';
import type { CpuAddr } from '../../base/types/address';
import { ARMCTRL, BANK_LINES, BANKS, LINES, SHORTCUTS } from './regs';

/** Driver of the BCM2835's controller (cf. drivers/irqchip/irq-bcm2835.c). */
export class ArmctrlIcDriver extends LevelIrqChip {
  readonly #regs: IoRegisters<typeof ARMCTRL>;

  /** `io`: unordered, as Linux has it. */
  constructor({ name, io, base }: { name: string; io: RegisterIo; base: CpuAddr }) {
    super(name, LINES);
    this.#regs = ioRegisters(ARMCTRL, io, base);
  }

  /** Disables what the boot loader left enabled: the Raspberry Pi's leaves USB (armctrl_of_init). */
  override init(): void {
    const { ENABLE0, ENABLE1, ENABLE2, DISABLE0, DISABLE1, DISABLE2, FIQ_CONTROL } = this.#regs;
    const banks = [
      { enable: ENABLE0, disable: DISABLE0 },
      { enable: ENABLE1, disable: DISABLE1 },
      { enable: ENABLE2, disable: DISABLE2 },
    ];
    for (const { enable, disable } of banks) {
      const { value } = enable.read();
      if (value !== 0) disable.write(value);
    }
    if (FIQ_CONTROL.read().ENABLE === 1) FIQ_CONTROL.write(0);
  }

  /** `<bank number>`. */
  override translate(cells: readonly number[]): IrqSpecifier {
    const [bank, number] = cells;
    const lines = bank === undefined ? undefined : BANK_LINES[bank];
    const complete = cells.length === 2 && bank !== undefined && number !== undefined;
    if (!complete || lines === undefined || number >= lines) {
      throw badSpecifier(this.name, `a bank below ${BANKS} and one of its interrupts`, cells);
    }
    return { hwirq: 32 * bank + number, type: IrqType.None };
  }

  /** One read where the interrupt has a bit in the basic register, two elsewhere. */
  protected override pending(): number | null {
    const { ARM, SHORTCUT, BANK1, BANK2 } = this.#regs.PENDING0.read();
    const own = lowestBit(ARM);
    if (own !== null) return own;
    const shortcut = lowestBit(SHORTCUT);
    if (shortcut !== null) return SHORTCUTS[shortcut] ?? null;
    if (BANK1 === 1) return this.#inBank(1, this.#regs.PENDING1.read().value);
    return BANK2 === 1 ? this.#inBank(2, this.#regs.PENDING2.read().value) : null;
  }

  protected override mask(hwirq: number): void {
    const { DISABLE0, DISABLE1, DISABLE2 } = this.#regs;
    [DISABLE0, DISABLE1, DISABLE2][hwirq >>> 5]?.write(2 ** (hwirq & 31));
  }

  protected override unmask(hwirq: number): void {
    const { ENABLE0, ENABLE1, ENABLE2 } = this.#regs;
    [ENABLE0, ENABLE1, ENABLE2][hwirq >>> 5]?.write(2 ** (hwirq & 31));
  }

  #inBank(bank: number, pending: number): number | null {
    const bit = lowestBit(pending);
    return bit === null ? null : 32 * bank + bit;
  }
}
