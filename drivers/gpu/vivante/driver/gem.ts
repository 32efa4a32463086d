import type { Device } from '../../../base/kernel/device';
import { EBUSY, EFAULT, EINVAL, ENODEV, ENOMEM } from '../../../base/kernel/errno';
import { bugOn } from '../../../base/kernel/oops';
import type { CpuAddr } from '../../../base/types/address';
import { PAGE_SIZE, alignUp } from '../../../base/types/bits';
import { DmaDirection } from '../../../../mm/dma-mapping-common';
import type { GpuObject } from '../../drm/ops';
import { makeBacking } from './backing';
import type { Backing, Caching, DmaRun, Placement } from './backing';

/*
 * Objects of graphics memory (etnaviv_gem.c). Three lifetimes: the object lives as long as somebody
 * refers to it, by a handle, an address space or a job; its memory from the first use to the object's
 * end, unless it is purged; its mappings, for the CPU and in each address space, as long as their users
 * want. None implies another.
 */

/** What the CPU is about to do with an object (ETNA_PREP_*): bits. */
export const Prep = { Read: 1, Write: 2, NoSync: 4 } as const;

/** How an object is to be made. */
export interface GemRequest {
  /** Bytes; rounded up to pages. */
  readonly size: number;
  readonly placement: Placement;
  readonly caching: Caching;
  /** False: never for the CPU. */
  readonly cpuAccess?: boolean;
}

/** What a device's objects take. */
export class GemStatistics {
  objects = 0;
  /** Bytes of memory. */
  backed = 0;
  /** Bytes of kernel address space beside the linear map. */
  kernelSpace = 0;
  /** Syncs for the CPU and for the device that cpuPrep and cpuFini made. */
  syncs = 0;
}

/** The most that one object may have. */
const MOST_BYTES = 2 ** 31;

/** What becomes of the memory of an object that nobody needs now (drm_etnaviv has none; msm's madvise). */
type Advice = 'will need' | 'do not need' | 'purged';

const directionOf = (op: number): DmaDirection => {
  const isRead = (op & Prep.Read) !== 0;
  const isWritten = (op & Prep.Write) !== 0;
  if (isRead && isWritten) return DmaDirection.Bidirectional;
  return isWritten ? DmaDirection.ToDevice : DmaDirection.FromDevice;
};

/** One object. It begins with one reference, its maker's. */
export class GemObject implements GpuObject {
  readonly name: string;
  readonly size: number;
  readonly placement: Placement;
  caching: Caching;
  readonly cpuAccess: boolean;
  /** Told when the last reference goes: its addresses are then to be given back. */
  onFree: (() => void) | null = null;
  readonly #dev: Device;
  readonly #statistics: GemStatistics;
  #references = 1;
  #pins = 0;
  #cpuMaps = 0;
  #advice: Advice = 'will need';
  #backing: Backing | null = null;
  /** What the CPU prepared for and has not finished; null: nothing. */
  #prepared: number | null = null;

  private constructor(dev: Device, name: string, request: GemRequest, statistics: GemStatistics) {
    this.#dev = dev;
    this.name = name;
    this.size = alignUp(request.size, PAGE_SIZE);
    this.placement = request.placement;
    this.caching = request.caching;
    this.cpuAccess = request.cpuAccess ?? true;
    this.#statistics = statistics;
    statistics.objects++;
  }

  /** An object without memory yet; -EINVAL for a size that none can have. */
  static make(
    dev: Device,
    name: string,
    request: GemRequest,
    statistics: GemStatistics,
  ): GemObject | number {
    const { size } = request;
    const isPossible = Number.isInteger(size) && size > 0 && size <= MOST_BYTES;
    return isPossible ? new GemObject(dev, name, request, statistics) : -EINVAL;
  }

  get references(): number {
    return this.#references;
  }

  get pins(): number {
    return this.#pins;
  }

  get isFree(): boolean {
    return this.#references === 0;
  }

  get isBacked(): boolean {
    return this.#backing !== null;
  }

  /** Where the device has its memory, in the object's order; of a pinned object. */
  get runs(): readonly DmaRun[] {
    bugOn(this.#backing === null, `${this.name} has no memory`);
    return this.#backing?.runs ?? [];
  }

  /** Another user (drm_gem_object_get). */
  get(): this {
    bugOn(this.isFree, `${this.name} is used after it was freed`);
    this.#references++;
    return this;
  }

  /** One user less (drm_gem_object_put); after the last all of it goes. */
  put(): void {
    bugOn(this.isFree, `${this.name} is freed twice`);
    this.#references--;
    if (this.#references > 0) return;
    this.onFree?.();
    bugOn(this.#pins > 0, `${this.name} is freed while ${this.#pins} pin its memory`);
    this.#release();
    this.#statistics.objects--;
  }

  /**
   * Its memory is there and stays until unpin: 0, -ENOMEM, or -EFAULT after it was purged. The first
   * time it is allocated (etnaviv_gem_get_pages).
   */
  pin(): number {
    if (this.#advice === 'purged') return -EFAULT;
    if (this.#backing === null) {
      const { size, placement, caching, cpuAccess } = this;
      const backing = makeBacking(this.#dev, { size, placement, caching, cpuAccess });
      if (backing === null) return -ENOMEM;
      this.#backing = backing;
      this.#statistics.backed += size;
      this.#statistics.kernelSpace += backing.kernelSpace;
    }
    this.#pins++;
    return 0;
  }

  unpin(): void {
    bugOn(this.#pins === 0, `${this.name} is unpinned and was not pinned`);
    this.#pins--;
  }

  /** The owner can do without what is in it, or cannot any more: whether it is still there. */
  madvise(advice: 'will need' | 'do not need'): boolean {
    if (this.#advice !== 'purged') this.#advice = advice;
    return this.#advice !== 'purged';
  }

  /** Takes back memory that nobody needs; false if somebody does. */
  purge(): boolean {
    if (this.#advice !== 'do not need' || this.#pins > 0 || this.#backing === null) return false;
    this.#release();
    this.#advice = 'purged';
    return true;
  }

  /**
   * Where the CPU has it, pinned until vunmap. -ENODEV for an object that is not for the CPU, -ENOMEM
   * without kernel address space, and what pin says.
   */
  vmap(): CpuAddr | number {
    if (!this.cpuAccess) return -ENODEV;
    const pinned = this.pin();
    if (pinned !== 0) return pinned;
    const address = this.#countingSpace(backing => backing.mapForCpu());
    if (address === null) {
      this.unpin();
      return -ENOMEM;
    }
    this.#cpuMaps++;
    return address;
  }

  vunmap(): void {
    bugOn(this.#cpuMaps === 0, `${this.name} has no CPU mapping`);
    this.#cpuMaps--;
    if (this.#cpuMaps === 0) {
      this.#countingSpace(backing => {
        backing.unmapForCpu();
      });
    }
    this.unpin();
  }

  /**
   * The CPU's turn, once whoever used it before is done: the caller has waited for that
   * (etnaviv_gem_cpu_prep). `op` is of Prep. 0, or -EINVAL for no op at all.
   */
  beginCpuAccess(op: number): number {
    if ((op & (Prep.Read | Prep.Write)) === 0) return -EINVAL;
    if (this.#backing === null) return this.#isPurged() ? -EFAULT : 0;
    this.#statistics.syncs++;
    this.#backing.syncForCpu(directionOf(op));
    this.#prepared = op;
    return 0;
  }

  /** The CPU is done: what it stored is for the GPU to see (etnaviv_gem_cpu_fini). */
  endCpuAccess(): number {
    if (this.#backing === null) return 0;
    if (this.#prepared === null) {
      this.#dev.services.log.device('warn', this.#dev, `WARNING: ${this.name}: fini without prep`);
    }
    this.#statistics.syncs++;
    this.#backing.syncForDevice(directionOf(this.#prepared ?? Prep.Read));
    this.#prepared = null;
    return 0;
  }

  /**
   * How the CPU sees it changes (I915_GEM_SET_CACHING): 0; -EBUSY while anybody but the caller pins it or
   * the CPU maps it; -EINVAL for memory of which that cannot change. Addresses of the GPU's are to be
   * bound anew: where the device has the memory may have changed.
   */
  setCaching(caching: Caching): number {
    if (this.#pins > 1 || this.#cpuMaps > 0) return -EBUSY;
    const result = this.#backing?.setCaching(caching) ?? 0;
    if (result === 0) this.caching = caching;
    return result;
  }

  /** What the CPU has prepared for and not finished: bits of Prep, 0: nothing. */
  get prepared(): number {
    return this.#prepared ?? 0;
  }

  #isPurged(): boolean {
    return this.#advice === 'purged';
  }

  #release(): void {
    const { kernelSpace = 0 } = this.#backing ?? {};
    if (this.#backing === null) return;
    this.#statistics.kernelSpace -= kernelSpace;
    this.#statistics.backed -= this.size;
    this.#backing.release();
    this.#backing = null;
  }

  #countingSpace<Value>(change: (backing: Backing) => Value): Value | null {
    if (this.#backing === null) return null;
    const before = this.#backing.kernelSpace;
    const value = change(this.#backing);
    this.#statistics.kernelSpace += this.#backing.kernelSpace - before;
    return value;
  }
}

/** What a client calls its objects: small numbers from 1 on (struct drm_file's object_idr). */
export class HandleTable {
  readonly #objects = new Map<number, GemObject>();

  /** Takes over the caller's reference. */
  create(object: GemObject): number {
    let handle = 1;
    while (this.#objects.has(handle)) handle++;
    this.#objects.set(handle, object);
    return handle;
  }

  /** Without a reference of its own; null for what is no handle. */
  lookup(handle: number): GemObject | null {
    return this.#objects.get(handle) ?? null;
  }

  /** The name goes; whoever else uses the object does not notice. -EINVAL for what is no handle. */
  close(handle: number): number {
    const object = this.#objects.get(handle);
    if (object === undefined) return -EINVAL;
    this.#objects.delete(handle);
    object.put();
    return 0;
  }

  closeAll(): void {
    for (const handle of [...this.#objects.keys()]) this.close(handle);
  }
}
