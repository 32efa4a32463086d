import { EINVAL } from '../../../base/kernel/errno';
import type { IrqChip, IrqSpecifier, IrqType } from '../../../base/kernel/irq';
import { ioRegisters, type IoRegisters, type RegisterIo } from '../../../base/kernel/registers';
import { offsetBy, type CpuAddr } from '../../../base/types/address';
import { FIRST_PPI, FIRST_SPECIAL, FIRST_SPI, GICC, GICD, GICD_BANKED, MAX_SPIS } from '../regs';
import {
  configureBanked,
  configureShared,
  configureType,
  PRIORITY_THRESHOLD,
  translateGic,
} from './common';

/** Where the driver finds its registers. */
export interface GicDriverOptions {
  readonly name: string;
  /** Unordered accessors: Linux uses readl_relaxed and writel_relaxed throughout. */
  readonly io: RegisterIo;
  readonly distributor: CpuAddr;
  readonly cpuInterface: CpuAddr;
}

/** Driver of GICv1 and GICv2 (cf. drivers/irqchip/irq-gic.c). */
export class GicDriver implements IrqChip {
  readonly name: string;
  readonly #io: RegisterIo;
  readonly #gicd: IoRegisters<typeof GICD>;
  readonly #banked: IoRegisters<typeof GICD_BANKED>;
  readonly #gicc: IoRegisters<typeof GICC>;
  #spis = 0;
  /** CPU number to its bit in ITARGETSR and SGIR: the GIC's numbers may be others. */
  readonly #cpuMap = new Map<number, number>();
  /** What IAR said of the SGI being handled: EOIR wants the sender back. */
  readonly #sgiAck = new Map<number, number>();

  constructor({ name, io, distributor, cpuInterface }: GicDriverOptions) {
    this.name = name;
    this.#io = io;
    this.#gicd = ioRegisters(GICD, io, distributor);
    this.#banked = ioRegisters(GICD_BANKED, io, distributor);
    this.#gicc = ioRegisters(GICC, io, cpuInterface);
  }

  /** Once, on the boot CPU: all shared interrupts off and sent to it (gic_dist_init). */
  initDistributor(): void {
    this.#spis = Math.min(32 * this.#gicd.TYPER.read().IT_LINES, MAX_SPIS);
    this.#gicd.CTLR.write(0);
    const mask = this.#readCpuMask() * 0x0101_0101;
    for (let i = 0; i < this.#spis / 4; i++) this.#gicd.ITARGETSR(i).write(mask);
    configureShared(this.#gicd, this.#spis);
    this.#gicd.CTLR.write({ ENABLE: 1 });
  }

  /** On each CPU, itself: its own interrupts and its CPU interface (gic_cpu_init). */
  initCpu(cpu: number): void {
    this.#cpuMap.set(cpu, this.#readCpuMask());
    configureBanked(this.#banked);
    this.#gicc.PMR.write({ PRIORITY: PRIORITY_THRESHOLD });
    const { BYPASS_DISABLE } = this.#gicc.CTLR.read();
    this.#gicc.CTLR.write({ BYPASS_DISABLE, ENABLE: 1 });
  }

  enable(hwirq: number): void {
    this.#bank(hwirq)
      .ISENABLER(this.#word(hwirq))
      .write(2 ** (hwirq & 31));
  }

  disable(hwirq: number): void {
    this.#bank(hwirq)
      .ICENABLER(this.#word(hwirq))
      .write(2 ** (hwirq & 31));
  }

  ack(): number | null {
    const { value, INT_ID } = this.#gicc.IAR.read();
    if (INT_ID >= FIRST_SPECIAL) return null;
    if (INT_ID < FIRST_PPI) this.#sgiAck.set(INT_ID, value);
    return INT_ID;
  }

  eoi(hwirq: number): void {
    const value = hwirq < FIRST_PPI ? (this.#sgiAck.get(hwirq) ?? hwirq) : hwirq;
    this.#gicc.EOIR.write(value);
  }

  setType(hwirq: number, type: IrqType): number {
    return configureType(this.#bank(hwirq), hwirq, type);
  }

  /** Sends a shared interrupt to one CPU (gic_set_affinity). */
  setAffinity(hwirq: number, cpu: number): number {
    const mask = this.#cpuMap.get(cpu);
    if (mask === undefined || hwirq < FIRST_SPI) return -EINVAL;
    const position = hwirq - FIRST_SPI;
    const target = this.#gicd.ITARGETSR(position >>> 2).address;
    this.#io.writeb(mask, offsetBy(target, position & 3));
    return 0;
  }

  /** Interrupts CPUs with SGI `hwirq` (gic_ipi_send_mask). The caller has ordered its stores. */
  sendSgi(hwirq: number, cpus: readonly number[]): void {
    const targets = cpus.reduce((mask, cpu) => mask | (this.#cpuMap.get(cpu) ?? 0), 0);
    this.#gicd.SGIR.write({ INT_ID: hwirq, TARGETS: targets });
  }

  translate(cells: readonly number[]): IrqSpecifier {
    return translateGic(this.name, cells, this.#spis);
  }

  /** This CPU's bit, from the targets of its own interrupts; 0 on a uniprocessor. */
  #readCpuMask(): number {
    for (let i = 0; i < GICD_BANKED.registers.ITARGETSR.count; i++) {
      const { value } = this.#banked.ITARGETSR(i).read();
      const mask = (value | (value >>> 8) | (value >>> 16) | (value >>> 24)) & 0xff;
      if (mask !== 0) return mask;
    }
    return 0;
  }

  #bank(hwirq: number): IoRegisters<typeof GICD> | IoRegisters<typeof GICD_BANKED> {
    return hwirq < FIRST_SPI ? this.#banked : this.#gicd;
  }

  #word(hwirq: number): number {
    return hwirq < FIRST_SPI ? 0 : (hwirq - FIRST_SPI) >>> 5;
  }
}
