/*
 * What differs between the two kernels this layer answers for, one table per fact. Both are
 * Linux 6.1 with 4 KiB pages; arm32 is a multi-platform ARMv7 kernel with LPAE's 64-bit physical
 * addresses, so that no address of a tree is cut off.
 */

export type Arch = 'arm32' | 'arm64';

/**
 * CMA_MIN_ALIGNMENT_BYTES: one pageblock. arm64 has 2 MiB huge pages and its pageblocks are one;
 * arm32 without huge pages has blocks of the largest order, 2^10 pages.
 * Linux: include/linux/pageblock-flags.h, ARCH_FORCE_MAX_ORDER.
 */
export const CMA_MIN_ALIGNMENT_BYTES: Readonly<Record<Arch, bigint>> = {
  arm32: 0x40_0000n,
  arm64: 0x20_0000n,
};

/** SMP_CACHE_BYTES: L1_CACHE_BYTES of an ARMv7 and of an arm64 kernel. */
export const SMP_CACHE_BYTES = 64n;

/** The affinity bits a cpu node's `reg` may have. Linux: asm/cputype.h of either architecture. */
export const MPIDR_HWID_BITMASK: Readonly<Record<Arch, bigint>> = {
  arm32: 0xff_ffffn,
  arm64: 0xff_00ff_ffffn,
};

/** DMA_BIT_MASK(bits): `bits` ones, 0 to 64. */
export const dmaBitMask = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

/** Number of the highest bit set, counting from 1; 0 for 0. Linux: fls64(). */
export const fls64 = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);
