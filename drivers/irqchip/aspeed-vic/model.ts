import type { GuestErrorSink } from '../../base/hw/device';
import { registerFile, type RegisterFile } from '../../base/hw/register-file';
import { SingleCpuController } from '../common/model';
import { AVIC, LINES, WORDS } from './regs';

/** ASPEED VIC: some inputs are levels, the others latch a rise (INT_SENSE, fixed). */
export class AspeedVic extends SingleCpuController {
  protected readonly regs: RegisterFile<typeof AVIC>;

  constructor({ name, onGuestError }: { name: string; onGuestError: GuestErrorSink }) {
    super(name, LINES, AVIC.size);
    const update = (): void => {
      this.update();
    };
    this.regs = registerFile(AVIC, {
      onGuestError,
      onRead: {
        IRQ_STATUS: word => this.#status(word),
        RAW_STATUS: word => this.#raw(word),
      },
      onWrite: {
        INT_ENABLE: update,
        INT_ENABLE_CLR: (written, _previous, word) => {
          this.regs.INT_ENABLE(word).value &= ~written;
          this.update();
        },
        EDGE_CLR: (written, _previous, word) => {
          this.regs.EDGE_STATUS(word).value &= ~written;
          this.update();
        },
      },
    });
  }

  protected override irqLevel(): boolean {
    for (let word = 0; word < WORDS; word++) if (this.#status(word) !== 0) return true;
    return false;
  }

  protected override inputChanged(input: number, level: boolean): void {
    const bit = 1 << (input & 31);
    const isEdge = (this.#sense(input >>> 5) & bit) === 0;
    if (level && isEdge) this.regs.EDGE_STATUS(input >>> 5).value |= bit;
    this.update();
  }

  #sense(word: number): number {
    const { INT_SENSE_LO, INT_SENSE_HI } = this.regs;
    return (word === 0 ? INT_SENSE_LO : INT_SENSE_HI).value;
  }

  #raw(word: number): number {
    const levels = this.inputs.levels[word] ?? 0;
    return (levels & this.#sense(word)) | this.regs.EDGE_STATUS(word).value;
  }

  #status(word: number): number {
    return this.#raw(word) & this.regs.INT_ENABLE(word).value;
  }
}
