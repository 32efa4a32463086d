import type { Device } from '../../../base/kernel/device';
import { ioRegisters } from '../../../base/kernel/registers';
import type { IoRegisters, RegisterValues } from '../../../base/kernel/registers';
import { hex } from '../../../base/types/address';
import type { CpuAddr } from '../../../base/types/address';
import { PAGE, TABLE_SPAN } from '../../regs/rockchip';
import { Command, ROCKCHIP_IOMMU } from '../regs';

/** Reads of STATUS after which the hardware has failed. */
const MOST_READS = 1000;
/** What is written to DTE_ADDR to see whether it keeps anything. */
const DUMMY = 0xcafe_babe;

/** What an MMU interrupts for. */
export interface MmuFault {
  readonly address: number;
  readonly write: boolean;
  readonly isPageFault: boolean;
  readonly isBusError: boolean;
  /** INT_STATUS, to be cleared. */
  readonly status: number;
}

/** One MMU of the IOMMU, as its driver commands it: each command is waited for. */
export class RockchipMmu {
  readonly #regs: IoRegisters<typeof ROCKCHIP_IOMMU>;

  constructor(dev: Device, base: CpuAddr) {
    this.#regs = ioRegisters(ROCKCHIP_IOMMU, dev.services.io, base);
  }

  /** Null, or what went wrong, in Linux's words; as all of these. */
  enableStall(): string | null {
    const { STALL_ACTIVE, PAGING_ENABLED } = this.#regs.STATUS.read();
    // It can be stalled only while it translates.
    if (STALL_ACTIVE === 1 || PAGING_ENABLED === 0) return null;
    this.#command(Command.EnableStall);
    return this.#until('Enable stall', status => status.STALL_ACTIVE === 1);
  }

  disableStall(): string | null {
    if (this.#regs.STATUS.read().STALL_ACTIVE === 0) return null;
    this.#command(Command.DisableStall);
    return this.#until('Disable stall', status => status.STALL_ACTIVE === 0);
  }

  enablePaging(): string | null {
    if (this.#regs.STATUS.read().PAGING_ENABLED === 1) return null;
    this.#command(Command.EnablePaging);
    return this.#until('Enable paging', status => status.PAGING_ENABLED === 1);
  }

  disablePaging(): string | null {
    if (this.#regs.STATUS.read().PAGING_ENABLED === 0) return null;
    this.#command(Command.DisablePaging);
    return this.#until('Disable paging', status => status.PAGING_ENABLED === 0);
  }

  /** The table, what was kept of the one before, and interrupts. */
  setTable(word: number): void {
    this.#regs.DTE_ADDR.write(word);
    this.zapCache();
    this.#regs.INT_MASK.write({ PAGE_FAULT: 1, BUS_ERROR: 1 });
  }

  clearTable(): void {
    this.#regs.INT_MASK.write(0);
    this.#regs.DTE_ADDR.write(0);
  }

  /** Whether DTE_ADDR keeps the bits of an address. */
  hasWorkingTable(): boolean {
    const page = DUMMY - (DUMMY % PAGE);
    this.#regs.DTE_ADDR.write(DUMMY);
    const { value } = this.#regs.DTE_ADDR.read();
    return value - (value % PAGE) === page;
  }

  forceReset(): void {
    this.#command(Command.ForceReset);
  }

  /** Waits for it. */
  isReset(): boolean {
    for (let reads = 0; reads < MOST_READS; reads++) {
      if (this.#regs.DTE_ADDR.read().value === 0) return true;
    }
    return false;
  }

  zapLines(start: number, size: number): void {
    for (let at = start; at < start + size; at += PAGE) this.#regs.ZAP_ONE_LINE.write(at);
  }

  /** The tables that translate the first and the last page. */
  zapEnds(start: number, size: number): void {
    this.#regs.ZAP_ONE_LINE.write(start);
    const last = start + size - PAGE;
    const isOther = Math.floor(last / TABLE_SPAN) !== Math.floor(start / TABLE_SPAN);
    if (last > start || isOther) this.#regs.ZAP_ONE_LINE.write(last);
  }

  zapCache(): void {
    this.#command(Command.ZapCache);
  }

  /** What it interrupts for, or null. */
  pending(): MmuFault | null {
    const { value, PAGE_FAULT, BUS_ERROR } = this.#regs.INT_STATUS.read();
    if (value === 0) return null;
    return {
      status: value,
      address: this.#regs.PAGE_FAULT_ADDR.read().value,
      write: this.#regs.STATUS.read().PAGE_FAULT_IS_WRITE === 1,
      isPageFault: PAGE_FAULT === 1,
      isBusError: BUS_ERROR === 1,
    };
  }

  /** It serves others again, and has forgotten what led to the fault. */
  endPageFault(): void {
    this.zapCache();
    this.#command(Command.PageFaultDone);
  }

  clear(status: number): void {
    this.#regs.INT_CLEAR.write(status);
  }

  #command(code: number): void {
    this.#regs.COMMAND.write({ CODE: code });
  }

  #until(
    what: string,
    is: (status: RegisterValues<typeof ROCKCHIP_IOMMU.registers.STATUS>) => boolean,
  ): string | null {
    for (let reads = 0; reads < MOST_READS; reads++) {
      if (is(this.#regs.STATUS.read())) return null;
    }
    const { value } = this.#regs.STATUS.read();
    return `${what} request timed out, status: ${hex(value)}`;
  }
}
