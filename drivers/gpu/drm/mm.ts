import { ENOSPC } from '../../base/kernel/errno';
import type { Digestible } from '../../base/kernel/task';
import { bugOn } from '../../base/kernel/oops';
import { fitInto, placementOf } from './mm-fit';
import type { MmColorAdjust, MmNeighbour, MmRequest } from './mm-fit';
import { MmHoles, placeIn } from './mm-holes';
import { MmLink, MmNode, linkAfter, relink, unlink } from './mm-node';
import type { MmRange } from './mm-node';

/*
 * drivers/gpu/drm/drm_mm.c, with addresses below 2^53 instead of 2^64. The kernel's search for the
 * lowest or highest hole may pass one that would do; here it is the lowest or highest.
 */

/**
 * A range of numbers that is given out in contiguous pieces of chosen size, alignment, place and
 * colour. What lies where only the allocator knows: it stores nothing there.
 */
export class DrmMm<Owner> implements MmRange, Digestible {
  readonly start: number;
  readonly end: number;
  readonly #colorAdjust: MmColorAdjust | null;
  /** Before the first node and behind the last: its end is where the space starts. */
  readonly #head = new MmLink();
  readonly #holes = new MmHoles();
  /** Nodes by address, those on a roster among them. */
  readonly #nodes: MmNode<Owner>[] = [];
  #scanned = 0;

  constructor(start: number, size: number, colorAdjust?: MmColorAdjust) {
    bugOn(size <= 0, 'an address space without an address');
    this.start = start;
    this.end = start + size;
    this.#colorAdjust = colorAdjust ?? null;
    this.#head.start = this.end;
    this.#head.size = -size;
    this.#holes.add(this.#head, this.end);
  }

  /** Nodes by address. */
  get nodes(): readonly MmNode<Owner>[] {
    return this.#nodes;
  }

  /** Free ranges by address. */
  get holes(): readonly MmRange[] {
    return this.#holes.byAddress;
  }

  /** Nobody has an address (drm_mm_clean). */
  get isClean(): boolean {
    return this.#nodes.length === 0;
  }

  /**
   * Gives `node` addresses; 0 or -ENOSPC (drm_mm_insert_node_in_range). `once`: tries the first hole
   * of the order that is large enough, and no other (DRM_MM_INSERT_ONCE).
   */
  insert(node: MmNode<Owner>, request: MmRequest, once = false): number {
    bugOn(node.isAllocated || this.#scanned > 0, 'drm_mm: insert of a node in use or amid a scan');
    const found = this.#find(request, once);
    if (found === null) return -ENOSPC;
    const { size, color = 0 } = request;
    this.#place(node, found.after, { start: found.at, size, color });
    return 0;
  }

  /** True if `insert` would find room. */
  hasRoom(request: MmRequest): boolean {
    return this.#find(request, false) !== null;
  }

  /** Gives `node` exactly these addresses; 0, or -ENOSPC if they are not all free (drm_mm_reserve_node). */
  reserve(node: MmNode<Owner>, start: number, size: number, color = 0): number {
    bugOn(node.isAllocated || this.#scanned > 0, 'drm_mm: reserve of a node in use or amid a scan');
    if (size <= 0 || start < this.start || start + size > this.end) return -ENOSPC;
    const hole = this.#holes.containing(start, start + size);
    if (hole === undefined) return -ENOSPC;
    const room = this.adjusted(hole.after, color);
    if (room.start > start || room.end < start + size) return -ENOSPC;
    this.#place(node, hole.after, { start, size, color });
    return 0;
  }

  /** Takes the node's addresses back (drm_mm_remove_node). */
  remove(node: MmNode<Owner>): void {
    bugOn(!node.isAllocated, 'drm_mm: removal of a node that has no addresses');
    bugOn(node.isScanned, 'drm_mm: removal of a node on a roster');
    const { prev } = node;
    this.#holes.remove(prev);
    this.#holes.remove(node);
    unlink(node);
    this.#nodes.splice(this.#indexOf(node.start), 1);
    node.isAllocated = false;
    this.#holes.add(prev, prev.next.start);
  }

  /** `other`, which has none, gets the addresses of `node` (drm_mm_replace_node). */
  replace(node: MmNode<Owner>, other: MmNode<Owner>): void {
    bugOn(!node.isAllocated || other.isAllocated, 'drm_mm: replacement of or by the wrong node');
    bugOn(node.isScanned, 'drm_mm: replacement of a node on a roster');
    const behind = node.hole;
    this.#holes.remove(node);
    unlink(node);
    node.isAllocated = false;
    Object.assign(other, { start: node.start, size: node.size, color: node.color });
    other.isAllocated = true;
    linkAfter(other, node.prev);
    this.#nodes[this.#indexOf(node.start)] = other;
    if (behind !== null) this.#holes.add(other, behind.end);
  }

  /** Nodes that have an address in [start, end), by address (drm_mm_for_each_node_in_range). */
  inRange(start: number, end: number): readonly MmNode<Owner>[] {
    const first = placeIn(this.#nodes, other => (other.end <= start ? -1 : 0));
    const last = placeIn(this.#nodes, other => other.start - end);
    return this.#nodes.slice(first, Math.max(first, last));
  }

  /** The free addresses behind a node, or behind nodes on a roster, for a node of `color`. */
  adjusted(after: MmLink, color: number): MmRange {
    const hole = { start: after.end, end: after.next.start };
    if (this.#colorAdjust === null) return hole;
    return this.#colorAdjust(hole, color, neighbour(after), neighbour(after.next));
  }

  /** Puts a node onto a scan's roster: as if its addresses were free. For MmScan. */
  unlist(node: MmNode<Owner>): void {
    bugOn(!node.isAllocated || node.isScanned, 'drm_mm: scan of a node that cannot be evicted');
    node.isScanned = true;
    this.#scanned++;
    unlink(node);
  }

  /** Takes it from the roster, to which it was the last to come. For MmScan. */
  relist(node: MmNode<Owner>): void {
    bugOn(!node.isScanned, 'drm_mm: a node leaves a roster on which it is not');
    bugOn(node.prev.next !== node.next, 'drm_mm: nodes leave a roster in another order than back');
    node.isScanned = false;
    this.#scanned--;
    relink(node);
  }

  /** The node that ends where a hole begins, and the one that begins where it ends. */
  aroundHole(start: number, end: number): readonly (MmNode<Owner> | undefined)[] {
    const hole = this.#holes.containing(start, end);
    if (hole === undefined) return [];
    const next = this.#indexOf(hole.end);
    const before = this.#nodes[this.#indexOf(hole.start) - 1];
    return [before, this.#nodes[next]];
  }

  /** Owners' names are the caller's: what lies where, and of which colour. */
  digest(): string {
    return this.#nodes.map(({ start, size, color }) => `${start}+${size}.${color}`).join();
  }

  #find(request: MmRequest, once: boolean): { readonly after: MmLink; readonly at: number } | null {
    const wanted = placementOf(request, this);
    const { size, start, end, order, color } = wanted;
    if (size <= 0 || end - start < size) return null;
    for (const { after } of this.#holes.inOrder(order, size, start, end)) {
      const at = fitInto(this.adjusted(after, color), wanted);
      if (at !== null) return { after, at };
      if (once) break;
    }
    return null;
  }

  #indexOf(start: number): number {
    return placeIn(this.#nodes, other => other.start - start);
  }

  #place(
    node: MmNode<Owner>,
    after: MmLink,
    place: { start: number; size: number; color: number },
  ): void {
    const { end } = after.hole ?? this;
    this.#holes.remove(after);
    Object.assign(node, place);
    node.isAllocated = true;
    linkAfter(node, after);
    this.#nodes.splice(this.#indexOf(node.start), 0, node);
    if (after.end < node.start) this.#holes.add(after, node.start);
    if (node.end < end) this.#holes.add(node, end);
  }
}

/** Null for the head, which is no node. */
const neighbour = (link: MmLink): MmNeighbour | null => (link instanceof MmNode ? link : null);
