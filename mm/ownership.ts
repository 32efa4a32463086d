import type { CallSite } from '../drivers/base/types/call-site';
import type { ByteRange } from '../drivers/base/types/finding';
import type {
  AccessKind,
  DmaCall,
  DmaCaller,
  DmaMemoryCall,
  DmaMemoryRange,
  DmaOperation,
  DmaPoolBlock,
  DmaRange,
  DmaRequest,
  SgCall,
  SgRange,
} from '../drivers/base/types/observer';
import { Hold } from './holds';
import type { Owner } from './holds';
import { Mapping, Mappings } from './mappings';
import type { BusCall, MappingFields } from './mappings';
import { AccessRules } from './ownership-access';
import { CallScope, memoryOf, piecesOf } from './ownership-calls';
import type { CallTerms as Terms, Piece } from './ownership-calls';
import { OwnershipReport } from './ownership-report';
import type { OwnershipConfig } from './ownership-report';
import { neighboursOf } from './ownership-rules';
import { Transfers } from './transfers';

export type { OwnershipConfig };

/** A part of a mapping that a call names. */
type Part = ByteRange & { readonly mapping: Mapping };

/**
 * Who owns each byte that is mapped for DMA (core-api/dma-api.rst): of streaming mappings the device
 * from the map on, the CPU after a sync for it, and the device again; what dma_alloc_pages gives
 * is the CPU's first; coherent memory is common to both, until it is freed. And who touches what
 * is not its own. Told by both sides; changes nothing.
 *
 * The device may take back what the CPU has only read: dma-api-howto needs no sync for that. A
 * device that is taken for coherent has its memory in common with the CPU, so that of the rules
 * on ownership it keeps those on what is mapped, and on transfers under way. Where a slot stands
 * in for the memory the device's accesses to the slot are those to the memory. Registers that are
 * mapped for a device (dma_map_resource) are no memory, and nobody's.
 */
export class Ownership {
  readonly mappings = new Mappings();
  readonly transfers: Transfers;
  readonly #config: OwnershipConfig;
  readonly #report: OwnershipReport;
  readonly #access: AccessRules;
  readonly #scope = new CallScope();
  /** Memory that the DMA API has allocated, by device and bus address. */
  readonly #memory = new Map<string, readonly Mapping[]>();

  constructor(config: OwnershipConfig) {
    this.#config = config;
    this.transfers = new Transfers(config.watch);
    this.#report = new OwnershipReport(config, this.mappings);
    this.#access = new AccessRules({
      mappings: this.mappings,
      transfers: this.transfers,
      scope: this.#scope,
      report: this.#report,
      lineBytes: config.lineBytes,
    });
  }

  /** A call of the DMA API is under way: what the CPU copies now is not the driver's doing. */
  get isInCall(): boolean {
    return this.#scope.own !== null;
  }

  /** What the DMA API maintains at the moment of a line; null: it does not. */
  maintainedAt(bytes: ByteRange): ByteRange | null {
    return this.#scope.maintainedAt(bytes);
  }

  /** The program is over: a call that has not ended by now never will. */
  finish(): void {
    this.#scope.clear();
  }

  mapBegins(request: DmaRequest, site: CallSite): void {
    if (request.kind === 'resource') return;
    this.#mapBegins(request, [{ start: request.address, size: request.size }], site);
  }

  mapFailed(request: DmaRequest): void {
    if (request.kind !== 'resource') this.#scope.end();
  }

  dmaMapped(range: DmaRange, site: CallSite): void {
    if (range.kind === 'resource') return;
    const kind = range.kind === 'linked' ? 'linked' : 'single';
    this.#mapped(range, [range], { kind, owner: 'device' }, site);
  }

  callBegins(operation: DmaOperation, call: DmaCall, site: CallSite): void {
    if (call.kind !== 'resource') this.#callBegins(operation, call, [call], site);
  }

  dmaUnmapped(call: DmaCall, site: CallSite): void {
    if (call.kind !== 'resource') this.#unmapped([call], site);
  }

  syncedForCpu(call: DmaCall, site: CallSite): void {
    this.#give([call], new Hold('cpu', site));
  }

  syncedForDevice(call: DmaCall, site: CallSite): void {
    this.#give([call], new Hold('device', site));
  }

  sgMapBegins(call: SgCall, site: CallSite): void {
    this.#mapBegins(call, memoryOf(call), site);
  }

  sgMapped(range: SgRange, site: CallSite): void {
    const owner = range.isAllocation ? firstOwnerOf(range) : 'device';
    const made = { kind: 'scatter-gather' as const, owner };
    this.#mapped(range, piecesOf(range.entries), made, site);
  }

  sgMapFailed(): void {
    this.#scope.end();
  }

  sgCallBegins(operation: DmaOperation, call: SgCall, site: CallSite): void {
    this.#callBegins(operation, call, busCallsOf(call), site);
  }

  sgUnmapped(call: SgCall, site: CallSite): void {
    this.#unmapped(busCallsOf(call), site);
  }

  sgSyncedForCpu(call: SgCall, site: CallSite): void {
    this.#give(busCallsOf(call), new Hold('cpu', site));
  }

  sgSyncedForDevice(call: SgCall, site: CallSite): void {
    this.#give(busCallsOf(call), new Hold('device', site));
  }

  /** The slot has what was copied into it, and no cache was maintained yet. */
  bounced(address: number, slot: number, size: number): void {
    this.#scope.takeSlot(address, slot, size);
    const { terms } = this.#scope;
    if (terms !== null) this.#undefine(terms, { start: slot, size });
  }

  memoryAllocated(range: DmaMemoryRange, site: CallSite): void {
    const made: Mapping[] = [];
    let { busAddress } = range;
    for (const { address, size } of range.pieces) {
      const owner = range.kind === 'coherent' ? 'shared' : firstOwnerOf(range);
      const piece = { ...range, address, size, busAddress };
      made.push(this.#make(piece, { kind: range.kind, owner }, null, site));
      busAddress += size;
    }
    this.#memory.set(keyOf(range), made);
  }

  memoryFreed(call: DmaMemoryCall, site: CallSite): void {
    for (const mapping of this.#memory.get(keyOf(call)) ?? []) {
      this.#unwatchFreed(mapping);
      this.#end(mapping, 'unmap', site);
      this.#config.watch.forget(mapping.start, mapping.size);
    }
    this.#memory.delete(keyOf(call));
  }

  /** Of memory that a pool gives out, the device has the blocks that were given and nothing else. */
  poolAllocated(block: DmaPoolBlock, site: CallSite): void {
    const call = { ...block, direction: 'bidirectional' as const };
    const page = this.mappings.synced(call).find(({ mapping }) => mapping.kind === 'coherent');
    if (page === undefined) return;
    page.mapping.isPooled = true;
    this.#unwatchFreed(page);
    this.#make(
      { ...call, address: page.start },
      { kind: 'pool block', owner: 'shared' },
      null,
      site,
    );
  }

  poolFreed(block: DmaPoolBlock, site: CallSite): void {
    const call = { ...block, direction: 'bidirectional' as const };
    const given = this.mappings
      .synced(call)
      .find(
        ({ mapping: { kind, busAddress } }) =>
          kind === 'pool block' && busAddress === block.busAddress,
      );
    if (given === undefined) return;
    this.#end(given.mapping, 'unmap', site);
    this.mappings.addFreed(given.mapping);
    this.#config.watch.watch(given.mapping.start, given.mapping.size);
  }

  #unwatchFreed({ start, size }: ByteRange): void {
    for (const block of this.mappings.takeFreed(start, size)) {
      this.#config.watch.unwatch(block.start, block.size);
    }
  }

  allocated(address: number, size: number, site: CallSite): void {
    this.mappings.allocated({ start: address, size, site });
    this.#config.watch.forget(address, size);
  }

  freed(address: number, size: number, site: CallSite): void {
    if (!this.mappings.freed(address)) return;
    for (const mapping of this.mappings.overlapping(address, size)) {
      this.#end(mapping, 'free', site);
    }
    this.#config.watch.forget(address, size);
  }

  deviceTouches(device: string, write: boolean, address: number, size: number): void {
    this.#access.deviceTouches(device, write, address, size);
  }

  cpuTouches(access: AccessKind, address: number, size: number): void {
    this.#access.cpuTouches(access, address, size);
  }

  #mapBegins(terms: Terms, memory: readonly ByteRange[], site: CallSite): void {
    for (const range of this.#scope.begin(terms, memory)) {
      this.#report.met('map', this.transfers.metByCall('map', terms, range), () => site);
    }
    for (const range of memory) this.#undefine(terms, range);
  }

  #mapped(
    terms: Terms & Pick<DmaRange, 'driver'>,
    pieces: readonly Piece[],
    made: Pick<MappingFields, 'kind'> & { readonly owner: Owner },
    site: CallSite,
  ): void {
    const owner = terms.skipsSync ? 'shared' : made.owner;
    for (const piece of pieces) {
      const slot = this.#scope.slotOf(piece.address);
      this.#make({ ...terms, ...piece }, { ...made, owner }, slot, site);
    }
    this.#scope.end();
  }

  #make(
    piece: Omit<Terms, 'skipsSync'> & Piece & Pick<DmaRange, 'driver'>,
    { kind, owner }: Pick<MappingFields, 'kind'> & { readonly owner: Owner },
    slot: number | null,
    site: CallSite,
  ): Mapping {
    const allocation = this.mappings.allocationOf(piece.address);
    // Memory that is new has the zeroes that the CPU has written.
    const hold = new Hold(owner, site, owner === 'cpu');
    const { lineBytes } = this.#config;
    const mapping = new Mapping({ ...piece, kind, slot, hold, site, allocation, lineBytes });
    if (mapping.isExposed && owner === 'device') this.#judgeNeighbours(mapping, site);
    this.mappings.add(mapping);
    if (owner !== 'shared') this.#watch(mapping);
    return mapping;
  }

  #callBegins(
    operation: DmaOperation,
    terms: Terms,
    calls: readonly BusCall[],
    site: CallSite,
  ): void {
    const parts = operation === 'unmap' ? this.#named(calls) : this.#synced(calls);
    const reached = parts.map(({ mapping, start, size }) => ({
      start: start - mapping.start + mapping.reached.start,
      size,
    }));
    for (const range of this.#scope.begin(terms, reached)) {
      this.#report.met(operation, this.transfers.metByCall(operation, terms, range), () => site);
    }
    for (const part of parts.filter(({ mapping }) => mapping.isBounced)) this.#scope.extend(part);
    if (operation === 'sync for device') this.#undefineParts(terms, parts);
  }

  #unmapped(calls: readonly BusCall[], site: CallSite): void {
    this.#scope.end();
    for (const { mapping } of this.#named(calls)) this.#end(mapping, 'unmap', site);
  }

  /** The bytes of a mapping that a call names change hands. */
  #give(calls: readonly BusCall[], hold: Hold): void {
    this.#scope.end();
    for (const { mapping, start, size } of this.#synced(calls)) {
      mapping.holds.set(start, start + size, hold);
      if (hold.owner === 'device') mapping.isFilled = false;
      this.#watch(mapping);
    }
  }

  /** What a call that ends mappings names, each whole. */
  #named(calls: readonly BusCall[]): readonly Part[] {
    return calls.flatMap(call => {
      const mapping = this.mappings.named(call);
      return mapping === null ? [] : [{ mapping, start: mapping.start, size: mapping.size }];
    });
  }

  #synced(calls: readonly BusCall[]): readonly Part[] {
    return calls.flatMap(call => this.mappings.synced(call));
  }

  #watch(mapping: Mapping): void {
    if (mapping.isWatched || mapping.isCommon) return;
    mapping.isWatched = true;
    this.#config.watch.watch(mapping.lines.start, mapping.lines.size);
  }

  #end(mapping: Mapping, by: 'unmap' | 'free', site: CallSite): void {
    this.mappings.end(mapping, by, site);
    if (!mapping.isWatched) return;
    mapping.isWatched = false;
    this.#config.watch.unwatch(mapping.lines.start, mapping.lines.size);
  }

  /** A buffer that the device is to write has no contents from here on, where the arch drops them. */
  #undefine(
    { coherent, direction, skipsSync }: Omit<Terms, 'device'>,
    { start, size }: ByteRange,
  ): void {
    if (!this.#config.dropsAtMap || coherent || skipsSync) return;
    if (direction === 'from-device') this.#config.watch.forget(start, size);
  }

  /** What was mapped for the device to read as well keeps its contents, whatever the sync says. */
  #undefineParts(terms: Terms, parts: readonly Part[]): void {
    for (const part of parts) {
      if (part.mapping.direction === 'from-device') this.#undefine(terms, part);
    }
  }

  /** A mapping next to another that a device is writing: both in one line. */
  #judgeNeighbours(mapping: Mapping, at: CallSite): void {
    for (const { neighbour, bytes } of neighboursOf(this.mappings, mapping)) {
      const { device } = neighbour;
      const found = { rule: 'shared-line' as const, device, mapping: neighbour, bytes };
      this.#report.found({ ...found, kind: 'map', at });
    }
  }
}

const keyOf = ({ device, busAddress }: Pick<DmaMemoryCall, 'device' | 'busAddress'>): string =>
  `${device} ${busAddress}`;

/** Who has memory first that the DMA API has allocated, but for coherent memory. */
const firstOwnerOf = ({ coherent }: DmaCaller): Owner => (coherent ? 'shared' : 'cpu');

/** The pieces of a list, each as a call on it would name it. */
const busCallsOf = ({ entries, device, direction }: SgCall): readonly BusCall[] =>
  piecesOf(entries).map(({ busAddress, size }) => ({ device, busAddress, size, direction }));
