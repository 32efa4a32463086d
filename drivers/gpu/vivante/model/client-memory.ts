import type { DmaPort } from '../../../base/hw/dma-port';
import type { ReadUse } from '../../../base/hw/dma-memory';
import { TxResult } from '../../../base/hw/mmio';
import type { RegisterFile } from '../../../base/hw/register-file';
import { dmaAddr } from '../../../base/types/address';
import type { GC_LITE } from '../regs';
import type { AddressSpaces, Client } from './address-spaces';
import type { Access, GpuMemory } from './unit';

/** Bytes at the safe address. */
const SAFE_BYTES = 64;

export interface ClientMemoryParts {
  readonly port: DmaPort;
  readonly spaces: AddressSpaces;
  readonly regs: RegisterFile<typeof GC_LITE>;
  /** Memory or a table did not answer. */
  readonly onBusError: (write: boolean) => void;
}

/** Memory as a client of the MMU reaches it: at the GPU's addresses. */
export class ClientMemory implements GpuMemory {
  /** Whose accesses are under way. */
  client: Client;
  /** Where the last access began, on the bus; null: at the safe address. */
  bus: number | null = null;
  /** The same, for the GPU and in memory. */
  #address = 0;
  #physical = 0;
  /** The last access that ended as a fault did so since nobody answered. */
  isBusError = false;
  readonly #parts: ClientMemoryParts;

  constructor(parts: ClientMemoryParts, client: Client) {
    this.#parts = parts;
    this.client = client;
  }

  /** `use`: as the methods of DmaPort. */
  read(
    address: number,
    length: number,
    into: Uint8Array,
    at: number,
    use: ReadUse = 'data',
  ): Access {
    const { spaces } = this.#parts;
    this.isBusError = false;
    for (let done = 0; done < length;) {
      const from = address + done;
      const routing = spaces.route(this.client, from, false);
      const isSafe = routing === 'safe';
      if (routing === 'bus error') return this.#busError(false);
      if (routing !== 'memory' && !isSafe) return routing;
      const span = isSafe ? SAFE_BYTES - (from % SAFE_BYTES) : spaces.span;
      const part = Math.min(length - done, span);
      const physical = isSafe ? this.#safe(from) : spaces.physical;
      const result = this.#readPort(physical, part, into, at + done, use);
      if (done === 0) this.#began(address, isSafe ? null : physical);
      if (result !== TxResult.Ok) return this.#busError(false);
      done += part;
    }
    return 'ok';
  }

  /** Where bytes of the last access are in memory, by the GPU's address; null: nowhere. */
  placeOf(address: number): number | null {
    return this.bus === null ? null : this.#physical + (address - this.#address);
  }

  write(address: number, length: number, from: Uint8Array, at: number): Access {
    const { spaces, port } = this.#parts;
    for (let done = 0; done < length;) {
      const routing = spaces.route(this.client, address + done, true);
      if (routing === 'bus error') return this.#busError(true);
      if (routing === 'fault' || routing === 'wait') return routing;
      const part = Math.min(length - done, spaces.span);
      if (routing === 'memory') {
        const bus = spaces.physical;
        const result = port.write(dmaAddr(bus), part, from, at + done);
        if (done === 0) this.#began(address, bus);
        if (result !== TxResult.Ok) return this.#busError(true);
      } else if (done === 0) this.#began(address, null);
      done += part;
    }
    return 'ok';
  }

  #readPort(address: number, length: number, into: Uint8Array, at: number, use: ReadUse): TxResult {
    const { port } = this.#parts;
    if (use === 'poll') return port.poll(dmaAddr(address), length, into, at);
    if (use === 'fetch') return port.fetch(dmaAddr(address), length, into, at);
    return port.read(dmaAddr(address), length, into, at);
  }

  #began(address: number, bus: number | null): void {
    this.bus = bus;
    this.#address = address;
    this.#physical = this.#parts.port.reached;
  }

  #safe(address: number): number {
    return this.#parts.regs.MMU_SAFE_ADDRESS.value + (address % SAFE_BYTES);
  }

  #busError(write: boolean): Access {
    this.isBusError = true;
    this.#parts.onBusError(write);
    return 'fault';
  }
}
