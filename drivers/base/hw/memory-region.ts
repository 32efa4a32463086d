import { invariant } from '../types/errors';
import { MmioAdapter, type AccessRules, type MmioHandler } from './mmio';

/** What a RAM region stands for; its bytes are the RAM's own business. */
export interface RamBacking {
  readonly name: string;
  readonly size: number;
}

/** A region at its place inside another. */
export interface Subregion {
  readonly region: MemoryRegion;
  readonly offset: number;
  readonly priority: number;
}

/** What answers at the addresses of a region that no subregion claims. */
type Content =
  | { readonly kind: 'container' }
  | { readonly kind: 'ram'; readonly ram: RamBacking }
  | { readonly kind: 'rom'; readonly ram: RamBacking }
  | { readonly kind: 'io'; readonly io: MmioHandler }
  | { readonly kind: 'alias'; readonly target: MemoryRegion; readonly targetOffset: number };

/** Largest region: all of what an address of ours can say. */
export const MAX_REGION_SIZE = 2 ** 52;

/**
 * A piece of an address map, in the shape of QEMU's memory API (docs/devel/memory.rst).
 *
 * A *container* is transparent where its subregions leave holes; RAM, ROM and I/O regions may
 * have subregions too, and answer their holes themselves. An *alias* shows a window of another
 * region. Of two overlapping children of one container the one of higher priority is seen; of
 * equal priorities, the one added last. Priorities of children of different containers are never
 * compared.
 */
export class MemoryRegion {
  readonly name: string;
  readonly size: number;
  readonly content: Content;
  #container: MemoryRegion | null = null;
  #enabled = true;
  /** Most visible first. */
  readonly #subregions: Subregion[] = [];
  readonly #aliases: MemoryRegion[] = [];
  readonly #watchers: (() => void)[] = [];

  private constructor(name: string, size: number, content: Content) {
    invariant(
      Number.isSafeInteger(size) && size > 0 && size <= MAX_REGION_SIZE,
      `region ${name}: size ${size} is not between 1 and 2^52`,
    );
    this.name = name;
    this.size = size;
    this.content = content;
  }

  static container(name: string, size: number): MemoryRegion {
    return new MemoryRegion(name, size, { kind: 'container' });
  }

  static ram(name: string, ram: RamBacking): MemoryRegion {
    return new MemoryRegion(name, ram.size, { kind: 'ram', ram });
  }

  /** RAM that the bus cannot write. */
  static rom(name: string, ram: RamBacking): MemoryRegion {
    return new MemoryRegion(name, ram.size, { kind: 'rom', ram });
  }

  /** Registers; with `rules`, accesses are checked and split before the handler sees them. */
  static io(name: string, size: number, handler: MmioHandler, rules?: AccessRules): MemoryRegion {
    const io = rules === undefined ? handler : new MmioAdapter(handler, rules);
    return new MemoryRegion(name, size, { kind: 'io', io });
  }

  /** `size` bytes of `target` from `offset` on; where the target ends, so does what is seen. */
  static alias(name: string, target: MemoryRegion, offset: number, size: number): MemoryRegion {
    invariant(
      Number.isSafeInteger(offset) && offset >= 0 && offset <= MAX_REGION_SIZE,
      `alias ${name}: offset ${offset} is not between 0 and 2^52`,
    );
    const alias = new MemoryRegion(name, size, { kind: 'alias', target, targetOffset: offset });
    target.#aliases.push(alias);
    return alias;
  }

  get container(): MemoryRegion | null {
    return this.#container;
  }

  get subregions(): readonly Subregion[] {
    return this.#subregions;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** A disabled region and all in it is not there. */
  set enabled(enabled: boolean) {
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    this.#changed();
  }

  /** Places `region` at `offset`; what hangs over the end of this one is not seen. */
  add(offset: number, region: MemoryRegion, priority = 0): void {
    const place = `region ${region.name} in ${this.name}`;
    invariant(this.content.kind !== 'alias', `${place}: an alias has no subregions`);
    invariant(region.#container === null, `${place}: it is in a container already`);
    invariant(Number.isSafeInteger(priority), `${place}: priority ${priority}`);
    invariant(
      Number.isSafeInteger(offset) && offset >= 0 && offset < MAX_REGION_SIZE,
      `${place}: offset ${offset}`,
    );
    invariant(!region.#reaches(this), `${place}: it would contain itself`);
    const index = this.#subregions.findIndex(other => other.priority <= priority);
    const subregion = { region, offset, priority };
    this.#subregions.splice(index < 0 ? this.#subregions.length : index, 0, subregion);
    region.#container = this;
    this.#changed();
  }

  remove(region: MemoryRegion): void {
    const index = this.#subregions.findIndex(subregion => subregion.region === region);
    invariant(index >= 0, `region ${region.name} is not in ${this.name}`);
    this.#subregions.splice(index, 1);
    region.#container = null;
    this.#changed();
  }

  /** `watcher` is called at once whenever anything that is seen through this region changes. */
  watch(watcher: () => void): void {
    this.#watchers.push(watcher);
  }

  /** Tells all watchers of this region and of what shows it, each region once. */
  #changed(): void {
    const seen = new Set<MemoryRegion>([this]);
    for (const region of seen) {
      for (const watcher of region.#watchers) watcher();
      if (region.#container !== null) seen.add(region.#container);
      for (const alias of region.#aliases) seen.add(alias);
    }
  }

  #shown(): MemoryRegion[] {
    const below = this.#subregions.map(subregion => subregion.region);
    if (this.content.kind === 'alias') below.push(this.content.target);
    return below;
  }

  #reaches(goal: MemoryRegion): boolean {
    const seen = new Set<MemoryRegion>([this]);
    for (const region of seen) {
      if (region === goal) return true;
      for (const below of region.#shown()) seen.add(below);
    }
    return false;
  }
}
