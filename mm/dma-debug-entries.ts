import type { CallSite } from '../drivers/base/types/call-site';
import type { Direction, DmaCall, DmaRange } from '../drivers/base/types/observer';
import type { EntryType } from './dma-debug-text';

/** HASH_SIZE, and the bytes of bus addresses that share a bucket (HASH_FN_SHIFT). */
const BUCKETS = 16384;
const BUCKET_BYTES = 8192;
/** L1_CACHE_BYTES of the kernel build, on arm and arm64. */
const LINE = 64;

/** What an unmap or a sync is compared with. */
export type Reference = Pick<DmaCall, 'device' | 'busAddress' | 'size' | 'direction'> & {
  readonly type: EntryType;
};

/** A live mapping as dma-debug keeps it (struct dma_debug_entry). */
export class DebugEntry implements Reference {
  readonly type: EntryType;
  readonly device: string;
  readonly driver: string;
  readonly busAddress: number;
  /** Physical. */
  readonly address: number;
  readonly size: number;
  readonly direction: Direction;
  readonly site: CallSite;
  mapError: 'not applicable' | 'not checked' | 'checked' = 'not applicable';
  isLeakTold = false;

  constructor(type: EntryType, range: DmaRange, site: CallSite) {
    this.type = type;
    this.device = range.device;
    this.driver = range.driver;
    this.busAddress = range.busAddress;
    this.address = range.address;
    this.size = range.size;
    this.direction = range.direction;
    this.site = site;
  }
}

/**
 * The live mappings in the kernel's own hash table, with the lookups of kernel/dma/debug.c and
 * what these miss: which of several mappings of one address is meant, a size that no one has
 * leaves open, and then nothing is found.
 */
export class DebugEntries {
  readonly #buckets = new Map<number, DebugEntry[]>();
  /** How many mappings that a device writes begin in each line. */
  readonly #lines = new Map<number, number>();

  /** True if the first line of the mapping is that of another one; for one to the device, false. */
  add(entry: DebugEntry): boolean {
    const bucket = bucketOf(entry.busAddress);
    const entries = this.#buckets.get(bucket);
    if (entries === undefined) this.#buckets.set(bucket, [entry]);
    else entries.push(entry);
    if (entry.direction === 'to-device') return false;
    const line = Math.floor(entry.address / LINE);
    const others = this.#lines.get(line) ?? 0;
    this.#lines.set(line, others + 1);
    return others > 0;
  }

  delete(entry: DebugEntry): void {
    const bucket = bucketOf(entry.busAddress);
    const left = (this.#buckets.get(bucket) ?? []).filter(other => other !== entry);
    if (left.length === 0) this.#buckets.delete(bucket);
    else this.#buckets.set(bucket, left);
    if (entry.direction === 'to-device') return;
    const line = Math.floor(entry.address / LINE);
    const others = (this.#lines.get(line) ?? 1) - 1;
    if (others === 0) this.#lines.delete(line);
    else this.#lines.set(line, others);
  }

  /** Those that start at an address, the oldest first. */
  at(device: string, busAddress: number): readonly DebugEntry[] {
    const bucket = this.#buckets.get(bucketOf(busAddress)) ?? [];
    return bucket.filter(one => one.device === device && one.busAddress === busAddress);
  }

  /** What an unmap is about: bucket_find_exact. */
  exact(ref: Reference): DebugEntry | null {
    return bestFit(this.at(ref.device, ref.busAddress), ref);
  }

  /** What a sync is about: bucket_find_contain, a bucket further down each time. */
  containing(ref: Reference): DebugEntry | null {
    const { device, busAddress, size } = ref;
    const contains = (entry: DebugEntry): boolean =>
      entry.device === device &&
      entry.busAddress <= busAddress &&
      entry.busAddress + entry.size >= busAddress + size;
    const steps = Math.min(BUCKETS, Math.floor(busAddress / BUCKET_BYTES) + 1);
    for (let step = 0; step < steps; step++) {
      const bucket = this.#buckets.get(bucketOf(busAddress - step * BUCKET_BYTES)) ?? [];
      const found = bestFit(bucket.filter(contains), ref);
      if (found !== null) return found;
    }
    return null;
  }

  /** All of a device, in the order of the buckets. */
  of(device: string): readonly DebugEntry[] {
    return [...this.#buckets]
      .sort(([one], [other]) => one - other)
      .flatMap(([, entries]) => entries.filter(entry => entry.device === device));
  }

  /** An entry of each device that has any. */
  get holders(): readonly DebugEntry[] {
    const all = [...this.#buckets.values()].flat();
    return [...new Map(all.map(entry => [entry.device, entry])).values()];
  }
}

const bucketOf = (busAddress: number): number => Math.floor(busAddress / BUCKET_BYTES) % BUCKETS;

/** Equal in all but its place; of several candidates without such a one, none (__hash_bucket_find). */
const bestFit = (candidates: readonly DebugEntry[], ref: Reference): DebugEntry | null => {
  const { size, type, direction } = ref;
  const perfect = candidates.find(
    one => one.size === size && one.type === type && one.direction === direction,
  );
  const [only] = candidates;
  return perfect ?? (candidates.length === 1 && only !== undefined ? only : null);
};
