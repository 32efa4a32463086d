import { Device } from '../../base/hw/device';
import { IrqInputs, IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import type { RegisterEngine } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { StateReader, type StateValue } from '../../base/types/state';

/** The common part of interrupt controllers with one register window and one CPU. */
export abstract class SingleCpuController extends Device {
  readonly inputs: IrqInputs;
  readonly irq: IrqLine;
  readonly reset: ResetNode;
  protected abstract readonly regs: RegisterEngine;
  readonly #windowSize: number;

  constructor(name: string, lines: number, windowSize: number) {
    super(name);
    this.#windowSize = windowSize;
    this.irq = new IrqLine(`${name}.irq`);
    this.inputs = new IrqInputs(name, lines, (input, level) => {
      this.inputChanged(input, level);
    });
    this.reset = new ResetNode(name, {
      ...NO_RESET,
      enter: () => {
        this.resetState();
      },
      hold: () => {
        this.update();
      },
    });
  }

  saveState(): StateValue {
    return {
      regs: this.regs.saveState(),
      inputs: this.inputs.saveState(),
      irq: this.irq.level,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    this.regs.restoreState(reader.value('regs'));
    this.inputs.restoreState(reader.value('inputs'));
    this.irq.restore(reader.boolean('irq'));
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, this.#windowSize, this.regs)];
  }

  /** What the output is to be, from registers and inputs. */
  protected abstract irqLevel(): boolean;

  /** Drives the output; called after every change, and nothing else drives it. */
  protected update(): void {
    this.irq.set(this.irqLevel());
  }

  /** Latches what has to be latched of a change of an input, then updates. */
  protected abstract inputChanged(input: number, level: boolean): void;

  protected resetState(): void {
    this.regs.reset();
  }
}
