import { dmaAddr, hex, offsetBy, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { BenchError } from '../../drivers/base/types/errors';
import {
  DmaDirection,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../dma-mapping-common';
import { getOrder } from '../zone';
import type { IoPgtableConfig } from './types';

const CANNOT_TRANSLATE = 'Cannot accommodate DMA translation for IOMMU page tables';

/**
 * The memory of the tables of one IoPgtable. Each is a DMA buffer of the IOMMU's for as long as it
 * lives, whether its walker snoops or not, so that whose it is can be told; where it does not, what
 * is stored is synced for it. Nothing is stored but between `own` and `publish`.
 */
export class TablePages {
  /** Words stored so far, the zeroes of new tables left out. */
  writes = 0;
  /** Tables that there are. */
  tables = 0;
  readonly #config: IoPgtableConfig;
  /** Parts of pages that are free, by their size: tables may be smaller than a page. */
  readonly #pieces = new Map<number, CpuAddr[]>();
  /** Pages that were cut in parts. */
  readonly #cut: CpuAddr[] = [];

  constructor(config: IoPgtableConfig) {
    this.#config = config;
  }

  /** `size` bytes of zeroes, a power of two that divides their address, or null. */
  alloc(size: number): CpuAddr | null {
    const address = size < PAGE_SIZE ? this.#takePiece(size) : this.#allocPages(size);
    if (address === null) return null;
    if (!this.#give(address, size)) {
      this.#release(address, size);
      return null;
    }
    this.tables++;
    return address;
  }

  /** No walker has it any more. */
  free(address: CpuAddr, size: number): void {
    const { dev } = this.#config;
    dmaUnmapSingle(dev, this.#dma(address), size, DmaDirection.ToDevice);
    this.#release(address, size);
    this.tables--;
  }

  /** All tables were freed: gives back what is kept for new ones. */
  freePieces(): void {
    for (const page of this.#cut.splice(0)) this.#config.memory.free(page, 0);
    this.#pieces.clear();
  }

  load32(address: CpuAddr): number {
    return this.#config.memory.load(address);
  }

  /** The low half; the high half is `high` until the next load64. */
  load64(address: CpuAddr): number {
    return this.#config.memory.load64(address);
  }

  get high(): number {
    return this.#config.memory.high;
  }

  store32(address: CpuAddr, value: number): void {
    this.writes++;
    this.#config.memory.store(address, value);
  }

  store64(address: CpuAddr, low: number, high: number): void {
    this.writes++;
    this.#config.memory.store64(address, low, high);
  }

  /** Before entries are stored. */
  own(address: CpuAddr, size: number): void {
    const { dev, coherentWalk } = this.#config;
    if (coherentWalk) return;
    dmaSyncSingleForCpu(dev, this.#dma(address), size, DmaDirection.ToDevice);
  }

  /** After entries were stored: the walker finds them in memory. */
  publish(address: CpuAddr, size: number): void {
    const { dev, coherentWalk } = this.#config;
    if (coherentWalk) return;
    dmaSyncSingleForDevice(dev, this.#dma(address), size, DmaDirection.ToDevice);
  }

  /** What was stored before is visible before what is stored after (dma_wmb). */
  order(): void {
    this.#config.dev.services.barriers.dmaWmb();
  }

  /** What was stored is visible before any command to the IOMMU (wmb). */
  finish(): void {
    this.#config.dev.services.barriers.wmb();
  }

  phys(address: CpuAddr): PhysAddr {
    const physical = this.#config.dev.services.memory.virtToPhys(address);
    if (physical === null) throw new BenchError(`a table outside the linear map: ${hex(address)}`);
    return physical;
  }

  /** A table by the address that an entry has. */
  virt(address: number): CpuAddr {
    const virtual = this.#config.dev.services.memory.physToVirt(physAddr(address));
    if (virtual === null) throw new BenchError(`an entry leads to no table: ${hex(address)}`);
    return virtual;
  }

  #allocPages(size: number): CpuAddr | null {
    return this.#config.memory.alloc(getOrder(size));
  }

  #release(address: CpuAddr, size: number): void {
    if (size < PAGE_SIZE) this.#piecesOf(size).push(address);
    else this.#config.memory.free(address, getOrder(size));
  }

  #takePiece(size: number): CpuAddr | null {
    const free = this.#piecesOf(size);
    const piece = free.pop();
    if (piece !== undefined) {
      for (let offset = 0; offset < size; offset += 4) {
        this.#config.memory.store(offsetBy(piece, offset), 0);
      }
      return piece;
    }
    const page = this.#allocPages(PAGE_SIZE);
    if (page === null) return null;
    this.#cut.push(page);
    for (let offset = PAGE_SIZE - size; offset > 0; offset -= size) {
      free.push(offsetBy(page, offset));
    }
    return page;
  }

  #piecesOf(size: number): CpuAddr[] {
    const found = this.#pieces.get(size);
    if (found !== undefined) return found;
    const made: CpuAddr[] = [];
    this.#pieces.set(size, made);
    return made;
  }

  /** The walker takes physical addresses: what the bus or a bounce makes of them would be wrong. */
  #give(address: CpuAddr, size: number): boolean {
    const { dev } = this.#config;
    const dma = dmaMapSingle(dev, address, size, DmaDirection.ToDevice);
    if (dmaMappingError(dev, dma) !== 0) return false;
    if (dma === this.#dma(address)) return true;
    dev.services.log.device('err', dev, CANNOT_TRANSLATE);
    dmaUnmapSingle(dev, dma, size, DmaDirection.ToDevice);
    return false;
  }

  /** Where the walker finds it: nothing is between it and memory. */
  #dma(address: CpuAddr): DmaAddr {
    return dmaAddr(this.phys(address));
  }
}
