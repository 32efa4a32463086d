import type { GuestErrorSink } from '../../../base/hw/device';
import type { IrqLine } from '../../../base/hw/irq';
import type { RegisterFile } from '../../../base/hw/register-file';
import { EVENTS, Interrupt } from '../regs';
import type { GC_LITE, MmuException } from '../regs';
import type { Client } from './address-spaces';

export interface InterruptsParts {
  readonly name: string;
  readonly regs: RegisterFile<typeof GC_LITE>;
  readonly irq: IrqLine;
  readonly onGuestError: GuestErrorSink;
}

/** What raises the GPU's interrupt: events, the MMU, the bus, and the extensions. All of it is in registers. */
export class Interrupts {
  readonly #parts: InterruptsParts;

  constructor(parts: InterruptsParts) {
    this.#parts = parts;
  }

  /** Drives the line by what the registers say. */
  update(): void {
    this.#parts.irq.set(this.#level());
  }

  /** As update, of registers that were restored. */
  restore(): void {
    this.#parts.irq.restore(this.#level());
  }

  /** What INTR_ACKNOWLEDGE reads, which is cleared by that. */
  acknowledge(): number {
    const { INTR_ACKNOWLEDGE } = this.#parts.regs;
    const { value } = INTR_ACKNOWLEDGE;
    INTR_ACKNOWLEDGE.value = 0;
    this.update();
    return value;
  }

  event(id: number): void {
    const { name, onGuestError } = this.#parts;
    if (id >= EVENTS) onGuestError(`${name}: event ${id} has no interrupt`);
    else this.#raise(2 ** id);
  }

  /** The first exception of each MMU is kept. */
  exception({ mmu }: Client, code: MmuException, address: number): void {
    const { MMU_STATUS, MMU_EXCEPTION_ADDR } = this.#parts.regs;
    const shift = 4 * mmu;
    if (((MMU_STATUS.value >>> shift) & 0xf) === 0) {
      MMU_STATUS.value |= code << shift;
      MMU_EXCEPTION_ADDR(mmu).value = address;
    }
    this.#raise(Interrupt.MMU_EXCEPTION);
  }

  busError(write: boolean): void {
    const { AXI_STATUS } = this.#parts.regs;
    if (write) AXI_STATUS.DET_WR_ERR = 1;
    else AXI_STATUS.DET_RD_ERR = 1;
    this.#raise(Interrupt.AXI_BUS_ERROR);
  }

  #raise(bits: number): void {
    this.#parts.regs.INTR_ACKNOWLEDGE.value |= bits;
    this.update();
  }

  #level(): boolean {
    const { INTR_ACKNOWLEDGE, INTR_ENBL, X_INTR, X_INTR_ENBL } = this.#parts.regs;
    const pending = INTR_ACKNOWLEDGE.value & INTR_ENBL.value;
    return pending !== 0 || (X_INTR.value & X_INTR_ENBL.value) !== 0;
  }
}
