import type { ByteRange, FindingSink, RawFinding } from '../../drivers/base/types/finding';
import type { DmaCall, DmaRange, MemoryWatch } from '../../drivers/base/types/observer';
import { DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import type { CallSite } from '../../drivers/base/types/call-site';

/** A line of the caches that the tests of ownership imagine. */
export const LINE = 32;

/** Counts who watches which line, and keeps what was forgotten. */
export class WatchedMemory implements MemoryWatch {
  readonly forgotten: ByteRange[] = [];
  readonly #lines = new Map<number, number>();

  /** Whether a CPU access to these bytes would be told. */
  isWatched(address: number, size: number): boolean {
    return linesOf(address, size).some(line => this.#lines.has(line));
  }

  /** Lines that somebody watches. */
  get watched(): number {
    return this.#lines.size;
  }

  watch(address: number, size: number): void {
    for (const line of linesOf(address, size)) {
      this.#lines.set(line, (this.#lines.get(line) ?? 0) + 1);
    }
  }

  unwatch(address: number, size: number): void {
    for (const line of linesOf(address, size)) {
      const count = (this.#lines.get(line) ?? 0) - 1;
      if (count < 0) throw new Error(`nobody watches line ${line}`);
      if (count === 0) this.#lines.delete(line);
      else this.#lines.set(line, count);
    }
  }

  forget(start: number, size: number): void {
    this.forgotten.push({ start, size });
  }
}

const linesOf = (address: number, size: number): number[] => {
  const first = Math.floor(address / LINE);
  const last = Math.floor((address + size - 1) / LINE);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
};

/** Findings in the order in which they were reported. */
export class FindingList implements FindingSink {
  readonly all: RawFinding[] = [];

  report(finding: RawFinding): void {
    this.all.push(finding);
  }

  /** The rules found since the last call. */
  rules(): string[] {
    return this.all.splice(0).map(({ rule }) => rule);
  }
}

/** A place in a driver that exists in a test only. */
export const site = (at: string): CallSite => ({ at });

/** Bus addresses of the tests lie so far above the memory behind them. */
export const BUS_OFFSET = 0x4000_0000;

/** A mapping of a device that does not snoop, but for what the test says. */
export const range = (fields: Partial<DmaRange> & { address: number; size: number }): DmaRange => ({
  device: 'dev',
  driver: 'driver',
  coherent: false,
  kind: 'single',
  attrs: fields.skipsSync === true ? DmaAttr.SkipCpuSync : DmaAttr.None,
  busAddress: fields.address + BUS_OFFSET,
  direction: 'from-device',
  skipsSync: false,
  ...fields,
});

/** A part of a mapping, as a call on it names it. */
export const partOf = (mapping: DmaCall, offset = 0, size = mapping.size): DmaCall => ({
  ...mapping,
  busAddress: mapping.busAddress + offset,
  size,
});
