import { hex } from '../drivers/base/types/address';
import { PAGE_SIZE, alignDown } from '../drivers/base/types/bits';
import { callSite } from '../drivers/base/types/call-site';
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
  HardwareObserver,
  MemoryWatch,
  Mismatch,
  RefusedMemory,
  SgCall,
  SgRange,
  SoftwareObserver,
  StaleTranslation,
  Verdict,
} from '../drivers/base/types/observer';
import { DmaDebug } from '../mm/dma-debug';
import type { DmaDebugOptions } from '../mm/dma-debug';
import type { DebugAreas } from '../mm/dma-debug-addresses';
import type { DmaDebugMessage } from '../mm/dma-debug-log';
import { bufferOf } from '../mm/mappings';
import { Ownership } from '../mm/ownership';
import { FindingLog } from './finding-log';
import { ruleOf } from './verdict-rules';

/** What an observation is told once of the machine that it watches. */
export interface ObservedMachine {
  readonly watch: MemoryWatch;
  /** The number of the event under way. */
  readonly now: () => number;
  readonly lineBytes: number;
  /** What a buffer held is gone when it is given to a device that writes it (arm, not arm64). */
  readonly dropsAtMap: boolean;
  readonly areas: DebugAreas;
  /** How dma-debug is set; as Linux has it if absent, but that it tells of every error. */
  readonly dmaDebug?: DmaDebugOptions;
  /** True for devices that no driver is ever taken from: IOMMUs (suppress_bind_attrs); absent: none. */
  readonly isPermanent?: (device: string) => boolean;
  /** Whether the port of a master snoops the caches, whatever the tree says; null: no such. */
  readonly snoops: (device: string) => boolean | null;
}

/**
 * Everybody who watches a machine under `all`, joined: what hardware and software tell goes to the
 * ownership of buffers and to dma-debug; verdicts become findings with the places in the driver.
 */
export class Observation implements HardwareObserver, SoftwareObserver {
  readonly findings = new FindingLog();
  readonly dmaDebug: DmaDebug;
  readonly ownership: Ownership;
  /** Told of each end of a mapping, while it lives; null: nobody asks. */
  onUnmapped: ((call: DmaCall, site: CallSite) => void) | null = null;
  /** Told of CPU accesses to what is watched; null: nobody asks. */
  onCpuTouch: ((access: AccessKind, address: number, size: number) => void) | null = null;
  readonly #machine: ObservedMachine;

  constructor(machine: ObservedMachine) {
    this.#machine = machine;
    const { watch, now, lineBytes, dropsAtMap, areas, dmaDebug } = machine;
    const { findings } = this;
    this.ownership = new Ownership({ watch, findings, now, lineBytes, dropsAtMap });
    const tell = (message: DmaDebugMessage): void => {
      this.#debugMessage(message);
    };
    this.dmaDebug = new DmaDebug(areas, tell, dmaDebug);
  }

  /** The machine is up: what drivers hold by now they keep as long as it runs. */
  booted(): void {
    this.dmaDebug.keep();
  }

  /** The program is over: drivers leave their devices, and what is still mapped is leaked. */
  finish(): void {
    this.ownership.finish();
    const site = callSite();
    for (const names of this.dmaDebug.holders) {
      if (this.#machine.isPermanent?.(names.device) !== true) this.dmaDebug.released(names, site);
    }
  }

  verdict(verdict: Verdict): void {
    const { by, address, size, bits, event } = verdict;
    const own = by.kind === 'device' ? by.name : null;
    const { mapping, buffer } = this.ownership.mappings.ownerOf(address, own);
    const snoops =
      by.kind === 'device' ? by.snoops : mapping && this.#machine.snoops(mapping.device);
    const bytes = { start: address, size };
    const maintained = this.ownership.maintainedAt(bytes) ?? this.#partOfLine(verdict);
    const rule = ruleOf({ verdict, mapping, snoops, maintained });
    if (rule === null) return;
    // What is copied to and from a slot the driver never asked for.
    if (rule === 'never-written-bytes' && own === null && this.ownership.isInCall) return;
    const site = (own === null ? null : this.ownership.transfers.actingOf(own)?.site) ?? callSite();
    this.findings.report({
      rule,
      device: own ?? mapping?.device ?? null,
      buffer,
      bytes,
      access: { kind: kindOf(verdict), at: site.at },
      missing: null,
      event,
      verdict: bits,
    });
  }

  /** A driver's own invalidation: what a mapping has of the line, if it has not all of it. */
  #partOfLine({ access, address, size }: Verdict): ByteRange | null {
    if (access !== 'invalidate') return null;
    const mappings = this.ownership.mappings.overlapping(address, size);
    const [mapping] = mappings.filter(({ start, end }) => start > address || end < address + size);
    return mapping ?? null;
  }

  mismatch({ kind, event, access, address, mappings }: Mismatch): void {
    const { mapping, buffer } = this.ownership.mappings.ownerOf(address, null);
    const [one, other] = mappings;
    this.findings.report({
      rule: kind === 'type' ? 'memory-type-mismatch' : 'cacheability-mismatch',
      device: mapping?.device ?? null,
      buffer,
      bytes: { start: alignDown(address, PAGE_SIZE), size: PAGE_SIZE },
      access: { kind: `CPU ${access} of a page mapped ${one} and ${other}`, at: callSite().at },
      missing: null,
      event,
      verdict: null,
    });
  }

  staleTranslation({ event, access, virtualAddress, older, newer }: StaleTranslation): void {
    const { mapping, buffer } = this.ownership.mappings.ownerOf(older, null);
    const leads = newer === null ? 'is mapped no more' : `now leads to ${hex(newer)}`;
    this.findings.report({
      rule: 'stale-translation',
      device: mapping?.device ?? null,
      buffer,
      bytes: { start: older, size: 1 },
      access: {
        kind: `CPU ${access} at ${hex(virtualAddress)}, which ${leads}`,
        at: callSite().at,
      },
      missing: null,
      event,
      verdict: null,
    });
  }

  cpuTouches(
    _event: number,
    _cpu: number,
    access: AccessKind,
    address: number,
    size: number,
  ): void {
    this.onCpuTouch?.(access, address, size);
    this.ownership.cpuTouches(access, address, size);
  }

  deviceTouches(_event: number, device: string, write: boolean, at: number, size: number): void {
    if (this.#machine.snoops(device) === true) this.#judgeSnooping(device, write, at, size);
    this.ownership.deviceTouches(device, write, at, size);
  }

  transferBegins(device: string, transfer: number): void {
    this.ownership.transfers.begins(device, transfer);
  }

  transferActs(device: string, transfer: number): void {
    this.ownership.transfers.acts(device, transfer);
  }

  transferEnds(device: string, transfer: number): void {
    this.ownership.transfers.ends(device, transfer);
  }

  mapBegins(request: DmaRequest, site: CallSite): void {
    this.ownership.mapBegins(request, site);
  }

  dmaMapped(range: DmaRange, site: CallSite): void {
    this.ownership.dmaMapped(range, site);
    this.dmaDebug.mapped(range, site);
  }

  mapFailed(request: DmaRequest, site: CallSite): void {
    this.ownership.mapFailed(request);
    this.dmaDebug.mapFailed(request, site);
  }

  mapRefused(memory: RefusedMemory, site: CallSite): void {
    this.dmaDebug.refused(memory, site);
  }

  warned(caller: Pick<DmaCaller, 'device' | 'driver'>, words: string, site: CallSite): void {
    this.dmaDebug.warned(caller, words, site);
  }

  mappingChecked(device: string, busAddress: number): void {
    this.dmaDebug.checked(device, busAddress);
  }

  callBegins(operation: DmaOperation, call: DmaCall, site: CallSite): void {
    this.ownership.callBegins(operation, call, site);
  }

  dmaUnmapped(call: DmaCall, site: CallSite): void {
    this.onUnmapped?.(call, site);
    this.ownership.dmaUnmapped(call, site);
    this.dmaDebug.unmapped(call, site);
  }

  syncedForCpu(call: DmaCall, site: CallSite): void {
    this.ownership.syncedForCpu(call, site);
    this.dmaDebug.synced(call, 'cpu', site);
  }

  syncedForDevice(call: DmaCall, site: CallSite): void {
    this.ownership.syncedForDevice(call, site);
    this.dmaDebug.synced(call, 'device', site);
  }

  sgMapBegins(call: SgCall, site: CallSite): void {
    this.ownership.sgMapBegins(call, site);
  }

  sgMapped(range: SgRange, site: CallSite): void {
    this.ownership.sgMapped(range, site);
    this.dmaDebug.sgMapped(range, site);
  }

  sgMapFailed(): void {
    this.ownership.sgMapFailed();
  }

  sgCallBegins(operation: DmaOperation, call: SgCall, site: CallSite): void {
    this.ownership.sgCallBegins(operation, call, site);
  }

  sgUnmapped(call: SgCall, site: CallSite): void {
    this.ownership.sgUnmapped(call, site);
    this.dmaDebug.sgUnmapped(call, site);
  }

  sgSyncedForCpu(call: SgCall, site: CallSite): void {
    this.ownership.sgSyncedForCpu(call, site);
    this.dmaDebug.sgSynced(call, 'cpu', site);
  }

  sgSyncedForDevice(call: SgCall, site: CallSite): void {
    this.ownership.sgSyncedForDevice(call, site);
    this.dmaDebug.sgSynced(call, 'device', site);
  }

  bounced(_device: string, address: number, slot: number, size: number): void {
    this.ownership.bounced(address, slot, size);
  }

  memoryAllocated(range: DmaMemoryRange, site: CallSite): void {
    this.ownership.memoryAllocated(range, site);
    this.dmaDebug.memoryAllocated(range, site);
  }

  memoryFreed(call: DmaMemoryCall, site: CallSite): void {
    this.ownership.memoryFreed(call, site);
    this.dmaDebug.memoryFreed(call, site);
  }

  poolAllocated(block: DmaPoolBlock, site: CallSite): void {
    this.ownership.poolAllocated(block, site);
  }

  poolFreed(block: DmaPoolBlock, site: CallSite): void {
    this.ownership.poolFreed(block, site);
  }

  allocated(address: number, size: number, site: CallSite): void {
    this.ownership.allocated(address, size, site);
  }

  freed(address: number, size: number, site: CallSite): void {
    this.ownership.freed(address, size, site);
  }

  /**
   * The device snoops, and its buffers are maintained as if it did not. Where a snooped write
   * leaves nothing in a cache no value goes wrong by that: so it is told by itself.
   */
  #judgeSnooping(device: string, write: boolean, start: number, size: number): void {
    const live = this.ownership.mappings.reachedBy(device, start, size);
    const mapping = live.find(one => !one.coherent && !one.isCommon);
    if (mapping === undefined) return;
    this.findings.report({
      rule: 'coherent-in-hardware-only',
      device,
      buffer: bufferOf(mapping),
      bytes: { start, size },
      access: {
        kind: write ? 'device write' : 'device read',
        at: (this.ownership.transfers.actingOf(device)?.site ?? callSite()).at,
      },
      missing: null,
      event: this.#machine.now(),
      verdict: null,
    });
  }

  #debugMessage({ text, device, site, mappedAt, range }: DmaDebugMessage): void {
    const { buffer } =
      range === null ? { buffer: null } : this.ownership.mappings.ownerOf(range.start, device);
    const allocatedAt = buffer?.allocatedAt ?? null;
    this.findings.report({
      rule: 'dma-debug',
      device,
      buffer:
        range === null || mappedAt === null
          ? null
          : { allocatedAt, mappedAt: mappedAt.at, unmappedAt: null, range },
      bytes: range ?? { start: 0, size: 0 },
      access: { kind: text, at: site.at },
      missing: null,
      event: this.#machine.now(),
      verdict: null,
    });
  }
}

/** Maintenance and what devices do have names of their own. */
const kindOf = ({ by, access }: Verdict): string =>
  by.kind === 'cpu' && (access === 'load' || access === 'poll' || access === 'store')
    ? `CPU ${access}`
    : access;
