import type { DmaAddr } from '../types/address';
import { invariant } from '../types/errors';
import { StateReader } from '../types/state';
import type { Stateful, StateValue } from '../types/state';
import type { DmaMemory, ReadUse } from './dma-memory';
import type { EventQueue, Timer } from './event-queue';
import { TxResult, orResults } from './mmio';
import { TraceKind } from './trace';
import type { Trace } from './trace';

/** A window of the bus between a master and memory: [dma, dma + size) is [cpu, cpu + size). */
export interface BusWindow {
  readonly dma: number;
  readonly cpu: number;
  readonly size: number;
}

/** What an IOMMU makes of an address: where it goes and how far that holds, or a fault. */
export interface IommuAnswer {
  /** Address on the far side; meaningless if `result` is not Ok. */
  readonly address: number;
  /** Bytes from here on for which the translation holds. */
  readonly length: number;
  readonly result: TxResult;
}

/** The IOMMU that a master's transactions pass, as the port sees it. */
export interface IommuHook {
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
  /** Transfers that have neither completed nor been aborted, by their number. */
  readonly #underWay = new Map<Timer, number>();
  /** Of the part of a transaction under way: where it goes, and how many bytes go there. */
  #physical = 0;
  #span = 0;

  constructor(parts: DmaPortParts) {
    this.name = parts.name;
    this.#parts = parts;
    this.#memory = parts.memory;
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
    const { trace } = this.#parts;
    const memory = this.#memory;
    trace.foldAddress(TraceKind.DmaRead, address, length);
    this.#count(length);
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length; done += this.#span) {
      const routed = this.#route(address + done, length - done, false);
      const isReached = routed === TxResult.Ok;
      const moved = isReached
        ? memory.read(this.#physical, this.#span, into, at + done, use)
        : routed;
      result = orResults(result, moved);
    }
    trace.foldBytes(TraceKind.DmaRead | (result << 8), into, at, length);
    return result;
  }

  /** Writes `length` bytes of `from`, from index `at` on, to memory. */
  write(address: DmaAddr, length: number, from: Uint8Array, at = 0): TxResult {
    invariant(at + length <= from.length, `${this.name}: ${length} bytes from ${from.length}`);
    const { trace } = this.#parts;
    const memory = this.#memory;
    trace.foldAddress(TraceKind.DmaWrite, address, length);
    trace.foldBytes(TraceKind.DmaWrite, from, at, length);
    this.#count(length);
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length; done += this.#span) {
      const routed = this.#route(address + done, length - done, true);
      const isReached = routed === TxResult.Ok;
      const moved = isReached ? memory.write(this.#physical, this.#span, from, at + done) : routed;
      result = orResults(result, moved);
    }
    return result;
  }

  /**
   * A transfer that takes `nanoseconds`: `access` touches memory at the end of the window that
   * the run chose, `complete` follows when the window ends.
   */
  transfer(nanoseconds: number, access: () => void, complete: () => void): Timer {
    const { events, timing } = this.#parts;
    const number = ++this.#lastTransfer;
    const act = (): void => {
      this.#memory.windows?.acts(number);
      access();
      this.#memory.windows?.acts(0);
    };
    this.#memory.windows?.begins(number);
    if (timing === 'earliest') act();
    const timer = events.after(nanoseconds, `${this.name} transfer`, () => {
      if (timing === 'latest') act();
      this.#ended(timer);
      complete();
    });
    this.#underWay.set(timer, number);
    return timer;
  }

  /** Ends a transfer before its time. One that has ended stays as it is. */
  abort(transfer: Timer): void {
    this.#parts.events.cancel(transfer);
    this.#ended(transfer);
  }

  saveState(): StateValue {
    return { transactions: this.transactions, bytes: this.bytes };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, this.name);
    this.transactions = reader.number('transactions');
    this.bytes = reader.number('bytes');
  }

  #ended(transfer: Timer): void {
    const number = this.#underWay.get(transfer);
    if (number === undefined) return;
    this.#underWay.delete(transfer);
    this.#memory.windows?.ends(number);
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
      return answer.result;
    }
    this.#span = length;
    this.#physical = address;
    return windows === null ? TxResult.Ok : this.#throughWindows(windows, address);
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
