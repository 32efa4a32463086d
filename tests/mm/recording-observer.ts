import type { CallSite } from '../../drivers/base/types/call-site';
import type {
  DmaArguments,
  DmaCall,
  DmaCaller,
  DmaMemoryCall,
  DmaMemoryRange,
  DmaOperation,
  DmaRange,
  DmaRequest,
  DmaPoolBlock,
  RefusedMemory,
  SgCall,
  SgRange,
  SoftwareObserver,
} from '../../drivers/base/types/observer';

/** Writes down what it is told, and by which line of which file. */
export class RecordingObserver implements SoftwareObserver {
  readonly told: string[] = [];
  readonly sites: (string | null)[] = [];

  mapBegins(request: DmaRequest, site: CallSite): void {
    this.#tell(`map begins ${request.address} ${show(request)}`, site);
  }

  dmaMapped(range: DmaRange, site: CallSite): void {
    this.#tell(`mapped ${range.address} as ${range.busAddress} ${show(range)}`, site);
  }

  mapFailed(request: DmaRequest, site: CallSite): void {
    this.#tell(`map failed ${request.address} ${show(request)}`, site);
  }

  mapRefused({ device, virtualAddress, size }: RefusedMemory, site: CallSite): void {
    this.#tell(`refused ${virtualAddress} ${size} ${device}`, site);
  }

  warned({ device }: Pick<DmaCaller, 'device'>, words: string, site: CallSite): void {
    this.#tell(`warned ${words} ${device}`, site);
  }

  mappingChecked(device: string, busAddress: number, site: CallSite): void {
    this.#tell(`checked ${busAddress} ${device}`, site);
  }

  callBegins(operation: DmaOperation, call: DmaCall, site: CallSite): void {
    this.#tell(`${operation} begins ${call.busAddress} ${show(call)}`, site);
  }

  dmaUnmapped(call: DmaCall, site: CallSite): void {
    this.#tell(`unmapped ${call.busAddress} ${show(call)}`, site);
  }

  syncedForCpu(call: DmaCall, site: CallSite): void {
    this.#tell(`synced for CPU ${call.busAddress} ${show(call)}`, site);
  }

  syncedForDevice(call: DmaCall, site: CallSite): void {
    this.#tell(`synced for device ${call.busAddress} ${show(call)}`, site);
  }

  sgMapBegins(call: SgCall, site: CallSite): void {
    this.#tell(`sg map begins ${showList(call)}`, site);
  }

  sgMapped(range: SgRange, site: CallSite): void {
    const { mapped, maxSegSize, segBoundary, isAllocation } = range;
    const what = isAllocation ? 'sg allocated' : 'sg mapped';
    this.#tell(`${what} ${mapped} ${showList(range)} ${maxSegSize} ${segBoundary}`, site);
  }

  sgMapFailed(call: SgCall, site: CallSite): void {
    this.#tell(`sg map failed ${showList(call)}`, site);
  }

  sgCallBegins(operation: DmaOperation, call: SgCall, site: CallSite): void {
    this.#tell(`sg ${operation} begins ${showList(call)}`, site);
  }

  sgUnmapped(call: SgCall, site: CallSite): void {
    this.#tell(`sg unmapped ${showList(call)}`, site);
  }

  sgSyncedForCpu(call: SgCall, site: CallSite): void {
    this.#tell(`sg synced for CPU ${showList(call)}`, site);
  }

  sgSyncedForDevice(call: SgCall, site: CallSite): void {
    this.#tell(`sg synced for device ${showList(call)}`, site);
  }

  bounced(device: string, address: number, slot: number, size: number): void {
    this.told.push(`bounced ${address} to ${slot} ${size} ${device}`);
  }

  memoryAllocated(range: DmaMemoryRange, site: CallSite): void {
    const pieces = range.pieces.map(({ address, size }) => `${address}+${size}`);
    this.#tell(`memory allocated ${pieces.join(' ')} as ${showMemory(range)}`, site);
  }

  memoryFreed(call: DmaMemoryCall, site: CallSite): void {
    this.#tell(`memory freed ${showMemory(call)}`, site);
  }

  poolAllocated({ pool, busAddress, size, device }: DmaPoolBlock, site: CallSite): void {
    this.#tell(`${pool} allocated ${busAddress} ${size} ${device}`, site);
  }

  poolFreed({ pool, busAddress, size, device }: DmaPoolBlock, site: CallSite): void {
    this.#tell(`${pool} freed ${busAddress} ${size} ${device}`, site);
  }

  allocated(address: number, size: number, site: CallSite): void {
    this.#tell(`allocated ${address} ${size}`, site);
  }

  freed(address: number, size: number, site: CallSite): void {
    this.#tell(`freed ${address} ${size}`, site);
  }

  /** What was told since the last call. */
  take(): string[] {
    return this.told.splice(0);
  }

  #tell(text: string, { at }: CallSite): void {
    this.told.push(text);
    this.sites.push(at);
  }
}

/** The kind stands there if it is not the usual one. */
const show = (told: DmaArguments): string =>
  [told.size, ...(told.kind === 'single' ? [] : [told.kind]), showCaller(told)].join(' ');

const showList = (call: SgCall): string =>
  [
    ...call.entries.map(
      ({ address, length, busAddress, busLength }) =>
        `${address}+${length}@${busAddress}+${busLength}`,
    ),
    showCaller(call),
  ].join(' ');

const showMemory = (call: DmaMemoryCall): string =>
  [
    call.busAddress,
    call.size,
    `at ${call.virtualAddress}`,
    call.kind,
    showCaller({ ...call, skipsSync: false }),
  ].join(' ');

const showCaller = ({
  device,
  driver,
  coherent,
  direction,
  skipsSync,
}: DmaCaller & Pick<DmaArguments, 'direction' | 'skipsSync'>): string =>
  [
    direction,
    driver,
    device,
    ...(coherent ? ['coherent'] : []),
    ...(skipsSync ? ['skips'] : []),
  ].join(' ');
