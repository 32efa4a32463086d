import type { Device } from '../../../base/kernel/device';
import { ioRegisters } from '../../../base/kernel/registers';
import type { IoRegister, IoRegisters } from '../../../base/kernel/registers';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr } from '../../../base/types/address';
import { hi32, lo32 } from '../../../base/types/bits';
import { ARM_SMMU_CB, ARM_SMMU_GR0, ARM_SMMU_GR1, REGISTERS_SIZE } from '../regs';

export type BankRegisters = IoRegisters<typeof ARM_SMMU_CB>;

/** Reads after which a synchronisation has failed: each takes longer than a tenth of one. */
const MOST_READS = 1000;

/** Pages of registers, through accessors without barriers, as Linux drives them. */
export class SmmuRegisters {
  readonly gr0: IoRegisters<typeof ARM_SMMU_GR0>;
  readonly #dev: Device;
  readonly #base: CpuAddr;
  readonly #banks: BankRegisters[] = [];
  #gr1: IoRegisters<typeof ARM_SMMU_GR1> | null = null;
  /** Bytes of a page, and pages of each half. */
  #pageSize = REGISTERS_SIZE;
  #pages = 0;

  constructor(dev: Device, base: CpuAddr) {
    this.#dev = dev;
    this.#base = base;
    this.gr0 = ioRegisters(ARM_SMMU_GR0, dev.services.io.relaxed, base);
  }

  /** What IDR1 says of the pages; before anything but `gr0` is used. */
  layOut(pageSize: number, pages: number): void {
    this.#pageSize = pageSize;
    this.#pages = pages;
  }

  get gr1(): IoRegisters<typeof ARM_SMMU_GR1> {
    return (this.#gr1 ??= ioRegisters(ARM_SMMU_GR1, this.#dev.services.io.relaxed, this.#page(1)));
  }

  bank(index: number): BankRegisters {
    const { io } = this.#dev.services;
    return (this.#banks[index] ??= ioRegisters(
      ARM_SMMU_CB,
      io.relaxed,
      this.#page(this.#pages + index),
    ));
  }

  /** Waits for all that was invalidated (__arm_smmu_tlb_sync). */
  syncGlobal(): void {
    const { TLBGSYNC, TLBGSTATUS } = this.gr0;
    TLBGSYNC.write(ANYTHING);
    this.#complete(() => TLBGSTATUS.read().GSACTIVE === 0);
  }

  /** Waits for what was invalidated through the registers of a bank. */
  syncBank(index: number): void {
    const { TLBSYNC, TLBSTATUS } = this.bank(index);
    TLBSYNC.write(ANYTHING);
    this.#complete(() => TLBSTATUS.read().SACTIVE === 0);
  }

  /** Without sleeping: mappings end in interrupt handlers, too. */
  #complete(isDone: () => boolean): void {
    for (let reads = 0; reads < MOST_READS; reads++) if (isDone()) return;
    const text = 'TLB sync timed out -- SMMU may be deadlocked';
    this.#dev.services.log.device('err', this.#dev, text);
  }

  #page(index: number): CpuAddr {
    return offsetBy(this.#base, index * this.#pageSize);
  }
}

/** Where it does not matter what is written; zero would let some firmware hang. */
export const ANYTHING = 0xffff_ffff;

/** A register of 64 bits, the upper half first: what the lower one starts finds it (hi_lo_writeq). */
export const write64 = (
  low: Pick<IoRegister<unknown>, 'write'>,
  high: Pick<IoRegister<unknown>, 'write'>,
  value: number,
  top = 0,
): void => {
  high.write(hi32(value) + top);
  low.write(lo32(value));
};
