import type { CoherentAllocator, CoherentName } from '../../../../mm/arch-dma';
import type { BootMemory, ArmMm, SetAside } from '../init';
import type { KernelMappings } from '../ioremap';
import type { RamRange } from '../layout';
import type { ContiguousArea } from './area';
import type { LinearMapping } from './linear';

/** What a machine has that strategies may need when it boots. */
export interface CoherentBoard {
  /** The tree's pool for everybody's contiguous memory (linux,cma-default), null if it has none. */
  readonly cma: RamRange | null;
  /** One that is asked for beside the tree, which comes in place of the tree's (`cma=`). */
  readonly cmaWish?: SetAside | null;
  /** Those of single devices, and pools that devices are restricted to. */
  readonly ownCma?: readonly RamRange[];
  /** One past the highest address that ZONE_DMA has, null where there is no such zone. */
  readonly dmaEnd: number | null;
}

/** How memory must be laid out at boot for a strategy. */
export type CoherentBoot = Pick<BootMemory, 'inPages' | 'setAside'>;

/** What a strategy works with, once the kernel's memory management is up. */
export interface CoherentContext {
  readonly mm: ArmMm;
  readonly mappings: KernelMappings;
  readonly linear: LinearMapping;
  /** What was set aside for it, or the pool of the tree; null: there is none. */
  readonly area: ContiguousArea | null;
}

/** One way of making memory that neither CPU nor device must maintain. */
export type CoherentStrategy = CoherentAllocator;

/** A strategy by name: what it needs at boot, and what makes it. */
export interface CoherentKind {
  readonly name: CoherentName;
  /** In one sentence, for people. */
  readonly summary: string;
  readonly boot: (board: CoherentBoard) => CoherentBoot;
  readonly make: (context: CoherentContext) => CoherentStrategy;
}
