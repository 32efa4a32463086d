import type { CallSite } from '../../drivers/base/types/call-site';
import type {
  DmaArguments,
  DmaCall,
  DmaOperation,
  DmaRange,
  DmaRequest,
  RefusedMemory,
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

const show = ({ device, driver, coherent, size, direction, skipsSync }: DmaArguments): string =>
  [
    size,
    direction,
    driver,
    device,
    ...(coherent ? ['coherent'] : []),
    ...(skipsSync ? ['skips'] : []),
  ].join(' ');
