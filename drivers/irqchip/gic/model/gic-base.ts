import { Device } from '../../../base/hw/device';
import type { IrqInputs, IrqLine } from '../../../base/hw/irq';
import { NO_RESET, ResetNode } from '../../../base/hw/reset';
import { BenchError, invariant } from '../../../base/types/errors';
import { StateReader, type Stateful, type StateValue } from '../../../base/types/state';
import { FIRST_SPI, MAX_SPIS } from '../regs';
import { InterruptBank, type BankRegisters } from './interrupt-bank';

/** What a GIC of any version has for each CPU. */
interface CpuPart extends Stateful {
  /** The CPU's own interrupts, SGIs and PPIs. */
  readonly bank: InterruptBank;
  /** The interrupt line to the CPU. */
  readonly irq: IrqLine;
  /** Drives the interrupt line. */
  updateIrq(): void;
  reset(): void;
}

/** The distributor's register file, whose sheet has the shared interrupts. */
interface Distributor extends BankRegisters, Stateful {
  reset(): void;
}

interface GicBaseOptions {
  readonly name: string;
  /** Shared interrupts, a multiple of 32. */
  readonly spis: number;
  /** Implemented bits of a priority, from the top. */
  readonly priorityBits: number;
}

/**
 * What the versions of the GIC have in common: a bank of shared interrupts in the distributor, and
 * for each CPU a bank of its own and an output. How interrupts are routed, and what the windows
 * look like, is the version's.
 *
 * A version makes `gicd` and `cpus` in its constructor; nothing here looks at them before.
 */
export abstract class GicBase<
  Gicd extends Distributor = Distributor,
  Cpu extends CpuPart = CpuPart,
> extends Device {
  readonly reset: ResetNode;
  protected readonly shared: InterruptBank;
  protected abstract readonly gicd: Gicd;
  /** By number. */
  protected abstract readonly cpus: readonly Cpu[];

  constructor({ name, spis, priorityBits }: GicBaseOptions) {
    super(name);
    invariant(spis % 32 === 0 && spis >= 0 && spis <= MAX_SPIS, `${name}: ${spis} SPIs`);
    this.shared = new InterruptBank({
      name,
      first: FIRST_SPI,
      count: spis,
      priorityBits,
      registers: () => this.gicd,
      onChange: () => {
        this.updateIrqs();
      },
    });
    this.reset = new ResetNode(name, {
      ...NO_RESET,
      enter: () => {
        this.gicd.reset();
        for (const cpu of this.cpus) cpu.reset();
      },
      hold: () => {
        this.updateIrqs();
      },
    });
  }

  /** Inputs of the shared interrupts: input 0 is SPI 0, interrupt 32. */
  get spis(): IrqInputs {
    return this.shared.inputs;
  }

  /**
   * Inputs of a CPU's own interrupts, by interrupt number: 16 to 31 are the PPIs. BenchError, as
   * from all that take the number of a CPU, for one that is not there.
   */
  privateInputs(cpu: number): IrqInputs {
    return this.cpu(cpu).bank.inputs;
  }

  /** The interrupt line to a CPU. */
  irq(cpu: number): IrqLine {
    return this.cpu(cpu).irq;
  }

  saveState(): StateValue {
    return {
      gicd: this.gicd.saveState(),
      inputs: this.shared.inputs.saveState(),
      cpus: this.cpus.map(cpu => cpu.saveState()),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    this.gicd.restoreState(reader.value('gicd'));
    this.shared.inputs.restoreState(reader.value('inputs'));
    for (const [number, saved] of reader.list('cpus', this.cpus.length).entries()) {
      this.cpu(number).restoreState(saved);
    }
  }

  /** Drives every output; the only place that does. */
  protected updateIrqs(): void {
    for (const cpu of this.cpus) cpu.updateIrq();
  }

  protected cpu(number: number): Cpu {
    const cpu = this.cpus[number];
    if (cpu === undefined) throw new BenchError(`${this.name} serves no CPU ${number}`);
    return cpu;
  }
}
