/**
 * The kernel's memory barriers (Documentation/memory-barriers.txt), as one architecture makes
 * them. What each costs and orders is the architecture's: see arch/arm/mm/barrier.ts.
 */
export interface Barriers {
  /** All accesses, to memory and devices, before; all after. */
  mb(): void;
  rmb(): void;
  wmb(): void;
  /** Memory shared with a device, reads against reads. */
  dmaRmb(): void;
  /** Memory shared with a device, writes against writes; not against device registers. */
  dmaWmb(): void;
}
