/*
 * Circular queues (Arm IHI 0070, 3.5): indices have one bit more than they need, which is inverted
 * each time around, so that an empty queue and a full one differ.
 */

/** A queue by its registers. Indices with their wrap bit. */
export interface Ring {
  readonly base: number;
  readonly log2Size: number;
  readonly producer: number;
  readonly consumer: number;
}

/** An index without bits beyond the wrap bit: what a smaller queue makes of them. */
const within = ({ log2Size }: Ring, index: number): number => index % 2 ** (log2Size + 1);

export const isEmpty = (ring: Ring): boolean =>
  within(ring, ring.producer) === within(ring, ring.consumer);

/** Same index, other wrap bit. */
export const isFull = (ring: Ring): boolean =>
  within(ring, ring.producer + 2 ** ring.log2Size) === within(ring, ring.consumer);

export const nextIndex = (ring: Ring, index: number): number => within(ring, index + 1);

/** Where the entry of an index is; the queue is aligned to its size. */
export const entryAddress = (ring: Ring, index: number, entrySize: number): number => {
  const entries = 2 ** ring.log2Size;
  const bytes = entries * entrySize;
  return ring.base - (ring.base % Math.max(bytes, 32)) + (index % entries) * entrySize;
};
