import { DMA_MAPPING_ERROR } from '../drivers/base/kernel/dma-mapping';
import type { CallSite } from '../drivers/base/types/call-site';
import type { Direction } from '../drivers/base/types/observer';
import type { EntryType, MapError } from './dma-debug-text';

/** HASH_SIZE, and the bytes of bus addresses that share a bucket (HASH_FN_SHIFT). */
const BUCKETS = 16384;
const BUCKET_BYTES = 8192;

/** What a mapping is made with, and what an unmap or a sync is compared with. */
export interface Reference {
  readonly type: EntryType;
  readonly device: string;
  readonly driver: string;
  readonly busAddress: number;
  readonly size: number;
  readonly direction: Direction;
  /** How many entries of a scatter list the driver gave; 0 of anything else. */
  readonly sgCallEnts: number;
  readonly attrs: number;
  /** Physical; null of a call that does not name it. */
  readonly address: number | null;
}

/** A live mapping as dma-debug keeps it (struct dma_debug_entry). */
export class DebugEntry {
  readonly made: Reference;
  /** Physical. */
  readonly address: number;
  /** How many entries of a scatter list the device sees. */
  readonly sgMappedEnts: number;
  readonly site: CallSite;
  mapError: MapError;
  /** Its driver keeps it, or it was told as leaked. */
  isKept = false;

  constructor(made: Reference & { readonly address: number }, site: CallSite, sgMappedEnts = 0) {
    this.made = made;
    this.address = made.address;
    this.site = site;
    this.sgMappedEnts = sgMappedEnts;
    this.mapError = isMapping(made) ? 'not checked' : 'not applicable';
  }
}

/** Only of mappings that answer an address can the driver ask whether that is an error. */
const isMapping = ({ type }: Reference): boolean =>
  type === 'single' || type === 'resource' || type === 'phy';

/**
 * The live mappings in the kernel's own hash table, with the lookups of kernel/dma/debug.c and
 * what these miss: which of several mappings of one address is meant, a size that no one has
 * leaves open, and then nothing is found.
 */
export class DebugEntries {
  readonly #buckets = new Map<number, DebugEntry[]>();

  add(entry: DebugEntry): void {
    const bucket = bucketOf(entry.made.busAddress);
    const entries = this.#buckets.get(bucket);
    if (entries === undefined) this.#buckets.set(bucket, [entry]);
    else entries.push(entry);
  }

  delete(entry: DebugEntry): void {
    const bucket = bucketOf(entry.made.busAddress);
    const entries = this.#buckets.get(bucket) ?? [];
    const index = entries.indexOf(entry);
    if (index >= 0) entries.splice(index, 1);
    if (entries.length === 0) this.#buckets.delete(bucket);
  }

  /** Those that start at an address, the oldest first. */
  at(device: string, busAddress: number): readonly DebugEntry[] {
    const bucket = this.#buckets.get(bucketOf(busAddress)) ?? [];
    return bucket.filter(({ made }) => made.device === device && made.busAddress === busAddress);
  }

  /** What an unmap is about: bucket_find_exact. */
  exact(ref: Reference): DebugEntry | null {
    return bestFit(this.at(ref.device, ref.busAddress), ref);
  }

  /**
   * What a sync is about: bucket_find_contain, a bucket further down each time. It has all of the
   * bytes that are synced, so that nothing is ever left of a sync that would lie outside of it.
   */
  containing(ref: Reference): DebugEntry | null {
    const { device, busAddress, size } = ref;
    const contains = ({ made }: DebugEntry): boolean =>
      made.device === device &&
      made.busAddress <= busAddress &&
      made.busAddress + made.size >= busAddress + size;
    const steps = Math.min(BUCKETS, Math.floor(busAddress / BUCKET_BYTES) + 1);
    for (let step = 0; step < steps; step++) {
      const bucket = this.#buckets.get(bucketOf(busAddress - step * BUCKET_BYTES));
      if (bucket === undefined) continue;
      const found = bestFit(bucket.filter(contains), ref);
      if (found !== null) return found;
    }
    return null;
  }

  /** All of them, in the order of the buckets. */
  get all(): readonly DebugEntry[] {
    return [...this.#buckets].sort(([one], [other]) => one - other).flatMap(([, all]) => all);
  }
}

/** The number of the bucket that an address belongs to (hash_fn). */
export const bucketOf = (busAddress: number): number =>
  busAddress === DMA_MAPPING_ERROR ? BUCKETS - 1 : Math.floor(busAddress / BUCKET_BYTES) % BUCKETS;

/** Equal in all but its place; of several candidates without such a one, none (__hash_bucket_find). */
const bestFit = (candidates: readonly DebugEntry[], ref: Reference): DebugEntry | null => {
  const perfect = candidates.find(
    ({ made }) =>
      made.size === ref.size &&
      made.type === ref.type &&
      made.direction === ref.direction &&
      made.sgCallEnts === ref.sgCallEnts,
  );
  const [only] = candidates;
  return perfect ?? (candidates.length === 1 && only !== undefined ? only : null);
};
