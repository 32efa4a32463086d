/** Addresses from `start` up to, and without, `end`. */
export interface MmRange {
  readonly start: number;
  readonly end: number;
}

/** Free addresses, right behind a node. */
export interface MmHole extends MmRange {
  readonly after: MmLink;
  /** Grows from hole to hole: which of two is the younger. */
  readonly born: number;
}

/** A place in the list of nodes by address. */
export class MmLink implements MmRange {
  start = 0;
  size = 0;
  prev: MmLink = this;
  next: MmLink = this;
  /** The free addresses behind it; null: there are none. */
  hole: MmHole | null = null;

  get end(): number {
    return this.start + this.size;
  }
}

/**
 * Addresses that somebody has, once an allocator gave it some (drm_mm_node). Its fields are the
 * allocator's to change; `owner` is what container_of() leads to in C.
 */
export class MmNode<Owner> extends MmLink {
  readonly owner: Owner;
  /** Neighbours of unlike colours may need a gap: see MmColorAdjust. */
  color = 0;
  isAllocated = false;
  /** It stands on a scan's roster, and not in the list. */
  isScanned = false;

  constructor(owner: Owner) {
    super();
    this.owner = owner;
  }
}

/** Puts `node` into the list right behind `prev`. */
export const linkAfter = (node: MmLink, prev: MmLink): void => {
  node.prev = prev;
  node.next = prev.next;
  prev.next.prev = node;
  prev.next = node;
};

/** Takes `node` out of the list. It still knows its neighbours: `relink` can put it back. */
export const unlink = (node: MmLink): void => {
  node.prev.next = node.next;
  node.next.prev = node.prev;
};

/** Undoes `unlink`, of which the last must be undone first. */
export const relink = (node: MmLink): void => {
  node.prev.next = node;
  node.next.prev = node;
};
