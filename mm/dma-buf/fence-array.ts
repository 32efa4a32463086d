import { KernelOops } from '../../drivers/base/kernel/oops';
import { DmaFence } from './fence';
import type { FenceCallback, FencePoint } from './fence';

/**
 * Several fences as one, which is signalled after all of them or after the first
 * (drivers/dma-buf/dma-fence-array.c of 6.12). Its error is that of the first that failed.
 */
export class FenceArray extends DmaFence implements FenceCallback {
  readonly fences: readonly DmaFence[];
  /** How many are still to be signalled before this is. */
  #pending: number;
  #firstError = 0;
  #isWaiting = false;

  /** `fences`: at least one (dma_fence_array_create). */
  constructor(fences: readonly DmaFence[], point: FencePoint, signalOnAny = false) {
    const [first] = fences;
    if (first === undefined) throw new KernelOops('dma_fence_array_create: of no fences');
    super(first.timelines, point);
    this.fences = fences;
    this.#pending = signalOnAny ? 1 : fences.length;
  }

  override get driverName(): string {
    return 'dma_fence_array';
  }

  override get timelineName(): string {
    return 'unbound';
  }

  override get isContainer(): boolean {
    return true;
  }

  override get contained(): readonly DmaFence[] {
    return this.fences;
  }

  /** One of them is. */
  override get isOfFaultingWork(): boolean {
    return this.fences.some(fence => fence.isOfFaultingWork);
  }

  /** All are of one context, also those in it (dma_fence_match_context). */
  isOfContext(context: number): boolean {
    return this.fences.every(fence => fence.context === context);
  }

  /** One of them is signalled. */
  func(fence: DmaFence): void {
    this.#noteError(fence);
    if (--this.#pending === 0) this.#end();
  }

  /** Found to be done before anybody waited, it carries no error: nobody has looked at them. */
  protected override hasCompleted(): boolean {
    if (this.#isWaiting) return this.#pending <= 0;
    let left = this.#pending;
    return this.fences.some(fence => fence.isSignaled && --left === 0);
  }

  protected override enableSignaling(): boolean {
    this.#isWaiting = true;
    for (const fence of this.fences) {
      if (fence.addCallback(this) === 0) continue;
      this.#noteError(fence);
      if (--this.#pending === 0) {
        this.#setError();
        return false;
      }
    }
    return true;
  }

  #noteError(fence: DmaFence): void {
    if (this.#firstError === 0) this.#firstError = fence.error;
  }

  #setError(): void {
    if (this.#firstError !== 0) this.setError(this.#firstError);
  }

  #end(): void {
    if (this.wasSignaled) return;
    this.#setError();
    this.signal();
  }
}
