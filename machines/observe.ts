import { CheckedComplex } from '../arch/arm/checked/complex';
import { KERNEL_IMAGE_SIZE } from '../arch/arm/mm/init';
import { LongTables } from '../arch/arm/mm/pgtable-long';
import { cpuAddr, physAddr } from '../drivers/base/types/address';
import { PAGE_SIZE } from '../drivers/base/types/bits';
import type { DmaDebugOptions } from '../mm/dma-debug';
import type { DebugAreas } from '../mm/dma-debug-addresses';
import type { Hardware } from './hardware';
import type { Kernel } from './kernel';
import { Observation } from './observation';

/**
 * Watches hardware and the kernel that has just been set up on it, before anything else is done
 * with either; null on a machine whose caches are concrete: there is nothing to be told there.
 */
export const observe = (
  hardware: Hardware,
  kernel: Kernel,
  dmaDebug: DmaDebugOptions = {},
): Observation | null => {
  const { complex } = hardware;
  if (!(complex instanceof CheckedComplex)) return null;
  const { layout, info } = kernel.mm;
  const observation = new Observation({
    watch: complex.watch,
    now: () => complex.pulse.now,
    lineBytes: info.lineSize === 0 ? 1 : complex.checker.granule,
    dropsAtMap: layout.image !== 'arm64',
    areas: areasOf(kernel),
    dmaDebug,
    isPermanent: device => hardware.iommus.some(({ model }) => model.name === device),
    snoops: device => hardware.snoops(device),
  });
  complex.observer = observation;
  kernel.observe(observation);
  return observation;
};

/** THREAD_SIZE. */
const STACK_BYTES = { arm: 2 * PAGE_SIZE, nommu: 2 * PAGE_SIZE, arm64: 4 * PAGE_SIZE } as const;

/**
 * The kernel as dma-debug knows it. The task that runs is the one that has booted: its stack is
 * the end of the kernel image (init_stack), and all before it counts as text and constants.
 */
const areasOf = ({ mm, arch, dma }: Kernel): DebugAreas => {
  const { layout, info } = mm;
  const stack = STACK_BYTES[layout.image];
  const end = layout.physOffset + KERNEL_IMAGE_SIZE;
  const isLong = info.type === 'v8' || mm.tables instanceof LongTables;
  return {
    kernel: { start: layout.physOffset, size: KERNEL_IMAGE_SIZE - stack },
    stack: {
      virtualAddress: layout.physToVirt(physAddr(end - stack)) ?? 0,
      pages: Array.from({ length: stack / PAGE_SIZE }, (_, i) => end - stack + i * PAGE_SIZE),
      isVmapped: false,
    },
    vmalloc: layout.vmalloc,
    physToVirt: address => layout.physToVirt(physAddr(address)),
    virtToPhys: address => layout.virtToPhys(cpuAddr(address)),
    isRam: address => layout.ram.some(({ base, size }) => address >= base && address < base + size),
    widths: { pointer: layout.image === 'arm64' ? 8 : 4, phys: isLong ? 8 : 4 },
    // CONFIG_ARM_L1_CACHE_SHIFT is 6 for ARMv7, 5 before it.
    lineBytes: info.type === 'v4wb' || info.type === 'v6' ? 32 : 64,
    cacheAlignment: arch.minAlign,
    // Only arm64 has CONFIG_DMA_BOUNCE_UNALIGNED_KMALLOC.
    bouncesUnaligned: () => layout.image === 'arm64' && dma.bounce?.name === 'swiotlb',
  };
};
