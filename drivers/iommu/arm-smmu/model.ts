import { Device } from '../../base/hw/device';
import type { GuestErrorSink } from '../../base/hw/device';
import type { DmaMemory } from '../../base/hw/dma-memory';
import type { IommuHook } from '../../base/hw/dma-port';
import type { EventQueue } from '../../base/hw/event-queue';
import type { RefusedAccess, StaleEntrySink, TableUse } from '../../base/hw/iommu';
import type { IrqLine } from '../../base/hw/irq';
import { MemoryRegion } from '../../base/hw/memory-region';
import { registerFile } from '../../base/hw/register-file';
import type { RegisterFile } from '../../base/hw/register-file';
import { NO_RESET, ResetNode } from '../../base/hw/reset';
import { restoreAll } from '../../base/hw/state-arrays';
import { at } from '../../base/types/arrays';
import { UnmodelledError, invariant } from '../../base/types/errors';
import { StateReader } from '../../base/types/state';
import type { StateValue } from '../../base/types/state';
import { EveryKept, LruKept } from '../hw/kept';
import type { Kept } from '../hw/kept';
import { Lookup } from '../hw/lookup';
import type { KeptWalks, StaleSink } from '../hw/lookup';
import { staleSink } from '../hw/stale';
import type { TableWalk } from '../walk/types';
import { accessOf, newTransaction } from './model/access';
import type { RefusalSink, Transaction } from './model/access';
import { ContextBank } from './model/bank';
import { GlobalRegisters } from './model/global';
import type { SmmuIntegration } from './model/integration';
import { Invalidations } from './model/invalidations';
import { Walkers } from './model/regime';
import type { BankSetup } from './model/regime';
import { BYPASS, StreamMapping } from './model/stream-mapping';
import type { Route } from './model/stream-mapping';
import { SmmuWindow } from './model/window';
import { ARM_SMMU_GR1, BankType } from './regs';

/** What an SMMU is wired to. */
export interface ArmSmmuPorts {
  readonly name: string;
  readonly built: SmmuIntegration;
  /** Its walker's way to the tables. */
  readonly memory: Pick<DmaMemory, 'readTable' | 'readTable64' | 'tableHigh' | 'unseen'>;
  readonly isChecked: boolean;
  /** Translations that it keeps; 0: it keeps nothing at all. */
  readonly tlbEntries: number;
  /** Of global faults; null if none leads anywhere. */
  readonly globalIrq: IrqLine | null;
  /** Version 2: one for each bank. Version 1: as CBAR.IRPTNDX counts them. */
  readonly contextIrqs: readonly IrqLine[];
  readonly events: EventQueue;
  readonly onGuestError: GuestErrorSink;
  /** Null: nobody asks. */
  readonly onStale: StaleEntrySink | null;
  /** Told of every fault; null: nobody asks. */
  readonly onRefused: ((refused: RefusedAccess) => void) | null;
}

/** Levels of tables at most, and steps of walks that are kept of each. */
const LEVELS = [0, 1, 2, 3];
const STEPS_PER_LEVEL = 4;

const keptOf = ({ isChecked, tlbEntries }: ArmSmmuPorts): KeptWalks => {
  const kept = (entries: number): Kept => (isChecked ? new EveryKept() : new LruKept(entries));
  const steps = tlbEntries === 0 ? 0 : STEPS_PER_LEVEL;
  return { translations: kept(tlbEntries), steps: LEVELS.map(() => kept(steps)) };
};

/** An Arm System MMU of version 1 or 2. Registers: regs.ts. */
export class ArmSmmu extends Device {
  readonly reset: ResetNode;
  readonly #ports: ArmSmmuPorts;
  readonly #global: GlobalRegisters;
  readonly #gr1: RegisterFile<typeof ARM_SMMU_GR1>;
  readonly #banks: readonly ContextBank[];
  readonly #mapping: StreamMapping;
  readonly #lookup: Lookup;
  readonly #invalidations: Invalidations;
  readonly #walkers: Walkers;
  readonly #unseenWalkers: Walkers;
  /** Counts changes of the stream mapping: what was derived from it holds while it stands still. */
  #mappingVersion = 0;
  /** Whose transaction looks something up. */
  #current: Transaction | null = null;
  readonly #refused: RefusalSink = (access, cause) => {
    this.#ports.onRefused?.({ ...accessOf(access), cause });
  };
  readonly #stale: StaleSink = (what, older, now) => {
    const { onStale } = this.#ports;
    const access = this.#current;
    if (onStale === null || access === null) return false;
    const tell = staleSink(access, (kind, from, to) =>
      onStale({ ...accessOf(access), what: kind, older: from, newer: to }),
    );
    return tell(what, older, now);
  };

  constructor(ports: ArmSmmuPorts) {
    super(ports.name);
    this.#ports = ports;
    const { built, name, events } = ports;
    this.#walkers = new Walkers(ports.memory);
    this.#unseenWalkers = new Walkers(ports.memory.unseen);
    const refetch = (tag: number, address: number): TableWalk | null => this.#refetch(tag, address);
    this.#lookup = new Lookup(keptOf(ports), this.#stale, refetch);
    this.#invalidations = new Invalidations(name, this.#lookup, events);
    this.#global = new GlobalRegisters({
      name,
      built,
      contextInterrupts: ports.contextIrqs.length,
      invalidations: this.#invalidations,
      irq: ports.globalIrq,
      remapped: () => {
        this.#mappingVersion++;
      },
      onGuestError: ports.onGuestError,
      onRefused: this.#refused,
    });
    this.#gr1 = this.#makeBankTable();
    this.#mapping = new StreamMapping(this.#global.regs, built);
    this.#banks = Array.from({ length: built.banks }, (_, index) => this.#makeBank(index));
    // No transfer is left that could fault, and none is to be let through before that.
    this.reset = new ResetNode(name, {
      ...NO_RESET,
      hold: () => {
        for (const irq of this.#irqs()) irq.set(false);
      },
      exit: () => {
        this.#global.reset();
        this.#gr1.reset();
        for (const bank of this.#banks) bank.reset();
        this.#invalidations.reset();
        this.#mappingVersion++;
      },
    });
  }

  /** What the transactions of a master pass: of the stream that the first cell says. */
  stream([stream = -1]: readonly number[], master: string): IommuHook {
    const { streamIdBits } = this.#ports.built;
    invariant(stream >= 0 && stream < 2 ** streamIdBits, `${this.name} has no stream ${stream}`);
    const transaction = newTransaction(this.name, master, stream);
    let version = -1;
    let route: Route = BYPASS;
    const banks = this.#banks;
    return {
      get mayStall() {
        return banks.some(bank => bank.mayStall);
      },
      translate: (address, write) => {
        if (version !== this.#mappingVersion) {
          version = this.#mappingVersion;
          route = this.#mapping.routeOf(stream);
        }
        if (route.kind === 'bypass') return null;
        transaction.address = address;
        transaction.write = write;
        if (route.kind === 'fault') return this.#global.fault(transaction, route.fault);
        this.#current = transaction;
        transaction.isPrivileged = route.isPrivileged;
        return at(banks, route.bank).translate(transaction);
      },
    };
  }

  /** By what a walk may come to a table that begins in these bytes; null: by nothing. */
  walksInto(start: number, size: number): TableUse | null {
    if (this.#banks.some(bank => bank.walksFrom(start, size))) return 'root';
    return this.#lookup.stepInto(start, size) === null ? null : 'step';
  }

  /** BenchError during a TLB sync, or while transactions stall: these cannot be saved. */
  saveState(): StateValue {
    return {
      global: this.#global.saveState(),
      bankTable: this.#gr1.saveState(),
      banks: this.#banks.map(bank => bank.saveState()),
      tlb: this.#invalidations.saveState(),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    const [global, bankTable] = [reader.value('global'), reader.value('bankTable')];
    const tlb = reader.value('tlb');
    this.#global.restoreState(global);
    this.#gr1.restoreState(bankTable);
    restoreAll(this.#banks, reader, 'banks');
    this.#invalidations.restoreState(tlb);
    this.#mappingVersion++;
    this.#ports.contextIrqs.forEach((irq, index) => {
      irq.restore(this.#contextLevel(index));
    });
  }

  protected createRegions(): readonly MemoryRegion[] {
    const { built, onGuestError } = this.#ports;
    const banks = this.#banks.map(({ regs }) => regs);
    const pages = { global: [this.#global.regs, this.#gr1], banks };
    const window = new SmmuWindow(this.name, built, pages, onGuestError);
    return [MemoryRegion.io(this.name, 2 * built.pages * built.pageSize, window)];
  }

  #makeBankTable(): RegisterFile<typeof ARM_SMMU_GR1> {
    const { built, onGuestError } = this.#ports;
    const bankChanged = (_written: number, _previous: number, index: number): void => {
      const isOld = built.version === 1 && this.#gr1.CBA2R(index).value !== 0;
      const isThere = index < built.banks;
      if (isOld || (!isThere && this.#gr1.CBAR(index).value !== 0)) {
        onGuestError(`${this.name}: ${isOld ? 'CBA2R in version 1' : `there is no bank ${index}`}`);
        this.#gr1.CBA2R(index).value = 0;
        if (!isThere) this.#gr1.CBAR(index).value = 0;
      }
      this.#banks[index]?.configurationChanged();
      this.#updateContextIrqs();
    };
    return registerFile(ARM_SMMU_GR1, {
      onGuestError,
      onWrite: { CBAR: bankChanged, CBA2R: bankChanged },
    });
  }

  #makeBank(index: number): ContextBank {
    const { onGuestError } = this.#ports;
    return new ContextBank({
      index,
      name: this.name,
      lookup: this.#lookup,
      walkers: this.#walkers,
      unseenWalkers: this.#unseenWalkers,
      setup: () => this.#setupOf(index),
      isLocked: () => this.#global.regs.ACR.CACHE_LOCK === 1,
      isStallDisabled: () => this.#global.regs.CR0.STALLD === 1,
      command: command => {
        if (command.kind === 'sync') this.#invalidations.sync(index, command.done);
        else this.#invalidations.add(index, command.what);
      },
      noteStream: stream => {
        this.#gr1.CBFRSYNRA(index).value = 0;
        this.#gr1.CBFRSYNRA(index).SID = stream;
      },
      updateIrq: () => {
        this.#updateContextIrqs();
      },
      onGuestError,
      onRefused: this.#refused,
    });
  }

  #setupOf(index: number): BankSetup {
    const { built } = this.#ports;
    const { TYPE: type, VMID: vmid } = this.#gr1.CBAR(index);
    if (type === BankType.Nested || type === BankType.Stage1Fault) {
      throw new UnmodelledError('arm-smmu.GR1.CBAR.TYPE', `${type}: stage 2 behind stage 1`);
    }
    const is64 = built.granules.length > 0 && this.#gr1.CBA2R(index).VA64 === 1;
    return { built, type, vmid, is64 };
  }

  #refetch(tag: number, address: number): TableWalk | null {
    for (const bank of this.#banks) {
      const walk = bank.refetch(tag, address);
      if (walk !== null) return walk;
    }
    return null;
  }

  #updateContextIrqs(): void {
    this.#ports.contextIrqs.forEach((irq, index) => {
      irq.set(this.#contextLevel(index));
    });
  }

  #contextLevel(irq: number): boolean {
    if (this.#ports.built.version === 2) return this.#banks[irq]?.irqLevel ?? false;
    return this.#banks.some(
      (bank, index) => bank.irqLevel && this.#gr1.CBAR(index).IRPTNDX === irq,
    );
  }

  #irqs(): readonly IrqLine[] {
    const { globalIrq, contextIrqs } = this.#ports;
    return globalIrq === null ? contextIrqs : [globalIrq, ...contextIrqs];
  }
}
