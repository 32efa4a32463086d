import type { GuestErrorSink } from '../../base/hw/device';
import { IrqLine } from '../../base/hw/irq';
import { registerFile, type RegisterFile } from '../../base/hw/register-file';
import { StateReader, type StateValue } from '../../base/types/state';
import { SingleCpuController } from '../common/model';
import { LINES, VECTORS, VIC } from './regs';

/** Priority of an interrupt that no slot names, and of the CPU when it handles none. */
const NON_VECTORED = VECTORS;
const IDLE = VECTORS + 1;

/** PL190: 32 level inputs, 16 vectored slots. */
export class Vic extends SingleCpuController {
  readonly fiq: IrqLine;
  protected readonly regs: RegisterFile<typeof VIC>;
  /** Priorities taken by reads of VECTADDR and not ended yet, the current one last. */
  #taken: number[] = [];

  constructor({ name, onGuestError }: { name: string; onGuestError: GuestErrorSink }) {
    super(name, LINES, VIC.size);
    this.fiq = new IrqLine(`${name}.fiq`);
    const update = (): void => {
      this.update();
    };
    this.regs = registerFile(VIC, {
      onGuestError,
      onRead: {
        IRQSTATUS: () => this.#irqStatus,
        FIQSTATUS: () => this.#fiqStatus,
        RAWINTR: () => this.#raw,
        VECTADDR: () => this.#takeVector(),
      },
      onWrite: {
        INTSELECT: update,
        INTENABLE: update,
        INTENCLEAR: written => {
          this.regs.INTENABLE.value &= ~written;
          this.update();
        },
        SOFTINT: update,
        SOFTINTCLEAR: written => {
          this.regs.SOFTINT.value &= ~written;
          this.update();
        },
        SLOTCNTL: update,
        VECTADDR: () => {
          this.#taken.pop();
          this.update();
        },
      },
    });
  }

  override saveState(): StateValue {
    return {
      common: super.saveState(),
      taken: new Float64Array(this.#taken),
      fiq: this.fiq.level,
    };
  }

  override restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    super.restoreState(reader.value('common'));
    this.#taken = [...reader.numbers('taken')];
    this.fiq.restore(reader.boolean('fiq'));
  }

  protected override inputChanged(): void {
    this.update();
  }

  protected override irqLevel(): boolean {
    return this.#pendingPriority < this.#currentPriority;
  }

  protected override update(): void {
    super.update();
    this.fiq.set(this.#fiqStatus !== 0);
  }

  protected override resetState(): void {
    super.resetState();
    this.#taken = [];
  }

  get #raw(): number {
    return (this.inputs.levels[0] ?? 0) | this.regs.SOFTINT.value;
  }

  get #irqStatus(): number {
    return this.#raw & this.regs.INTENABLE.value & ~this.regs.INTSELECT.value;
  }

  get #fiqStatus(): number {
    return this.#raw & this.regs.INTENABLE.value & this.regs.INTSELECT.value;
  }

  /** Of the most urgent pending IRQ: a slot's number, NON_VECTORED, or IDLE. */
  get #pendingPriority(): number {
    const status = this.#irqStatus;
    for (let slot = 0; slot < VECTORS; slot++) {
      const { ENABLE, SOURCE } = this.regs.SLOTCNTL(slot);
      if (ENABLE === 1 && ((status >>> SOURCE) & 1) === 1) return slot;
    }
    return status === 0 ? IDLE : NON_VECTORED;
  }

  get #currentPriority(): number {
    return this.#taken.at(-1) ?? IDLE;
  }

  /** A read of VECTADDR: what is less urgent is masked until the write that ends it. */
  #takeVector(): number {
    const pending = this.#pendingPriority;
    if (pending < this.#currentPriority) {
      this.#taken.push(pending);
      this.update();
    }
    const current = this.#currentPriority;
    return current < VECTORS ? this.regs.SLOTADDR(current).value : this.regs.DEFVECTADDR.value;
  }
}
