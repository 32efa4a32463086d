import type { MmOrder } from './mm-holes';
import type { MmRange } from './mm-node';

/** A node beside a hole, as far as colours care. */
export interface MmNeighbour extends MmRange {
  readonly color: number;
}

/**
 * Narrows a hole for a node of `color` by what its neighbours need (drm_mm.color_adjust). A neighbour
 * is null at either end of the space.
 */
export type MmColorAdjust = (
  hole: MmRange,
  color: number,
  before: MmNeighbour | null,
  after: MmNeighbour | null,
) => MmRange;

/** What is asked of an allocator. */
export interface MmRequest {
  readonly size: number;
  /** Of the first address; 0 and 1 are none. Any positive number, not only a power of two. */
  readonly alignment?: number;
  readonly color?: number;
  /** The node is to lie in this range. */
  readonly start?: number;
  readonly end?: number;
  readonly order?: MmOrder;
}

export type MmPlacement = Readonly<Required<MmRequest>>;

/** The request with what it leaves out: from anywhere in `space`, the smallest hole first. */
export const placementOf = (request: MmRequest, space: MmRange): MmPlacement => ({
  alignment: 0,
  color: 0,
  start: space.start,
  end: space.end,
  order: 'best',
  ...request,
});

/** Where in a hole a node may begin, at its low end or, for 'high', at its high end; null: nowhere. */
export const fitInto = (hole: MmRange, wanted: MmPlacement): number | null => {
  const { size, alignment, order } = wanted;
  const start = Math.max(hole.start, wanted.start);
  const end = Math.min(hole.end, wanted.end);
  if (end <= start || end - start < size) return null;
  const at = order === 'high' ? end - size : start;
  const over = alignment > 1 ? at % alignment : 0;
  if (over === 0) return at;
  const aligned = order === 'high' ? at - over : at - over + alignment;
  return aligned >= start && end - aligned >= size ? aligned : null;
};
