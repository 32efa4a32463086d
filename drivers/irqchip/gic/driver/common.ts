import { EINVAL } from '../../../base/kernel/errno';
import { IrqType, type IrqSpecifier } from '../../../base/kernel/irq';
import { badSpecifier } from '../../../base/kernel/level-irq-chip';
import { FIRST_PPI, FIRST_SPI } from '../regs';

/*
 * What the drivers of GICv2 and GICv3 share (cf. drivers/irqchip/irq-gic-common.c and the
 * translate functions of irq-gic.c and irq-gic-v3.c).
 */

/** Priority of every interrupt, in each byte of a word (GICD_INT_DEF_PRI_X4). */
export const DEFAULT_PRIORITIES = 0xa0a0_a0a0;
/** Interrupts of the default priority pass (GICC_INT_PRI_THRESHOLD, DEFAULT_PMR_VALUE). */
export const PRIORITY_THRESHOLD = 0xf0;

const ALL = 0xffff_ffff;
const ALL_SGIS = 0x0000_ffff;
const ALL_PPIS = 0xffff_0000;

/** IRQ_TYPE_SENSE_MASK: the other bits of the third cell are a PPI's CPUs. */
const TYPE_MASK = 0xf;
const TYPES: ReadonlySet<number> = new Set(Object.values(IrqType));
const isType = (value: number): value is IrqType => TYPES.has(value);

interface Writable {
  read(): { readonly value: number };
  write(value: number): void;
}

type Vector = (index: number) => Writable;

/** The registers of a run of interrupts, as a driver sees them. */
export interface BankAccess {
  readonly ISENABLER: Vector;
  readonly ICENABLER: Vector;
  readonly ICACTIVER: Vector;
  readonly IPRIORITYR: Vector;
  readonly ICFGR: Vector;
}

/**
 * `<kind number flags>`: kind 0 is an SPI, 1 a PPI. A GICv2's third cell also has the CPUs of a
 * PPI; more cells, as a GICv3 may have, are not looked at.
 */
export const translateGic = (
  chip: string,
  cells: readonly number[],
  spis: number,
): IrqSpecifier => {
  const [kind, number, flags] = cells;
  const form = '<0 SPI type> or <1 PPI type>';
  if (kind === undefined || number === undefined || flags === undefined) {
    throw badSpecifier(chip, form, cells);
  }
  const type = flags & TYPE_MASK;
  if (!isType(type)) throw badSpecifier(chip, `${form} with a type of one trigger`, cells);
  if (kind === 0 && number < spis) return { hwirq: number + FIRST_SPI, type };
  if (kind === 1 && number < FIRST_SPI - FIRST_PPI) return { hwirq: number + FIRST_PPI, type };
  throw badSpecifier(chip, `${form} with a number below ${kind === 0 ? spis : 16}`, cells);
};

/** Disables, deactivates and configures all shared interrupts (gic_dist_config). */
export const configureShared = (shared: BankAccess, spis: number): void => {
  for (let i = 0; i < spis / 16; i++) shared.ICFGR(i).write(0);
  for (let i = 0; i < spis / 4; i++) shared.IPRIORITYR(i).write(DEFAULT_PRIORITIES);
  for (let i = 0; i < spis / 32; i++) {
    shared.ICACTIVER(i).write(ALL);
    shared.ICENABLER(i).write(ALL);
  }
};

/** Disables a CPU's PPIs and enables its SGIs (gic_cpu_config). */
export const configureBanked = (banked: BankAccess): void => {
  banked.ICACTIVER(0).write(ALL);
  banked.ICENABLER(0).write(ALL_PPIS);
  banked.ISENABLER(0).write(ALL_SGIS);
  for (let i = 0; i < FIRST_SPI / 4; i++) banked.IPRIORITYR(i).write(DEFAULT_PRIORITIES);
};

/**
 * Sets level or edge (gic_set_type, gic_configure_irq). SPIs are high or rising; the trigger of an
 * SGI cannot be changed. 0 or -EINVAL.
 */
export const configureType = (bank: BankAccess, hwirq: number, type: IrqType): number => {
  const isRising = type === IrqType.EdgeRising;
  if (hwirq < FIRST_PPI) return -EINVAL;
  if (hwirq >= FIRST_SPI && !isRising && type !== IrqType.LevelHigh) return -EINVAL;
  const isEdge = isRising || type === IrqType.EdgeFalling || type === IrqType.EdgeBoth;
  const position = hwirq < FIRST_SPI ? hwirq : hwirq - FIRST_SPI;
  const edgeBit = 2 << (2 * (position & 15));
  const register = bank.ICFGR(position >>> 4);
  const before = register.read().value;
  const wanted = (isEdge ? before | edgeBit : before & ~edgeBit) >>> 0;
  if (wanted === before) return 0;
  register.write(wanted);
  return register.read().value === wanted || hwirq < FIRST_SPI ? 0 : -EINVAL;
};
