import type { DmaAddr } from '../types/address';

/** enum dma_data_direction. */
export const DmaDirection = {
  Bidirectional: 0,
  ToDevice: 1,
  FromDevice: 2,
  None: 3,
} as const;
export type DmaDirection = (typeof DmaDirection)[keyof typeof DmaDirection];

/** A physical page by its frame number (struct page *). */
declare const pageBrand: unique symbol;
export type Page = number & { readonly [pageBrand]: true };

/**
 * Attributes of a mapping or an allocation (DMA_ATTR_*): bits. `Mmio`, `DebuggingIgnoreCachelines`,
 * `RequireCoherent` and `CcShared` are of kernels after 6.12.
 */
export const DmaAttr = {
  None: 0,
  WeakOrdering: 1 << 1,
  WriteCombine: 1 << 2,
  NoKernelMapping: 1 << 4,
  SkipCpuSync: 1 << 5,
  ForceContiguous: 1 << 6,
  AllocSinglePages: 1 << 7,
  NoWarn: 1 << 8,
  Privileged: 1 << 9,
  Mmio: 1 << 10,
  DebuggingIgnoreCachelines: 1 << 11,
  RequireCoherent: 1 << 12,
  CcShared: 1 << 13,
} as const;
export type DmaAttrs = number;

/** True if the attributes have this one, a DmaAttr other than None. */
export const hasDmaAttr = (attrs: DmaAttrs, attr: number): boolean =>
  attrs !== DmaAttr.None && Math.floor(attrs / attr) % 2 === 1;

/** What a mapping that failed answers: all ones (DMA_MAPPING_ERROR), as a number. */
export const DMA_MAPPING_ERROR = (2 ** 64) as DmaAddr;
