import type { CurrentCpu } from '../../../drivers/base/kernel/current-cpu';
import { DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import { offsetBy } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import type { ByAccess } from '../meter';

/** How the CPU's accesses to a buffer go. */
export interface AccessKind {
  readonly isCached: boolean;
  /** Stores of one line, one after the other, leave as one burst. */
  readonly merges: boolean;
  /** Bytes of a line. */
  readonly line: number;
  /** The first level has the line of this address. */
  readonly isPresent: (address: CpuAddr) => boolean;
}

type AccessCounts = Readonly<Record<ByAccess, number>>;

const WORD = 4;
const NO_LINE = -1;

/**
 * A buffer as the CPU works on it, word by word, counting what each access is: the machine tells
 * fills and maintenance, but not which of the loads waited.
 */
export class CountedMemory {
  readonly words: number;
  readonly #cpu: CurrentCpu;
  readonly #address: CpuAddr;
  readonly #kind: AccessKind;
  #counts = { access: 0, 'uncached-load': 0, 'uncached-store': 0, burst: 0 };
  /** The line of the store before, and how many stores to it were merged; if it went to memory. */
  #line = NO_LINE;
  #merged = 0;
  #isBeyond = false;

  /** `size` is in bytes, a multiple of a word. */
  constructor(cpu: CurrentCpu, address: CpuAddr, size: number, kind: AccessKind) {
    this.#cpu = cpu;
    this.#address = address;
    this.words = size / WORD;
    this.#kind = kind;
  }

  get counts(): AccessCounts {
    return this.#counts;
  }

  load(index: number): number {
    this.#line = NO_LINE;
    this.#counts[this.#kind.isCached ? 'access' : 'uncached-load'] += 1;
    return this.#cpu.load32(this.#address + index * WORD);
  }

  store(index: number, value: number): void {
    const { isCached, line, isPresent } = this.#kind;
    const at = offsetBy(this.#address, index * WORD);
    this.#cpu.store32(at, value);
    const number = Math.floor((index * WORD) / line);
    if (number !== this.#line) {
      this.#merged = 0;
      // A core that allocates no line for a store sends it on, as if it were uncached.
      this.#isBeyond = !isCached || !isPresent(at);
    }
    this.#line = number;
    if (isCached) this.#counts.access += 1;
    if (this.#isBeyond) this.#countBeyond();
  }

  /** Two stores that merge are a burst, and no stores of their own. */
  #countBeyond(): void {
    this.#merged += 1;
    if (!this.#kind.merges || this.#merged === 1) {
      this.#counts['uncached-store'] += 1;
    } else if (this.#merged === 2) {
      this.#counts['uncached-store'] -= 1;
      this.#counts.burst += 1;
    }
  }
}

/** What a CPU does with a buffer between two transfers of a device. */
export interface Workload {
  readonly name: string;
  readonly summary: string;
  readonly direction: DmaDirection;
  readonly run: (memory: CountedMemory) => void;
}

/** Of the workload that is heavy for the CPU. */
const PASSES = 4;

const fill = (memory: CountedMemory): void => {
  for (let i = 0; i < memory.words; i++) memory.store(i, i);
};

const read = (memory: CountedMemory): void => {
  for (let i = 0; i < memory.words; i++) memory.load(i);
};

const work = (memory: CountedMemory): void => {
  for (let pass = 0; pass < PASSES; pass++) {
    for (let i = 0; i < memory.words; i++) memory.store(i, -1 - memory.load(i));
  }
};

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'fill',
    summary: 'the CPU stores every word once, then the device reads',
    direction: DmaDirection.ToDevice,
    run: fill,
  },
  {
    name: 'read',
    summary: 'the device writes, then the CPU loads every word once',
    direction: DmaDirection.FromDevice,
    run: read,
  },
  {
    name: 'work',
    summary: `the device writes, the CPU changes every word in ${PASSES} passes, the device reads`,
    direction: DmaDirection.Bidirectional,
    run: work,
  },
];
