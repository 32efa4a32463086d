import type { GuestErrorSink } from '../../../base/hw/device';
import { MemoryRegion } from '../../../base/hw/memory-region';
import type { MmioHandler } from '../../../base/hw/mmio';
import { registerFile, type RegisterFile } from '../../../base/hw/register-file';
import { invariant } from '../../../base/types/errors';
import { FIRST_SPI, GICC, GICD, MAX_CPUS } from '../regs';
import { GicBase } from './gic-base';
import { GicCpu } from './gic-cpu';

/** How a GIC is integrated, and what it is wired to. */
export interface GicOptions {
  readonly name: string;
  readonly version: 1 | 2;
  readonly cpus: number;
  /** Shared interrupts, a multiple of 32. */
  readonly spis: number;
  /** GICD_IIDR and GICC_IIDR: who made it. */
  readonly distributorId: number;
  readonly cpuInterfaceId: number;
  /** Bytes of the CPU interface's window, as `reg` says. */
  readonly cpuInterfaceSize: number;
  /** Implemented bits of a priority, 4 to 8. */
  readonly priorityBits: number;
  /** Which CPU makes the access that is being answered: the bus tells a banked register. */
  readonly currentCpu: () => number;
  readonly onGuestError: GuestErrorSink;
}

/** SGIR.FILTER; 0 is the CPUs of SGIR.TARGETS. */
const TO_OTHERS = 1;
const TO_SELF = 2;

/** A window whose registers depend on the offset and on who asks. */
const routed = (target: (offset: number) => MmioHandler): MmioHandler => ({
  read: (offset, width) => target(offset).read(offset, width),
  write: (offset, width, value) => target(offset).write(offset, width, value),
});

/**
 * GICv1 and GICv2 with one security state. Windows: distributor, CPU interface. What is not
 * modelled is in the data sheets.
 */
export class Gic extends GicBase<RegisterFile<typeof GICD>, GicCpu> {
  protected readonly gicd: RegisterFile<typeof GICD>;
  protected readonly cpus: readonly GicCpu[];
  readonly #options: GicOptions;

  constructor(options: GicOptions) {
    super(options);
    const { name, cpus, priorityBits } = options;
    invariant(cpus >= 1 && cpus <= MAX_CPUS, `${name}: ${cpus} CPUs`);
    invariant(priorityBits >= 4 && priorityBits <= 8, `${name}: ${priorityBits} priority bits`);
    this.#options = options;
    this.gicd = this.#createDistributor();
    this.cpus = Array.from({ length: cpus }, (_, number) => this.#createCpu(number));
  }

  protected createRegions(): readonly MemoryRegion[] {
    const { name, cpuInterfaceSize } = this.#options;
    const distributor = routed(offset => {
      const { banked } = this.#current();
      return banked.claims(offset) ? banked : this.gicd;
    });
    const cpuInterface = routed(() => this.#current().gicc);
    return [
      MemoryRegion.io(`${name}.gicd`, GICD.size, distributor),
      MemoryRegion.io(`${name}.gicc`, Math.min(cpuInterfaceSize, GICC.size), cpuInterface),
    ];
  }

  #createDistributor(): RegisterFile<typeof GICD> {
    const { cpus, spis, distributorId, version, onGuestError } = this.#options;
    const { TYPER, ICPIDR2 } = GICD.registers;
    return registerFile(GICD, {
      onGuestError,
      resets: {
        TYPER: TYPER.fields.IT_LINES.at(spis / 32) + TYPER.fields.CPUS.at(cpus - 1),
        IIDR: distributorId,
        ICPIDR2: ICPIDR2.fields.ARCH.at(version),
      },
      onRead: this.shared.readHooks(),
      onWrite: {
        ...this.shared.writeHooks(),
        CTLR: () => {
          this.updateIrqs();
        },
        ITARGETSR: (_written, _previous, index) => {
          // On a uniprocessor the targets read as zero and every interrupt goes to the one CPU.
          const implemented = cpus > 1 && index < spis / 4 ? 0x0101_0101 * (2 ** cpus - 1) : 0;
          this.gicd.ITARGETSR(index).value &= implemented;
          this.updateIrqs();
        },
        SGIR: () => {
          this.#generateSgi();
        },
      },
    });
  }

  #createCpu(number: number): GicCpu {
    const { name, cpus, cpuInterfaceId, priorityBits, onGuestError } = this.#options;
    return new GicCpu({
      name: `${name}.cpu${number}`,
      number,
      isOnlyCpu: cpus === 1,
      cpuInterfaceId,
      priorityBits,
      onGuestError,
      distributorEnabled: () => this.gicd.CTLR.ENABLE === 1,
      shared: this.shared,
      targetsMe: intid => cpus === 1 || this.#targets(intid, number),
      onChange: () => {
        this.updateIrqs();
      },
    });
  }

  #targets(intid: number, cpu: number): boolean {
    const position = intid - FIRST_SPI;
    const bit = 8 * (position & 3) + cpu;
    return ((this.gicd.ITARGETSR(position >>> 2).value >>> bit) & 1) === 1;
  }

  #generateSgi(): void {
    const { FILTER, TARGETS, INT_ID } = this.gicd.SGIR;
    const self = this.#options.currentCpu();
    for (const [number, cpu] of this.cpus.entries()) {
      const listed = ((TARGETS >>> number) & 1) === 1;
      const isSelf = number === self;
      const chosen = FILTER === TO_SELF ? isSelf : FILTER === TO_OTHERS ? !isSelf : listed;
      if (chosen) cpu.receiveSgi(INT_ID, self);
    }
    this.updateIrqs();
  }

  #current(): GicCpu {
    return this.cpu(this.#options.currentCpu());
  }
}
