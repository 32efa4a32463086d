import type { DmaAddr } from '../types/address';
import { invariant } from '../types/errors';
import type { DmaMemory } from './dma-memory';
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
  translate(address: number, write: boolean): IommuAnswer;
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
export class DmaPort {
  readonly name: string;
  readonly #parts: DmaPortParts;
  transactions = 0;
  bytes = 0;

  constructor(parts: DmaPortParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /** Reads memory into `into`, from index `at` on. */
  read(address: DmaAddr, length: number, into: Uint8Array, at = 0): TxResult {
    invariant(at + length <= into.length, `${this.name}: ${length} bytes into ${into.length}`);
    this.#parts.trace.foldAddress(TraceKind.DmaRead, address, length);
    return this.#each(address, length, false, (physical, part, done) =>
      this.#parts.memory.read(physical, part, into, at + done),
    );
  }

  /** Writes `length` bytes of `from`, from index `at` on, to memory. */
  write(address: DmaAddr, length: number, from: Uint8Array, at = 0): TxResult {
    invariant(at + length <= from.length, `${this.name}: ${length} bytes from ${from.length}`);
    this.#parts.trace.foldAddress(TraceKind.DmaWrite, address, length);
    return this.#each(address, length, true, (physical, part, done) =>
      this.#parts.memory.write(physical, part, from, at + done),
    );
  }

  /**
   * A transfer that takes `nanoseconds`: `access` touches memory at the end of the window that
   * the run chose, `complete` follows when the window ends. Cancel the timer to abort it.
   */
  transfer(nanoseconds: number, access: () => void, complete: () => void): Timer {
    const { events, timing } = this.#parts;
    if (timing === 'earliest') access();
    return events.after(nanoseconds, `${this.name} transfer`, () => {
      if (timing === 'latest') access();
      complete();
    });
  }

  #each(
    address: number,
    length: number,
    write: boolean,
    move: (physical: number, part: number, done: number) => TxResult,
  ): TxResult {
    this.transactions++;
    this.bytes += length;
    let result: TxResult = TxResult.Ok;
    for (let done = 0; done < length;) {
      const answer = this.#route(address + done, length - done, write);
      const part = Math.min(length - done, answer.length);
      const moved =
        answer.result === TxResult.Ok ? move(answer.address, part, done) : answer.result;
      result = orResults(result, moved);
      done += part;
    }
    return result;
  }

  /** Through the IOMMU if there is one, then through the windows of the bus. */
  #route(address: number, length: number, write: boolean): IommuAnswer {
    const { iommu, windows } = this.#parts;
    if (iommu === null) return throughWindows(windows, address, length);
    const translated = iommu.translate(address, write);
    return translated.result === TxResult.Ok
      ? { ...translated, length: Math.min(length, translated.length) }
      : translated;
  }
}

/** The first window that holds the address; outside all of them nobody answers. */
const throughWindows = (
  windows: readonly BusWindow[] | null,
  address: number,
  length: number,
): IommuAnswer => {
  if (windows === null) return { address, length, result: TxResult.Ok };
  for (const { dma, cpu, size } of windows) {
    if (address < dma || address - dma >= size) continue;
    const left = dma + size - address;
    return { address: cpu + (address - dma), length: Math.min(length, left), result: TxResult.Ok };
  }
  const above = windows.map(({ dma }) => dma).filter(dma => dma > address);
  const hole = Math.min(length, ...above.map(dma => dma - address));
  return { address, length: hole, result: TxResult.DecodeError };
};
