import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaMemory } from '../../base/hw/dma-memory';
import type { IommuAnswer, IommuHook } from '../../base/hw/dma-port';
import type { EventQueue, Timer } from '../../base/hw/event-queue';
import type { RefusalCause, RefusedAccess, StaleEntrySink, TableUse } from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { registerFile } from '../../base/hw/register-file';
import type { RegisterFile } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { hi32, lo32 } from '../../base/types/bits';
import { invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { ReusedAnswer } from '../hw/answer';
import { NO_ENTRY, entryKey, isValid } from './model/iotlb';
import type { EntryKey, Iotlb } from './model/iotlb';
import {
  ENTRY,
  ENTRY_SIZE,
  ENTRY_SPAN,
  FaultCause,
  STREAMS,
  StreamMode,
  TRIVIAL_IOMMU,
} from './regs';

const INVALIDATION_NANOSECONDS = 100;
/** Longer than any transaction: what holds for a stream, whatever the address. */
const ANY_LENGTH = 2 ** 52;

/** Where a transaction is, and whose it is: of each stream one, used again for the next. */
interface Access {
  readonly master: string;
  readonly stream: number;
  address: number;
  write: boolean;
}

const REFUSALS: Readonly<Record<FaultCause, RefusalCause>> = {
  [FaultCause.Abort]: 'abort',
  [FaultCause.Aperture]: 'aperture',
  [FaultCause.Translation]: 'translation',
  [FaultCause.Permission]: 'permission',
  [FaultCause.Walk]: 'walk',
};

/** What a trivial IOMMU is wired to. */
export interface TrivialIommuPorts {
  readonly name: string;
  /** Its walker's way to the tables. */
  readonly tables: Pick<DmaMemory, 'readTable' | 'passTable'>;
  readonly iotlb: Iotlb;
  readonly irq: IrqLine;
  readonly events: EventQueue;
  /** Entries that a table may have: what APERTURE says. */
  readonly aperturePages: number;
  readonly onGuestError: GuestErrorSink;
  /** Null: nobody asks. */
  readonly onStale: StaleEntrySink | null;
  /** Told of every fault, also of those that its registers have no room for; null: nobody asks. */
  readonly onRefused: ((refused: RefusedAccess) => void) | null;
}

/** An IOMMU with a flat table in memory for each of its streams. Registers and entries: regs.ts. */
export class TrivialIommu extends Device {
  readonly reset: ResetNode;
  readonly #regs: RegisterFile<typeof TRIVIAL_IOMMU>;
  readonly #ports: TrivialIommuPorts;
  readonly #answer = new ReusedAnswer();
  #invalidation: Timer | null = null;

  constructor(ports: TrivialIommuPorts) {
    super(ports.name);
    this.#ports = ports;
    this.#regs = registerFile(TRIVIAL_IOMMU, {
      onGuestError: ports.onGuestError,
      resets: { APERTURE: ports.aperturePages },
      onWrite: {
        STATUS: () => {
          this.#updateIrq();
        },
        IRQ_ENABLE: () => {
          this.#updateIrq();
        },
        INV_CMD: written => {
          this.#invalidate(written);
        },
        'STREAM.PAGES': (_written, previous, stream) => {
          this.#checkPages(previous, stream);
        },
      },
    });
    // No transfer is left that could fault, and none is to be let through before that.
    this.reset = new ResetNode(ports.name, {
      ...NO_RESET,
      hold: () => {
        ports.irq.set(false);
      },
      exit: () => {
        this.#cancel();
        this.#regs.reset();
        ports.iotlb.invalidate(null);
      },
    });
  }

  /** What the transactions of a master on the stream of these cells pass on their way. */
  stream([stream = STREAMS]: readonly number[], master: string): IommuHook {
    invariant(stream >= 0 && stream < STREAMS, `${this.name} has no stream ${stream}`);
    const access: Access = { stream, master, address: 0, write: false };
    return {
      translate: (address, write) => {
        access.address = address;
        access.write = write;
        return this.#translate(access);
      },
    };
  }

  /** 'root' if the table of a stream begins in these bytes: there are no others. */
  walksInto(start: number, size: number): TableUse | null {
    const isThere = Array.from({ length: STREAMS }, (_, n) => this.#regs.STREAM(n)).some(
      ({ CTRL, TABLE }) => {
        const root = TABLE.FRAME * ENTRY_SPAN;
        return CTRL.MODE === StreamMode.Translate && root >= start && root < start + size;
      },
    );
    return isThere ? 'root' : null;
  }

  /** BenchError during an invalidation: what its timer will do cannot be saved. */
  saveState(): StateValue {
    invariant(this.#invalidation === null, `${this.name}: a snapshot during an invalidation`);
    return { registers: this.#regs.saveState(), iotlb: this.#ports.iotlb.saveState() };
  }

  /** An invalidation that was under way is given up. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    const registers = reader.value('registers');
    const iotlb = reader.value('iotlb');
    this.#cancel();
    this.#regs.restoreState(registers);
    this.#ports.iotlb.restoreState(iotlb);
    this.#ports.irq.restore(this.#irqLevel());
  }

  protected createRegions(): readonly MemoryRegion[] {
    return [MemoryRegion.io(this.name, TRIVIAL_IOMMU.size, this.#regs)];
  }

  #translate(access: Access): IommuAnswer | null {
    const { stream, address, write } = access;
    const { CTRL, PAGES } = this.#regs.STREAM(stream);
    if (this.#regs.CTRL.ENABLE === 0 || CTRL.MODE === StreamMode.Bypass) return null;
    if (CTRL.MODE !== StreamMode.Translate) {
      return this.#fault(access, FaultCause.Abort, ANY_LENGTH);
    }
    const page = Math.floor(address / ENTRY_SPAN);
    const inPage = address % ENTRY_SPAN;
    const length = ENTRY_SPAN - inPage;
    if (page >= PAGES.COUNT) return this.#fault(access, FaultCause.Aperture, ANY_LENGTH);
    const entry = this.#entryOf(access, page);
    if (entry === null) return this.#fault(access, FaultCause.Walk, length);
    if (!isValid(entry)) return this.#fault(access, FaultCause.Translation, length);
    if (write && ENTRY.WRITE.of(entry) === 0) {
      return this.#fault(access, FaultCause.Permission, length);
    }
    return this.#answer.passes(frameOf(entry) + inPage, length);
  }

  /** From the TLB, else from the table; null where no table is. */
  #entryOf(access: Access, page: number): number | null {
    const { tables, iotlb, onStale } = this.#ports;
    const { stream } = access;
    const key = entryKey(stream, page);
    const at = this.#regs.STREAM(stream).TABLE.FRAME * ENTRY_SPAN + page * ENTRY_SIZE;
    const kept = iotlb.find(key);
    if (kept !== NO_ENTRY) {
      tables.passTable(at);
      return kept;
    }
    const entry = tables.readTable(at);
    if (entry === null) return null;
    let used = entry;
    for (const older of iotlb.others(key, entry)) {
      const isUsed = onStale?.({
        ...access,
        iommu: this.name,
        what: 'translation',
        older: frameOf(older) + (access.address % ENTRY_SPAN),
        newer: isValid(entry) ? frameOf(entry) + (access.address % ENTRY_SPAN) : null,
      });
      if (isUsed === true) used = older;
    }
    if (isValid(entry)) iotlb.keep(key, entry);
    return used;
  }

  #fault(access: Access, cause: FaultCause, length: number): IommuAnswer {
    const { stream, address, write } = access;
    this.#ports.onRefused?.({ ...access, iommu: this.name, cause: REFUSALS[cause] });
    const { STATUS, FAULT_INFO, FAULT_LO, FAULT_HI } = this.#regs;
    if (STATUS.FAULT === 1) {
      STATUS.MULTIPLE = 1;
    } else {
      STATUS.FAULT = 1;
      FAULT_INFO.STREAM = stream;
      FAULT_INFO.WRITE = write ? 1 : 0;
      FAULT_INFO.CAUSE = cause;
      FAULT_LO.value = lo32(address);
      FAULT_HI.value = hi32(address);
    }
    this.#updateIrq();
    return this.#answer.refuses(length);
  }

  #invalidate(written: number): void {
    const { name, events, iotlb, onGuestError } = this.#ports;
    const { ONE, ALL } = TRIVIAL_IOMMU.registers.INV_CMD.fields;
    const isAll = ALL.of(written) === 1;
    if (!isAll && ONE.of(written) === 0) return;
    if (this.#invalidation !== null) {
      onGuestError(`${name}.INV_CMD: a command during an invalidation is ignored`);
      return;
    }
    const { INV_ENTRY, INV_STATUS } = this.#regs;
    const key: EntryKey | null = isAll ? null : entryKey(INV_ENTRY.STREAM, INV_ENTRY.PAGE);
    INV_STATUS.BUSY = 1;
    this.#invalidation = events.after(INVALIDATION_NANOSECONDS, `${name} invalidation`, () => {
      this.#invalidation = null;
      INV_STATUS.BUSY = 0;
      iotlb.invalidate(key);
    });
  }

  #cancel(): void {
    if (this.#invalidation !== null) this.#ports.events.cancel(this.#invalidation);
    this.#invalidation = null;
  }

  /** A table that is larger than the hardware takes leaves the register as it was. */
  #checkPages(previous: number, stream: number): void {
    const { PAGES } = this.#regs.STREAM(stream);
    const most = this.#regs.APERTURE.PAGES;
    if (PAGES.COUNT <= most) return;
    this.#ports.onGuestError(`${this.name}.STREAM.PAGES: ${PAGES.COUNT} are more than ${most}`);
    PAGES.value = previous;
  }

  #updateIrq(): void {
    this.#ports.irq.set(this.#irqLevel());
  }

  #irqLevel(): boolean {
    return this.#regs.STATUS.FAULT === 1 && this.#regs.IRQ_ENABLE.FAULT === 1;
  }
}

/** Where an entry leads. */
const frameOf = (entry: number): number => ENTRY.FRAME.of(entry) * ENTRY_SPAN;
