import type { GuestErrorSink } from '../../../base/hw/device';
import { TxResult, readFault } from '../../../base/hw/mmio';
import type { AccessWidth, MmioHandler } from '../../../base/hw/mmio';
import { hex } from '../../../base/types/address';
import { REGISTERS_SIZE } from '../regs';
import type { SmmuIntegration } from './integration';

/** The pages of an SMMU as one window: the first half is global, the second the context banks'. */
export class SmmuWindow implements MmioHandler {
  readonly #name: string;
  readonly #built: SmmuIntegration;
  readonly #global: readonly MmioHandler[];
  readonly #banks: readonly MmioHandler[];
  readonly #onGuestError: GuestErrorSink;

  constructor(
    name: string,
    built: SmmuIntegration,
    pages: { readonly global: readonly MmioHandler[]; readonly banks: readonly MmioHandler[] },
    onGuestError: GuestErrorSink,
  ) {
    this.#name = name;
    this.#built = built;
    this.#global = pages.global;
    this.#banks = pages.banks;
    this.#onGuestError = onGuestError;
  }

  read(offset: number, width: AccessWidth): number {
    const page = this.#pageAt(offset, 'read');
    return page === null
      ? readFault(TxResult.AccessError)
      : page.read(offset % this.#built.pageSize, width);
  }

  write(offset: number, width: AccessWidth, value: number): TxResult {
    const page = this.#pageAt(offset, 'write');
    return page === null
      ? TxResult.AccessError
      : page.write(offset % this.#built.pageSize, width, value);
  }

  #pageAt(offset: number, verb: string): MmioHandler | null {
    const { pageSize, pages } = this.#built;
    const page = Math.floor(offset / pageSize);
    const found = page < pages ? this.#global[page] : this.#banks[page - pages];
    if (found !== undefined && offset % pageSize < REGISTERS_SIZE) return found;
    this.#onGuestError(`${this.#name}: ${verb} at ${hex(offset)}, where no register is`);
    return null;
  }
}
