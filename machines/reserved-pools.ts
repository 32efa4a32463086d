import type { RamRange } from '../arch/arm/mm/layout';
import { EBUSY, EINVAL, ENODEV } from '../drivers/base/kernel/errno';
import type { Device } from '../drivers/base/kernel/device';
import type { DevicePool } from '../drivers/base/kernel/dma-pools';
import { physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import { InputError, UnmodelledError } from '../drivers/base/types/errors';
import type { OfErrno } from '../drivers/of/property';
import { ofReservedMemDeviceInitByIdx } from '../drivers/of/reserved-mem-device';
import type { PoolSlot } from '../drivers/of/reserved-mem-device';
import type { ReservedMem } from '../drivers/of/reserved-mem';
import type { DtNode } from '../drivers/of/tree';
import type { CoherentName } from '../mm/arch-dma';
import type { CmaArea } from '../mm/cma';
import { AtomicPools, DEFAULT_COHERENT_POOL } from '../mm/dma-atomic-pool';
import type { AtomicPoolKernel } from '../mm/dma-atomic-pool';
import { CoherentPool, POOL_MEMORY } from '../mm/dma-coherent';
import { physToPage } from '../mm/page-alloc';
import { PAGE_KERNEL, withMemory } from '../mm/pgprot';
import { isDefaultPool } from './describe';
import type { Swiotlb } from '../mm/swiotlb';
import { RestrictedPages } from '../mm/swiotlb-restricted';
import { makeCma, makeSwiotlb } from './dma-memory';
import type { Kernel } from './kernel';
import type { MachinePlan } from './plan';
import { usesLpae } from './plan-memory';
import type { DmaFacts } from './quirks';
import { restrictedRegion } from './restricted-region';

/*
 * Pools for DMA that a kernel makes once it runs: what the tree reserves, and the atomic pools.
 */

/** Ways to coherent memory that are closed to who cannot sleep. */
const SLEEPING: ReadonlySet<CoherentName> = new Set([
  'legacy-remap',
  'unmap-linear',
  'highmem',
  'cma-remap',
  'uncached-in-place',
]);

/**
 * Prepares pools of `size` bytes for those who cannot sleep. On arm there is one, which every device
 * reaches (atomic_pool_init of arch/arm/mm/dma-mapping.c); on arm64 one for each zone
 * (dma_atomic_pool_init, which has more of them where there is much RAM: 128 KiB for each GiB).
 */
export const prepareAtomicPools = (kernel: Kernel, size = DEFAULT_COHERENT_POOL): void => {
  const { mm, coherent, io, log } = kernel;
  if (!SLEEPING.has(coherent.name) || mm.vmalloc === null) return;
  const zones = (['Normal', 'DMA32', 'DMA'] as const).filter(name =>
    mm.pages.zones.some(zone => zone.name === name && zone.managedPages > 0),
  );
  const parts: AtomicPoolKernel = {
    zones: mm.layout.image === 'arm64' ? zones : zones.slice(-1),
    // Past the counts of what drivers ask for.
    backing: (bytes, gfp) => {
      const limit = physAddr(Number.MAX_SAFE_INTEGER);
      const request = { size: bytes, memory: 'dmacoherent', gfp, limit, isRaw: true } as const;
      const block = kernel.keepingPages(() => coherent.strategy.alloc(request));
      return 'refused' in block ? null : block;
    },
    io: io.relaxed,
    log,
    scheduleWork: work => {
      kernel.scheduleWork(work);
    },
  };
  kernel.setAside.atomicPool = new AtomicPools(parts, size);
};

/** Numbers of the errors that asking for a region has. */
const ERRNO = new Map<OfErrno, number>([
  ['ENODEV', ENODEV],
  ['EINVAL', EINVAL],
  ['EBUSY', EBUSY],
]);

/** The tree's area for all gives way to that of `cma=` (rmem_cma_setup). */
export const isBypassed = (
  { cmaDefault }: Pick<ReservedMem, 'cmaDefault'>,
  { dmaMemory }: Pick<MachinePlan, 'dmaMemory'>,
): boolean => cmaDefault && dmaMemory.cma !== undefined;

/** A device's own bounce buffers, and pages of them. */
export interface Restricted {
  readonly bounce: Swiotlb;
  readonly pool: RestrictedPages;
}

/** What the tree sets aside for single devices, made when the first of them asks. */
export class ReservedPools {
  readonly #plan: MachinePlan;
  readonly #kernel: Kernel;
  readonly #cma = new Map<DtNode, CmaArea>();
  readonly #restricted = new Map<DtNode, Restricted | null>();
  /** Null: there was no way to map it. */
  readonly #coherent = new Map<DtNode, DevicePool | null>();

  /** Areas for movable pages are there at once, and so is the pool for all. */
  constructor(plan: MachinePlan, kernel: Kernel) {
    this.#plan = plan;
    this.#kernel = kernel;
    for (const region of plan.memory.reserved.regions) {
      if (isBypassed(region, plan)) {
        const { name } = region.node;
        kernel.log.print(
          'info',
          `Reserved memory: bypass ${name} node, using cmdline CMA params instead`,
        );
      }
      if (region.kind === 'cma' && !region.cmaDefault) {
        this.#cma.set(region.node, makeCma(region.node.name, rangeOf(region), kernel));
      }
      if (region.kind === 'coherent' && isDefaultPool(region, plan)) {
        kernel.setAside.globalPool = this.#poolOf(region);
      }
    }
  }

  /**
   * What the device of a configuration is restricted to; null: nothing. A kernel without swiotlb has
   * none of this, nor has one with dmabounce.
   */
  restricted(facts: DmaFacts): Restricted | null {
    const { arch, cpus, memory, bounce } = this.#plan;
    const region = restrictedRegion(facts, memory.reserved);
    const hasSwiotlb = arch === 'arm64' || usesLpae(cpus, memory);
    if (region === null || !hasSwiotlb || bounce !== 'swiotlb') return null;
    const known = this.#restricted.get(region.node);
    if (known !== undefined) return known;
    const made = this.#makeRestricted(region);
    this.#restricted.set(region.node, made);
    return made;
  }

  /** See DriverServices.reservedMemDeviceInit. */
  init(dev: Device, index: number): number {
    const { tree, memory, phandles } = this.#plan;
    const node = dev.ofPath === null ? undefined : tree.at(dev.ofPath);
    if (node === undefined) return -ENODEV;
    const { coherentMask, busLimit, pool } = dev.dma;
    const user = {
      coherentMask: BigInt(coherentMask),
      busDmaLimit: busLimit === null ? null : BigInt(busLimit),
      hasDmaMem: pool !== null,
    };
    const regions = memory.reserved.regions;
    const answer = ofReservedMemDeviceInitByIdx(node, index, regions, user, phandles);
    if (!answer.ok) return -(ERRNO.get(answer.problem.errno) ?? EINVAL);
    if (answer.value === null) return 0;
    const { region, slot, warnings } = answer.value;
    if (warnings.length > 0) {
      const text = "reserved memory is beyond device's set DMA address range";
      dev.services.log.device('warn', dev, text);
    }
    return this.#assign(dev, region, slot);
  }

  #assign(dev: Device, region: ReservedMem, slot: PoolSlot): number {
    switch (slot) {
      case 'cmaArea':
        if (isBypassed(region, this.#plan)) return -EINVAL;
        dev.dma.cma = this.#cma.get(region.node) ?? this.#kernel.setAside.cma;
        return 0;
      case 'dmaMem':
        dev.dma.pool = this.#poolOf(region);
        return dev.dma.pool === null ? -EINVAL : 0;
      case 'ioTlbMem':
        if (dev.dma.restricted?.name === region.node.name) return 0;
        throw new UnmodelledError('a restricted pool', region.node.path);
    }
  }

  /** rmem_swiotlb_device_init(). */
  #makeRestricted(region: ReservedMem): Restricted | null {
    const { mm, log } = this.#kernel;
    const range = rangeOf(region);
    const last = physAddr(range.base + range.size - 1);
    if (
      mm.layout.physToVirt(physAddr(range.base)) === null ||
      mm.layout.physToVirt(last) === null
    ) {
      log.print('err', 'Restricted DMA pool must be accessible within the linear mapping.');
      return null;
    }
    const bounce = makeSwiotlb(this.#kernel, range, { slots: 0, areas: 1, isForced: true });
    return { bounce, pool: new RestrictedPages(region.node.name, bounce.pool) };
  }

  #poolOf(region: ReservedMem): DevicePool | null {
    const known = this.#coherent.get(region.node);
    if (known !== undefined) return known;
    const pool = this.#makePool(region);
    this.#coherent.set(region.node, pool);
    return pool;
  }

  /** Memory of the linear map is not mapped a second time (memremap with MEMREMAP_WC). */
  #makePool(region: ReservedMem): DevicePool | null {
    const { mm, mappings, io, log } = this.#kernel;
    const { base, size } = rangeOf(region);
    const phys = physAddr(base);
    const isNoMap = region.node.has('no-map');
    if (!isNoMap && mm.vmalloc !== null && mm.layout.physToVirt(phys) !== null) {
      log.print('warn', `memremap attempted on ram ${region.node.path} size: ${size}`);
      return null;
    }
    if (mm.vmalloc === null && mm.info.lineSize !== 0) {
      // Linux has the MPU of such a core make it uncached (arch/arm/mm/pmsa-v7.c).
      log.print('warn', `${region.node.path}: no MPU is modelled, so this pool would be cached`);
      return null;
    }
    const first = physToPage(phys);
    const pages = Array.from({ length: size / PAGE_SIZE }, (_, i) =>
      physToPage(physAddr((first + i) * PAGE_SIZE)),
    );
    const cpuAddr =
      mm.vmalloc === null
        ? mappings.ioremap(phys, size)
        : mappings.vmap(pages, withMemory(PAGE_KERNEL, POOL_MEMORY));
    if (cpuAddr === null) return null;
    const { name } = region.node;
    return new CoherentPool({ name, phys, size, cpuAddr, deviceBase: null, io: io.relaxed });
  }
}

const rangeOf = ({ node, base, size }: ReservedMem): RamRange => {
  const page = BigInt(PAGE_SIZE);
  if (base % page === 0n && size % page === 0n) return { base: Number(base), size: Number(size) };
  throw new InputError({
    place: node.path,
    expected: 'a pool of whole pages',
    found: `${size} bytes at ${base}`,
  });
};
