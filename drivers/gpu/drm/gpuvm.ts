import { EINVAL } from '../../base/kernel/errno';
import type { Digestible } from '../../base/kernel/task';
import { placeIn } from './mm-holes';
import type { GpuObject } from './ops';

/*
 * Addresses that the client manages (drivers/gpu/drm/drm_gpuvm.c, VM_BIND): what a new mapping does to
 * those that lie in its place. Evictions, and objects shared by spaces, are not modelled.
 */

/** Addresses that lead to a part of an object (struct drm_gpuva). */
export interface Gpuva<Object extends GpuObject = GpuObject> {
  readonly start: number;
  readonly size: number;
  readonly object: Object;
  /** Where in the object `start` leads. */
  readonly offset: number;
}

/** A step of a change, in the order in which page tables are to follow (struct drm_gpuva_op). */
export type GpuvaOp<Object extends GpuObject = GpuObject> =
  | { readonly op: 'map'; readonly va: Gpuva<Object> }
  /** Part of a mapping goes: what stays before it and behind it, each a mapping of its own. */
  | {
      readonly op: 'remap';
      readonly unmap: Gpuva<Object>;
      readonly prev: Gpuva<Object> | null;
      readonly next: Gpuva<Object> | null;
      readonly keep: boolean;
    }
  /** `keep`: the new mapping leads to the same place: the entries need not change. */
  | { readonly op: 'unmap'; readonly va: Gpuva<Object>; readonly keep: boolean };

/** The mappings of one address space, none of which overlap. */
export class Gpuvm<Object extends GpuObject = GpuObject> implements Digestible {
  readonly start: number;
  readonly end: number;
  /** By address. */
  readonly #vas: Gpuva<Object>[] = [];

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }

  get vas(): readonly Gpuva<Object>[] {
    return this.#vas;
  }

  /** Maps, whatever lies there; the steps, or -EINVAL outside the space or the object (drm_gpuvm_sm_map). */
  map(wanted: Gpuva<Object>): readonly GpuvaOp<Object>[] | number {
    const { start, size, object, offset } = wanted;
    const isInObject = offset >= 0 && offset + size <= object.size;
    if (!this.#isInside(start, size) || !isInObject) return -EINVAL;
    const ops: GpuvaOp<Object>[] = [...this.#clear(start, size, wanted), { op: 'map', va: wanted }];
    this.#apply(ops);
    return ops;
  }

  /** Nothing lies there afterwards; the steps, or -EINVAL outside the space (drm_gpuvm_sm_unmap). */
  unmap(start: number, size: number): readonly GpuvaOp<Object>[] | number {
    if (!this.#isInside(start, size)) return -EINVAL;
    const ops = this.#clear(start, size, null);
    this.#apply(ops);
    return ops;
  }

  /** The mapping that an address belongs to. */
  find(address: number): Gpuva<Object> | undefined {
    return this.#inRange(address, 1)[0];
  }

  digest(): string {
    return this.#vas
      .map(({ start, size, object, offset }) => `${start}+${size}:${object.name}+${offset}`)
      .join();
  }

  #isInside(start: number, size: number): boolean {
    return size > 0 && start >= this.start && start + size <= this.end;
  }

  #inRange(start: number, size: number): readonly Gpuva<Object>[] {
    const first = placeIn(this.#vas, va => (va.start + va.size <= start ? -1 : 0));
    const last = placeIn(this.#vas, va => va.start - start - size);
    return this.#vas.slice(first, Math.max(first, last));
  }

  /** What is to be done with all that lies in a range. */
  #clear(start: number, size: number, by: Gpuva<Object> | null): GpuvaOp<Object>[] {
    const end = start + size;
    return this.#inRange(start, size).map(va => {
      const vaEnd = va.start + va.size;
      const keep = by !== null && leadsAlike(va, by);
      const prev = va.start < start ? { ...va, size: start - va.start } : null;
      const cut = end - va.start;
      const next =
        vaEnd > end ? { ...va, start: end, size: vaEnd - end, offset: va.offset + cut } : null;
      if (prev === null && next === null) return { op: 'unmap', va, keep };
      return { op: 'remap', unmap: va, prev, next, keep };
    });
  }

  #apply(ops: readonly GpuvaOp<Object>[]): void {
    for (const op of ops) {
      if (op.op === 'map') this.#insert(op.va);
      else this.#remove(op.op === 'unmap' ? op.va : op.unmap);
      if (op.op !== 'remap') continue;
      if (op.prev !== null) this.#insert(op.prev);
      if (op.next !== null) this.#insert(op.next);
    }
  }

  #insert(va: Gpuva<Object>): void {
    this.#vas.splice(this.#placeOf(va), 0, va);
  }

  #remove(va: Gpuva<Object>): void {
    this.#vas.splice(this.#placeOf(va), 1);
  }

  #placeOf({ start }: Gpuva<Object>): number {
    return placeIn(this.#vas, other => other.start - start);
  }
}

/** Where both have an address it leads to the same place of the same object. */
const leadsAlike = (a: Gpuva, b: Gpuva): boolean =>
  a.object === b.object && a.offset - a.start === b.offset - b.start;
