import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { invariant } from '../../../../drivers/base/types/errors';
import type { CoherentName } from '../../../../mm/arch-dma';
import type { ArmMm } from '../init';
import type { KernelMappings } from '../ioremap';
import { BitmapArea } from './area';
import type { ContiguousArea } from './area';
import { atomicPool } from './atomic-pool';
import { carveout } from './carveout';
import { cmaRemap } from './cma-remap';
import { CountedCoherent } from './counted';
import { highmem } from './highmem';
import { legacyRemap } from './legacy-remap';
import { LinearMapping } from './linear';
import { refusal } from './pages';
import { rewriteLinear } from './rewrite-linear';
import type { StepOrder } from './steps';
import type { CoherentBoard, CoherentKind, CoherentStrategy } from './strategy';
import { uncachedInPlace } from './uncached-in-place';
import { unmapLinear } from './unmap-linear';

/** The strategies, the broken one first. */
export const COHERENT_KINDS: readonly CoherentKind[] = [
  legacyRemap,
  unmapLinear,
  rewriteLinear,
  carveout,
  highmem,
  cmaRemap,
  atomicPool,
  uncachedInPlace,
];

export const coherentKind = (name: CoherentName): CoherentKind => {
  const kind = COHERENT_KINDS.find(one => one.name === name);
  invariant(kind !== undefined, `no strategy ${name}`);
  return kind;
};

/** How a machine makes coherent memory for devices that do not snoop. */
export interface CoherentChoice {
  readonly name: CoherentName;
  readonly board: CoherentBoard;
  /** IN_ORDER, unless a step is to be left out or comes in another place. */
  readonly order: StepOrder;
}

/** What was set aside for a strategy and is nobody else's. */
const ownArea = (mm: ArmMm, { name, board }: CoherentChoice): ContiguousArea | null => {
  const range = mm.setAside[0] ?? (name === 'cma-remap' ? board.cma : null);
  return range === null ? null : new BitmapArea(range);
};

/**
 * The strategy of a machine that was booted as it asks: see CoherentKind.boot. `area`: the memory
 * that was set aside for it, which others may share.
 */
export const makeCoherent = (
  mm: ArmMm,
  mappings: KernelMappings,
  choice: CoherentChoice,
  area: ContiguousArea | null = ownArea(mm, choice),
): CountedCoherent => {
  const { name, order } = choice;
  if (mm.vmalloc === null) return new CountedCoherent(new WithoutMmu(name), mm);
  const linear = new LinearMapping(mm, order);
  return new CountedCoherent(coherentKind(name).make({ mm, mappings, linear, area }), mm);
};

/** No MMU: memory is what it is, and no strategy can make it anything else. */
class WithoutMmu implements CoherentStrategy {
  readonly name: CoherentName;
  readonly keepsAlias = false;

  constructor(name: CoherentName) {
    this.name = name;
  }

  alloc(): ReturnType<CoherentStrategy['alloc']> {
    return refusal('no MMU: nothing can be mapped uncached');
  }

  free(): void {
    throw new KernelOops('coherent memory freed that was never given');
  }
}
