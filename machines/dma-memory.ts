import type { ContiguousArea } from '../arch/arm/mm/coherent/area';
import { MIN_ALIGN } from '../arch/arm/mm/dma';
import type { ArmMm, SetAside } from '../arch/arm/mm/init';
import type { RamRange } from '../arch/arm/mm/layout';
import type { CurrentCpu } from '../drivers/base/kernel/current-cpu';
import type { KernelLog } from '../drivers/base/kernel/kernel-log';
import { hex, physAddr } from '../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';
import { CmaArea, cmaAlignOrder } from '../mm/cma';
import { pageToPhys, physToPage } from '../mm/page-alloc';
import type { PhysMemory } from '../mm/phys-memory';
import type { Bounce } from '../mm/dma-stages';
import { Swiotlb, swiotlbLeast, swiotlbWanted } from '../mm/swiotlb';
import type { KmallocLines, SwiotlbOptions, SwiotlbSize } from '../mm/swiotlb';
import { InactiveSwiotlb } from '../mm/swiotlb-inactive';
import { SEGMENT_SLOTS, SLOT_SIZE } from '../mm/swiotlb-slots';
import type { MachinePlan } from './plan';
import { usesLpae } from './plan-memory';

/*
 * Memory that the kernel sets aside for DMA when it boots.
 */

/** The parts of a kernel that such memory is made with. */
export interface MemoryKernel {
  readonly mm: ArmMm;
  readonly cpu: CurrentCpu;
  readonly memory: PhysMemory;
  readonly log: KernelLog;
}

/** Memory to bounce through: how much is wanted, and whether all DMA is to go that way. */
export interface SwiotlbBoot extends SwiotlbSize {
  readonly isForced: boolean;
}

const FOUR_GIB = 2 ** 32;

/**
 * How much a kernel of the plan sets aside to bounce through; null: nothing. On 32-bit ARM only
 * kernels with LPAE are built with swiotlb.
 */
export const swiotlbOf = (plan: MachinePlan, options: SwiotlbOptions = {}): SwiotlbBoot | null => {
  const { arch, cpus, memory, facts } = plan;
  if (arch === 'arm32' && !usesLpae(cpus, memory)) return null;
  const ends = memory.banks.map(({ base, size }) => Number(base + size));
  const wanted = swiotlbWanted(
    {
      cpus: cpus.length,
      hasUnreachable: Math.max(...ends) > (facts.dmaZoneLimit ?? FOUR_GIB - 1) + 1,
      forKmalloc: arch === 'arm64',
      ramBytes: memory.banks.reduce((sum, { size }) => sum + Number(size), 0),
    },
    options,
  );
  return wanted && { ...wanted, isForced: options.force === true };
};

/** Where the slots may lie: in ZONE_DMA, or lowmem where there is none. */
export const swiotlbAside = (wanted: SwiotlbSize, dmaZoneLimit: number | null): SetAside => ({
  size: wanted.slots * SLOT_SIZE,
  align: PAGE_SIZE,
  end: dmaZoneLimit === null ? null : dmaZoneLimit + 1,
  linearMap: 'any',
  least: swiotlbLeast(wanted) * SLOT_SIZE,
});

/** The stage that bounces, in the memory that there was room for. */
export const makeSwiotlb = (
  kernel: MemoryKernel,
  { base, size }: RamRange,
  { areas, isForced }: SwiotlbBoot,
): Swiotlb => {
  const slots = size / SLOT_SIZE;
  const fitting = { slots, areas: Math.max(1, Math.min(areas, slots / SEGMENT_SLOTS)) };
  const cpu = (): number => kernel.cpu.number;
  const kmalloc = kmallocLines(kernel.mm);
  return new Swiotlb(physAddr(base), fitting, kernel.memory, { isForced, kmalloc, cpu });
};

/** Of arm64 alone: CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC (ARCH_DMA_MINALIGN, cache_line_size). */
const kmallocLines = ({ layout, info }: ArmMm): KmallocLines | null =>
  layout.image === 'arm64'
    ? { minAlign: MIN_ALIGN.arm64, line: info.writebackGranule ?? MIN_ALIGN.arm64 }
    : null;

/** The stage of a kernel without any such memory; null: it is not built with swiotlb. */
export const withoutSwiotlb = (mm: ArmMm): Bounce | null =>
  mm.layout.image === 'arm64' ? new InactiveSwiotlb(kmallocLines(mm)) : null;

/** A CMA area over whole pages that nobody has. */
export const makeCma = (
  name: string,
  { base, size }: RamRange,
  { mm, memory, log }: MemoryKernel,
): CmaArea => {
  const frames = { base: base / PAGE_SIZE, count: size / PAGE_SIZE };
  return new CmaArea({ name, ...frames, pages: mm.pages, memory, log });
};

/** What Linux says of the area that `cma=` asks for (cma_declare_contiguous_nid). */
export const tellCma = (log: KernelLog, { size }: SetAside, placed: RamRange | null): void => {
  const text = `${size / MIB} MiB`;
  if (placed === null) log.print('err', `cma: Failed to reserve ${text}`);
  else log.print('info', `cma: Reserved ${text} at ${hex(placed.base)}`);
};

/** A CMA area as whoever makes coherent memory takes it. */
export const contiguousArea = (cma: CmaArea): ContiguousArea => ({
  base: cma.base * PAGE_SIZE,
  size: cma.count * PAGE_SIZE,
  allocate: size => {
    const page = cma.alloc(size / PAGE_SIZE, cmaAlignOrder(size), true);
    return page === null ? null : pageToPhys(page);
  },
  release: (phys, size) => {
    const isMine = cma.release(physToPage(phys), size / PAGE_SIZE);
    invariant(isMine, `memory of CMA area ${cma.name} that is not`);
  },
});
