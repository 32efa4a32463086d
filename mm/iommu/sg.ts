import { DMA_MAPPING_ERROR } from '../../drivers/base/kernel/dma-mapping';
import type { SgEntry } from '../../drivers/base/kernel/scatterlist';
import type { DmaAddr } from '../../drivers/base/types/address';
import { offsetBy } from '../../drivers/base/types/address';
import { alignDown, alignUp } from '../../drivers/base/types/bits';
import { at } from '../../drivers/base/types/arrays';
import { sgRange } from './map';
import type { PhysRange } from './map';

/*
 * How the pieces of a scatterlist lie in one run of addresses, and which of them a device sees as
 * one (iommu_dma_map_sg, __finalise_sg).
 */

/**
 * One piece in the run of addresses: the frames it lies in, which are mapped whole, and those behind
 * it that are mapped so that the next piece crosses no boundary.
 */
export interface SgPlace {
  readonly frames: PhysRange;
  /** Of its first byte in the first frame. */
  readonly inFrame: number;
  /** Where the frames begin, from the start of the run. */
  readonly offset: number;
}

/**
 * Places pieces one after the other, in whole frames. One that would cross a multiple of
 * `segBoundary` + 1 begins there: for that the run must begin at a multiple of the power of two that
 * holds it, as size-aligned addresses do.
 */
export const layOutSg = (
  entries: readonly SgEntry[],
  granule: number,
  segBoundary: number,
): readonly SgPlace[] => {
  const boundary = segBoundary + 1;
  const places: SgPlace[] = [];
  let end = 0;
  for (const entry of entries) {
    const { address, size } = sgRange(entry);
    const start = alignDown(address, granule);
    const frames = { address: start, size: alignUp(address + size, granule) - start };
    const pad = (boundary - (end % boundary)) % boundary;
    const last = places.at(-1);
    if (last !== undefined && pad > 0 && pad < frames.size - 1) {
      const { frames: before } = last;
      places[places.length - 1] = { ...last, frames: { ...before, size: before.size + pad } };
      end += pad;
    }
    places.push({ frames, inFrame: address - start, offset: end });
    end += frames.size;
  }
  return places;
};

/** What a device asks of the segments it is given. */
export interface SegmentLimits {
  readonly maxSegSize: number;
  readonly segBoundary: number;
}

/**
 * Fills in what the device is programmed with: dmaAddress and dmaLength of the first so many
 * entries, which it answers, and length 0 behind them. Pieces are one segment where nothing is
 * between them, the limit on segments holds, and they do not meet at a boundary.
 */
export const finaliseSg = (
  entries: readonly SgEntry[],
  places: readonly SgPlace[],
  start: DmaAddr,
  { maxSegSize, segBoundary }: SegmentLimits,
): number => {
  const boundary = segBoundary + 1;
  let count = 0;
  let joined = 0;
  places.forEach(({ inFrame, offset, frames }, i) => {
    const bytes = at(entries, i).length;
    const address = offsetBy(start, offset);
    const joins =
      joined > 0 && inFrame === 0 && address % boundary !== 0 && maxSegSize - joined >= bytes;
    at(entries, i).dmaAddress = DMA_MAPPING_ERROR;
    at(entries, i).dmaLength = 0;
    if (joins) {
      joined += bytes;
    } else {
      joined = bytes;
      count++;
      at(entries, count - 1).dmaAddress = offsetBy(address, inFrame);
    }
    at(entries, count - 1).dmaLength = joined;
    if (inFrame + bytes < frames.size) joined = 0;
  });
  return count;
};

/** Nothing is mapped: no entry has an address (__invalidate_sg). The errno, for who answers it. */
export const failedSg = (entries: readonly SgEntry[], errno: number): number => {
  for (const entry of entries) {
    entry.dmaAddress = DMA_MAPPING_ERROR;
    entry.dmaLength = 0;
  }
  return errno;
};

/** The segments that a device was given: those before the first of length 0. */
export const segmentsOf = (entries: readonly SgEntry[]): readonly SgEntry[] => {
  const end = entries.findIndex(({ dmaLength }) => dmaLength === 0);
  return end < 0 ? entries : entries.slice(0, end);
};
