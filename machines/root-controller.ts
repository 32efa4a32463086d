import { MAX_CPUS } from '../drivers/irqchip/gic/regs';
import { MAX_CPUS as MAX_CPUS_V3, REDISTRIBUTOR_SIZE } from '../drivers/irqchip/gic-v3/regs';
import type { OfDevice } from '../drivers/of/platform';
import { irqChipFor } from './models';
import type { IrqChipKind } from './models';

/** Affinities of CPUs from here on have a level 3. */
const AFF3 = 2 ** 32;

/** The interrupt controller whose output goes to the CPUs. */
export interface RootController {
  readonly device: OfDevice;
  readonly kind: IrqChipKind;
  /** Why its model cannot stand for it, or null. */
  readonly problem: string | null;
}

/**
 * The root controller of a machine, whose CPUs have these affinities: the first of its devices that is one of the controllers that
 * are modelled; null if there is none. Any other is not modelled, for nothing leads to it.
 */
export const rootControllerOf = (
  devices: readonly OfDevice[],
  affinities: readonly number[],
): RootController | null => {
  for (const device of devices) {
    const kind = irqChipFor(device.compatible);
    if (kind !== null) return { device, kind, problem: reasonAgainst(kind, device, affinities) };
  }
  return null;
};

const reasonAgainst = (
  kind: IrqChipKind,
  { node, resources }: OfDevice,
  affinities: readonly number[],
): string | null => {
  const cpus = affinities.length;
  if (kind === 'gic') {
    if (resources.length < 2) return 'a GIC without a CPU interface window';
    return cpus > MAX_CPUS ? `a GICv2 has at most ${MAX_CPUS} CPUs, not ${cpus}` : null;
  }
  if (kind !== 'gic-v3') return null;
  if (cpus > MAX_CPUS_V3) return `more than ${MAX_CPUS_V3} CPUs`;
  if (affinities.some(affinity => affinity >= AFF3)) return 'CPUs of affinity level 3';
  const [, redistributors] = resources;
  const fits = Number(redistributors?.size ?? 0n) >= cpus * REDISTRIBUTOR_SIZE;
  const isPlain =
    node.u32('#redistributor-regions') === undefined && !node.has('redistributor-stride');
  return fits && isPlain ? null : 'several regions or a stride of redistributors are not modelled';
};
