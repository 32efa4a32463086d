/*
 * Where pages may come from and what the caller can stand (include/linux/gfp_types.h). A set of
 * flags is a record, not bits: what is absent is false.
 */

/** What an allocation asks for (gfp_t). */
export interface Gfp {
  /** Only ZONE_DMA (__GFP_DMA). */
  readonly dma?: boolean;
  /** Only ZONE_DMA32 and below, on arm64 (__GFP_DMA32); on arm, which has no such zone, lowmem. */
  readonly dma32?: boolean;
  /** Memory without a permanent mapping will do (__GFP_HIGHMEM). */
  readonly highmem?: boolean;
  /** Zeroed (__GFP_ZERO). */
  readonly zero?: boolean;
  /** The caller cannot sleep (no __GFP_DIRECT_RECLAIM): nothing migrates, nothing is remapped. */
  readonly atomic?: boolean;
  /** Failure is expected: it is not reported (__GFP_NOWARN). */
  readonly noWarn?: boolean;
  /** The pages can be moved elsewhere by their owner (__GFP_MOVABLE). */
  readonly movable?: boolean;
}

export const GFP_KERNEL: Gfp = Object.freeze({});
export const GFP_ATOMIC: Gfp = Object.freeze({ atomic: true });
export const GFP_DMA: Gfp = Object.freeze({ dma: true });
export const GFP_DMA32: Gfp = Object.freeze({ dma32: true });
export const GFP_HIGHUSER: Gfp = Object.freeze({ highmem: true });
