import type { GuestErrorSink } from '../../base/hw/device';
import { registerFile, type RegisterFile } from '../../base/hw/register-file';
import { SingleCpuController } from '../common/model';
import { INTC, LINES, NMI, WORDS } from './regs';

/**
 * Allwinner A10 interrupt controller. PENDING shows the inputs, which are levels; that of the NMI
 * shows a latch that software clears.
 */
export class Sun4iIc extends SingleCpuController {
  protected readonly regs: RegisterFile<typeof INTC>;

  constructor({ name, onGuestError }: { name: string; onGuestError: GuestErrorSink }) {
    super(name, LINES, INTC.size);
    const update = (): void => {
      this.update();
    };
    this.regs = registerFile(INTC, {
      onGuestError,
      onRead: {
        VECTOR: () => this.regs.BASE_ADDR.value + 4 * (this.#mostUrgent() ?? 0),
        PENDING: word => this.#pending(word),
      },
      onWrite: { PENDING: update, ENABLE: update, MASK: update },
    });
  }

  protected override irqLevel(): boolean {
    return this.#mostUrgent() !== null;
  }

  protected override inputChanged(input: number, level: boolean): void {
    if (input === NMI && level) this.regs.PENDING(0).value |= 1;
    this.update();
  }

  /** Only the latch of the NMI is ever stored. */
  #pending(word: number): number {
    const levels = this.inputs.levels[word] ?? 0;
    return word === 0 ? (levels & ~1) | (this.regs.PENDING(0).value & 1) : levels;
  }

  #mostUrgent(): number | null {
    for (let word = 0; word < WORDS; word++) {
      const { ENABLE, MASK } = this.regs;
      const ready = this.#pending(word) & ENABLE(word).value & ~MASK(word).value;
      if (ready !== 0) return 32 * word + 31 - Math.clz32(ready & -ready);
    }
    return null;
  }
}
