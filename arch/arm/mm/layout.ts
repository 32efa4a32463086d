import type { LinearMap } from '../../../drivers/base/kernel/device';
import type { CpuAddr, PhysAddr } from '../../../drivers/base/types/address';
import { cpuAddr, hex, physAddr } from '../../../drivers/base/types/address';
import { GIB, MIB, alignDown, alignUp } from '../../../drivers/base/types/bits';
import { InputError } from '../../../drivers/base/types/errors';
import type { KernelImage } from './cpu-info';

/** A run of RAM by physical address, in bytes. */
export interface RamRange {
  readonly base: number;
  readonly size: number;
}

/** 32-bit ARM, 3G/1G split (arch/arm/include/asm/memory.h, pgtable.h). */
const ARM = {
  pageOffset: 0xc000_0000,
  vmallocEnd: 0xff80_0000,
  vmallocSize: 240 * MIB,
  vmallocOffset: 8 * MIB,
  physAlign: 2 * MIB,
} as const;

/** arm64 with 48 bits of virtual address (Documentation/arm64/memory.rst), modulo 2^52. */
const ARM64 = {
  pageOffset: 0xf_0000_0000_0000,
  linearEnd: 0xf_8000_0000_0000,
  vmallocStart: 0xf_8000_0800_0000,
  vmallocEnd: 0xf_fdff_c000_0000,
  physAlign: GIB,
} as const;

/** Where everything is in the kernel's half of the address map. */
export interface KernelLayout extends LinearMap {
  readonly image: KernelImage;
  /** First address of the linear map, and the physical address that it shows. */
  readonly pageOffset: CpuAddr;
  readonly physOffset: PhysAddr;
  /** One past the last physical address of lowmem. */
  readonly lowmemEnd: PhysAddr;
  /** Null without an MMU: there is one map, and everything is in it. */
  readonly vmalloc: { readonly start: CpuAddr; readonly end: CpuAddr } | null;
  /** RAM that this kernel can use, ascending; the rest is out of its reach. */
  readonly ram: readonly RamRange[];
  /** What is out of its reach, for people. */
  readonly notes: readonly string[];
}

/**
 * adjust_lowmem_bounds and its like: what of the RAM this kernel maps, and where. `paBits`: the
 * width of the physical addresses that its tables can name. InputError if that is no RAM at all.
 */
export const layoutFor = (
  image: KernelImage,
  ram: readonly RamRange[],
  paBits: number,
): KernelLayout => {
  const { usable, notes } = withinReach(ram, reachOf(image, ram, paBits));
  const [first] = usable;
  if (first === undefined) {
    throw new InputError({ place: '/memory', expected: 'RAM the CPU can reach', found: 'none' });
  }
  const last = usable.reduce((end, { base, size }) => Math.max(end, base + size), 0);
  switch (image) {
    case 'arm':
      return armLayout({ usable, notes }, first.base, last);
    case 'arm64':
      return arm64Layout({ usable, notes }, first.base, last);
    case 'nommu':
      return makeLayout('nommu', first.base, first.base, last, null, { usable, notes });
  }
};

/** RAM that a kernel takes, ascending, and why it does not take the rest. */
interface UsableRam {
  readonly usable: readonly RamRange[];
  readonly notes: readonly string[];
}

/** Where the RAM that a kernel can use ends, and what ends there. */
interface Reach {
  readonly end: number;
  readonly what: string;
}

/** arm64 takes no RAM that its linear map has no room for either (arm64_memblock_init). */
const reachOf = (image: KernelImage, ram: readonly RamRange[], paBits: number): Reach => {
  const physical = { end: 2 ** paBits, what: `${paBits}-bit physical address space` };
  if (image !== 'arm64') return physical;
  const lowest = ram.reduce((least, { base }) => Math.min(least, base), physical.end);
  const end = alignDown(lowest, ARM64.physAlign) + ARM64.linearEnd - ARM64.pageOffset;
  return end < physical.end ? { end, what: 'the linear map' } : physical;
};

/** arm_add_memory: ranges beyond the reach are ignored, one that crosses its end is truncated. */
const withinReach = (ram: readonly RamRange[], { end, what }: Reach): UsableRam => {
  const usable: RamRange[] = [];
  const notes: string[] = [];
  for (const { base, size } of [...ram].sort((a, b) => a.base - b.base)) {
    const used = Math.min(size, end - base);
    if (used <= 0) {
      notes.push(`Ignoring memory at ${hex(base)} outside ${what}`);
      continue;
    }
    usable.push({ base, size: used });
    if (used === size) continue;
    const amount = `${used / MIB} of ${size / MIB} MiB are used`;
    notes.push(`Truncating memory at ${hex(base)} to fit in ${what}: ${amount}`);
  }
  return { usable, notes };
};

const armLayout = (ram: UsableRam, base: number, end: number): KernelLayout => {
  const physOffset = alignDown(base, ARM.physAlign);
  const room = ARM.vmallocEnd - ARM.vmallocSize - ARM.vmallocOffset - ARM.pageOffset;
  const lowmemEnd = Math.min(end, physOffset + room);
  const highMemory = ARM.pageOffset + (lowmemEnd - physOffset);
  const vmallocStart = alignDown(highMemory + ARM.vmallocOffset, ARM.vmallocOffset);
  return makeLayout(
    'arm',
    ARM.pageOffset,
    physOffset,
    lowmemEnd,
    { start: cpuAddr(vmallocStart), end: cpuAddr(ARM.vmallocEnd) },
    ram,
  );
};

const arm64Layout = (ram: UsableRam, base: number, end: number): KernelLayout =>
  makeLayout(
    'arm64',
    ARM64.pageOffset,
    alignDown(base, ARM64.physAlign),
    alignUp(end, 4096),
    { start: cpuAddr(ARM64.vmallocStart), end: cpuAddr(ARM64.vmallocEnd) },
    ram,
  );

const makeLayout = (
  image: KernelImage,
  pageOffset: number,
  physOffset: number,
  lowmemEnd: number,
  vmalloc: KernelLayout['vmalloc'],
  { usable, notes }: UsableRam,
): KernelLayout => {
  const isLowmem = (address: number): boolean => address >= physOffset && address < lowmemEnd;
  return {
    image,
    pageOffset: cpuAddr(pageOffset),
    physOffset: physAddr(physOffset),
    lowmemEnd: physAddr(lowmemEnd),
    vmalloc,
    ram: usable,
    notes,
    virtToPhys: address => {
      const physical = address - pageOffset + physOffset;
      return isLowmem(physical) ? physAddr(physical) : null;
    },
    physToVirt: address => (isLowmem(address) ? cpuAddr(address - physOffset + pageOffset) : null),
  };
};
