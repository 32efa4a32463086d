import { BusRanges } from './bus-ranges';
import type { OfRange } from './bus-ranges';
import type { Phandles } from './phandle';
import type { DtNode } from './tree';

/*
 * What is worked out once for a tree rather than once for each device below a bus. It is kept
 * beside the map of phandles, which like it holds only while the tree does not change.
 */

/** What is known of one tree so far. */
export interface TreeWork {
  /** ofGetDmaParent() of the nodes asked so far. */
  readonly dmaParents: Map<DtNode, DtNode | null>;
  readonly dmaRanges: BusRanges;
  /** The windows of the buses asked so far. */
  readonly windows: Map<DtNode, readonly OfRange[]>;
  readonly deviceWindows: DeviceTotal;
  readonly iommuSpecs: DeviceTotal;
}

/** Two thousand devices, more than any known board has, with 32 windows each. */
const MOST_WINDOWS = 65_536;

/** Two hundred times what any known board has (85). */
const MOST_SPECS = 16_384;

/** Adds up something of which each device has a number, each device once. */
export class DeviceTotal {
  readonly #what: string;
  readonly #most: number;
  readonly #counted = new Set<DtNode>();
  #total = 0;

  constructor(what: string, most: number) {
    this.#what = what;
    this.#most = most;
  }

  /** InputError, for the node and property they are read from, once there are too many. */
  add(device: DtNode, count: number, source: DtNode, property: string): void {
    if (this.#counted.has(device)) return;
    this.#counted.add(device);
    this.#total += count;
    if (this.#total <= this.#most) return;
    const expected = `at most ${this.#most} ${this.#what} of all devices together`;
    throw source.problem(property, expected, 'more');
  }
}

const works = new WeakMap<Phandles, TreeWork>();

/** The work on the tree that these phandles are of; empty when first asked. */
export const treeWork = (phandles: Phandles): TreeWork => {
  const known = works.get(phandles);
  if (known !== undefined) return known;
  const work: TreeWork = {
    dmaParents: new Map(),
    dmaRanges: new BusRanges('dma-ranges'),
    windows: new Map(),
    deviceWindows: new DeviceTotal('DMA windows', MOST_WINDOWS),
    iommuSpecs: new DeviceTotal('IOMMU specifiers', MOST_SPECS),
  };
  works.set(phandles, work);
  return work;
};
