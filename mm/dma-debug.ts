import { cpuAddr, hexCpu } from '../drivers/base/types/address';
import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange } from '../drivers/base/types/finding';
import type { DmaCall, DmaRange, RefusedMemory } from '../drivers/base/types/observer';
import { DebugEntries, DebugEntry } from './dma-debug-entries';
import { dir2name, hex16 } from './dma-debug-text';
import type { EntryType } from './dma-debug-text';

/** A line that the kernel would have printed, and what it is about. */
export interface DmaDebugMessage {
  /** `DMA-API: driver device: text`, without the end of the line. */
  readonly text: string;
  readonly device: string;
  /** The call that was wrong, and the mapping that it was about. */
  readonly site: CallSite;
  readonly mappedAt: CallSite | null;
  /** Physical addresses; null where none is known. */
  readonly range: ByteRange | null;
}

/** Where memory is that must not be mapped: physical ranges, and kernel virtual ones. */
export interface DebugAreas {
  /** Text and read-only data of the kernel. */
  readonly kernel: ByteRange;
  /** Addresses of vmalloc, null without an MMU. */
  readonly vmalloc: { readonly start: number; readonly end: number } | null;
  /** The lowmem address of a physical one; null for highmem. */
  readonly physToVirt: (address: number) => number | null;
  /** Bytes of a pointer, as `%p` pads it. */
  readonly pointerBytes: 4 | 8;
}

/** More are counted and not kept. */
const MAX_MESSAGES = 1024;

type Names = Pick<DmaCall, 'device' | 'driver'>;

/**
 * What CONFIG_DMA_API_DEBUG would print with all_errors set: the checks of kernel/dma/debug.c that
 * streaming mappings of single buffers can meet, in the words of 6.12. It sees the calls and
 * nothing else. Not modelled: scatter lists, coherent memory and resources, as there are none
 * yet; mappings of the stack, as kernel code here has none in memory; the warning of more than
 * seven overlaps; the limit of 65536 entries; the driver filter.
 */
export class DmaDebug {
  readonly messages: DmaDebugMessage[] = [];
  /** All errors, those too that were not kept. */
  errorCount = 0;
  readonly #entries = new DebugEntries();
  readonly #areas: DebugAreas;
  readonly #tell: (message: DmaDebugMessage) => void;

  constructor(areas: DebugAreas, tell: (message: DmaDebugMessage) => void) {
    this.#areas = areas;
    this.#tell = tell;
  }

  /** debug_dma_map_page. */
  mapped(range: DmaRange, site: CallSite): void {
    const entry = new DebugEntry('single', range, site);
    entry.mapError = 'not checked';
    this.#checkIllegalArea(entry);
    this.#add(entry, range.skipsSync);
  }

  /**
   * debug_dma_map_single of an address outside the linear map, and what dma_map_single_attrs
   * says of vmalloc before it: that line is printed with or without dma-debug.
   */
  refused(memory: RefusedMemory, site: CallSite): void {
    const { device, driver, virtualAddress, size } = memory;
    const { vmalloc } = this.#areas;
    const isVmalloc =
      vmalloc !== null && virtualAddress >= vmalloc.start && virtualAddress < vmalloc.end;
    if (isVmalloc) {
      const text = `${driver} ${device}: rejecting DMA map of vmalloc memory`;
      this.#say({ text, device, site, mappedAt: null, range: null });
      return;
    }
    const area = `invalid area [addr=${this.#pointer(virtualAddress)}] [len=${size}]`;
    this.#error(memory, null, site, `device driver maps memory from ${area}`);
  }

  /** debug_dma_mapping_error: of several mappings of one address, the first not yet checked. */
  checked(device: string, busAddress: number): void {
    const entry = this.#entries
      .at(device, busAddress)
      .find(({ mapError }) => mapError === 'not checked');
    if (entry !== undefined) entry.mapError = 'checked';
  }

  /** debug_dma_unmap_page. `isError`: the address is what a failed mapping answers. */
  unmapped(call: DmaCall, isError: boolean, site: CallSite): void {
    const entry = this.#entries.exact({ ...call, type: 'single' });
    if (entry === null) {
      const text = isError
        ? 'device driver tries to free an invalid DMA memory address'
        : 'device driver tries to free DMA memory it has not allocated ' + sizeOf(call);
      this.#error(call, null, site, text);
      return;
    }
    this.#checkUnmap(entry, call, 'single', site);
    this.#entries.delete(entry);
  }

  /** debug_dma_sync_single_for_cpu. */
  syncedForCpu(call: DmaCall, site: CallSite): void {
    this.#checkSync(call, 'cpu', site);
  }

  /** debug_dma_sync_single_for_device. */
  syncedForDevice(call: DmaCall, site: CallSite): void {
    this.#checkSync(call, 'device', site);
  }

  /** The driver is taken from its device: what is still mapped is leaked, and told once. */
  released(names: Names, site: CallSite): void {
    const leaked = this.#entries.of(names.device).filter(({ isLeakTold }) => !isLeakTold);
    const last = leaked.at(-1);
    if (last === undefined) return;
    for (const entry of leaked) entry.isLeakTold = true;
    const { busAddress, size, direction, type } = last;
    this.#error(
      names,
      last,
      site,
      'device driver has pending DMA allocations while released from device ' +
        `[count=${leaked.length}]\n` +
        `One of leaked entries details: [device address=${hex16(busAddress)}] ` +
        `[size=${size} bytes] [mapped with ${dir2name(direction)}] ` +
        `[mapped as ${type}]`,
    );
  }

  /** Devices that have mappings. */
  get holders(): readonly Names[] {
    return this.#entries.holders;
  }

  #add(entry: DebugEntry, skipsSync: boolean): void {
    const isOverlapping = this.#entries.add(entry);
    if (!isOverlapping || skipsSync) return;
    const text = "cacheline tracking EEXIST, overlapping mappings aren't supported";
    this.#error(entry, entry, entry.site, text);
  }

  /** A page of highmem is none of the kernel image. */
  #checkIllegalArea(entry: DebugEntry): void {
    const { start, size } = this.#areas.kernel;
    if (entry.address >= start + size || start >= entry.address + entry.size) return;
    const virtual = this.#areas.physToVirt(entry.address);
    if (virtual === null) return;
    const area = `kernel text or rodata [addr=${this.#pointer(virtual)}] [len=${entry.size}]`;
    this.#error(entry, null, entry.site, `device driver maps memory from ${area}`);
  }

  #checkUnmap(entry: DebugEntry, call: DmaCall, type: EntryType, site: CallSite): void {
    const frees = (what: string): void => {
      this.#error(call, entry, site, `device driver frees DMA memory with ${what}`);
    };
    const address = `[device address=${hex16(call.busAddress)}]`;
    if (entry.size !== call.size) {
      const sizes = `[map size=${entry.size} bytes] [unmap size=${call.size} bytes]`;
      frees(`different size ${address} ${sizes}`);
    }
    if (entry.type !== type) {
      const types = `[mapped as ${entry.type}] [unmapped as ${type}]`;
      frees(`wrong function ${sizeOf(call)} ${types}`);
    }
    if (entry.direction !== call.direction) {
      const directions =
        `[mapped with ${dir2name(entry.direction)}] ` +
        `[unmapped with ${dir2name(call.direction)}]`;
      frees(`different direction ${sizeOf(call)} ${directions}`);
    }
    if (entry.mapError === 'not checked') {
      const text = 'device driver failed to check map error';
      this.#error(call, entry, site, `${text}${sizeOf(call)} [mapped as ${type}]`);
    }
  }

  #checkSync(call: DmaCall, to: 'cpu' | 'device', site: CallSite): void {
    const entry = this.#entries.containing({ ...call, type: 'single' });
    if (entry === null) {
      const text = 'device driver tries to sync DMA memory it has not allocated ';
      this.#error(call, null, site, text + sizeOf(call));
      return;
    }
    if (entry.direction === 'bidirectional' || entry.direction === call.direction) return;
    const fields =
      `[device address=${hex16(call.busAddress)}] [size=${entry.size} bytes] ` +
      `[mapped with ${dir2name(entry.direction)}] [synced with ${dir2name(call.direction)}]`;
    const syncs = (what: string): void => {
      this.#error(call, entry, site, `device driver syncs ${what} ${fields}`);
    };
    syncs('DMA memory with different direction');
    if (to === 'cpu' && entry.direction === 'to-device') {
      syncs('device read-only DMA memory for cpu');
    }
    if (to === 'device' && entry.direction === 'from-device') {
      syncs('device write-only DMA memory to device');
    }
  }

  /** %p, as it is printed with no_hash_pointers. */
  #pointer(address: number): string {
    return hexCpu(cpuAddr(address))
      .slice(2)
      .padStart(2 * this.#areas.pointerBytes, '0');
  }

  /** err_printk. */
  #error(names: Names, entry: DebugEntry | null, site: CallSite, text: string): void {
    this.#say({
      text: `DMA-API: ${names.driver} ${names.device}: ${text}`,
      device: names.device,
      site,
      mappedAt: entry?.site ?? null,
      range: entry === null ? null : { start: entry.address, size: entry.size },
    });
  }

  #say(message: DmaDebugMessage): void {
    this.errorCount++;
    if (this.messages.length < MAX_MESSAGES) this.messages.push(message);
    this.#tell(message);
  }
}

const sizeOf = ({ busAddress, size }: Pick<DmaCall, 'busAddress' | 'size'>): string =>
  `[device address=${hex16(busAddress)}] [size=${size} bytes]`;
