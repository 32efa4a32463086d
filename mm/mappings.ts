import { alignDown, alignUp } from '../drivers/base/types/bits';
import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange, FindingBuffer } from '../drivers/base/types/finding';
import type { Direction, DmaCall, DmaCaller, DmaKind } from '../drivers/base/types/observer';
import { Holds } from './holds';
import type { Hold } from './holds';
import { PageIndex, overlaps } from './page-index';

/** Mappings that ended and allocations that were freed are remembered, so many of the last. */
const REMEMBERED = 256;

/** How a mapping was made: it is ended, and spoken of, accordingly. */
export type MappingKind = Exclude<DmaKind, 'resource'> | 'pool block';

/** What a mapping is made of. Memory is one run: scattered memory has a mapping for each. */
export interface MappingFields extends DmaCaller {
  readonly kind: MappingKind;
  readonly direction: Direction;
  /** Its memory: physical. */
  readonly address: number;
  readonly size: number;
  readonly busAddress: number;
  /** Where the device reaches it, if that is a slot in place of the memory. */
  readonly slot: number | null;
  readonly hold: Hold;
  readonly site: CallSite;
  readonly allocation: Allocation | null;
  readonly lineBytes: number;
}

/** A mapping, live or ended. `start` is its first byte of physical memory. */
export class Mapping implements ByteRange {
  readonly kind: MappingKind;
  readonly device: string;
  readonly coherent: boolean;
  readonly direction: Direction;
  readonly start: number;
  readonly size: number;
  readonly busAddress: number;
  readonly mappedAt: CallSite;
  readonly holds: Holds;
  /** The lines that it has a byte of. */
  readonly lines: ByteRange;
  /** The memory that the device touches in its place: a slot, or this memory itself. */
  readonly reached: ByteRange;
  /** What ended it: its own unmap, or a free of its memory; null while it lives. */
  ended: { readonly by: 'unmap' | 'free'; readonly site: CallSite } | null = null;
  /** What its first byte was part of when it was mapped. */
  readonly allocation: Allocation | null;
  /** The device has written to it since it was last given to it. */
  isFilled = false;
  /** CPU accesses to its lines are told. */
  isWatched = false;
  /** Its memory is given out in blocks, each a mapping of its own. */
  isPooled = false;

  constructor(fields: MappingFields) {
    const { address, size, lineBytes } = fields;
    this.kind = fields.kind;
    this.allocation = fields.allocation;
    this.device = fields.device;
    this.coherent = fields.coherent;
    this.direction = fields.direction;
    this.start = address;
    this.size = size;
    this.busAddress = fields.busAddress;
    this.mappedAt = fields.site;
    this.reached = { start: fields.slot ?? address, size };
    this.holds = new Holds(address, address + size, fields.hold);
    const start = alignDown(address, lineBytes);
    this.lines = { start, size: alignUp(address + size, lineBytes) - start };
  }

  get end(): number {
    return this.start + this.size;
  }

  /** The device touches something else than this memory, and the CPU copies. */
  get isBounced(): boolean {
    return this.reached.start !== this.start;
  }

  /** CPU and device may both touch it at any time. */
  get isCommon(): boolean {
    if (this.kind === 'coherent' || this.kind === 'pool block') return true;
    return this.coherent && !this.isBounced;
  }

  /** The device writes it through no cache of the CPUs: what a line of it holds is at stake. */
  get isExposed(): boolean {
    return !this.isCommon && !this.isBounced && this.direction !== 'to-device';
  }

  /** The byte of its memory that is meant where the device touches an address. */
  memoryAt(reached: number): number {
    return reached - this.reached.start + this.start;
  }
}

/** Memory that the page allocator or kmalloc gave. */
export interface Allocation extends ByteRange {
  readonly site: CallSite;
}

/** A mapping by other addresses than those of its memory. */
interface PlacedMapping extends ByteRange {
  readonly mapping: Mapping;
}

/** Where a live mapping is indexed, beside its memory. */
interface Places {
  readonly bus: PlacedMapping;
  readonly lines: PlacedMapping;
  readonly slot: PlacedMapping;
}

/** What of a call tells which mapping it names. */
export type BusCall = Pick<DmaCall, 'device' | 'busAddress' | 'size' | 'direction'>;

/** Every live mapping and allocation, and the last that are no more. */
export class Mappings {
  readonly #live = new PageIndex<Mapping>();
  readonly #lines = new PageIndex<PlacedMapping>();
  /** Those that are bounced, by their slots. */
  readonly #slots = new PageIndex<PlacedMapping>();
  readonly #byBus = new Map<string, PageIndex<PlacedMapping>>();
  readonly #places = new Map<Mapping, Places>();
  readonly #ended: Mapping[] = [];
  /** Blocks of pools that were given back, and not given again. */
  readonly #freed = new PageIndex<Mapping>();
  readonly #allocations = new PageIndex<Allocation>();

  add(mapping: Mapping): void {
    const places: Places = {
      bus: { start: mapping.busAddress, size: mapping.size, mapping },
      lines: { ...mapping.lines, mapping },
      slot: { ...mapping.reached, mapping },
    };
    this.#places.set(mapping, places);
    this.#live.add(mapping);
    this.#lines.add(places.lines);
    if (mapping.isBounced) this.#slots.add(places.slot);
    let ofDevice = this.#byBus.get(mapping.device);
    if (ofDevice === undefined) {
      ofDevice = new PageIndex();
      this.#byBus.set(mapping.device, ofDevice);
    }
    ofDevice.add(places.bus);
  }

  end(mapping: Mapping, by: 'unmap' | 'free', site: CallSite): void {
    const places = this.#places.get(mapping);
    if (places === undefined) return;
    mapping.ended = { by, site };
    this.#places.delete(mapping);
    this.#live.delete(mapping);
    this.#lines.delete(places.lines);
    this.#slots.delete(places.slot);
    this.#byBus.get(mapping.device)?.delete(places.bus);
    this.#ended.push(mapping);
    if (this.#ended.length > REMEMBERED) this.#ended.shift();
  }

  /** A block of a pool, which has ended, is free. */
  addFreed(block: Mapping): void {
    this.#freed.add(block);
  }

  /** Takes out what overlaps of the blocks that are free: it is given again, or nobody's. */
  takeFreed(start: number, size: number): readonly Mapping[] {
    const freed = this.freedBlocks(start, size);
    for (const block of freed) this.#freed.delete(block);
    return freed;
  }

  freedBlocks(start: number, size: number): readonly Mapping[] {
    return this.#freed.overlapping(start, size);
  }

  /** Live mappings that have a byte of [start, start + size). */
  overlapping(start: number, size: number): readonly Mapping[] {
    return this.#live.overlapping(start, size);
  }

  /** Live mappings with a line that has a byte of [start, start + size). */
  sharingLines(start: number, size: number): readonly Mapping[] {
    return this.#lines.overlapping(start, size).map(({ mapping }) => mapping);
  }

  /** Live mappings of a device with a byte of what it touches. */
  reachedBy(device: string, start: number, size: number): readonly Mapping[] {
    const live = this.#live.overlapping(start, size);
    const direct = live.filter(one => one.device === device && !one.isBounced && !one.isPooled);
    const slots = this.#slots.overlapping(start, size);
    if (slots.length === 0) return direct;
    const bounced = slots.map(({ mapping }) => mapping).filter(one => one.device === device);
    return [...direct, ...bounced];
  }

  /** The mapping that ended last of those through which the device, or any, reached a byte. */
  lastEnded(address: number, device: string | null): Mapping | null {
    for (let i = this.#ended.length - 1; i >= 0; i--) {
      const mapping = this.#ended[i];
      if (mapping === undefined || !overlaps(mapping.reached, address, 1)) continue;
      if (device === null || mapping.device === device) return mapping;
    }
    return null;
  }

  /** The mapping that an address of a device is of, or was last; null: of none that is remembered. */
  atBus(device: string, address: number): Mapping | null {
    const [live] = this.#byBus.get(device)?.overlapping(address, 1) ?? [];
    if (live !== undefined) return live.mapping;
    const isOf = (one: Mapping): boolean =>
      one.device === device && address >= one.busAddress && address < one.busAddress + one.size;
    return this.#ended.findLast(isOf) ?? null;
  }

  /** The live mapping that an unmap names: its address, its size and direction if several have. */
  named({ device, busAddress, size, direction }: BusCall): Mapping | null {
    const all = this.#byBus.get(device)?.overlapping(busAddress, 1) ?? [];
    const starting = all.map(({ mapping }) => mapping).filter(one => one.busAddress === busAddress);
    return (
      starting.find(one => one.size === size && one.direction === direction) ??
      starting.at(-1) ??
      null
    );
  }

  /** Live mappings with bytes that a sync names, and where those are in memory. */
  synced({ device, busAddress, size }: BusCall): readonly (ByteRange & { mapping: Mapping })[] {
    const all = this.#byBus.get(device)?.overlapping(busAddress, size) ?? [];
    return all.map(({ mapping }) => {
      const start = Math.max(mapping.start, mapping.start + busAddress - mapping.busAddress);
      const end = Math.min(mapping.end, mapping.start + busAddress - mapping.busAddress + size);
      return { mapping, start, size: end - start };
    });
  }

  allocated(allocation: Allocation): void {
    this.#allocations.add(allocation);
  }

  /** Takes out what was allocated there: true if it was known. */
  freed(start: number): boolean {
    const allocation = this.#allocations.overlapping(start, 1).find(one => one.start === start);
    if (allocation !== undefined) this.#allocations.delete(allocation);
    return allocation !== undefined;
  }

  allocationOf(address: number): Allocation | null {
    return this.#allocations.overlapping(address, 1)[0] ?? null;
  }

  /**
   * What a byte belongs to: a live mapping, the last that ended if its memory is still what it
   * was then, or an allocation. Of a device, or of any.
   */
  ownerOf(
    address: number,
    device: string | null = null,
  ): { readonly mapping: Mapping | null; readonly buffer: FindingBuffer | null } {
    const allocation = this.allocationOf(address);
    const slots = this.#slots.overlapping(address, 1).map(({ mapping }) => mapping);
    const all = [...this.overlapping(address, 1), ...slots];
    const live = all.findLast(one => one.device === device) ?? all.at(-1) ?? null;
    const ended = live === null ? this.lastEnded(address, null) : null;
    const mapping = live ?? (ended?.allocation === allocation ? ended : null);
    if (mapping !== null) return { mapping, buffer: bufferOf(mapping) };
    if (allocation === null) return { mapping: null, buffer: null };
    const { site, start, size } = allocation;
    const buffer = {
      allocatedAt: site.at,
      mappedAt: null,
      unmappedAt: null,
      range: { start, size },
    };
    return { mapping: null, buffer };
  }
}

/** A mapping as findings name it: what the DMA API has allocated was never anything else. */
export const bufferOf = (mapping: Mapping): FindingBuffer => {
  const { allocation, kind, mappedAt, ended, start, size } = mapping;
  const isStreaming = kind === 'single' || kind === 'linked' || kind === 'scatter-gather';
  return {
    allocatedAt: isStreaming ? (allocation?.site.at ?? null) : mappedAt.at,
    mappedAt: mappedAt.at,
    unmappedAt: ended?.site.at ?? null,
    range: { start, size },
  };
};
