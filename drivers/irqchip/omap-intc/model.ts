import type { GuestErrorSink } from '../../base/hw/device';
import { registerFile, type RegisterFile } from '../../base/hw/register-file';
import { invariant } from '../../base/types/errors';
import { StateReader, type StateValue } from '../../base/types/state';
import { SingleCpuController } from '../common/model';
import { INTC, LINES_PER_BANK, MAX_LINES, THRESHOLD_OFF } from './regs';

/** How the controller is integrated. */
export interface OmapIntcOptions {
  readonly name: string;
  /** Inputs, a multiple of 32 up to 128. */
  readonly lines: number;
  readonly revision: number;
  readonly onGuestError: GuestErrorSink;
}

/**
 * OMAP INTC. The most urgent pending interrupt is sorted out once, shown in SIR_IRQ and
 * signalled until software agrees to a new one (NEWIRQAGR), even if its cause has gone by then.
 */
export class OmapIntc extends SingleCpuController {
  protected readonly regs: RegisterFile<typeof INTC>;
  readonly #lines: number;
  /** The interrupt that was sorted out and not agreed to yet. */
  #signalled: number | null = null;

  constructor({ name, lines, revision, onGuestError }: OmapIntcOptions) {
    super(name, lines, INTC.size);
    const whole = Number.isInteger(lines / LINES_PER_BANK) && lines > 0 && lines <= MAX_LINES;
    invariant(whole, `${name}: ${lines} interrupts`);
    this.#lines = lines;
    const update = (): void => {
      this.update();
    };
    this.regs = registerFile(INTC, {
      onGuestError,
      resets: { REVISION: revision },
      onRead: {
        IRQ_PRIORITY: () => this.regs.ILR(this.regs.SIR_IRQ.ACTIVEIRQ).PRIORITY,
        'BANK.ITR': bank => this.#raw(bank),
        'BANK.PENDING_IRQ': bank => this.#pending(bank),
      },
      onWrite: {
        SYSCONFIG: () => {
          if (this.regs.SYSCONFIG.SOFTRESET === 1) this.reset.pulse();
        },
        CONTROL: () => {
          if (this.regs.CONTROL.NEWIRQAGR === 1) this.#signalled = null;
          this.update();
        },
        THRESHOLD: update,
        ILR: update,
        'BANK.MIR': update,
        'BANK.MIR_CLEAR': (written, _previous, bank) => {
          this.regs.BANK(bank).MIR.value &= ~written;
          this.update();
        },
        'BANK.MIR_SET': (written, _previous, bank) => {
          this.regs.BANK(bank).MIR.value |= written;
          this.update();
        },
        'BANK.ISR_SET': update,
        'BANK.ISR_CLEAR': update,
      },
    });
  }

  override saveState(): StateValue {
    return { common: super.saveState(), signalled: this.#signalled };
  }

  override restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    super.restoreState(reader.value('common'));
    this.#signalled = reader.value('signalled') === null ? null : reader.number('signalled');
  }

  protected override inputChanged(): void {
    this.update();
  }

  protected override irqLevel(): boolean {
    return this.#signalled !== null;
  }

  protected override update(): void {
    this.#signalled ??= this.#sort();
    if (this.#signalled !== null) this.regs.SIR_IRQ.ACTIVEIRQ = this.#signalled;
    super.update();
  }

  protected override resetState(): void {
    super.resetState();
    this.#signalled = null;
  }

  #raw(bank: number): number {
    return (this.inputs.levels[bank] ?? 0) | this.regs.BANK(bank).ISR_SET.value;
  }

  #pending(bank: number): number {
    return this.#raw(bank) & ~this.regs.BANK(bank).MIR.value;
  }

  /**
   * The most urgent pending interrupt above the threshold. Of equal priorities the highest
   * number: *assumed* from the OMAP5910's handler, which says so (SPRU671, ILR note).
   */
  #sort(): number | null {
    const threshold = this.regs.THRESHOLD.THRESHOLD;
    let best: number | null = null;
    let bestPriority = threshold === THRESHOLD_OFF ? Infinity : threshold - 1;
    for (let line = 0; line < this.#lines; line++) {
      if (((this.#pending(line >>> 5) >>> (line & 31)) & 1) === 0) continue;
      const priority = this.regs.ILR(line).PRIORITY;
      if (priority > bestPriority) continue;
      best = line;
      bestPriority = priority;
    }
    return best;
  }
}
