import { EINVAL } from '../../drivers/base/kernel/errno';
import { bugOn } from '../../drivers/base/kernel/oops';
import { DmaFence } from './fence';
import type { FenceCallback, FencePoint } from './fence';

/*
 * Chains of fences: the points of a timeline whose order is given from outside, as a timeline
 * semaphore has it (drivers/dma-buf/dma-fence-chain.c of 6.12). A link is signalled when its own
 * fence and all before it are.
 */

/** Where a link stands: in the context of the one before, if it comes after that. */
const pointOf = (prev: DmaFence | null, fence: DmaFence, seqno: number): FencePoint => {
  if (!(prev instanceof FenceChain)) return { context: fence.timelines.allocContext(), seqno };
  if (prev.isSeqnoLater(seqno, prev.seqno)) return { context: prev.context, seqno };
  return { context: fence.timelines.allocContext(), seqno: Math.max(prev.seqno, seqno) };
};

/** A link of a chain (struct dma_fence_chain). */
export class FenceChain extends DmaFence implements FenceCallback {
  readonly fence: DmaFence;
  /** What comes before, less what is signalled already and was passed over. */
  #prev: DmaFence | null;
  /** The number of the link before, in the same context; 0: there is none. */
  readonly prevSeqno: number;

  /** A link behind `prev`, of which a chain that ends there grows (dma_fence_chain_init). */
  constructor(prev: DmaFence | null, fence: DmaFence, seqno: number) {
    super(fence.timelines, pointOf(prev, fence, seqno));
    bugOn(fence instanceof FenceChain, 'dma_fence_chain_init: a chain in a chain');
    this.fence = fence;
    this.#prev = prev;
    const isContinued = prev instanceof FenceChain && prev.context === this.context;
    this.prevSeqno = isContinued ? prev.seqno : 0;
  }

  override get driverName(): string {
    return 'dma_fence_chain';
  }

  override get timelineName(): string {
    return 'unbound';
  }

  override get uses64BitSeqno(): boolean {
    return true;
  }

  get prev(): DmaFence | null {
    return this.#prev;
  }

  override get isContainer(): boolean {
    return true;
  }

  override get contained(): readonly DmaFence[] {
    return this.#prev === null ? [this.fence] : [this.fence, this.#prev];
  }

  /** A link of it is, of those that are not signalled. */
  override get isOfFaultingWork(): boolean {
    for (const link of chainLinks(this)) if (containedFence(link).isOfFaultingWork) return true;
    return false;
  }

  /** The next older one that is not signalled: those between are dropped (dma_fence_chain_walk). */
  walk(): DmaFence | null {
    while (this.#prev !== null) {
      const prev = this.#prev;
      if (!containedFence(prev).isSignaled) return prev;
      this.#prev = prev instanceof FenceChain ? prev.prev : null;
    }
    return null;
  }

  /** The fence it waits for now is signalled: for the next, or it is signalled itself. */
  func(): void {
    if (!this.enableSignaling()) this.signal();
  }

  protected override hasCompleted(): boolean {
    for (const link of chainLinks(this)) if (!containedFence(link).isSignaled) return false;
    return true;
  }

  protected override enableSignaling(): boolean {
    for (const link of chainLinks(this))
      if (containedFence(link).addCallback(this) === 0) return true;
    return false;
  }
}

/** The fence of a link; what is no link is its own (dma_fence_chain_contained). */
export const containedFence = (fence: DmaFence): DmaFence =>
  fence instanceof FenceChain ? fence.fence : fence;

/** The links from the newest on, less those that are passed over (dma_fence_chain_for_each). */
export function* chainLinks(head: DmaFence | null): Generator<DmaFence, void> {
  let link = head;
  while (link !== null) {
    yield link;
    link = link instanceof FenceChain ? link.walk() : null;
  }
}

/** What findSeqno found. */
export interface FoundPoint {
  /** 0, or -EINVAL: no chain, or none that goes that far. */
  readonly error: number;
  /** The link to wait for; null: all up to the number is signalled. */
  readonly fence: DmaFence | null;
}

/**
 * The link that must be signalled for a point of the timeline to be reached; 0 is the head itself
 * (dma_fence_chain_find_seqno).
 */
export const findSeqno = (head: DmaFence | null, seqno: number): FoundPoint => {
  if (seqno === 0) return { error: 0, fence: head };
  if (!(head instanceof FenceChain) || head.seqno < seqno) return { error: -EINVAL, fence: head };
  for (const link of chainLinks(head)) {
    // The first link of a context has none before it: its prevSeqno is 0.
    if (!(link instanceof FenceChain) || link.prevSeqno < seqno) return { error: 0, fence: link };
  }
  return { error: 0, fence: null };
};
