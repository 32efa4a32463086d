import type { Device } from '../../drivers/base/kernel/device';
import { dmaAddr, offsetBy } from '../../drivers/base/types/address';
import type { CpuAddr, PhysAddr } from '../../drivers/base/types/address';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../dma-mapping-common';
import type { TableMemory } from '../iommu/types';
import { getOrder } from '../zone';

const { ToDevice } = DmaDirection;
const WORD = 4;
const CANNOT_TRANSLATE = 'Cannot accommodate DMA translation for IOMMU page tables';

/**
 * A table of 32-bit words, all zero at first: memory that is mapped for IOMMUs to read for as long
 * as the table lives, and is the CPU's own while words are changed.
 */
export class WordTable {
  readonly words: number;
  /** Words that were stored so far. */
  writes = 0;
  readonly #memory: TableMemory;
  readonly #at: CpuAddr;
  /** Where the walkers find it: a physical address. */
  readonly address: PhysAddr;
  readonly #readers: Device[] = [];

  private constructor(memory: TableMemory, words: number, at: CpuAddr, address: PhysAddr) {
    this.#memory = memory;
    this.words = words;
    this.#at = at;
    this.address = address;
  }

  /** Whole pages, aligned to the power of two that they are; null without, or beyond a walker's reach. */
  static make(
    readers: readonly Device[],
    memory: TableMemory,
    words: number,
    toPhys: (at: CpuAddr) => PhysAddr | null,
  ): WordTable | null {
    const order = getOrder(words * WORD);
    const at = memory.alloc(order);
    if (at === null) return null;
    const address = toPhys(at);
    if (address === null) {
      memory.free(at, order);
      return null;
    }
    const table = new WordTable(memory, words, at, address);
    if (readers.every(dev => table.addReader(dev))) return table;
    table.free();
    return null;
  }

  /** Maps it for the walker of an IOMMU; false if that does not reach it where it is. */
  addReader(dev: Device): boolean {
    const address = dmaMapSingle(dev, this.#at, this.#bytes, ToDevice);
    if (dmaMappingError(dev, address) !== 0) return false;
    if (Number(address) === Number(this.address)) {
      this.#readers.push(dev);
      return true;
    }
    // The hardware takes physical addresses: a window of a bus, or a bounce, is in its way.
    dev.services.log.device('err', dev, CANNOT_TRANSLATE);
    dmaUnmapSingle(dev, address, this.#bytes, ToDevice);
    return false;
  }

  removeReader(dev: Device): void {
    const index = this.#readers.indexOf(dev);
    if (index < 0) return;
    this.#readers.splice(index, 1);
    dmaUnmapSingle(dev, dmaAddr(this.address), this.#bytes, ToDevice);
  }

  /** Unsigned. */
  load(index: number): number {
    return this.#memory.load(offsetBy(this.#at, index * WORD));
  }

  /** Changes words from `first` on, and has the walkers see them. */
  fill(first: number, count: number, word: (index: number) => number): void {
    const at = offsetBy(dmaAddr(this.address), first * WORD);
    for (const dev of this.#readers) dmaSyncSingleForCpu(dev, at, count * WORD, ToDevice);
    for (let i = 0; i < count; i++) {
      this.#memory.store(offsetBy(this.#at, (first + i) * WORD), word(i));
    }
    this.writes += count;
    for (const dev of this.#readers) dmaSyncSingleForDevice(dev, at, count * WORD, ToDevice);
  }

  /** Gives its memory back: no walker comes here any more. */
  free(): void {
    for (const dev of [...this.#readers]) this.removeReader(dev);
    this.#memory.free(this.#at, getOrder(this.#bytes));
  }

  get #bytes(): number {
    return this.words * WORD;
  }
}
