import { DMA_MAPPING_ERROR, DmaAttr, hasDmaAttr } from '../drivers/base/kernel/dma-mapping';
import type { CallSite } from '../drivers/base/types/call-site';
import type {
  DmaCall,
  DmaCaller,
  DmaMemoryCall,
  DmaMemoryRange,
  DmaRange,
  DmaRequest,
  RefusedMemory,
  SgCall,
  SgRange,
} from '../drivers/base/types/observer';
import { DebugAddresses } from './dma-debug-addresses';
import type { DebugAreas } from './dma-debug-addresses';
import {
  checkSegment,
  checkSync,
  checkUnmap,
  leakOf,
  syncOfNothing,
  unmapOfNothing,
} from './dma-debug-checks';
import type { Complaint, Speaker } from './dma-debug-checks';
import { dumpLine, dumpMessage } from './dma-debug-dump';
import { DebugEntry } from './dma-debug-entries';
import type { Reference } from './dma-debug-entries';
import { MAX_OVERLAP } from './dma-debug-lines';
import { DebugLog } from './dma-debug-log';
import type { DmaDebugMessage } from './dma-debug-log';
import { PREALLOCATED } from './dma-debug-pool';
import { ignoresLines, listReferenceOf, referenceOf } from './dma-debug-references';
import { DebugStore } from './dma-debug-store';
import { hexPhys, hexPointer } from './dma-debug-text';
import type { DebugVersion } from './dma-debug-text';

/** What a user sets: the boot parameters, and what an injected failure takes away. */
export interface DmaDebugOptions {
  /** 6.12 if nothing is said. */
  readonly version?: DebugVersion;
  /** dma_debug=off. */
  readonly isOff?: boolean;
  /** dma_debug_entries=, at least 1. */
  readonly entries?: number;
  /** dma_debug_driver=. */
  readonly driver?: string;
  /** Whether there is memory for more entries, or for another line. */
  readonly hasMemory?: (what: 'entries' | 'lines') => boolean;
}

type Names = Pick<DmaCaller, 'device' | 'driver'>;

/**
 * CONFIG_DMA_API_DEBUG (kernel/dma/debug.c): every check, in the kernel's words and with its
 * lookups. It sees the calls of the DMA API and nothing else, and takes none of the machine's
 * memory. Each call is told when it has ended.
 */
export class DmaDebug {
  readonly log: DebugLog;
  /** The live mappings, and how many more there may be. */
  readonly store: DebugStore;
  readonly #addresses: DebugAddresses;
  readonly #areas: DebugAreas;
  readonly #by: Speaker;
  #isCountExceeded = false;

  constructor(
    areas: DebugAreas,
    tell: (message: DmaDebugMessage) => void,
    options: DmaDebugOptions = {},
  ) {
    this.log = new DebugLog(tell);
    this.#areas = areas;
    this.#addresses = new DebugAddresses(areas);
    this.#by = { version: options.version ?? '6.12', widths: areas.widths };
    if (options.driver !== undefined) this.log.filterAtBoot(options.driver);
    this.store = new DebugStore({
      isOff: options.isOff ?? false,
      preallocated: options.entries ?? PREALLOCATED,
      lineBytes: areas.lineBytes,
      hasMemory: options.hasMemory ?? (() => true),
      notice: text => {
        this.log.notice(text);
      },
    });
  }

  /** `dump`: every live mapping, a line each. */
  get dump(): readonly string[] {
    return this.store.all.map(entry => dumpLine(entry, this.store.lineOf(entry), this.#by));
  }

  /** debug_dma_dump_mappings: the same for the log, of one device or of all. */
  dumpMappings(device: string | null): readonly string[] {
    return this.store.all
      .filter(({ made }) => device === null || made.device === device)
      .map(entry => dumpMessage(entry, this.store.lineOf(entry), this.#by));
  }

  /**
   * debug_dma_map_page, debug_dma_map_resource; newest: debug_dma_map_phys for both. Linux tells
   * it nothing of what is linked.
   */
  mapped(range: DmaRange, site: CallSite): void {
    if (range.kind === 'linked') return;
    const entry = this.#entryFor(referenceOf(range, this.#by.version), range.address, site);
    if (entry === null) return;
    if (range.kind === 'resource') this.#checkResource(entry);
    else this.#checkPlace(range, range.address, range.size, site);
    this.#add(entry);
  }

  /** debug_dma_map_resource of 6.1 and 6.12 does not look whether there is a mapping at all. */
  mapFailed(request: DmaRequest, site: CallSite): void {
    if (request.kind !== 'resource' || this.#by.version === 'newest') return;
    this.mapped({ ...request, busAddress: DMA_MAPPING_ERROR }, site);
  }

  /**
   * dma_map_single_attrs of an address outside the linear map: vmalloc is refused before
   * dma-debug sees it (and with or without it), so that check 23 is never reached.
   */
  refused(memory: RefusedMemory, site: CallSite): void {
    if (this.#addresses.isVmalloc(memory.virtualAddress)) {
      this.warned(memory, 'rejecting DMA map of vmalloc memory', site);
    } else {
      this.mapSingle(memory, site);
    }
  }

  /** debug_dma_map_single. */
  mapSingle(memory: RefusedMemory, site: CallSite): void {
    if (this.store.isDisabled) return;
    const { virtualAddress, size } = memory;
    const area = `area [addr=${hexPointer(virtualAddress, this.#by.widths)}] [len=${size}]`;
    const say = (check: number, what: string): void => {
      this.#error(memory, { check, text: `device driver maps memory from ${what} ${area}` }, site);
    };
    if (!this.#addresses.isLinear(virtualAddress)) say(22, 'invalid');
    if (this.#addresses.isVmalloc(virtualAddress)) say(23, 'vmalloc');
  }

  /** Any other WARN of the DMA API, by its words; it is not one of dma-debug's errors. */
  warned({ device, driver }: Names, words: string, site: CallSite): void {
    const text = `${driver} ${device}: ${words}`;
    this.log.warn({ check: 'warning', text, device, site, mappedAt: null, range: null });
  }

  /** debug_dma_mapping_error: of several mappings of one address, the first not yet checked. */
  checked(device: string, busAddress: number): void {
    if (this.store.isDisabled) return;
    const entry = this.store
      .at(device, busAddress)
      .find(({ mapError }) => mapError === 'not checked');
    if (entry !== undefined) entry.mapError = 'checked';
  }

  /** debug_dma_unmap_page, debug_dma_unmap_resource; newest: debug_dma_unmap_phys for both. */
  unmapped(call: DmaCall, site: CallSite): void {
    if (this.store.isDisabled || call.kind === 'linked') return;
    this.#unmap(referenceOf(call, this.#by.version), site);
  }

  /** debug_dma_sync_single_for_cpu, _for_device: of a `single`, whatever mappings are called. */
  synced(call: DmaCall, to: 'cpu' | 'device', site: CallSite): void {
    if (this.store.isDisabled) return;
    this.#sync({ ...referenceOf(call, this.#by.version), type: 'single' }, to, site);
  }

  /** debug_dma_map_sg: an entry for each segment that the device sees, with the n-th memory. */
  sgMapped(range: SgRange, site: CallSite): void {
    if (this.store.isDisabled) return;
    for (const { address, length } of range.entries) {
      this.#checkPlace(range, address, length, site);
    }
    for (const piece of range.entries.slice(0, range.mapped)) {
      const made = listReferenceOf(range, piece);
      const entry = this.#entryFor(made, piece.address, site, range.mapped);
      if (entry === null) return;
      this.#errors(range, checkSegment(piece, range, this.#by), site);
      this.#add(entry);
    }
  }

  /** debug_dma_unmap_sg: the first entry knows how many there are; without it, all are looked for. */
  sgUnmapped(call: SgCall, site: CallSite): void {
    if (this.store.isDisabled) return;
    const mapped = this.#mappedEntries(call);
    const entries = mapped === 0 ? call.entries : call.entries.slice(0, mapped);
    for (const piece of entries) this.#unmap(listReferenceOf(call, piece), site);
  }

  /** debug_dma_sync_sg_for_cpu, _for_device: as many as the first entry says; without it, none. */
  sgSynced(call: SgCall, to: 'cpu' | 'device', site: CallSite): void {
    if (this.store.isDisabled) return;
    for (const piece of call.entries.slice(0, this.#mappedEntries(call))) {
      this.#sync(listReferenceOf(call, piece), to, site);
    }
  }

  /** debug_dma_alloc_coherent, debug_dma_alloc_pages. */
  memoryAllocated(range: DmaMemoryRange, site: CallSite): void {
    const [first] = range.pieces;
    if (first === undefined || !this.#isTold(range)) return;
    const made = referenceOf(range, this.#by.version);
    const entry = this.#entryFor(made, first.address, site);
    if (entry === null) return;
    this.#addresses.add(range);
    if (made.type === 'single') this.#checkPlace(range, first.address, range.size, site);
    this.#add(entry);
  }

  /** debug_dma_free_coherent, debug_dma_free_pages. */
  memoryFreed(call: DmaMemoryCall, site: CallSite): void {
    if (!this.#isTold(call)) return;
    const address = this.#addresses.physicalOf(call.virtualAddress);
    this.#unmap(referenceOf(call, this.#by.version, address), site);
    this.#addresses.delete(call);
  }

  /** The driver is taken from its device: what is still mapped is leaked. Told once. */
  released(names: Names, site: CallSite): void {
    if (this.store.isDisabled) return;
    const left = this.store.all.filter(
      ({ made, isKept }) => made.device === names.device && !isKept,
    );
    const last = left.at(-1);
    if (last === undefined) return;
    for (const entry of left) entry.isKept = true;
    this.#error(names, leakOf(left.length, last, this.#by), site, last);
  }

  /** What is mapped now stays so as long as the machine runs: it is not told as leaked. */
  keep(): void {
    for (const entry of this.store.all) entry.isKept = true;
  }

  /** Devices that have mappings. */
  get holders(): readonly Names[] {
    return [...new Map(this.store.all.map(({ made }) => [made.device, made])).values()];
  }

  /**
   * What comes from a device's own pool is told nobody, nor what has no address in the kernel
   * (DMA_ATTR_NO_KERNEL_MAPPING).
   */
  #isTold({ kind, virtualAddress, ofDevicePool = false }: DmaMemoryCall): boolean {
    if (this.store.isDisabled || ofDevicePool) return false;
    return kind === 'noncoherent' || this.#addresses.isKernel(virtualAddress);
  }

  /** dma_entry_alloc; null if dma-debug is over. */
  #entryFor(made: Reference, address: number, site: CallSite, sgMappedEnts = 0): DebugEntry | null {
    const hasRoom = !this.store.isDisabled && this.store.take();
    return hasRoom ? new DebugEntry({ ...made, address }, site, sgMappedEnts) : null;
  }

  /** add_dma_entry. */
  #add(entry: DebugEntry): void {
    const inserted = this.store.add(entry);
    if (inserted.kind !== 'overlaps') return;
    if (inserted.isBeyondCount) this.#exceeded(entry);
    if (this.#mayOverlap(entry, inserted.first)) return;
    const text = "cacheline tracking EEXIST, overlapping mappings aren't supported";
    this.#error(entry.made, { check: 1, text }, entry.site, entry);
  }

  /** Who says in advance that lines are shared; and kernels that bounce what shares a line. */
  #mayOverlap({ made }: DebugEntry, first: DebugEntry): boolean {
    if (hasDmaAttr(made.attrs, DmaAttr.SkipCpuSync)) return true;
    const { version } = this.#by;
    if (version === '6.1') return false;
    if (this.#areas.bouncesUnaligned(made.device)) return true;
    if (version !== 'newest') return false;
    if (this.#areas.cacheAlignment < this.#areas.lineBytes) return true;
    return ignoresLines(made) && ignoresLines(first.made);
  }

  /** A WARN_ONCE of its own. */
  #exceeded(entry: DebugEntry): void {
    const { version, widths } = this.#by;
    if (this.#isCountExceeded || (version === 'newest' && ignoresLines(entry.made))) return;
    this.#isCountExceeded = true;
    const line = hexPhys(this.store.lineOf(entry), widths);
    this.log.warn({
      check: 'warning',
      text: `DMA-API: exceeded ${MAX_OVERLAP} overlapping mappings of cacheline ${line}`,
      device: entry.made.device,
      site: entry.site,
      mappedAt: entry.site,
      range: { start: entry.address, size: entry.made.size },
    });
  }

  #checkPlace(names: Names, address: number, size: number, site: CallSite): void {
    for (const { check, what } of this.#addresses.wrongsOf(address, size)) {
      this.#error(names, { check, text: `device driver maps memory from ${what}` }, site);
    }
  }

  /** Kernels before mainline warn of it in dma_map_resource itself, and without words. */
  #checkResource(entry: DebugEntry): void {
    if (!this.#areas.isRam(entry.address)) return;
    const address = hexPhys(entry.address, this.#by.widths);
    const text = `dma_map_resource called for RAM address ${address}`;
    if (this.#by.version !== 'newest') this.warned(entry.made, text, entry.site);
    else this.#error(entry.made, { check: 'RAM as resource', text }, entry.site, entry);
  }

  #unmap(ref: Reference, site: CallSite): void {
    const entry = this.store.exact(ref);
    if (entry === null) {
      const isError = ref.busAddress === DMA_MAPPING_ERROR;
      this.#error(ref, unmapOfNothing(ref, isError, this.#by), site);
      return;
    }
    this.#errors(ref, checkUnmap(entry, ref, this.#by), site, entry);
    this.store.delete(entry);
  }

  #sync(ref: Reference, to: 'cpu' | 'device', site: CallSite): void {
    const entry = this.store.containing(ref);
    if (entry === null) this.#error(ref, syncOfNothing(ref, this.#by), site);
    else this.#errors(ref, checkSync(entry, ref, to, this.#by), site, entry);
  }

  /** get_nr_mapped_entries. */
  #mappedEntries(call: SgCall): number {
    const [first] = call.entries;
    if (first === undefined) return 0;
    return this.store.exact(listReferenceOf(call, first))?.sgMappedEnts ?? 0;
  }

  #errors(
    names: Names,
    complaints: readonly Complaint[],
    site: CallSite,
    entry: DebugEntry | null = null,
  ): void {
    for (const complaint of complaints) this.#error(names, complaint, site, entry);
  }

  /** err_printk. */
  #error(
    { device, driver }: Names,
    { check, text }: Complaint,
    site: CallSite,
    entry: DebugEntry | null = null,
  ): void {
    this.log.error(driver, {
      check,
      text: `DMA-API: ${driver} ${device}: ${text}`,
      device,
      site,
      mappedAt: entry?.site ?? null,
      range: entry === null ? null : { start: entry.address, size: entry.made.size },
    });
  }
}
