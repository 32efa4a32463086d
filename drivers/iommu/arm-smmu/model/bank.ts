import type { IommuAnswer } from '../../../base/hw/dma-port';
import type { IommuAccess, RefusalCause } from '../../../base/hw/iommu';
import { registerFile } from '../../../base/hw/register-file';
import type { RegisterFile } from '../../../base/hw/register-file';
import { Stall } from '../../../base/hw/stall';
import type { StallEnd } from '../../../base/hw/stall';
import type { GuestErrorSink } from '../../../base/hw/device';
import { GIB, MIB, hi32, lo32 } from '../../../base/types/bits';
import { UnmodelledError, invariant } from '../../../base/types/errors';
import type { StateValue } from '../../../base/types/state';
import type { Lookup } from '../../hw/lookup';
import { WalkFault, permits } from '../../walk/types';
import type { TableWalk } from '../../walk/types';
import { ARM_SMMU_CB } from '../regs';
import { accessOf, leftInPage } from './access';
import type { RefusalSink, Transaction } from './access';
import { bankCommands } from './commands';
import type { BankCommand } from './commands';
import { regimeOf } from './regime';
import type { BankSetup, Regime, Walkers } from './regime';

/** What a context bank has of the SMMU around it. */
export interface BankPorts {
  readonly index: number;
  readonly name: string;
  readonly lookup: Lookup;
  readonly walkers: Walkers;
  /** For what is fetched unasked. */
  readonly unseenWalkers: Walkers;
  setup(): BankSetup;
  /** ACTLR cannot be written (ACR.CACHE_LOCK). */
  isLocked(): boolean;
  /** Nothing is to stall (CR0.STALLD). */
  isStallDisabled(): boolean;
  command(command: BankCommand): void;
  /** A fault of a stream is recorded (CBFRSYNRA). */
  noteStream(stream: number): void;
  /** What the bank's interrupt depends on has changed. */
  updateIrq(): void;
  readonly onGuestError: GuestErrorSink;
  readonly onRefused: RefusalSink;
}

/** Bits of FSR that are faults. */
const FAULTS = Object.values(ARM_SMMU_CB.registers.FSR.fields).reduce(
  (mask, field) => (field.access === 'w1c' ? mask + field.mask : mask),
  0,
);

interface Fault {
  readonly bit: 'TF' | 'AFF' | 'PF' | 'EF' | 'ASF';
  readonly cause: RefusalCause;
}

const PERMISSION: Fault = { bit: 'PF', cause: 'permission' };
const FAULT_OF: Readonly<Record<Exclude<WalkFault, 0>, Fault>> = {
  [WalkFault.Translation]: { bit: 'TF', cause: 'translation' },
  [WalkFault.AccessFlag]: { bit: 'AFF', cause: 'access-flag' },
  [WalkFault.AddressSize]: { bit: 'ASF', cause: 'address-size' },
  [WalkFault.External]: { bit: 'EF', cause: 'walk' },
};

/** Of a bank whose SCTLR.M is clear: addresses pass unchanged, and nothing is kept. */
const OFF: Regime = { tag: -1, isShort: false, lower: null, upper: null, split: 0 };

/** A transaction that waits, for its own fault or behind one. */
interface Waiting {
  readonly stall: Stall;
  readonly access: IommuAccess;
  readonly isFault: boolean;
}

/** One translation context: its registers, its translation, its faults and what they stall. */
export class ContextBank {
  readonly regs: RegisterFile<typeof ARM_SMMU_CB>;
  readonly #ports: BankPorts;
  /** Its faults may stall what causes them. */
  mayStall = false;
  /** Null: to be made of the registers. */
  #regime: Regime | null = null;
  /** Nothing gets through until a fault has been cleared. */
  #isBlocked = false;
  #waiting: Waiting[] = [];

  constructor(ports: BankPorts) {
    this.#ports = ports;
    const changed = (): void => {
      this.configurationChanged();
    };
    this.regs = registerFile(ARM_SMMU_CB, {
      onGuestError: text => {
        ports.onGuestError(`${ports.name}: bank ${ports.index}: ${text}`);
      },
      onWrite: {
        SCTLR: () => {
          this.configurationChanged();
          this.#faultsChanged();
        },
        ACTLR: (_written, previous) => {
          if (ports.isLocked()) this.regs.ACTLR.value = previous;
        },
        TCR2: changed,
        TTBR0: changed,
        TTBR0_HI: changed,
        TTBR1: changed,
        TTBR1_HI: changed,
        TCR: changed,
        CONTEXTIDR: changed,
        FSR: () => {
          this.#faultsChanged();
        },
        RESUME: () => {
          this.#resume();
        },
        ...bankCommands(() => this.regs, ports),
      },
    });
  }

  /** Its interrupt, if it has one, is asserted. */
  get irqLevel(): boolean {
    return this.regs.SCTLR.CFIE === 1 && (this.regs.FSR.value & FAULTS) !== 0;
  }

  /** The translation is made of registers of which some have changed. */
  configurationChanged(): void {
    this.#regime = null;
    this.mayStall = this.regs.SCTLR.CFCFG === 1;
  }

  /** What becomes of a transaction; null: it passes unchanged. */
  translate(transaction: Transaction): IommuAnswer | null {
    const { address, write, isPrivileged, answer } = transaction;
    const regime = this.#currentRegime();
    if (regime === OFF) return null;
    if (this.#isBlocked) return this.#behindFault(transaction);
    const half = address < regime.split ? regime.lower : regime.upper;
    if (half === null) return this.#fault(transaction, FAULT_OF[WalkFault.Translation], 0);
    const { lookup, walkers } = this.#ports;
    const fault = lookup.find(walkers.of(regime), half, regime.tag, address);
    if (fault !== WalkFault.None) return this.#fault(transaction, FAULT_OF[fault], lookup.level);
    const { start, size, leads, attributes } = lookup.entry;
    if (!permits(attributes, write, isPrivileged)) {
      return this.#fault(transaction, PERMISSION, levelOf(regime, size));
    }
    const inEntry = address - start;
    return answer.passes(leads + inEntry, size - inEntry);
  }

  /** Walks without a trace, if it translates and these are its addresses. */
  refetch(tag: number, address: number): TableWalk | null {
    const regime = this.#currentRegime();
    const half = address < regime.split ? regime.lower : regime.upper;
    if (regime.tag !== tag || half === null) return null;
    const walker = this.#ports.unseenWalkers.of(regime);
    walker.translate(half, address, null);
    return walker.walk;
  }

  /** True if its tables begin in these bytes. */
  walksFrom(start: number, size: number): boolean {
    const { lower, upper } = this.#currentRegime();
    return [lower, upper].some(
      half => half !== null && half.root >= start && half.root < start + size,
    );
  }

  reset(): void {
    this.regs.reset();
    this.#endWaiting('abort');
    this.configurationChanged();
    this.#isBlocked = false;
  }

  /** BenchError while transactions wait: they cannot be saved. */
  saveState(): StateValue {
    const { name, index } = this.#ports;
    invariant(this.#waiting.length === 0, `${name}: a snapshot while bank ${index} stalls`);
    return this.regs.saveState();
  }

  restoreState(state: StateValue): void {
    this.regs.restoreState(state);
    this.#endWaiting('abort');
    this.configurationChanged();
    this.#isBlocked = this.#holdsBack();
  }

  #currentRegime(): Regime {
    const { regs } = this;
    return (this.#regime ??= regs.SCTLR.M === 0 ? OFF : regimeOf(this.#ports.setup(), regs));
  }

  #fault(transaction: Transaction, { bit, cause }: Fault, level: number): IommuAnswer {
    const { SCTLR, FSR, FAR, FAR_HI, FSYNR0, IPAFAR, IPAFAR_HI } = this.regs;
    const { address, write, isPrivileged, stream, answer } = transaction;
    const stalls = SCTLR.CFCFG === 1 && !this.#ports.isStallDisabled();
    if (SCTLR.CFRE === 0 && !stalls) {
      throw new UnmodelledError('arm-smmu.CB.SCTLR.CFRE', 'a fault that is not to be answered');
    }
    if ((FSR.value & FAULTS) === 0) {
      FSR[bit] = 1;
      FAR.value = lo32(address);
      FAR_HI.value = hi32(address);
      IPAFAR.value = lo32(address);
      IPAFAR_HI.value = hi32(address);
      FSYNR0.value = 0;
      FSYNR0.PLVL = level;
      FSYNR0.WNR = write ? 1 : 0;
      FSYNR0.PNU = isPrivileged ? 1 : 0;
      this.#ports.noteStream(stream);
    } else {
      FSR.MULTI = 1;
    }
    if (stalls) FSR.SS = 1;
    this.#faultsChanged();
    if (stalls) return this.#wait(transaction, true);
    this.#ports.onRefused(transaction, cause);
    return answer.refuses(leftInPage(address));
  }

  /** While a fault is outstanding all else fares as it did, unless HUPCF lets it go on. */
  #behindFault(transaction: Transaction): IommuAnswer {
    if (this.regs.FSR.SS === 1) return this.#wait(transaction, false);
    this.#ports.onRefused(transaction, 'abort');
    return transaction.answer.refuses(leftInPage(transaction.address));
  }

  #wait(transaction: Transaction, isFault: boolean): IommuAnswer {
    const stall = new Stall();
    this.#waiting.push({ stall, access: accessOf(transaction), isFault });
    return transaction.answer.waits(stall, leftInPage(transaction.address));
  }

  /** All that wait go on; what faulted is retried or ends, what was behind it is tried. */
  #resume(): void {
    const { RESUME, FSR } = this.regs;
    const { name, index, onGuestError } = this.#ports;
    if (FSR.SS === 0) {
      onGuestError(`${name}: bank ${index}: RESUME, and nothing is stalled`);
      return;
    }
    if ((FSR.value & FAULTS) !== 0) {
      onGuestError(`${name}: bank ${index}: RESUME before FSR is cleared`);
    }
    FSR.SS = 0;
    this.#faultsChanged();
    this.#endWaiting(RESUME.TERMINATE === 1 ? 'abort' : 'retry');
  }

  #endWaiting(how: StallEnd): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { stall, access, isFault } of waiting) {
      if (isFault && how === 'abort') this.#ports.onRefused(access, 'stalled-terminated');
      stall.end(isFault ? how : 'retry');
    }
  }

  #faultsChanged(): void {
    this.#isBlocked = this.#holdsBack();
    this.#ports.updateIrq();
  }

  #holdsBack(): boolean {
    const { FSR, SCTLR } = this.regs;
    return SCTLR.HUPCF === 0 && ((FSR.value & FAULTS) !== 0 || FSR.SS === 1);
  }
}

/** The level of an entry that translates so many bytes; of several joined ones at least roughly. */
const levelOf = ({ isShort }: Regime, size: number): number => {
  if (isShort) return size < MIB ? 2 : 1;
  return size < 2 * MIB ? 3 : size < GIB ? 2 : 1;
};
