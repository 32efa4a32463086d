import type { GuestErrorSink } from '../../../base/hw/device';
import { IrqLine } from '../../../base/hw/irq';
import { MemoryRegion } from '../../../base/hw/memory-region';
import { registerFile, type RegisterFile } from '../../../base/hw/register-file';
import { hex } from '../../../base/types/address';
import { UnmodelledError } from '../../../base/types/errors';
import type { IccPort, IccReg } from '../../../base/types/isa';
import { StateReader, type Stateful, type StateValue } from '../../../base/types/state';
import { CpuInterface } from '../../gic/model/cpu-interface';
import {
  implementedPriority,
  InterruptBank,
  NO_RANK,
  type Rank,
} from '../../gic/model/interrupt-bank';
import { FIRST_SPI } from '../../gic/regs';
import { FRAME_SIZE, GICR_RD, GICR_SGI, ICC_CTLR, REDISTRIBUTOR_SIZE } from '../regs';

/** What a redistributor knows of the GIC around it. */
export interface RedistributorOptions {
  readonly name: string;
  readonly number: number;
  /** Aff2.Aff1.Aff0. */
  readonly affinity: number;
  /** The last of the contiguous redistributors. */
  readonly isLast: boolean;
  readonly priorityBits: number;
  readonly onGuestError: GuestErrorSink;
  /** Interrupts of Group 1 are forwarded at all. */
  readonly distributorEnabled: () => boolean;
  readonly shared: InterruptBank;
  /** Whether a shared interrupt is routed to this CPU. */
  readonly targetsMe: (intid: number) => boolean;
  /** Sends what was written to ICC_SGI1R_EL1. */
  readonly sendSgis: (value: number) => void;
  /** Something changed that may raise or lower an output. */
  readonly onChange: () => void;
}

/** ICC_SRE_EL1: system registers on, bypasses off; reads as this whatever is written. */
const SRE = 7;

/** What a GICv3 has for each CPU: redistributor frames, CPU interface, interrupt line. */
export class Redistributor implements Stateful {
  readonly irq: IrqLine;
  readonly bank: InterruptBank;
  /** The CPU's system registers. */
  readonly icc: IccPort;
  readonly rd: RegisterFile<typeof GICR_RD>;
  readonly sgi: RegisterFile<typeof GICR_SGI>;
  readonly #interface: CpuInterface;
  readonly #options: RedistributorOptions;
  #priorityMask = 0;
  #binaryPoint = 0;
  #group1Enabled = false;

  constructor(options: RedistributorOptions) {
    const { name, priorityBits, onGuestError, onChange, shared } = options;
    this.#options = options;
    this.irq = new IrqLine(`${name}.irq`);
    this.bank = new InterruptBank({
      name,
      first: 0,
      count: FIRST_SPI,
      priorityBits,
      registers: () => this.sgi,
      onChange,
    });
    this.sgi = registerFile(GICR_SGI, {
      onGuestError,
      onRead: this.bank.readHooks(),
      onWrite: { ...this.bank.writeHooks(), IGROUPR: onChange },
    });
    this.rd = this.#createControl();
    this.#interface = new CpuInterface({
      name,
      best: () => this.#best(),
      bank: this.bank,
      shared,
      priorityMask: () => this.#priorityMask,
      groupMask: () => (0xff << this.#binaryPoint) & 0xff,
    });
    this.icc = {
      read: register => this.#readIcc(register),
      write: (register, value) => {
        this.#writeIcc(register, value);
        onChange();
      },
    };
    this.reset();
  }

  /** Both frames, one region. */
  createRegion(): MemoryRegion {
    const { name } = this.#options;
    const region = MemoryRegion.container(name, REDISTRIBUTOR_SIZE);
    region.add(0, MemoryRegion.io(`${name}.rd`, FRAME_SIZE, this.rd));
    region.add(FRAME_SIZE, MemoryRegion.io(`${name}.sgi`, FRAME_SIZE, this.sgi));
    return region;
  }

  /** Drives the interrupt line. */
  updateIrq(): void {
    this.irq.set(this.#interface.signals);
  }

  reset(): void {
    this.rd.reset();
    this.sgi.reset();
    this.bank.reset();
    this.#interface.reset();
    this.#priorityMask = 0;
    this.#binaryPoint = this.#minBinaryPoint;
    this.#group1Enabled = false;
  }

  saveState(): StateValue {
    return {
      rd: this.rd.saveState(),
      sgi: this.sgi.saveState(),
      inputs: this.bank.inputs.saveState(),
      interface: this.#interface.saveState(),
      irq: this.irq.level,
      priorityMask: this.#priorityMask,
      binaryPoint: this.#binaryPoint,
      group1Enabled: this.#group1Enabled,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.#options.name);
    this.rd.restoreState(reader.value('rd'));
    this.sgi.restoreState(reader.value('sgi'));
    this.bank.inputs.restoreState(reader.value('inputs'));
    this.#interface.restoreState(reader.value('interface'));
    this.irq.restore(reader.boolean('irq'));
    this.#priorityMask = reader.number('priorityMask');
    this.#binaryPoint = reader.number('binaryPoint');
    this.#group1Enabled = reader.boolean('group1Enabled');
  }

  /** As many bits of group priority as there are bits of priority. */
  get #minBinaryPoint(): number {
    return 8 - this.#options.priorityBits;
  }

  #createControl(): RegisterFile<typeof GICR_RD> {
    const { number, affinity, isLast, onGuestError, onChange } = this.#options;
    const { LAST, PROCESSOR } = GICR_RD.registers.TYPER_LO.fields;
    return registerFile(GICR_RD, {
      onGuestError,
      resets: {
        TYPER_LO: LAST.at(isLast ? 1 : 0) + PROCESSOR.at(number),
        TYPER_HI: affinity,
      },
      onWrite: {
        WAKER: () => {
          this.rd.WAKER.CHILDREN_ASLEEP = this.rd.WAKER.PROCESSOR_SLEEP;
          onChange();
        },
      },
    });
  }

  #best(): Rank {
    const { distributorEnabled, shared, targetsMe } = this.#options;
    const isAsleep = this.rd.WAKER.CHILDREN_ASLEEP === 1;
    if (isAsleep || !this.#group1Enabled || !distributorEnabled()) return NO_RANK;
    return Math.min(
      this.bank.best(intid => this.bank.inGroup1(intid)),
      shared.best(intid => shared.inGroup1(intid) && targetsMe(intid)),
    );
  }

  #readIcc(register: IccReg): number {
    switch (register) {
      case 'ICC_IAR1': {
        const intid = this.#interface.acknowledge();
        this.#options.onChange();
        return intid;
      }
      case 'ICC_HPPIR1':
        return this.#interface.highestPending();
      case 'ICC_RPR':
        return this.#interface.runningPriority;
      case 'ICC_PMR':
        return this.#priorityMask;
      case 'ICC_BPR1':
        return this.#binaryPoint;
      case 'ICC_IGRPEN1':
        return this.#group1Enabled ? 1 : 0;
      case 'ICC_CTLR':
        return ICC_CTLR.PRI_BITS.at(this.#options.priorityBits - 1);
      case 'ICC_SRE':
        return SRE;
      case 'ICC_DIR':
      case 'ICC_EOIR1':
      case 'ICC_SGI1R':
        this.#options.onGuestError(`${this.#options.name}: read of ${register}_EL1`);
        return 0;
    }
  }

  #writeIcc(register: IccReg, value: number): void {
    const { name, onGuestError, sendSgis } = this.#options;
    switch (register) {
      case 'ICC_EOIR1':
        if (!this.#interface.end(value)) {
          onGuestError(`${name}: EOI of ${value}, which was not acknowledged last`);
        }
        return;
      case 'ICC_PMR':
        this.#priorityMask = value & implementedPriority(this.#options.priorityBits);
        return;
      case 'ICC_BPR1':
        this.#binaryPoint = Math.max(value & 7, this.#minBinaryPoint);
        return;
      case 'ICC_IGRPEN1':
        this.#group1Enabled = (value & 1) === 1;
        return;
      case 'ICC_SGI1R':
        sendSgis(value);
        return;
      case 'ICC_CTLR':
        if (ICC_CTLR.EOI_MODE.of(value) !== 0) this.#unmodelled('CTLR_EL1.EOImode', value);
        return;
      case 'ICC_SRE':
        if ((value & 1) === 0) this.#unmodelled('SRE_EL1.SRE', value);
        return;
      case 'ICC_DIR':
        return this.#unmodelled('DIR_EL1', value);
      case 'ICC_IAR1':
      case 'ICC_HPPIR1':
      case 'ICC_RPR':
        onGuestError(`${name}: write of ${register}_EL1`);
        return;
    }
  }

  #unmodelled(feature: string, value: number): never {
    throw new UnmodelledError(`${this.#options.name}.ICC_${feature}`, `write of ${hex(value)}`);
  }
}
