import type { CallSite } from '../drivers/base/types/call-site';
import { callSite } from '../drivers/base/types/call-site';
import type { ByteRange, FindingSink, MissingCall } from '../drivers/base/types/finding';
import type {
  AccessKind,
  DmaArguments,
  DmaCall,
  DmaOperation,
  DmaRange,
  DmaRequest,
  MemoryWatch,
} from '../drivers/base/types/observer';
import type { RuleId } from '../drivers/base/types/rules';
import { Hold } from './holds';
import { Mapping, Mappings, bufferOf } from './mappings';
import {
  besideOf,
  hullOf,
  isDevices,
  isShared,
  judgeDevice,
  neighboursOf,
  takeBack,
  whollyHeld,
} from './ownership-rules';
import { overlaps } from './page-index';
import { Transfers, isMaintenance } from './transfers';
import type { Met } from './transfers';

/** What ownership needs to know of the machine and where it tells what it finds. */
export interface OwnershipConfig {
  readonly watch: MemoryWatch;
  readonly findings: FindingSink;
  /** The number of the event under way. */
  readonly now: () => number;
  /** Of the widest line of any cache; 1 where there is none. */
  readonly lineBytes: number;
  /**
   * The architecture drops what the CPU wrote to a buffer when it is given to a device that
   * writes it: arm invalidates; arm64 cleans since c50f11c6196f, and keeps it.
   */
  readonly dropsAtMap: boolean;
}

/** A finding but for what all findings of ownership have in common. */
interface Found {
  readonly rule: RuleId;
  readonly device: string;
  readonly mapping: Mapping | null;
  readonly bytes: ByteRange;
  readonly kind: string;
  readonly at: CallSite;
  readonly missing?: Omit<MissingCall, 'range'>;
}

/**
 * Who owns each byte that is mapped for streaming DMA (core-api/dma-api.rst, "streaming DMA
 * mappings"): the device from the map on, the CPU after a sync for it, and the device again; and
 * who touches what is not its own. Told by both sides; changes nothing.
 *
 * The device may take back what the CPU has only read: dma-api-howto needs no sync for that. A
 * device that is taken for coherent has its memory in common with the CPU, so that of the rules
 * on ownership it keeps those on what is mapped, and on transfers under way.
 */
export class Ownership {
  readonly mappings = new Mappings();
  readonly transfers: Transfers;
  readonly #config: OwnershipConfig;
  /** What the call of the DMA API that is under way maintains, null outside of any. */
  #call: ByteRange | null = null;

  constructor(config: OwnershipConfig) {
    this.#config = config;
    this.transfers = new Transfers(config.watch);
  }

  /** What the DMA API maintains at the moment. */
  get maintained(): ByteRange | null {
    return this.#call;
  }

  mapBegins(request: DmaRequest, site: CallSite): void {
    const { address: start, size } = request;
    this.#call = { start, size };
    const met = this.transfers.metByCall('map', request, this.#call);
    this.#reportMet('map', met, () => site);
    this.#undefine(request, this.#call);
  }

  mapFailed(): void {
    this.#call = null;
  }

  dmaMapped(range: DmaRange, site: CallSite): void {
    this.#call = null;
    const allocation = this.mappings.allocationOf(range.address);
    const mapping = new Mapping(range, site, allocation, this.#config.lineBytes);
    if (mapping.isExposed && !range.skipsSync) this.#judgeNeighbours(mapping, site);
    this.mappings.add(mapping);
    if (!range.skipsSync) this.#watch(mapping);
  }

  callBegins(operation: DmaOperation, call: DmaCall, site: CallSite): void {
    this.#call =
      operation === 'unmap' ? this.mappings.named(call) : hullOf(this.mappings.synced(call));
    if (this.#call === null) return;
    const met = this.transfers.metByCall(operation, call, this.#call);
    this.#reportMet(operation, met, () => site);
    if (operation === 'sync for device') this.#undefineParts(call);
  }

  dmaUnmapped(call: DmaCall, site: CallSite): void {
    this.#call = null;
    const mapping = this.mappings.named(call);
    if (mapping !== null) this.#end(mapping, 'unmap', site);
  }

  syncedForCpu(call: DmaCall, site: CallSite): void {
    this.#give(call, new Hold('cpu', site));
  }

  syncedForDevice(call: DmaCall, site: CallSite): void {
    this.#give(call, new Hold('device', site));
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
    const live = this.mappings.overlapping(address, size).filter(one => one.device === device);
    if (write) for (const mapping of live) mapping.isFilled = true;
    const transfer = this.transfers.actingOf(device);
    // What is shared by agreement has an order of its own, and the CPU looks while it goes on.
    if (transfer !== null && live.some(one => !one.holds.some(address, address + size, isShared))) {
      this.transfers.touches(transfer, write, address, size);
    }
    const [only] = live;
    if (only !== undefined && live.length === 1 && whollyHeld(only, write, address, size)) return;
    if (write) takeBack(live, address, size);
    const found = judgeDevice(this.mappings, { device, live, write, address, size });
    if (found.length === 0) return;
    const at = transfer?.site ?? callSite();
    const kind = write ? 'device write' : 'device read';
    for (const { rule, mapping, bytes, missing } of found) {
      const { call, after } = missing ?? {};
      this.#report({
        rule,
        device,
        mapping,
        bytes,
        kind,
        at,
        ...(call === undefined ? {} : { missing: { call, between: [after ?? null, at.at] } }),
      });
    }
  }

  cpuTouches(access: AccessKind, address: number, size: number): void {
    const met = this.transfers.metByCpu(access, { start: address, size }, this.#call);
    if (met.length > 0) this.#reportMet(nameOf(access), met, callSite);
    if (access !== 'load' && access !== 'poll' && access !== 'store') return;
    for (const mapping of this.mappings.sharingLines(address, size)) {
      if (mapping.coherent) continue;
      if (overlaps(mapping, address, size)) this.#judgeCpu(mapping, access, address, size);
      if (access === 'store' && mapping.isExposed) this.#judgeBeside(mapping, address, size);
    }
  }

  /** The bytes of a mapping that a call names change hands. */
  #give(call: DmaCall, hold: Hold): void {
    this.#call = null;
    for (const { mapping, start, size } of this.mappings.synced(call)) {
      mapping.holds.set(start, start + size, hold);
      if (hold.owner === 'device') mapping.isFilled = false;
      this.#watch(mapping);
    }
  }

  #watch(mapping: Mapping): void {
    if (mapping.isWatched || mapping.coherent) return;
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
  #undefine({ coherent, direction, skipsSync }: DmaArguments, { start, size }: ByteRange): void {
    if (!this.#config.dropsAtMap || coherent || skipsSync) return;
    if (direction === 'from-device') this.#config.watch.forget(start, size);
  }

  /** What was mapped for the device to read as well keeps its contents, whatever the sync says. */
  #undefineParts(call: DmaCall): void {
    for (const part of this.mappings.synced(call)) {
      if (part.mapping.direction === 'from-device') this.#undefine(call, part);
    }
  }

  /** A mapping next to another that a device is writing: both in one line. */
  #judgeNeighbours(mapping: Mapping, at: CallSite): void {
    for (const { neighbour, bytes } of neighboursOf(this.mappings, mapping)) {
      const { device } = neighbour;
      this.#report({ rule: 'shared-line', device, mapping: neighbour, bytes, kind: 'map', at });
    }
  }

  /** The CPU, or a call, meets what transfers under way have touched. */
  #reportMet(kind: string, met: readonly Met[], at: () => CallSite): void {
    for (const { device, bytes } of met) {
      const { mapping } = this.mappings.ownerOf(bytes.start);
      this.#report({ rule: 'cpu-access-in-transfer', device, mapping, bytes, kind, at: at() });
    }
  }

  /** The CPU loads or stores bytes of a mapping: may it? */
  #judgeCpu(
    mapping: Mapping,
    access: 'load' | 'poll' | 'store',
    address: number,
    size: number,
  ): void {
    const start = Math.max(address, mapping.start);
    const end = Math.min(address + size, mapping.end);
    const isStore = access === 'store';
    if (isStore || mapping.direction !== 'to-device') {
      if (mapping.holds.some(start, end, isDevices)) {
        this.#reportCpu(mapping, access, { start, size: end - start });
      }
    }
    if (!isStore) return;
    mapping.holds.update(start, end, hold => (hold.owner === 'cpu' ? hold.written : hold));
  }

  #reportCpu(mapping: Mapping, access: AccessKind, bytes: ByteRange): void {
    const at = callSite();
    const since = mapping.holds.at(bytes.start).since.at;
    this.#report({
      rule: 'cpu-access-to-device-buffer',
      device: mapping.device,
      mapping,
      bytes,
      kind: nameOf(access),
      at,
      missing: { call: 'dmaSyncSingleForCpu', between: [since, at.at] },
    });
  }

  /** The CPU stores beside a mapping, to a line that has bytes of it which are the device's. */
  #judgeBeside(mapping: Mapping, address: number, size: number): void {
    const { device } = mapping;
    const kind = nameOf('store');
    for (const bytes of besideOf(mapping, address, size, this.#config.lineBytes)) {
      this.#report({ rule: 'shared-line', device, mapping, bytes, kind, at: callSite() });
    }
  }

  #report({ rule, device, mapping, bytes, kind, at, missing }: Found): void {
    const { findings, now } = this.#config;
    findings.report({
      rule,
      device,
      buffer: mapping === null ? this.mappings.ownerOf(bytes.start).buffer : bufferOf(mapping),
      bytes,
      access: { kind, at: at.at },
      missing: missing === undefined ? null : { ...missing, range: bytes },
      event: now(),
      verdict: null,
    });
  }
}

/** `CPU load`, as findings name it; maintenance is nobody's but a CPU's. */
const nameOf = (access: AccessKind): string => (isMaintenance(access) ? access : `CPU ${access}`);
