import { invariant } from '../types/errors';
import type { MemoryRegion } from './memory-region';

/** A run of addresses that one region answers; `offset` is where in the region it starts. */
export interface FlatRange {
  readonly start: number;
  readonly size: number;
  readonly region: MemoryRegion;
  readonly offset: number;
  readonly readOnly: boolean;
}

/** Sorted by address, disjoint, and no two neighbours could be one. */
export type FlatView = readonly FlatRange[];

/** Deepest nesting of containers and aliases. */
const MAX_DEPTH = 32;
/** Aliases of containers multiply what is visited; this many is a mistake in a machine. */
const MAX_VISITS = 100_000;

const endOf = (range: FlatRange): number => range.start + range.size;

/** A view under construction; whoever comes first keeps the address. */
class Renderer {
  readonly ranges: FlatRange[] = [];
  #visits = 0;

  /** Shows the part of `region`, placed at `base`, that lies in [start, end). */
  render(region: MemoryRegion, base: number, start: number, end: number, depth: number): void {
    const from = Math.max(start, base);
    const to = Math.min(end, base + region.size);
    if (!region.enabled || from >= to) return;
    invariant(depth <= MAX_DEPTH, `region ${region.name} is nested deeper than ${MAX_DEPTH}`);
    invariant(++this.#visits <= MAX_VISITS, `the map of ${region.name} has too many regions`);

    const { content } = region;
    if (content.kind === 'alias') {
      this.render(content.target, base - content.targetOffset, from, to, depth + 1);
      return;
    }
    for (const child of region.subregions) {
      this.render(child.region, base + child.offset, from, to, depth + 1);
    }
    if (content.kind !== 'container') this.#fillHoles(region, base, from, to);
  }

  #fillHoles(region: MemoryRegion, base: number, from: number, to: number): void {
    const readOnly = region.content.kind === 'rom';
    let start = from;
    for (let i = this.#firstEndingAfter(from); start < to; i++) {
      const next = this.ranges[i];
      const end = next === undefined ? to : Math.min(to, next.start);
      if (start < end) {
        const size = end - start;
        this.ranges.splice(i++, 0, { start, size, region, offset: start - base, readOnly });
      }
      start = next === undefined ? to : endOf(next);
    }
  }

  #firstEndingAfter(address: number): number {
    const index = this.ranges.findIndex(range => endOf(range) > address);
    return index < 0 ? this.ranges.length : index;
  }
}

const continues = (a: FlatRange, b: FlatRange): boolean =>
  a.region === b.region && endOf(a) === b.start && a.offset + a.size === b.offset;

/** What is seen of `root`: the visibility rules of QEMU's docs/devel/memory.rst. */
export const renderFlatView = (root: MemoryRegion): FlatView => {
  const renderer = new Renderer();
  renderer.render(root, 0, 0, root.size, 0);
  const merged: FlatRange[] = [];
  for (const range of renderer.ranges) {
    const last = merged.at(-1);
    if (last !== undefined && continues(last, range)) {
      merged[merged.length - 1] = { ...last, size: last.size + range.size };
    } else {
      merged.push(range);
    }
  }
  return merged;
};

const address = (value: number): string => value.toString(16).padStart(16, '0');

/** One line a range, in the manner of QEMU's `info mtree -f`. */
export const describeFlatView = (view: FlatView): string[] =>
  view.map(range => {
    const { kind } = range.region.content;
    const last = address(endOf(range) - 1);
    const offset = range.offset === 0 ? '' : ` @${address(range.offset)}`;
    return `${address(range.start)}-${last} (${kind}): ${range.region.name}${offset}`;
  });
