import type { WwClass } from '../../../base/kernel/ww-class';
import { DmaFence } from '../../../../mm/dma-buf/fence';
import type { FenceTimelines } from '../../../../mm/dma-buf/fence';
import { DmaResv } from '../../../../mm/dma-buf/resv';
import type { AddressSpace } from '../../drm/vm';
import type { LockedObject } from '../../drm/vma';
import type { GemObject } from './gem';

/** The fence of a job in the ring: the GPU does jobs in order, one timeline. */
export class RingFence extends DmaFence {
  get driverName(): string {
    return 'vivante';
  }

  get timelineName(): string {
    return 'ring';
  }

  /** The job is over, with an error or 0. */
  finish(error: number): void {
    if (error < 0) this.setError(error);
    this.signal();
  }
}

/** An object with its reservations: what submissions lock (drm_gem_object). */
export class RenderObject implements LockedObject {
  readonly gem: GemObject;
  readonly resv: DmaResv;

  /** Where it may have addresses, which end with it: an address space keeps no object alive. */
  readonly spaces = new Set<AddressSpace<RenderObject>>();

  constructor(gem: GemObject, timelines: FenceTimelines, wwClass: WwClass) {
    this.gem = gem;
    this.resv = new DmaResv(timelines, wwClass, gem.name);
    gem.onFree = () => {
      for (const space of this.spaces) space.forget(this);
    };
  }

  get name(): string {
    return this.gem.name;
  }

  get size(): number {
    return this.gem.size;
  }
}
