import { bugOn } from '../../base/kernel/oops';
import type { DrmMm } from './mm';
import { fitInto, placementOf } from './mm-fit';
import type { MmPlacement, MmRequest } from './mm-fit';
import type { MmNode } from './mm-node';

/**
 * Looks for what to evict (drm_mm_scan). Add nodes, those to go first, until `add` says that there is
 * room among them; then `remove` every one in the reverse order: it answers which to evict. Before
 * the last is removed the allocator must not be used for anything else.
 *
 * Removal in another order is a kernel bug, which is found out where it would corrupt the list.
 */
export class MmScan<Owner> {
  readonly #mm: DrmMm<Owner>;
  readonly #wanted: MmPlacement;
  /** What is free when all is evicted that `remove` says; start is above end before a hit. */
  #hitStart = Infinity;
  #hitEnd = 0;

  constructor(mm: DrmMm<Owner>, request: MmRequest) {
    this.#wanted = placementOf(request, mm);
    const { size, start, end } = this.#wanted;
    bugOn(start >= end || size <= 0 || size > end - start, 'drm_mm: scan for what cannot be');
    this.#mm = mm;
  }

  /** True if with all nodes of the roster gone there is room; no more is to be added then. */
  add(node: MmNode<Owner>): boolean {
    const { prev } = node;
    this.#mm.unlist(node);
    const at = fitInto(this.#mm.adjusted(prev, this.#wanted.color), this.#wanted);
    if (at === null) return false;
    this.#hitStart = at;
    this.#hitEnd = at + this.#wanted.size;
    return true;
  }

  /** True if the node lies where the room is: it must be evicted. */
  remove(node: MmNode<Owner>): boolean {
    this.#mm.relist(node);
    return node.end > this.#hitStart && node.start < this.#hitEnd;
  }

  /**
   * When all is evicted: a neighbour whose colour still spoils the room, to be evicted too; null if
   * there is none (drm_mm_scan_color_evict).
   */
  colorEvict(): MmNode<Owner> | null {
    const [before, after] = this.#mm.aroundHole(this.#hitStart, this.#hitEnd);
    const link = before ?? after?.prev;
    if (link === undefined) return null;
    const room = this.#mm.adjusted(link, this.#wanted.color);
    if (room.start > this.#hitStart) return before ?? null;
    return room.end < this.#hitEnd ? (after ?? null) : null;
  }
}
