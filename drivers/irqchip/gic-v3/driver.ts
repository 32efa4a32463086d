import { EINVAL } from '../../base/kernel/errno';
import type { IrqChip, IrqSpecifier, IrqType } from '../../base/kernel/irq';
import { bugOn, KernelOops } from '../../base/kernel/oops';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../base/kernel/registers';
import { hex, offsetBy, type CpuAddr } from '../../base/types/address';
import { InputError } from '../../base/types/errors';
import type { IccPort } from '../../base/types/isa';
import {
  configureBanked,
  configureShared,
  configureType,
  PRIORITY_THRESHOLD,
  translateGic,
} from '../gic/driver/common';
import { FIRST_SPECIAL, FIRST_SPI, MAX_SPIS } from '../gic/regs';
import {
  ARCH_GICV3,
  FRAME_SIZE,
  GICD,
  GICR_RD,
  GICR_SGI,
  ICC_SGI1R,
  MAX_CPUS,
  REDISTRIBUTOR_SIZE,
} from './regs';

/** Where the driver finds its registers. */
export interface GicV3DriverOptions {
  readonly name: string;
  /** Unordered accessors: Linux uses readl_relaxed and writel_relaxed throughout. */
  readonly io: RegisterIo;
  /** System registers of the CPU that runs. */
  readonly icc: IccPort;
  readonly distributor: CpuAddr;
  readonly redistributors: CpuAddr;
  /** The CPU that runs. */
  readonly currentCpu: () => number;
}

/** Polls of a bit that hardware clears; Linux gives up after a second and goes on. */
const MAX_POLLS = 1000;

interface CpuRegisters {
  readonly affinity: number;
  readonly rd: IoRegisters<typeof GICR_RD>;
  readonly sgi: IoRegisters<typeof GICR_SGI>;
}

/** Driver of GICv3 (cf. drivers/irqchip/irq-gic-v3.c). */
export class GicV3Driver implements IrqChip {
  readonly name: string;
  readonly #options: GicV3DriverOptions;
  readonly #gicd: IoRegisters<typeof GICD>;
  readonly #cpus = new Map<number, CpuRegisters>();
  #spis = 0;

  constructor(options: GicV3DriverOptions) {
    this.name = options.name;
    this.#options = options;
    this.#gicd = ioRegisters(GICD, options.io, options.distributor);
  }

  /** Once, on the boot CPU: all shared interrupts off and routed to it (gic_dist_init). */
  initDistributor(bootAffinity: number): void {
    const gicd = this.#gicd;
    this.#spis = Math.min(32 * gicd.TYPER.read().IT_LINES, MAX_SPIS);
    gicd.CTLR.write(0);
    this.#waitForRwp(() => gicd.CTLR.read().RWP);
    for (let i = 0; i < this.#spis / 32; i++) gicd.IGROUPR(i).write(0xffff_ffff);
    configureShared(gicd, this.#spis);
    this.#waitForRwp(() => gicd.CTLR.read().RWP);
    gicd.CTLR.write({ ARE: 1, ENABLE_GRP1: 1, ENABLE_GRP0: 1 });
    for (let i = 0; i < this.#spis && i < GICD.arrays.IROUTER.count; i++) {
      this.#route(i, bootAffinity);
    }
  }

  /** On each CPU, itself (gic_cpu_init). `affinity` is its MPIDR's Aff2.Aff1.Aff0. */
  initCpu(cpu: number, affinity: number): void {
    const { rd, sgi } = this.#findRedistributor(affinity);
    this.#cpus.set(cpu, { affinity, rd, sgi });
    rd.WAKER.update({ PROCESSOR_SLEEP: 0 });
    this.#waitForRwp(() => rd.WAKER.read().CHILDREN_ASLEEP);
    sgi.IGROUPR(0).write(0xffff_ffff);
    configureBanked(sgi);
    this.#waitForRwp(() => rd.CTLR.read().RWP);
    const { icc } = this.#options;
    icc.write('ICC_SRE', icc.read('ICC_SRE') | 1);
    icc.write('ICC_PMR', PRIORITY_THRESHOLD);
    icc.write('ICC_BPR1', 0);
    icc.write('ICC_CTLR', 0);
    icc.write('ICC_IGRPEN1', 1);
  }

  enable(hwirq: number): void {
    const { bank, word } = this.#placeOf(hwirq);
    bank.ISENABLER(word).write(2 ** (hwirq & 31));
    this.#waitForBank(hwirq);
  }

  disable(hwirq: number): void {
    const { bank, word } = this.#placeOf(hwirq);
    bank.ICENABLER(word).write(2 ** (hwirq & 31));
    this.#waitForBank(hwirq);
  }

  ack(): number | null {
    const intid = this.#options.icc.read('ICC_IAR1');
    return intid >= FIRST_SPECIAL ? null : intid;
  }

  eoi(hwirq: number): void {
    this.#options.icc.write('ICC_EOIR1', hwirq);
  }

  setType(hwirq: number, type: IrqType): number {
    const result = configureType(this.#placeOf(hwirq).bank, hwirq, type);
    this.#waitForBank(hwirq);
    return result;
  }

  /** Routes a shared interrupt to one CPU; disabled meanwhile (gic_set_affinity). */
  setAffinity(hwirq: number, cpu: number): number {
    const affinity = this.#cpus.get(cpu)?.affinity;
    if (affinity === undefined || hwirq < FIRST_SPI) return -EINVAL;
    const { bank, word } = this.#placeOf(hwirq);
    const wasEnabled = ((bank.ISENABLER(word).read().value >>> (hwirq & 31)) & 1) === 1;
    if (wasEnabled) this.disable(hwirq);
    this.#route(hwirq - FIRST_SPI, affinity);
    if (wasEnabled) this.enable(hwirq);
    else this.#waitForBank(hwirq);
    return 0;
  }

  /** Interrupts CPUs with SGI `hwirq` (gic_ipi_send_mask). The caller has ordered its stores. */
  sendSgi(hwirq: number, cpus: readonly number[]): void {
    const targetsOf = new Map<number, number>();
    for (const cpu of cpus) {
      const affinity = this.#registersOf(cpu).affinity;
      const cluster = affinity >>> 8;
      targetsOf.set(cluster, (targetsOf.get(cluster) ?? 0) | (1 << (affinity & 0xf)));
    }
    for (const [cluster, targets] of targetsOf) {
      const low =
        ICC_SGI1R.INT_ID.at(hwirq) +
        ICC_SGI1R.AFF1.at(cluster & 0xff) +
        ICC_SGI1R.TARGETS.at(targets);
      this.#options.icc.write('ICC_SGI1R', (cluster >>> 8) * 2 ** 32 + low);
    }
  }

  translate(cells: readonly number[]): IrqSpecifier {
    return translateGic(this.name, cells, this.#spis);
  }

  /** Walks the redistributors up to the last (gic_iterate_rdists). */
  #findRedistributor(affinity: number): CpuRegisters {
    const { io, redistributors } = this.#options;
    for (let i = 0; i < MAX_CPUS; i++) {
      const base = offsetBy(redistributors, i * REDISTRIBUTOR_SIZE);
      const rd = ioRegisters(GICR_RD, io, base);
      if (rd.PIDR2.read().ARCH !== ARCH_GICV3) break;
      const isLast = rd.TYPER_LO.read().LAST === 1;
      if (rd.TYPER_HI.read().value === affinity) {
        return { affinity, rd, sgi: ioRegisters(GICR_SGI, io, offsetBy(base, FRAME_SIZE)) };
      }
      if (isLast) break;
    }
    throw new InputError({
      place: this.name,
      expected: `a redistributor for the CPU of affinity ${hex(affinity)}`,
      found: 'none',
    });
  }

  #route(position: number, affinity: number): void {
    const { LO, HI } = this.#gicd.IROUTER(position);
    LO.write(affinity);
    HI.write(0);
  }

  #waitForBank(hwirq: number): void {
    if (hwirq >= FIRST_SPI) {
      this.#waitForRwp(() => this.#gicd.CTLR.read().RWP);
    } else {
      const { rd } = this.#registersOf(this.#options.currentCpu());
      this.#waitForRwp(() => rd.CTLR.read().RWP);
    }
  }

  #waitForRwp(busy: () => number): void {
    let polls = 0;
    while (busy() !== 0) bugOn(++polls > MAX_POLLS, `${this.name} never ends a register write`);
  }

  #registersOf(cpu: number): CpuRegisters {
    const registers = this.#cpus.get(cpu);
    if (registers === undefined) throw new KernelOops(`${this.name}: no initCpu(${cpu}) yet`);
    return registers;
  }

  #placeOf(hwirq: number): {
    bank: IoRegisters<typeof GICD> | IoRegisters<typeof GICR_SGI>;
    word: number;
  } {
    return hwirq < FIRST_SPI
      ? { bank: this.#registersOf(this.#options.currentCpu()).sgi, word: 0 }
      : { bank: this.#gicd, word: (hwirq - FIRST_SPI) >>> 5 };
  }
}
