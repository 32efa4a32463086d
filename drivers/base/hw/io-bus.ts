import { UnmodelledError } from '../types/errors';
import { hex } from '../types/address';
import type { AddressSpace } from './address-space';
import { TxResult, readFault } from './mmio';
import type { AccessWidth } from './mmio';

/** Accesses of a master to what is no RAM: the device that answers, or a decode error. */
export class IoBus {
  readonly #space: AddressSpace;

  constructor(space: AddressSpace) {
    this.#space = space;
  }

  /** The unsigned value, or minus the TxResult. */
  read(address: number, width: AccessWidth): number {
    const range = this.#space.find(address);
    if (range === null) return readFault(TxResult.DecodeError);
    const { content } = range.region;
    if (content.kind === 'io') {
      return content.io.read(range.offset + address - range.start, width);
    }
    throw new UnmodelledError(`${content.kind} ${range.region.name}`, `read at ${hex(address)}`);
  }

  write(address: number, width: AccessWidth, value: number): TxResult {
    const range = this.#space.find(address);
    if (range === null) return TxResult.DecodeError;
    if (range.readOnly) return TxResult.AccessError;
    const { content } = range.region;
    if (content.kind === 'io') {
      return content.io.write(range.offset + address - range.start, width, value);
    }
    throw new UnmodelledError(`${content.kind} ${range.region.name}`, `write at ${hex(address)}`);
  }
}
