import type { GuestErrorSink } from '../../../base/hw/device';
import { IrqLine } from '../../../base/hw/irq';
import { registerFile, type RegisterFile } from '../../../base/hw/register-file';
import { StateReader, type Stateful, type StateValue } from '../../../base/types/state';
import { FIRST_PPI, FIRST_SPI, GICC, GICD_BANKED } from '../regs';
import { CpuInterface } from './cpu-interface';
import { implementedPriority, InterruptBank, NO_RANK, type Rank } from './interrupt-bank';

/** What a CPU's part knows of the GIC around it. */
export interface GicCpuOptions {
  readonly name: string;
  readonly number: number;
  /** On a uniprocessor the targets of interrupts read as zero. */
  readonly isOnlyCpu: boolean;
  readonly cpuInterfaceId: number;
  readonly priorityBits: number;
  readonly onGuestError: GuestErrorSink;
  readonly distributorEnabled: () => boolean;
  readonly shared: InterruptBank;
  /** Whether a shared interrupt is sent to this CPU. */
  readonly targetsMe: (intid: number) => boolean;
  /** Something changed that may raise or lower an output. */
  readonly onChange: () => void;
}

/** What a GICv1 or GICv2 has for each CPU: its banked interrupts and its CPU interface. */
export class GicCpu implements Stateful {
  readonly irq: IrqLine;
  readonly bank: InterruptBank;
  readonly banked: RegisterFile<typeof GICD_BANKED>;
  readonly gicc: RegisterFile<typeof GICC>;
  readonly #interface: CpuInterface;
  readonly #options: GicCpuOptions;

  constructor(options: GicCpuOptions) {
    const { name, priorityBits, onChange } = options;
    this.#options = options;
    this.irq = new IrqLine(`${name}.irq`);
    this.bank = new InterruptBank({
      name,
      first: 0,
      count: FIRST_SPI,
      priorityBits,
      registers: () => this.banked,
      onChange,
    });
    this.banked = this.#createBanked();
    this.#interface = new CpuInterface({
      name,
      best: () => this.#best(),
      bank: this.bank,
      shared: options.shared,
      priorityMask: () => this.gicc.PMR.PRIORITY,
      groupMask: () => (0xff << (this.gicc.BPR.BINARY_POINT + 1)) & 0xff,
    });
    this.gicc = this.#createCpuInterface();
    this.reset();
  }

  /** Drives the interrupt line. */
  updateIrq(): void {
    this.irq.set(this.#interface.signals);
  }

  /** Makes an SGI pending that CPU `source` asks for. */
  receiveSgi(intid: number, source: number): void {
    this.banked.SPENDSGIR(intid >>> 2).value |= (2 ** source) << (8 * (intid & 3));
    this.#latchSgis();
  }

  reset(): void {
    this.banked.reset();
    this.bank.reset();
    this.gicc.reset();
    this.#interface.reset();
  }

  saveState(): StateValue {
    return {
      banked: this.banked.saveState(),
      gicc: this.gicc.saveState(),
      inputs: this.bank.inputs.saveState(),
      interface: this.#interface.saveState(),
      irq: this.irq.level,
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.#options.name);
    this.banked.restoreState(reader.value('banked'));
    this.gicc.restoreState(reader.value('gicc'));
    this.bank.inputs.restoreState(reader.value('inputs'));
    this.#interface.restoreState(reader.value('interface'));
    this.irq.restore(reader.boolean('irq'));
  }

  #createBanked(): RegisterFile<typeof GICD_BANKED> {
    const { number, isOnlyCpu, onGuestError, onChange } = this.#options;
    const sgisChanged = (): void => {
      this.#latchSgis();
      onChange();
    };
    return registerFile(GICD_BANKED, {
      onGuestError,
      onRead: {
        ...this.bank.readHooks(),
        ITARGETSR: () => (isOnlyCpu ? 0 : 0x0101_0101 * 2 ** number),
      },
      onWrite: {
        ...this.bank.writeHooks(),
        ISPENDR: sgisChanged,
        ICPENDR: sgisChanged,
        SPENDSGIR: sgisChanged,
        CPENDSGIR: sgisChanged,
      },
    });
  }

  #createCpuInterface(): RegisterFile<typeof GICC> {
    const { name, cpuInterfaceId, priorityBits, onGuestError, onChange } = this.#options;
    return registerFile(GICC, {
      onGuestError,
      resets: { IIDR: cpuInterfaceId },
      onRead: {
        IAR: () => this.#acknowledge(),
        HPPIR: () => this.#withSource(this.#interface.highestPending()),
        RPR: () => this.#interface.runningPriority,
      },
      onWrite: {
        CTLR: onChange,
        PMR: () => {
          this.gicc.PMR.value &= implementedPriority(priorityBits);
          onChange();
        },
        BPR: onChange,
        EOIR: () => {
          const intid = this.gicc.EOIR.INT_ID;
          if (!this.#interface.end(intid)) {
            onGuestError(`${name}: EOI of ${intid}, which was not acknowledged last`);
          }
          onChange();
        },
      },
    });
  }

  #best(): Rank {
    const { distributorEnabled, shared, targetsMe } = this.#options;
    if (!distributorEnabled() || this.gicc.CTLR.ENABLE === 0) return NO_RANK;
    return Math.min(
      this.bank.best(() => true),
      shared.best(targetsMe),
    );
  }

  /** A read of IAR. An SGI that several CPUs ask for is taken from one of them at a time. */
  #acknowledge(): number {
    const intid = this.#interface.acknowledge();
    const answer = this.#withSource(intid);
    if (intid < FIRST_PPI) {
      const bit = 2 ** GICC.registers.IAR.fields.CPU_ID.of(answer);
      this.banked.SPENDSGIR(intid >>> 2).value &= ~(bit << (8 * (intid & 3)));
      this.#latchSgis();
    }
    this.#options.onChange();
    return answer;
  }

  /** For an SGI, with the lowest CPU that asks for it. */
  #withSource(intid: number): number {
    if (intid >= FIRST_PPI) return intid;
    const sources = this.#sourcesOf(intid);
    return GICC.registers.IAR.fields.CPU_ID.at(31 - Math.clz32(sources & -sources)) + intid;
  }

  #sourcesOf(intid: number): number {
    return (this.banked.SPENDSGIR(intid >>> 2).value >>> (8 * (intid & 3))) & 0xff;
  }

  /** An SGI is pending while any CPU asks for it; ISPENDR shows that and cannot change it. */
  #latchSgis(): void {
    let latched = this.banked.ISPENDR(0).value & 0xffff_0000;
    for (let intid = 0; intid < FIRST_PPI; intid++) {
      if (this.#sourcesOf(intid) !== 0) latched |= 1 << intid;
    }
    this.banked.ISPENDR(0).value = latched;
  }
}
