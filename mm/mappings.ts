import { alignDown, alignUp } from '../drivers/base/types/bits';
import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange, FindingBuffer } from '../drivers/base/types/finding';
import type { Direction, DmaCall, DmaRange } from '../drivers/base/types/observer';
import { Hold, Holds } from './holds';
import { PageIndex, overlaps } from './page-index';

/** Mappings that ended and allocations that were freed are remembered, so many of the last. */
const REMEMBERED = 256;

/** A streaming mapping, live or ended. `start` is its first byte of physical memory. */
export class Mapping implements ByteRange {
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
  /** What ended it: its own unmap, or a free of its memory; null while it lives. */
  ended: { readonly by: 'unmap' | 'free'; readonly site: CallSite } | null = null;
  /** What its first byte was part of when it was mapped. */
  readonly allocation: Allocation | null;
  /** The device has written to it since it was last given to it. */
  isFilled = false;
  /** CPU accesses to its lines are told. */
  isWatched = false;

  constructor(range: DmaRange, site: CallSite, allocation: Allocation | null, lineBytes: number) {
    const { address, size } = range;
    this.allocation = allocation;
    this.device = range.device;
    this.coherent = range.coherent;
    this.direction = range.direction;
    this.start = address;
    this.size = size;
    this.busAddress = range.busAddress;
    this.mappedAt = site;
    this.holds = new Holds(
      address,
      address + size,
      new Hold(range.skipsSync ? 'shared' : 'device', site),
    );
    const start = alignDown(address, lineBytes);
    this.lines = { start, size: alignUp(address + size, lineBytes) - start };
  }

  get end(): number {
    return this.start + this.size;
  }

  /** The device writes it through no cache of the CPUs: what a line of it holds is at stake. */
  get isExposed(): boolean {
    return !this.coherent && this.direction !== 'to-device';
  }
}

/** Memory that the page allocator or kmalloc gave. */
export interface Allocation extends ByteRange {
  readonly site: CallSite;
}

/** A mapping by the addresses that its device uses. */
interface BusRange extends ByteRange {
  readonly mapping: Mapping;
}

/** Every live mapping and allocation, and the last that are no more. */
export class Mappings {
  readonly #live = new PageIndex<Mapping>();
  readonly #lines = new PageIndex<ByteRange & { readonly mapping: Mapping }>();
  readonly #byBus = new Map<string, PageIndex<BusRange>>();
  readonly #ranges = new Map<Mapping, { readonly bus: BusRange; readonly lines: BusRange }>();
  readonly #ended: Mapping[] = [];
  readonly #allocations = new PageIndex<Allocation>();

  add(mapping: Mapping): void {
    const bus = { start: mapping.busAddress, size: mapping.size, mapping };
    const lines = { ...mapping.lines, mapping };
    this.#ranges.set(mapping, { bus, lines });
    this.#live.add(mapping);
    this.#lines.add(lines);
    let ofDevice = this.#byBus.get(mapping.device);
    if (ofDevice === undefined) {
      ofDevice = new PageIndex();
      this.#byBus.set(mapping.device, ofDevice);
    }
    ofDevice.add(bus);
  }

  end(mapping: Mapping, by: 'unmap' | 'free', site: CallSite): void {
    const ranges = this.#ranges.get(mapping);
    if (ranges === undefined) return;
    mapping.ended = { by, site };
    this.#ranges.delete(mapping);
    this.#live.delete(mapping);
    this.#lines.delete(ranges.lines);
    this.#byBus.get(mapping.device)?.delete(ranges.bus);
    this.#ended.push(mapping);
    if (this.#ended.length > REMEMBERED) this.#ended.shift();
  }

  /** Live mappings that have a byte of [start, start + size). */
  overlapping(start: number, size: number): readonly Mapping[] {
    return this.#live.overlapping(start, size);
  }

  /** Live mappings with a line that has a byte of [start, start + size). */
  sharingLines(start: number, size: number): readonly Mapping[] {
    return this.#lines.overlapping(start, size).map(({ mapping }) => mapping);
  }

  /** The mapping that ended last of those that had the byte; of one device, or of any. */
  lastEnded(address: number, device: string | null): Mapping | null {
    for (let i = this.#ended.length - 1; i >= 0; i--) {
      const mapping = this.#ended[i];
      if (mapping === undefined || !overlaps(mapping, address, 1)) continue;
      if (device === null || mapping.device === device) return mapping;
    }
    return null;
  }

  /** The live mapping that an unmap names: its address, its size and direction if several have. */
  named({ device, busAddress, size, direction }: DmaCall): Mapping | null {
    const all = this.#byBus.get(device)?.overlapping(busAddress, 1) ?? [];
    const starting = all.map(({ mapping }) => mapping).filter(one => one.busAddress === busAddress);
    return (
      starting.find(one => one.size === size && one.direction === direction) ??
      starting.at(-1) ??
      null
    );
  }

  /** Live mappings with bytes that a sync names, and where those are in memory. */
  synced({ device, busAddress, size }: DmaCall): readonly (ByteRange & { mapping: Mapping })[] {
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
    const all = this.overlapping(address, 1);
    const live = all.findLast(one => one.device === device) ?? all.at(-1) ?? null;
    const ended = live === null ? this.lastEnded(address, null) : null;
    const mapping = live ?? (ended?.allocation === allocation ? ended : null);
    if (mapping !== null) return { mapping, buffer: bufferOf(mapping) };
    if (allocation === null) return { mapping: null, buffer: null };
    const { site, start, size } = allocation;
    const buffer = { allocatedAt: site.at, mappedAt: null, range: { start, size } };
    return { mapping: null, buffer };
  }
}

/** A mapping as findings name it. */
export const bufferOf = ({ allocation, mappedAt, start, size }: Mapping): FindingBuffer => ({
  allocatedAt: allocation?.site.at ?? null,
  mappedAt: mappedAt.at,
  range: { start, size },
});
