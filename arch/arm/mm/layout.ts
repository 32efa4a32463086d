import type { LinearMap } from '../../../drivers/base/kernel/device';
import type { CpuAddr, PhysAddr } from '../../../drivers/base/types/address';
import { cpuAddr, physAddr } from '../../../drivers/base/types/address';
import { GIB, MIB, alignDown, alignUp } from '../../../drivers/base/types/bits';
import { InputError } from '../../../drivers/base/types/errors';
import type { KernelImage } from './cpu-info';

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
}

/** adjust_lowmem_bounds and its like: what of the RAM this kernel maps, and where. */
export const layoutFor = (
  image: KernelImage,
  ram: readonly RamRange[],
  reach: number,
): KernelLayout => {
  const usable = ram
    .map(({ base, size }) => ({ base, size: Math.min(size, reach - base) }))
    .filter(({ size }) => size > 0)
    .sort((a, b) => a.base - b.base);
  const [first] = usable;
  if (first === undefined) {
    throw new InputError({ place: '/memory', expected: 'RAM the CPU can reach', found: 'none' });
  }
  const last = usable.reduce((end, { base, size }) => Math.max(end, base + size), 0);
  switch (image) {
    case 'arm':
      return armLayout(usable, first.base, last);
    case 'arm64':
      return arm64Layout(usable, first.base, last);
    case 'nommu':
      return makeLayout('nommu', first.base, first.base, last, null, usable);
  }
};

const armLayout = (ram: readonly RamRange[], base: number, end: number): KernelLayout => {
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

const arm64Layout = (ram: readonly RamRange[], base: number, end: number): KernelLayout => {
  const physOffset = alignDown(base, ARM64.physAlign);
  const lowmemEnd = Math.min(end, physOffset + ARM64.linearEnd - ARM64.pageOffset);
  return makeLayout(
    'arm64',
    ARM64.pageOffset,
    physOffset,
    alignUp(lowmemEnd, 4096),
    { start: cpuAddr(ARM64.vmallocStart), end: cpuAddr(ARM64.vmallocEnd) },
    ram,
  );
};

const makeLayout = (
  image: KernelImage,
  pageOffset: number,
  physOffset: number,
  lowmemEnd: number,
  vmalloc: KernelLayout['vmalloc'],
  ram: readonly RamRange[],
): KernelLayout => {
  const isLowmem = (address: number): boolean => address >= physOffset && address < lowmemEnd;
  return {
    image,
    pageOffset: cpuAddr(pageOffset),
    physOffset: physAddr(physOffset),
    lowmemEnd: physAddr(lowmemEnd),
    vmalloc,
    ram,
    virtToPhys: address => {
      const physical = address - pageOffset + physOffset;
      return isLowmem(physical) ? physAddr(physical) : null;
    },
    physToVirt: address => (isLowmem(address) ? cpuAddr(address - physOffset + pageOffset) : null),
  };
};
