import { ENOSPC } from '../../base/kernel/errno';
import { bugOn } from '../../base/kernel/oops';
import type { Digestible } from '../../base/kernel/task';
import { WaitQueue } from '../../base/kernel/wait-queue';
import { DrmMm } from './mm';
import type { MmRange } from './mm-node';
import type { GpuOps, GpuVm } from './ops';
import { THRASHING, Vma } from './vma';
import type { JobFence, LockedObject } from './vma';

/** What an address space needs of the hardware. */
export type TableOps<Object extends LockedObject> = Pick<
  GpuOps<never, JobFence, Object>,
  'bind' | 'unbind' | 'flushTlb'
>;

/** Where an object may lie in an address space, and whether it must lie exactly there. */
export interface Placing {
  readonly alignment: number;
  /** Bytes that it takes, at least its own (EXEC_OBJECT_PAD_TO_SIZE). */
  readonly size: number;
  /** Its last address is below this. */
  readonly end: number;
  /** Softpin: exactly here; null: anywhere. */
  readonly at: number | null;
}

/** What has been done, since the space was made. */
export interface VmCounts {
  binds: number;
  unbinds: number;
  /** Unbinds for the sake of somebody else's addresses. */
  evictions: number;
  /** Flushes of the TLB that were put into a stream. */
  flushes: number;
}

/**
 * A GPU address space (i915_address_space): objects that are bound in it, in the order of their last
 * use. Address space is what is short here, not memory: what is evicted loses its addresses only.
 */
export class AddressSpace<Object extends LockedObject = LockedObject>
  implements GpuVm, MmRange, Digestible
{
  readonly name: string;
  readonly mm: DrmMm<Vma<Object>>;
  readonly counts: VmCounts = { binds: 0, unbinds: 0, evictions: 0, flushes: 0 };
  /** Woken when addresses may have become free, or free to be taken. */
  readonly room = new WaitQueue();
  readonly #ops: TableOps<Object>;
  /** Bound, the longest unused first. */
  readonly #bound: Vma<Object>[] = [];
  readonly #vmas = new Map<Object, Vma<Object>>();
  #needsFlush = false;

  constructor(name: string, { start, end }: MmRange, ops: TableOps<Object>) {
    this.name = name;
    this.mm = new DrmMm(start, end - start);
    this.#ops = ops;
  }

  get start(): number {
    return this.mm.start;
  }

  get end(): number {
    return this.mm.end;
  }

  /** What is bound, the longest unused first. */
  get bound(): readonly Vma<Object>[] {
    return this.#bound;
  }

  /** The one vma of an object in this space (i915_vma_instance). */
  vmaOf(object: Object): Vma<Object> {
    let vma = this.#vmas.get(object);
    if (vma === undefined) {
      vma = new Vma(this, object);
      this.#vmas.set(object, vma);
    }
    return vma;
  }

  /**
   * Binds where there is room; 0, -ENOSPC, or what the hardware's side says. `evicted`: the room was just
   * made, and is the youngest hole.
   */
  bind(vma: Vma<Object>, { at, size, alignment, end }: Placing, evicted = false): number {
    bugOn(vma.isBound, `${vma.object.name} is bound twice`);
    const error =
      at === null
        ? this.mm.insert(vma.node, { size, alignment, end, order: evicted ? 'evict' : 'best' })
        : this.#reserveAt(vma, at, { size, alignment, end });
    if (error !== 0) return error;
    const bound = this.#ops.bind(vma);
    if (bound !== 0) {
      this.mm.remove(vma.node);
      return bound;
    }
    vma.isBound = true;
    this.#bound.push(vma);
    this.#needsFlush = true;
    this.counts.binds++;
    return 0;
  }

  /** True if `bind` would find addresses. */
  hasRoom({ at, size, alignment, end }: Placing): boolean {
    if (at === null) return this.mm.hasRoom({ size, alignment, end });
    return this.mm.inRange(at, at + size).length === 0;
  }

  /** True if it is bound where and as it must be (eb_vma_misplaced says the contrary). */
  fits(vma: Vma<Object>, { at, size, alignment, end }: Placing): boolean {
    if (!vma.isBound || vma.size < size || vma.start + size > end) return false;
    return at === null ? alignment <= 1 || vma.start % alignment === 0 : vma.start === at;
  }

  /** Takes the addresses of one that nobody pins and the GPU does not use. */
  unbind(vma: Vma<Object>): void {
    bugOn(vma.pins > 0, `${vma.object.name} is unbound, and somebody has pinned it`);
    bugOn(vma.isBusy, `${vma.object.name} is unbound, and the GPU uses it`);
    bugOn(!vma.isBound, `${vma.object.name} is unbound, and has no addresses`);
    this.#ops.unbind(vma);
    this.mm.remove(vma.node);
    vma.isBound = false;
    this.#bound.splice(this.#bound.indexOf(vma), 1);
    this.#needsFlush = true;
    this.counts.unbinds++;
    this.room.wakeUpAll();
  }

  /** Unbinds for somebody else: whoever has claimed it has lost it. */
  evict(vma: Vma<Object>): void {
    if (vma.claims.size > 0) vma.losses = Math.min(vma.losses + 1, THRASHING);
    this.counts.evictions++;
    this.unbind(vma);
  }

  /** A job that uses it goes to the GPU: it becomes the last to be evicted. To be asked for is no use. */
  touch(vma: Vma<Object>): void {
    const place = this.#bound.indexOf(vma);
    bugOn(place < 0, `${vma.object.name} is used, and has no addresses`);
    this.#bound.splice(place, 1);
    this.#bound.push(vma);
  }

  /** An object is gone: nobody asks for its vma again. Bound and idle, it is unbound. */
  forget(object: Object): void {
    const vma = this.#vmas.get(object);
    if (vma === undefined) return;
    if (vma.isBound) this.unbind(vma);
    this.#vmas.delete(object);
  }

  /** Has the next job flush the TLB, if anything was bound or unbound since the last one. */
  flushTlb(): void {
    if (!this.#needsFlush) return;
    this.#needsFlush = false;
    this.counts.flushes++;
    this.#ops.flushTlb(this);
  }

  /** Who is bound where, in the order of use, and who has lost what it claims. */
  digest(): string {
    const bound = this.#bound.map(vma => `${vma.digest()}@${vma.start}+${vma.size}`);
    const lost = [...this.#vmas.values()].filter(
      ({ isBound, claims }) => !isBound && claims.size > 0,
    );
    const flush = this.#needsFlush ? 'f' : '';
    return [bound, lost.map(vma => vma.digest()).sort(), this.room.digest(), flush].join('|');
  }

  #reserveAt(vma: Vma<Object>, at: number, { size, alignment, end }: Omit<Placing, 'at'>): number {
    const isWrong = at + size > end || (alignment > 1 && at % alignment !== 0);
    return isWrong ? -ENOSPC : this.mm.reserve(vma.node, at, size);
  }
}
