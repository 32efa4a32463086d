import type { GuestErrorSink } from '../../../base/hw/device';
import type { MmioHandler } from '../../../base/hw/mmio';
import { registerFile } from '../../../base/hw/register-file';
import type { RegisterEngine } from '../../../base/hw/register-file';
import { PAGE_SIZE } from '../../../base/types/bits';
import { OLDEST_VERSION, SYSMMU, SYSMMU_V5, majorOf } from '../regs';

/** What went wrong with a transaction. */
export type SysmmuFault = 'page' | 'access' | 'bus';

/** What software asks for by its writes. */
export interface SysmmuCommands {
  readonly onGuestError: GuestErrorSink;
  /** CTRL was written; the fields are set. */
  readonly control: () => void;
  readonly flushAll: () => void;
  /** Entries for any address of these bytes. */
  readonly flush: (start: number, size: number) => void;
  /** PT_BASE was written. */
  readonly rebase: () => void;
  readonly irq: () => void;
}

/** The registers of a SYSMMU, wherever its version has them. */
export interface SysmmuRegisters {
  readonly handler: MmioHandler & RegisterEngine;
  readonly ctrl: number;
  readonly cfg: number;
  /** Address of the table. */
  readonly root: number;
  readonly pending: number;
  setBlocked(isBlocked: boolean): void;
  report(fault: SysmmuFault, address: number, write: boolean): void;
}

const rawVersion = (version: number): number =>
  version === 0x80 ? OLDEST_VERSION : version * 2 ** 21;

/** Versions 1 to 3. */
const oldRegisters = (version: number, commands: SysmmuCommands): SysmmuRegisters => {
  const { FLUSH_ENTRY, FLUSH_ALL } = SYSMMU.registers;
  const regs = registerFile(SYSMMU, {
    onGuestError: commands.onGuestError,
    resets: { VERSION: rawVersion(version) },
    onWrite: {
      CTRL: commands.control,
      PT_BASE: commands.rebase,
      FLUSH_ALL: written => {
        if (FLUSH_ALL.fields.GO.of(written) === 1) commands.flushAll();
      },
      FLUSH_ENTRY: written => {
        const { GO, PAGE } = FLUSH_ENTRY.fields;
        if (GO.of(written) === 1) commands.flush(PAGE.of(written) * PAGE_SIZE, PAGE_SIZE);
      },
      INT_CLEAR: written => {
        regs.INT_STATUS.value &= ~written;
        commands.irq();
      },
    },
  });
  return {
    handler: regs,
    get ctrl() {
      return regs.CTRL.value;
    },
    get cfg() {
      return regs.CFG.value;
    },
    get root() {
      return regs.PT_BASE.value;
    },
    get pending() {
      return regs.INT_STATUS.value;
    },
    setBlocked: isBlocked => {
      regs.STATUS.BLOCKED = isBlocked ? 1 : 0;
    },
    report: (fault, address, write) => {
      const { INT_STATUS } = regs;
      if (fault === 'page') {
        INT_STATUS.PAGE_FAULT = 1;
        regs.PAGE_FAULT_ADDR.value = address;
      } else if (fault === 'bus') {
        INT_STATUS.BUS_ERROR = 1;
        regs.DEFAULT_SLAVE_ADDR.value = address;
      } else if (write) {
        INT_STATUS.AW_ACCESS = 1;
        regs.AW_FAULT_ADDR.value = address;
      } else {
        INT_STATUS.AR_ACCESS = 1;
        regs.AR_FAULT_ADDR.value = address;
      }
    },
  };
};

const v5Registers = (version: number, commands: SysmmuCommands): SysmmuRegisters => {
  const { FLUSH_ENTRY, FLUSH_ALL, FLUSH_RANGE } = SYSMMU_V5.registers;
  const regs = registerFile(SYSMMU_V5, {
    onGuestError: commands.onGuestError,
    resets: { VERSION: rawVersion(version) },
    onWrite: {
      CTRL: commands.control,
      PT_BASE: commands.rebase,
      FLUSH_ALL: written => {
        if (FLUSH_ALL.fields.GO.of(written) === 1) commands.flushAll();
      },
      FLUSH_ENTRY: written => {
        const { GO, PAGE } = FLUSH_ENTRY.fields;
        if (GO.of(written) === 1) commands.flush(PAGE.of(written) * PAGE_SIZE, PAGE_SIZE);
      },
      FLUSH_RANGE: written => {
        if (FLUSH_RANGE.fields.GO.of(written) === 0) return;
        const pages = regs.FLUSH_END.PAGE - regs.FLUSH_START.PAGE + 1;
        if (pages > 0) commands.flush(regs.FLUSH_START.PAGE * PAGE_SIZE, pages * PAGE_SIZE);
        else commands.onGuestError('sysmmu-v5.FLUSH_RANGE: it ends before it begins');
      },
      INT_CLEAR: written => {
        regs.INT_STATUS.value &= ~written;
        commands.irq();
      },
    },
  });
  return {
    handler: regs,
    get ctrl() {
      return regs.CTRL.value;
    },
    get cfg() {
      return regs.CFG.value;
    },
    get root() {
      return regs.PT_BASE.FRAME * PAGE_SIZE;
    },
    get pending() {
      return regs.INT_STATUS.value;
    },
    setBlocked: isBlocked => {
      regs.STATUS.BLOCKED = isBlocked ? 1 : 0;
    },
    report: (fault, address, write) => {
      const { INT_STATUS } = regs;
      const address32 = write ? regs.FAULT_AW_VA : regs.FAULT_AR_VA;
      address32.value = address;
      if (fault === 'page' && write) INT_STATUS.AW_PAGE = 1;
      else if (fault === 'page') INT_STATUS.AR_PAGE = 1;
      else if (fault === 'bus' && write) INT_STATUS.AW_PTW = 1;
      else if (fault === 'bus') INT_STATUS.AR_PTW = 1;
      else if (write) INT_STATUS.AW_ACCESS = 1;
      else INT_STATUS.AR_ACCESS = 1;
    },
  };
};

/** `version` as sysmmuVersion() makes it. */
export const sysmmuRegisters = (version: number, commands: SysmmuCommands): SysmmuRegisters =>
  majorOf(version) < 5 ? oldRegisters(version, commands) : v5Registers(version, commands);
