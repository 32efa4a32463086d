import { invariant } from '../../../../drivers/base/types/errors';
import type { CoherentBlock, CoherentName, CoherentRequest } from '../../../../mm/arch-dma';
import { pageToPhys } from '../../../../mm/page-alloc';
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
import { freePages, fromRequest, refusal, takePages, zero } from './pages';
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
  if (mm.vmalloc === null) {
    return new CountedCoherent(new WithoutMmu(name, mm, order), mm);
  }
  const linear = new LinearMapping(mm, order);
  return new CountedCoherent(coherentKind(name).make({ mm, mappings, linear, area }), mm);
};

/**
 * No MMU: memory is what it is, and no strategy can make it anything else. Who needs no address of
 * it gets pages that are in no cache (dma_direct_alloc_no_mapping).
 */
class WithoutMmu implements CoherentStrategy {
  readonly name: CoherentName;
  readonly keepsAlias = false;
  readonly #mm: ArmMm;
  readonly #linear: LinearMapping;

  constructor(name: CoherentName, mm: ArmMm, order: StepOrder) {
    this.name = name;
    this.#mm = mm;
    this.#linear = new LinearMapping(mm, order);
  }

  alloc(request: CoherentRequest): ReturnType<CoherentStrategy['alloc']> {
    if (request.isUnmapped !== true) return refusal('no MMU: nothing can be mapped uncached');
    const page = takePages(this.#mm, request, false);
    if (typeof page === 'object') return page;
    const phys = pageToPhys(page);
    const cpuAddr = this.#linear.addressOf(phys);
    zero(this.#mm, cpuAddr, request);
    this.#linear.flush(cpuAddr, phys, request.size);
    return { cpuAddr, phys, page, ...fromRequest(request), isUnmapped: true };
  }

  free(block: CoherentBlock): void {
    freePages(this.#mm, block);
  }
}
