import type { GuestErrorSink } from '../../../base/hw/device';
import { MemoryRegion } from '../../../base/hw/memory-region';
import { registerFile, type RegisterFile } from '../../../base/hw/register-file';
import { hi32, lo32 } from '../../../base/types/bits';
import { invariant } from '../../../base/types/errors';
import type { IccPort } from '../../../base/types/isa';
import { GicBase } from '../../gic/model/gic-base';
import { FIRST_SPI } from '../../gic/regs';
import { GICD, ICC_SGI1R, ICC_SGI1R_IRM, MAX_CPUS, REDISTRIBUTOR_SIZE } from '../regs';
import { Redistributor } from './redistributor';

/** How a GIC is integrated. */
export interface GicV3Options {
  readonly name: string;
  /** Of each CPU, Aff2.Aff1.Aff0 in the low 24 bits, as MPIDR has them; Aff3 is zero. */
  readonly affinities: readonly number[];
  /** Shared interrupts, a multiple of 32. */
  readonly spis: number;
  /** Implemented bits of a priority, 5 to 8. */
  readonly priorityBits: number;
  readonly onGuestError: GuestErrorSink;
}

/** CPUs of one cluster that an SGI's target list can name. */
const SGI_TARGETS = 16;

const isAffinity = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value < 2 ** 24;

/**
 * GICv3 with one security state and affinity routing. Windows: distributor, redistributors. The
 * CPU interfaces are ports for the CPUs' system registers.
 */
export class GicV3 extends GicBase<RegisterFile<typeof GICD>, Redistributor> {
  protected readonly gicd: RegisterFile<typeof GICD>;
  protected readonly cpus: readonly Redistributor[];
  readonly #options: GicV3Options;

  constructor(options: GicV3Options) {
    super(options);
    const { name, affinities, priorityBits } = options;
    const cpus = affinities.length;
    const distinct = new Set(affinities).size === cpus && affinities.every(isAffinity);
    invariant(cpus >= 1 && cpus <= MAX_CPUS && distinct, `${name}: CPUs ${affinities.join(', ')}`);
    invariant(priorityBits >= 5 && priorityBits <= 8, `${name}: ${priorityBits} priority bits`);
    this.#options = options;
    this.gicd = this.#createDistributor();
    this.cpus = affinities.map((_, number) => this.#createRedistributor(number));
  }

  /** A CPU's interface: what its ICC_ system registers are wired to. */
  icc(cpu: number): IccPort {
    return this.cpu(cpu).icc;
  }

  protected createRegions(): readonly MemoryRegion[] {
    const size = REDISTRIBUTOR_SIZE * this.cpus.length;
    const redistributors = MemoryRegion.container(`${this.name}.gicr`, size);
    for (const [number, cpu] of this.cpus.entries()) {
      redistributors.add(number * REDISTRIBUTOR_SIZE, cpu.createRegion());
    }
    return [MemoryRegion.io(`${this.name}.gicd`, GICD.size, this.gicd), redistributors];
  }

  #createDistributor(): RegisterFile<typeof GICD> {
    const { spis, onGuestError } = this.#options;
    const typer = GICD.registers.TYPER.fields;
    const update = (): void => {
      this.updateIrqs();
    };
    return registerFile(GICD, {
      onGuestError,
      resets: { TYPER: typer.IT_LINES.at(spis / 32) + typer.ID_BITS.at(9) },
      onRead: this.shared.readHooks(),
      onWrite: {
        ...this.shared.writeHooks(),
        CTLR: update,
        IGROUPR: (_written, _previous, index) => {
          this.gicd.IGROUPR(index).value &= this.shared.implemented(index);
          this.updateIrqs();
        },
        'IROUTER.LO': update,
        'IROUTER.HI': update,
      },
    });
  }

  #createRedistributor(number: number): Redistributor {
    const { name, affinities, priorityBits, onGuestError } = this.#options;
    const affinity = affinities[number] ?? 0;
    return new Redistributor({
      name: `${name}.cpu${number}`,
      number,
      affinity,
      isLast: number === affinities.length - 1,
      priorityBits,
      onGuestError,
      distributorEnabled: () => this.gicd.CTLR.ENABLE_GRP1 === 1 && this.gicd.CTLR.ARE === 1,
      shared: this.shared,
      targetsMe: intid => {
        const { LO, HI } = this.gicd.IROUTER(intid - FIRST_SPI);
        return LO.value === affinity && HI.value === 0;
      },
      sendSgis: value => {
        this.#sendSgis(value, number);
      },
      onChange: () => {
        this.updateIrqs();
      },
    });
  }

  /** ICC_SGI1R_EL1: to the listed CPUs of a cluster, or to all but the sender. */
  #sendSgis(value: number, sender: number): void {
    const low = lo32(value);
    const toOthers = Math.floor(value / ICC_SGI1R_IRM) % 2 === 1;
    const cluster = 256 * (hi32(value) % 256) + ICC_SGI1R.AFF1.of(low);
    for (const [number, cpu] of this.cpus.entries()) {
      const affinity = this.#options.affinities[number] ?? 0;
      const inCluster = affinity >>> 8 === cluster && (affinity & 0xff) < SGI_TARGETS;
      const listed = inCluster && ((ICC_SGI1R.TARGETS.of(low) >>> (affinity & 0xff)) & 1) === 1;
      if (toOthers ? number !== sender : listed) cpu.bank.latch(ICC_SGI1R.INT_ID.of(low));
    }
  }
}
