import type { GuestErrorSink } from '../../base/hw/device';
import { registerFile, type RegisterFile } from '../../base/hw/register-file';
import { SingleCpuController } from '../common/model';
import { ARMCTRL, BANK_LINES, LINES, SHORTCUTS } from './regs';

/** The bits of a bank that have a shortcut. */
const shortcutsOf = (bank: number): number =>
  SHORTCUTS.filter(line => line >>> 5 === bank).reduce(
    (mask, line) => mask | (1 << (line & 31)),
    0,
  );

/**
 * BCM2835 ARM interrupt controller: level inputs, no priorities, no acknowledgement. Input
 * 32 * bank + bit; nothing is wired to bits 8 and up of bank 0.
 */
export class ArmctrlIc extends SingleCpuController {
  protected readonly regs: RegisterFile<typeof ARMCTRL>;

  constructor({ name, onGuestError }: { name: string; onGuestError: GuestErrorSink }) {
    super(name, LINES, ARMCTRL.size);
    const update = (): void => {
      this.update();
    };
    this.regs = registerFile(ARMCTRL, {
      onGuestError,
      onRead: {
        PENDING0: () => this.#basicPending(),
        PENDING1: () => this.#pending(1),
        PENDING2: () => this.#pending(2),
      },
      onWrite: {
        ENABLE0: update,
        ENABLE1: update,
        ENABLE2: update,
        DISABLE0: update,
        DISABLE1: update,
        DISABLE2: update,
      },
    });
  }

  protected override inputChanged(): void {
    this.update();
  }

  protected override irqLevel(): boolean {
    return BANK_LINES.some((_, bank) => this.#pending(bank) !== 0);
  }

  #pending(bank: number): number {
    const { ENABLE0, ENABLE1, ENABLE2 } = this.regs;
    const enable = [ENABLE0, ENABLE1, ENABLE2][bank]?.value ?? 0;
    return (this.inputs.levels[bank] ?? 0) & enable;
  }

  /** BANK1 and BANK2 say that there is more to see there: interrupts without a shortcut. */
  #basicPending(): number {
    const { ARM, BANK1, BANK2, SHORTCUT } = ARMCTRL.registers.PENDING0.fields;
    const shortcuts = SHORTCUTS.reduce(
      (mask, line, i) => mask | (((this.#pending(line >>> 5) >>> (line & 31)) & 1) << i),
      0,
    );
    return (
      ARM.at(this.#pending(0)) +
      BANK1.at((this.#pending(1) & ~shortcutsOf(1)) === 0 ? 0 : 1) +
      BANK2.at((this.#pending(2) & ~shortcutsOf(2)) === 0 ? 0 : 1) +
      SHORTCUT.at(shortcuts)
    );
  }
}
