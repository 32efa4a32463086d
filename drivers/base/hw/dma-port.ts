import type { DmaAddr } from '../types/address';
import { UnmodelledError, invariant } from '../types/errors';
import { StateReader } from '../types/state';
import type { Stateful, StateValue } from '../types/state';
import type { DmaMemory, ReadUse } from './dma-memory';
import type { EventQueue, Timer } from './event-queue';
import { TxResult, orResults } from './mmio';
import { TransactionLog } from './stall';
import type { Stall } from './stall';
import { TraceKind } from './trace';
import type { Trace } from './trace';

/** A window of the bus between a master and memory: [dma, dma + size) is [cpu, cpu + size). */
export interface BusWindow {
  readonly dma: number;
  readonly cpu: number;
  readonly size: number;
}

/**
 * What an IOMMU makes of an address: where it goes and how far that holds, or a fault. Good until the
 * next address is translated.
 */
export interface IommuAnswer {
  /** Address on the far side; meaningless if `result` is not Ok. */
  readonly address: number;
  /** Bytes from here on for which the translation holds. */
  readonly length: number;
  readonly result: TxResult;
  /** The transaction waits for this; the rest but `length` is meaningless. Absent: it does not. */
  readonly stall?: Stall | null;
}

/** The IOMMU that a master's transactions pass, as the port sees it. */
export interface IommuHook {
  /** Whether its answers may have a `stall`. Absent: never. */
  readonly mayStall?: boolean;
  /** Null: the address passes unchanged, and goes where it would without an IOMMU. */
  translate(address: number, write: boolean): IommuAnswer | null;
}

/** Where in its window (doorbell to completion) a transfer touches memory. */
export type DmaTiming = 'earliest' | 'latest';

export interface DmaPortParts {
  readonly name: string;
  readonly memory: DmaMemory;
  /** Null: bus addresses are physical addresses. */
  readonly windows: readonly BusWindow[] | null;
  readonly iommu: IommuHook | null;
  readonly events: EventQueue;
  readonly timing: DmaTiming;
  readonly trace: Trace;
}

/** A transfer that has neither completed nor been aborted. */
interface Transfer {
  readonly number: number;
  readonly access: () => void;
  readonly complete: () => void;
  /** Null behind nothing that stalls. */
  readonly log: TransactionLog | null;
  /** Its time has passed. */
  isOver: boolean;
  /** It was completed or aborted. */
  isEnded: boolean;
  /** Of the access that goes on after a stall. */
  resumption: Timer | null;
}

/** What has become of a piece of a transaction, beside a TxResult: it waits, or it was decided upon. */
const WAITS = -1;
const IGNORED = -2;
type Routed = TxResult | typeof WAITS | typeof IGNORED;

/**
 * A device's way to memory: its IOMMU, its bus's windows, and memory with or without the caches.
 * What is behind it, the device cannot tell; all it gets is a TxResult.
 */
export class DmaPort implements Stateful {
  readonly name: string;
  readonly #parts: DmaPortParts;
  #memory: DmaMemory;
  transactions = 0;
  bytes = 0;
  #lastTransfer = 0;
  /** By the timer that ends them. */
  readonly #transfers = new WeakMap<Timer, Transfer>();
  /** Whose access is carried out. */
  #acting: Transfer | null = null;
  /** Of the part of a transaction under way: where it goes, and how many bytes go there. */
  #physical = 0;
  #span = 0;

  constructor(parts: DmaPortParts) {
    this.name = parts.name;
    this.#parts = parts;
    this.#memory = parts.memory;
  }

  /** The physical address at which the last piece of a transaction, or a word of a table, began. */
  get reached(): number {
    return this.#physical;
  }

  /** From now on the master reaches memory otherwise: a strap of the SoC decides whether it snoops. */
  strap(memory: DmaMemory): void {
    this.#memory = memory;
  }

  /** Reads memory into `into`, from index `at` on. */
  read(address: DmaAddr, length: number, into: Uint8Array, at = 0): TxResult {
    return this.#read(address, length, into, at, 'data');
  }

  /**
   * As read, of what the device acts on: a descriptor. What it does next counts as done because it
   * has seen the latest.
   */
  fetch(address: DmaAddr, length: number, into: Uint8Array, at = 0): TxResult {
    return this.#read(address, length, into, at, 'fetch');
  }

  /**
   * As read, of what the device waits for: a status or a descriptor that it polls. What it does once
   * it has seen the new value counts as done after that.
   */
  poll(address: DmaAddr, length: number, into: Uint8Array, at = 0): TxResult {
    return this.#read(address, length, into, at, 'poll');
  }

  #read(address: DmaAddr, length: number, into: Uint8Array, at: number, use: ReadUse): TxResult {
    invariant(at + length <= into.length, `${this.name}: ${length} bytes into ${into.length}`);
    const log = this.#acting?.log ?? null;
    if (log !== null) return this.#readLogged(log, address, length, into, at, use);
    const { trace } = this.#parts;
    trace.foldAddress(TraceKind.DmaRead, address, length);
    this.#count(length);
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length; done += this.#span) {
      const routed = this.#route(address + done, length - done, false);
      result = orResults(result, this.#readPart(routed, into, at + done, use));
    }
    trace.foldBytes(TraceKind.DmaRead | (result << 8), into, at, length);
    return result;
  }

  /** The part that was just routed. */
  #readPart(routed: TxResult, into: Uint8Array, at: number, use: ReadUse): TxResult {
    if (routed !== TxResult.Ok) return routed;
    return this.#memory.read(this.#physical, this.#span, into, at, use);
  }

  #readLogged(
    log: TransactionLog,
    address: DmaAddr,
    length: number,
    into: Uint8Array,
    at: number,
    use: ReadUse,
  ): TxResult {
    if (log.waitsFor !== null) return TxResult.Error;
    const progress = log.next();
    into.set(progress.bytes, at);
    if (progress.isComplete) return progress.result;
    if (!progress.isBegun) {
      this.#parts.trace.foldAddress(TraceKind.DmaRead, address, length);
      this.#count(length);
      progress.isBegun = true;
    }
    while (progress.done < length) {
      const routed = this.#routeLogged(log, address + progress.done, length - progress.done, false);
      if (routed === WAITS) break;
      const from = at + progress.done;
      if (routed === IGNORED) into.fill(0, from, from + this.#span);
      else progress.result = orResults(progress.result, this.#readPart(routed, into, from, use));
      progress.done += this.#span;
    }
    progress.bytes = into.slice(at, at + progress.done);
    if (progress.done < length) return TxResult.Error;
    progress.isComplete = true;
    this.#parts.trace.foldBytes(TraceKind.DmaRead | (progress.result << 8), into, at, length);
    return progress.result;
  }

  /**
   * A word of a translation table of the device's own, at an address that 4 divides, as DmaMemory reads
   * it for walkers; null where no RAM answers.
   */
  readTable(address: DmaAddr): number | null {
    const routed = this.#route(address, 4, false);
    return routed === TxResult.Ok ? this.#memory.readTable(this.#physical) : null;
  }

  /** The same word, for what a device fetches unasked: no event of the machine. Null behind an IOMMU. */
  peekTable(address: DmaAddr): number | null {
    if (this.#parts.iommu !== null) return null;
    const routed = this.#route(address, 4, false);
    return routed === TxResult.Ok ? this.#memory.unseen.readTable(this.#physical) : null;
  }

  /** Writes `length` bytes of `from`, from index `at` on, to memory. */
  write(address: DmaAddr, length: number, from: Uint8Array, at = 0): TxResult {
    invariant(at + length <= from.length, `${this.name}: ${length} bytes from ${from.length}`);
    const log = this.#acting?.log ?? null;
    if (log !== null) return this.#writeLogged(log, address, length, from, at);
    this.#beginWrite(address, length, from, at);
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length; done += this.#span) {
      const routed = this.#route(address + done, length - done, true);
      result = orResults(result, this.#writePart(routed, from, at + done));
    }
    return result;
  }

  #beginWrite(address: DmaAddr, length: number, from: Uint8Array, at: number): void {
    const { trace } = this.#parts;
    trace.foldAddress(TraceKind.DmaWrite, address, length);
    trace.foldBytes(TraceKind.DmaWrite, from, at, length);
    this.#count(length);
  }

  /** The part that was just routed. */
  #writePart(routed: TxResult, from: Uint8Array, at: number): TxResult {
    if (routed !== TxResult.Ok) return routed;
    return this.#memory.write(this.#physical, this.#span, from, at);
  }

  #writeLogged(
    log: TransactionLog,
    address: DmaAddr,
    length: number,
    from: Uint8Array,
    at: number,
  ): TxResult {
    if (log.waitsFor !== null) return TxResult.Error;
    const progress = log.next();
    if (progress.isComplete) return progress.result;
    if (!progress.isBegun) this.#beginWrite(address, length, from, at);
    progress.isBegun = true;
    while (progress.done < length) {
      const routed = this.#routeLogged(log, address + progress.done, length - progress.done, true);
      if (routed === WAITS) return TxResult.Error;
      if (routed !== IGNORED) {
        const written = this.#writePart(routed, from, at + progress.done);
        progress.result = orResults(progress.result, written);
      }
      progress.done += this.#span;
    }
    progress.isComplete = true;
    return progress.result;
  }

  /**
   * A transfer that takes `nanoseconds`: `access` touches memory at the end of the window that
   * the run chose, `complete` follows when the window ends, or later if the IOMMU stalls a transaction
   * meanwhile. `access` is then called again, and its transactions answer what they answered before:
   * what it does with their results it may do twice, `complete` comes once.
   */
  transfer(nanoseconds: number, access: () => void, complete: () => void): Timer {
    const { events, timing, iommu } = this.#parts;
    const transfer: Transfer = {
      number: ++this.#lastTransfer,
      access,
      complete,
      log: iommu?.mayStall === true ? new TransactionLog() : null,
      isOver: false,
      isEnded: false,
      resumption: null,
    };
    this.#memory.windows?.begins(transfer.number);
    if (timing === 'earliest') this.#act(transfer);
    const timer = events.after(nanoseconds, `${this.name} transfer`, () => {
      transfer.isOver = true;
      if (timing === 'latest') this.#act(transfer);
      this.#completeIfDone(transfer);
    });
    this.#transfers.set(timer, transfer);
    return timer;
  }

  /** Ends a transfer before its time. One that has ended stays as it is. */
  abort(transfer: Timer): void {
    this.#parts.events.cancel(transfer);
    const found = this.#transfers.get(transfer);
    if (found !== undefined) this.#end(found);
  }

  #act(transfer: Transfer): void {
    const { access, log, number } = transfer;
    const outer = this.#acting;
    this.#acting = transfer;
    this.#memory.windows?.acts(number);
    log?.rewind();
    access();
    this.#memory.windows?.acts(outer?.number ?? 0);
    this.#acting = outer;
    log?.waitsFor?.wait(() => {
      if (transfer.isEnded) return;
      transfer.resumption = this.#parts.events.after(0, `${this.name} resumption`, () => {
        transfer.resumption = null;
        this.#act(transfer);
        this.#completeIfDone(transfer);
      });
    });
  }

  /** Its time is over, and it waits for nothing. */
  #completeIfDone(transfer: Transfer): void {
    const waits = (transfer.log?.waitsFor ?? null) !== null || transfer.resumption !== null;
    if (!transfer.isOver || waits) return;
    this.#end(transfer);
    transfer.complete();
  }

  saveState(): StateValue {
    return { transactions: this.transactions, bytes: this.bytes };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    this.transactions = reader.number('transactions');
    this.bytes = reader.number('bytes');
  }

  #end(transfer: Transfer): void {
    if (transfer.isEnded) return;
    transfer.isEnded = true;
    if (transfer.resumption !== null) this.#parts.events.cancel(transfer.resumption);
    this.#memory.windows?.ends(transfer.number);
  }

  #count(length: number): void {
    this.transactions++;
    this.bytes += length;
  }

  /**
   * Through the IOMMU, whose answers are physical addresses, else (there is none, or it lets the
   * address pass) through the windows of the bus: what the windows leave of the addresses before an
   * IOMMU is for software to heed. Leaves where it goes in `#physical` and for how many bytes, refused or not, in `#span`.
   */
  #route(address: number, length: number, write: boolean): TxResult {
    const { iommu, windows } = this.#parts;
    const answer = iommu?.translate(address, write) ?? null;
    if (answer !== null) {
      this.#span = Math.min(length, answer.length);
      this.#physical = answer.address;
      invariant(this.#span > 0, `${this.name}: a translation that holds for no byte`);
      if (answer.stall !== undefined && answer.stall !== null) this.#stall(answer.stall);
      return answer.result;
    }
    this.#span = length;
    this.#physical = address;
    return windows === null ? TxResult.Ok : this.#throughWindows(windows, address);
  }

  /** As #route, of a transaction that may wait. */
  #routeLogged(log: TransactionLog, address: number, length: number, write: boolean): Routed {
    const decided = log.takeEnd();
    if (decided !== null && decided.end !== 'retry') {
      this.#span = decided.span;
      return decided.end === 'abort' ? TxResult.Error : IGNORED;
    }
    const routed = this.#route(address, length, write);
    return log.waitsFor === null ? routed : WAITS;
  }

  #stall(stall: Stall): void {
    const log = this.#acting?.log ?? null;
    if (log === null) {
      const what = 'by an IOMMU, of a transaction that is not part of a transfer';
      throw new UnmodelledError(`stall of ${this.name}`, what);
    }
    log.suspend(stall, this.#span);
  }

  /** The first window that holds the address; outside all of them nobody answers. */
  #throughWindows(windows: readonly BusWindow[], address: number): TxResult {
    for (const { dma, cpu, size } of windows) {
      if (address < dma) {
        this.#span = Math.min(this.#span, dma - address);
      } else if (address - dma < size) {
        this.#span = Math.min(this.#span, dma + size - address);
        this.#physical = cpu + (address - dma);
        return TxResult.Ok;
      }
    }
    return TxResult.DecodeError;
  }
}
