/*
 * What a submission needs of a GPU. The phases of exec.ts are the same for the real device, whose
 * tables and stream lie in memory, and for the explorer's light one, which has neither.
 */

/** An object of graphics memory, as far as address spaces care: so many bytes, whole pages. */
export interface GpuObject {
  readonly name: string;
  /** Bytes, a multiple of the page. */
  readonly size: number;
}

/** An address space, as far as the hardware cares: what page tables belong to. */
export interface GpuVm {
  readonly name: string;
}

/** Addresses of one space that lead to a part of an object (an i915 vma, a drm_gpuva). */
export interface GpuVa<Object extends GpuObject = GpuObject> {
  readonly vm: GpuVm;
  readonly object: Object;
  /** The first GPU virtual address, in bytes. */
  readonly start: number;
  /** Bytes of both the addresses and the part. */
  readonly size: number;
  /** Where in the object the part begins, in bytes. */
  readonly offset: number;
}

/**
 * The hardware's side of a submission. Nothing here sleeps. What can fail answers 0 or a negated
 * errno, and has then changed nothing.
 *
 * `Job` is what is handed over, `Fence` what it signals when the GPU is done with it.
 */
export interface GpuOps<Job, Fence, Object extends GpuObject = GpuObject> {
  /** Writes the entries of addresses that led nowhere; -ENOMEM without memory for a table. */
  bind(va: GpuVa<Object>): number;
  /** Takes the entries of `bind` away. Never fails; the GPU may use the old ones until a flush. */
  unbind(va: GpuVa<Object>): void;
  /**
   * Has the GPU forget what it keeps of a space's tables, before the next job begins: the flush goes
   * into the command stream, once however often it was asked for.
   */
  flushTlb(vm: GpuVm): void;
  /** Makes what the CPU has stored in an object visible to the GPU, which writes it or not (eb_move_to_gpu). */
  moveToGpu(object: Object, isWrite: boolean): number;
  /** Checks a stream on a copy that nobody else can write; -EINVAL for what a user may not do. */
  validate(job: Job): number;
  /** Hands the job over; after this nothing can fail. */
  emit(job: Job): Fence;
}
