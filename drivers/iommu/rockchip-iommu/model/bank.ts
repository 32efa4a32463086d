import type { IommuAnswer } from '../../../base/hw/dma-port';
import type { GuestErrorSink } from '../../../base/hw/device';
import type { RefusalCause, TableUse } from '../../../base/hw/iommu';
import { registerFile } from '../../../base/hw/register-file';
import type { RegisterFile } from '../../../base/hw/register-file';
import { Stall } from '../../../base/hw/stall';
import { invariant } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { ReusedAnswer } from '../../hw/answer';
import { overlaps } from '../../hw/kept';
import type { Kept, KeptCondition } from '../../hw/kept';
import type { Lookup } from '../../hw/lookup';
import { PAGE, TABLE_SPAN, VALID, addressOf } from '../../regs/rockchip';
import type { TwoLevelWalker } from '../../walk/two-level';
import { WalkFault, permits } from '../../walk/types';
import type { TableWalk } from '../../walk/types';
import { Command, ROCKCHIP_IOMMU } from '../regs';

/** Whose transaction it is that passes. */
export interface BankAccess {
  master: string;
  address: number;
  write: boolean;
}

/** What one MMU is made of and wired to. */
export interface BankParts {
  readonly name: string;
  readonly isV2: boolean;
  readonly walker: TwoLevelWalker;
  readonly lookup: Lookup;
  /** Addresses that led nowhere. */
  readonly nowhere: Kept;
  /** A word that comes with another that was read; null where only the one is looked at. */
  readonly neighbour: ((address: number) => number | null) | null;
  readonly onGuestError: GuestErrorSink;
  /** The interrupt may have changed. */
  readonly onIrq: () => void;
  /** An address may have been taken for one that leads nowhere; true: it was. */
  readonly onStaleNowhere: (leads: number) => boolean;
  readonly onRefused: (access: BankAccess, cause: RefusalCause) => void;
}

const CONTEXT = 0;
const WORD = 4;
/** Entries that are read at once. _Assumed_. */
const LINE_ENTRIES = 8;

/** One MMU of a Rockchip IOMMU: what the sheet says. */
export class RockchipBank implements Stateful {
  readonly regs: RegisterFile<typeof ROCKCHIP_IOMMU>;
  readonly #parts: BankParts;
  readonly #answer = new ReusedAnswer();
  /** Whoever waits for the end of a stall or of a fault. */
  readonly #waiting: Stall[] = [];

  constructor(parts: BankParts) {
    this.#parts = parts;
    this.regs = registerFile(ROCKCHIP_IOMMU, {
      onGuestError: parts.onGuestError,
      onWrite: {
        DTE_ADDR: (_written, previous) => {
          this.#checkDirectory(previous);
        },
        COMMAND: written => {
          this.#command(ROCKCHIP_IOMMU.registers.COMMAND.fields.CODE.of(written));
        },
        ZAP_ONE_LINE: written => {
          const start = written - (written % TABLE_SPAN);
          this.#forget(entry => overlaps(entry, start, TABLE_SPAN));
        },
        INT_RAWSTAT: parts.onIrq,
        INT_CLEAR: written => {
          this.regs.INT_RAWSTAT.value &= ~written;
          parts.onIrq();
        },
        INT_MASK: parts.onIrq,
      },
      onRead: { INT_STATUS: () => this.#pending },
    });
  }

  get isInterrupting(): boolean {
    return this.#pending !== 0;
  }

  /** As IommuHook.translate. */
  translate(access: BankAccess): IommuAnswer | null {
    const { STATUS, DTE_ADDR } = this.regs;
    const { address } = access;
    if (STATUS.PAGING_ENABLED === 0) return null;
    const length = PAGE - (address % PAGE);
    if (STATUS.STALL_ACTIVE === 1 || STATUS.PAGE_FAULT_ACTIVE === 1) {
      const stall = new Stall();
      this.#waiting.push(stall);
      return this.#answer.waits(stall, length);
    }
    if (address >= 2 ** 32) return this.#fault(access, 'aperture', length);
    const { walker, lookup, nowhere, isV2 } = this.#parts;
    if (nowhere.find(CONTEXT, address) !== null) return this.#fault(access, 'translation', length);
    const fault = lookup.find(walker, addressOf(DTE_ADDR.value, isV2), CONTEXT, address);
    if (fault === WalkFault.External) return this.#busError(access, length);
    if (fault !== WalkFault.None) {
      const start = address - (address % PAGE);
      nowhere.keep({ context: CONTEXT, start, size: PAGE, leads: 0, attributes: 0 });
      return this.#fault(access, 'translation', length);
    }
    const { start, leads, attributes } = lookup.entry;
    const physical = leads + (address - start);
    const mayLeadNowhere = nowhere.others(CONTEXT, address, null).length > 0;
    if (mayLeadNowhere && this.#parts.onStaleNowhere(physical)) {
      return this.#fault(access, 'translation', length);
    }
    this.#keepNeighbours(walker.walk, address);
    if (!permits(attributes, access.write)) return this.#fault(access, 'permission', length);
    return this.#answer.passes(physical, length);
  }

  /** As the MMU may at any time where paging is on; null where it is off. */
  walkUnasked(walker: TwoLevelWalker, address: number): TableWalk | null {
    const { STATUS, DTE_ADDR } = this.regs;
    if (STATUS.PAGING_ENABLED === 0) return null;
    const root = addressOf(DTE_ADDR.value, this.#parts.isV2);
    const fault = walker.translate(root, address, null);
    if (fault === WalkFault.None) this.#keepNeighbours(walker.walk, address);
    return walker.walk;
  }

  /** By what a walk may come to a table that begins in these bytes; null: by nothing. */
  walksInto(start: number, size: number): TableUse | null {
    const { STATUS, DTE_ADDR } = this.regs;
    if (STATUS.PAGING_ENABLED === 0) return null;
    const root = addressOf(DTE_ADDR.value, this.#parts.isV2);
    if (root >= start && root < start + size) return 'root';
    return this.#parts.lookup.stepInto(start, size) === null ? null : 'step';
  }

  /** Power-on, or the command: nobody waits any more. */
  reset(): void {
    this.regs.reset();
    this.#parts.lookup.clear();
    this.#parts.nowhere.invalidate(null);
    this.#resume();
  }

  saveState(): StateValue {
    invariant(this.#waiting.length === 0, `${this.#parts.name}: a snapshot during a stall`);
    const { lookup, nowhere } = this.#parts;
    return {
      registers: this.regs.saveState(),
      lookup: lookup.saveState(),
      nowhere: nowhere.saveState(),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.#parts.name);
    this.regs.restoreState(reader.value('registers'));
    this.#parts.lookup.restoreState(reader.value('lookup'));
    this.#parts.nowhere.restoreState(reader.value('nowhere'));
  }

  get #pending(): number {
    return this.regs.INT_RAWSTAT.value & this.regs.INT_MASK.value;
  }

  /** Of the entries that came with the one that was used, those that lead nowhere. */
  #keepNeighbours(walk: TableWalk, address: number): void {
    const { neighbour, nowhere } = this.#parts;
    const used = walk.steps[walk.count - 1];
    if (neighbour === null || used === undefined) return;
    const first = used.at - (used.at % (LINE_ENTRIES * WORD));
    const page = address - (address % PAGE);
    for (let i = 0; i < LINE_ENTRIES; i++) {
      const word = neighbour(first + i * WORD);
      if (word === null || VALID.of(word) === 1) continue;
      const start = page + (first + i * WORD - used.at) * (PAGE / WORD);
      nowhere.keep({ context: CONTEXT, start, size: PAGE, leads: 0, attributes: 0 });
    }
  }

  #forget(condition: KeptCondition | null): void {
    this.#parts.nowhere.invalidate(condition);
    this.#parts.lookup.invalidate(condition);
  }

  #resume(): void {
    for (const stall of this.#waiting.splice(0)) stall.end('retry');
  }

  #command(code: number): void {
    const { STATUS } = this.regs;
    switch (code) {
      case Command.EnablePaging:
        STATUS.PAGING_ENABLED = 1;
        break;
      case Command.DisablePaging:
        STATUS.PAGING_ENABLED = 0;
        break;
      case Command.EnableStall:
        if (STATUS.PAGING_ENABLED === 1) STATUS.STALL_ACTIVE = 1;
        else this.#complain('COMMAND: a stall while paging is off');
        break;
      case Command.DisableStall:
        STATUS.STALL_ACTIVE = 0;
        break;
      case Command.ZapCache:
        this.#forget(null);
        break;
      case Command.PageFaultDone:
        STATUS.PAGE_FAULT_ACTIVE = 0;
        break;
      case Command.ForceReset:
        this.reset();
        this.#parts.onIrq();
        break;
      default:
        this.#complain(`COMMAND: ${code} is none`);
    }
    if (STATUS.STALL_ACTIVE === 0 && STATUS.PAGE_FAULT_ACTIVE === 0) this.#resume();
  }

  #checkDirectory(previous: number): void {
    const { DTE_ADDR, STATUS } = this.regs;
    if (!this.#parts.isV2) DTE_ADDR.value -= DTE_ADDR.value % PAGE;
    if (STATUS.PAGING_ENABLED === 1 && STATUS.STALL_ACTIVE === 0 && DTE_ADDR.value !== previous) {
      this.#complain('DTE_ADDR: written while it translates');
    }
  }

  #fault(access: BankAccess, cause: RefusalCause, length: number): IommuAnswer {
    const { STATUS, PAGE_FAULT_ADDR, INT_RAWSTAT } = this.regs;
    STATUS.PAGE_FAULT_ACTIVE = 1;
    STATUS.PAGE_FAULT_IS_WRITE = access.write ? 1 : 0;
    PAGE_FAULT_ADDR.value = access.address % 2 ** 32;
    INT_RAWSTAT.PAGE_FAULT = 1;
    return this.#refuse(access, cause, length);
  }

  #busError(access: BankAccess, length: number): IommuAnswer {
    this.regs.PAGE_FAULT_ADDR.value = access.address % 2 ** 32;
    this.regs.INT_RAWSTAT.BUS_ERROR = 1;
    return this.#refuse(access, 'walk', length);
  }

  #refuse(access: BankAccess, cause: RefusalCause, length: number): IommuAnswer {
    this.#parts.onRefused(access, cause);
    this.#parts.onIrq();
    return this.#answer.refuses(length);
  }

  #complain(text: string): void {
    this.#parts.onGuestError(`${this.#parts.name}.${text}`);
  }
}
