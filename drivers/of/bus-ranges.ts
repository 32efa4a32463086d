import type { Cells } from './property';
import { boundedCells } from './property';
import type { DtNode } from './tree';

/*
 * `ranges` and `dma-ranges`, read for many addresses. Linux reads them anew for each; where lists
 * are long and buses deep that takes hours, so each is read once here and the work is counted.
 */

export type RangesProperty = 'ranges' | 'dma-ranges';

/** A window of a bus in its parents' addresses. Linux: struct of_range. */
export interface OfRange {
  readonly flags: number;
  readonly busAddr: bigint;
  /** Undefined if it does not translate. */
  readonly cpuAddr: bigint | undefined;
  readonly size: bigint;
}

/** More than twice the longest list of any known board (97, the L4 buses of a DRA7). */
const MOST_ENTRIES = 256;

/** Entries looked at for one tree; the known boards need at most a fiftieth. */
export const MOST_LOOKS = 2 ** 20;

/** One of the two properties on the buses of a tree that does not change meanwhile. */
export class BusRanges {
  readonly property: RangesProperty;
  readonly #lists = new Map<DtNode, Cells | undefined>();
  #looks = 0;

  constructor(property: RangesProperty) {
    this.property = property;
  }

  /** Entries looked at up to now, and one for every bus that was crossed. */
  get looks(): number {
    return this.#looks;
  }

  /** The property's cells; InputError for more than 256 entries of `stride` cells. */
  cells(bus: DtNode, stride: number): Cells | undefined {
    if (!this.#lists.has(bus)) this.#lists.set(bus, boundedCells(bus, this.property));
    const cells = this.#lists.get(bus);
    const entries = Math.floor((cells?.length ?? 0) / Math.max(stride, 1));
    if (entries <= MOST_ENTRIES) return cells;
    throw bus.problem(this.property, `at most ${MOST_ENTRIES} entries`, `${entries}`);
  }

  /** Counts one entry, or the crossing of a bus; InputError where that would never end. */
  look(bus: DtNode): void {
    this.#looks += 1;
    if (this.#looks <= MOST_LOOKS) return;
    const expected = `buses whose addresses translate in ${MOST_LOOKS} steps in all`;
    throw bus.problem(this.property, expected, 'more');
  }
}
