import type { Digestible } from '../../drivers/base/kernel/task';
import type { Timers } from '../../drivers/base/kernel/timers';
import type { IovaDomain } from '../iova';
import type { IovaCpus } from '../iova-cache';

/** Addresses that a CPU lets wait (IOVA_DEFAULT_FQ_SIZE); one entry of the ring stays free. */
export const QUEUE_SIZE = 256;
/** How long they wait at most, in ns (IOVA_DEFAULT_FQ_TIMEOUT, 10 ms). */
export const QUEUE_TIMEOUT = 10_000_000;

/** Addresses that were unmapped, and how many invalidations had begun by then. */
interface Waiting {
  readonly pfn: number;
  readonly frames: number;
  readonly begun: number;
}

/** What a queue is of. */
export interface FlushQueueParts {
  readonly iova: IovaDomain;
  /** Invalidates all that the domain ever mapped. */
  readonly flushAll: () => void;
  readonly timers: Timers;
  readonly cpus: IovaCpus;
}

/**
 * Lazy invalidation: addresses that were unmapped stay allocated until everything is invalidated at
 * once, when a CPU's queue is full or 10 ms after the first came in. Until then a device may still
 * reach what was unmapped; nobody is given the addresses (struct iova_fq, drivers/iommu/dma-iommu.c).
 */
export class FlushQueue implements Digestible {
  readonly #parts: FlushQueueParts;
  /** By CPU, oldest first. */
  readonly #rings: Waiting[][] = [];
  /** First frames of all that wait. */
  readonly #waiting = new Set<number>();
  #begun = 0;
  #finished = 0;
  #isTimerOn = false;

  constructor(parts: FlushQueueParts) {
    this.#parts = parts;
  }

  /** Addresses that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Invalidations of everything that were made. */
  get flushes(): number {
    return this.#finished;
  }

  /** True if addresses that begin with this frame wait. */
  holds(pfn: number): boolean {
    return this.#waiting.has(pfn);
  }

  /** True if this frame is among the addresses that wait. */
  covers(pfn: number): boolean {
    return this.#rings.some(ring =>
      ring.some(waiting => pfn >= waiting.pfn && pfn < waiting.pfn + waiting.frames),
    );
  }

  /** Lets addresses wait that allocFast gave for so many frames (queue_iova). */
  queue(pfn: number, frames: number): void {
    const { timers, cpus } = this.#parts;
    const ring = this.#ringOf(cpus.number);
    this.#release(ring);
    if (ring.length === QUEUE_SIZE - 1) {
      this.#flush();
      this.#release(ring);
    }
    ring.push({ pfn, frames, begun: this.#begun });
    this.#waiting.add(pfn);
    if (this.#isTimerOn) return;
    this.#isTimerOn = true;
    timers.after(QUEUE_TIMEOUT, () => {
      this.#isTimerOn = false;
      this.flush();
    });
  }

  /** Invalidates everything, and gives back what waits (fq_flush_timeout). */
  flush(): void {
    this.#flush();
    for (const ring of this.#rings) this.#release(ring);
  }

  /** What waits, by CPU and in its order, and how many invalidations ago it came. */
  digest(): string {
    const { length } = this.#rings;
    const rings = Array.from({ length }, (_, cpu) =>
      this.#ringOf(cpu).map(({ pfn, frames, begun }) => `${pfn}+${frames}-${this.#begun - begun}`),
    );
    return `${rings.map(ring => ring.join()).join('&')}${this.#isTimerOn ? '!' : ''}`;
  }

  #flush(): void {
    this.#begun++;
    this.#parts.flushAll();
    this.#finished++;
  }

  /** Gives back what an invalidation has covered that began after it came in. */
  #release(ring: Waiting[]): void {
    const covered = ring.findIndex(({ begun }) => begun >= this.#finished);
    for (const { pfn, frames } of ring.splice(0, covered < 0 ? ring.length : covered)) {
      this.#waiting.delete(pfn);
      this.#parts.iova.freeFast(pfn, frames);
    }
  }

  #ringOf(cpu: number): Waiting[] {
    let ring = this.#rings[cpu];
    if (ring === undefined) {
      ring = [];
      this.#rings[cpu] = ring;
    }
    return ring;
  }
}
