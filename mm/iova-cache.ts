import { roundupPowerOfTwo } from '../drivers/base/types/bits';
import { invariant } from '../drivers/base/types/errors';

/** The CPUs that cache freed addresses, each for itself. */
export interface IovaCpus {
  /** How many there are. */
  readonly online: number;
  /** On which one this runs. */
  readonly number: number;
}

/** Sizes of 2^0 to 2^5 frames are cached (IOVA_RANGE_CACHE_MAX_SIZE). */
const CACHED_ORDERS = 6;
/** Addresses in a magazine (IOVA_MAG_SIZE). */
export const MAGAZINE_SIZE = 127;

/** A stack of addresses of one size. */
type Magazine = number[];

/** What one CPU has of one size (struct iova_cpu_rcache). */
interface CpuCache {
  loaded: Magazine;
  previous: Magazine;
}

/** All caches of one size (struct iova_rcache). */
interface SizeCache {
  readonly cpus: CpuCache[];
  /** Full magazines that no CPU has. */
  readonly depot: Magazine[];
}

/** Who has the addresses that caches keep. */
interface CacheOwner {
  /** Takes an address back. */
  release(pfn: number): void;
  /** Told that a full magazine was put into a depot. */
  stored(): void;
}

/**
 * Freed addresses by CPU and size, in magazines: Bonwick's design as Linux has it. What a cache
 * holds is still allocated in its domain, but nobody has it.
 */
export class IovaCaches {
  readonly #cpus: IovaCpus;
  readonly #owner: CacheOwner;
  readonly #sizes: readonly SizeCache[] = Array.from({ length: CACHED_ORDERS }, () => ({
    cpus: [],
    depot: [],
  }));
  readonly #held = new Set<number>();

  constructor(cpus: IovaCpus, owner: CacheOwner) {
    this.#cpus = cpus;
    this.#owner = owner;
  }

  /** Addresses in all caches. */
  get held(): number {
    return this.#held.size;
  }

  holds(pfn: number): boolean {
    return this.#held.has(pfn);
  }

  /** What an allocation of `size` frames takes. */
  frames(size: number): number {
    return size < 2 ** (CACHED_ORDERS - 1) ? roundupPowerOfTwo(size) : size;
  }

  /** An address of `frames` frames that end at `limitPfn` at the latest; null: no cache has one. */
  take(frames: number, limitPfn: number): number | null {
    const cache = this.#cacheOf(frames);
    if (cache === null) return null;
    const cpu = this.#cpuCache(cache);
    if (cpu.loaded.length === 0) {
      if (cpu.previous.length > 0) [cpu.loaded, cpu.previous] = [cpu.previous, cpu.loaded];
      else cpu.loaded = cache.depot.pop() ?? cpu.loaded;
    }
    const pfn = pop(cpu.loaded, limitPfn + 1 - frames);
    if (pfn !== null) this.#held.delete(pfn);
    return pfn;
  }

  /** Keeps an address; false if addresses of this size are not kept. */
  put(pfn: number, frames: number): boolean {
    const cache = this.#cacheOf(frames);
    if (cache === null) return false;
    const cpu = this.#cpuCache(cache);
    if (cpu.loaded.length === MAGAZINE_SIZE) {
      if (cpu.previous.length < MAGAZINE_SIZE) {
        [cpu.loaded, cpu.previous] = [cpu.previous, cpu.loaded];
      } else {
        cache.depot.push(cpu.loaded);
        cpu.loaded = [];
        this.#owner.stored();
      }
    }
    cpu.loaded.push(pfn);
    this.#held.add(pfn);
    return true;
  }

  /** Gives everything back. */
  flush(): void {
    for (const { cpus, depot } of this.#sizes) {
      for (const { loaded, previous } of cpus) {
        this.#empty(loaded);
        this.#empty(previous);
      }
      for (const magazine of depot.splice(0)) this.#empty(magazine);
    }
  }

  /** Gives back one magazine of each depot that holds more than there are CPUs; true: not done. */
  trim(): boolean {
    let isMore = false;
    for (const { depot } of this.#sizes) {
      if (depot.length <= this.#cpus.online) continue;
      this.#empty(depot.pop() ?? []);
      isMore ||= depot.length > this.#cpus.online;
    }
    return isMore;
  }

  /** What is where, in the order in which it is handed out: sizes, CPUs, magazines. */
  digest(): string {
    const sizes = this.#sizes.map(({ cpus, depot }) => [
      cpus
        .flatMap(({ loaded, previous }, cpu) =>
          loaded.length + previous.length === 0
            ? []
            : [`${cpu}:${loaded.join()}/${previous.join()}`],
        )
        .join('&'),
      depot.map(magazine => magazine.join()).join('&'),
    ]);
    return sizes.map(parts => parts.join('+')).join(';');
  }

  #cacheOf(frames: number): SizeCache | null {
    const order = Math.ceil(Math.log2(frames));
    return this.#sizes[order] ?? null;
  }

  #cpuCache({ cpus }: SizeCache): CpuCache {
    const { number } = this.#cpus;
    while (cpus.length <= number) cpus.push({ loaded: [], previous: [] });
    const cache = cpus[number];
    invariant(cache !== undefined, `CPU ${number} without a cache of addresses`);
    return cache;
  }

  #empty(magazine: Magazine): void {
    for (const pfn of magazine.splice(0)) {
      this.#held.delete(pfn);
      this.#owner.release(pfn);
    }
  }
}

/** The last address that is not above `highest`; the last of all takes its place. */
const pop = (magazine: Magazine, highest: number): number | null => {
  const index = magazine.findLastIndex(pfn => pfn <= highest);
  const pfn = magazine[index];
  const last = magazine.at(-1);
  if (pfn === undefined || last === undefined) return null;
  magazine[index] = last;
  magazine.pop();
  return pfn;
};
