import { GFP_KERNEL } from '../../../base/kernel/gfp';
import type { Device } from '../../../base/kernel/device';
import { ENOMEM } from '../../../base/kernel/errno';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { hi32, lo32 } from '../../../base/types/bits';
import { dmaAllocCoherent } from '../../../../mm/dma-mapping-common';
import type { TableMemory } from '../../../../mm/iommu/types';
import { STRTAB_FORMAT } from '../regs';
import { L1_STREAM, STE } from '../regs/tables';
import type { Words } from '../regs/words';
import { abortSte } from './entries';
import type { SmmuRegisters } from './registers';

/** Bits of a StreamID that index the second level (STRTAB_SPLIT). */
const SPLIT = 8;

/** An entry of the stream table: where it is, and what the driver has stored there. */
export interface SteSlot {
  readonly address: CpuAddr;
  readonly current: Words;
}

/** The stream table, of one level or, with more StreamIDs than a page of entries has, of two. */
export class DriverStreamTable {
  readonly #dev: Device;
  readonly #base: DmaAddr;
  readonly #table: CpuAddr;
  readonly #sidBits: number;
  readonly #isTwoLevel: boolean;
  readonly #slots = new Map<number, SteSlot>();
  /** Second levels, by the index of their entry. */
  readonly #seconds = new Map<number, CpuAddr>();

  private constructor(
    dev: Device,
    memory: { readonly cpuAddr: CpuAddr; readonly dmaHandle: DmaAddr },
    sidBits: number,
    isTwoLevel: boolean,
  ) {
    this.#dev = dev;
    this.#base = memory.dmaHandle;
    this.#table = memory.cpuAddr;
    this.#sidBits = sidBits;
    this.#isTwoLevel = isTwoLevel;
  }

  /** With entries that let nothing pass, or with none at all; null without memory. */
  static make(dev: Device, sidBits: number, hasTwoLevels: boolean): DriverStreamTable | null {
    const isTwoLevel = hasTwoLevels && sidBits > SPLIT;
    const size = isTwoLevel ? L1_STREAM.SIZE * 2 ** (sidBits - SPLIT) : STE.SIZE * 2 ** sidBits;
    const memory = dmaAllocCoherent(dev, size, GFP_KERNEL);
    if (memory === null) {
      const text = `failed to allocate ${isTwoLevel ? 'l1' : 'linear'} stream table (${size} bytes)`;
      dev.services.log.device('err', dev, text);
      return null;
    }
    const made = new DriverStreamTable(dev, memory, sidBits, isTwoLevel);
    if (!isTwoLevel) made.#refuseAll(memory.cpuAddr, 2 ** sidBits);
    return made;
  }

  /** Writes its place to the registers. */
  start(regs: SmmuRegisters): void {
    regs.STRTAB_BASE_LO.write(lo32(this.#base));
    regs.STRTAB_BASE_HI.write({ ADDR: hi32(this.#base), RA: 1 });
    regs.STRTAB_BASE_CFG.write({
      LOG2SIZE: this.#sidBits,
      SPLIT: this.#isTwoLevel ? SPLIT : 0,
      FMT: this.#isTwoLevel ? STRTAB_FORMAT.TwoLevel : STRTAB_FORMAT.Linear,
    });
  }

  /** The entry of a stream, made if it is not there; -ENOMEM (arm_smmu_init_sid_strtab). */
  slotOf(sid: number, memory: TableMemory): SteSlot | number {
    const known = this.#slots.get(sid);
    if (known !== undefined) return known;
    const entries = this.#isTwoLevel ? this.#second(Math.floor(sid / 2 ** SPLIT), memory) : null;
    if (this.#isTwoLevel && entries === null) return -ENOMEM;
    const index = this.#isTwoLevel ? sid % 2 ** SPLIT : sid;
    const address = offsetBy(entries ?? this.#table, STE.SIZE * index);
    const slot = { address, current: abortSte() };
    this.#slots.set(sid, slot);
    return slot;
  }

  /** The second level whose entry is this one: its entries are there before the hardware may look. */
  #second(index: number, memory: TableMemory): CpuAddr | null {
    const known = this.#seconds.get(index);
    if (known !== undefined) return known;
    const made = dmaAllocCoherent(this.#dev, STE.SIZE * 2 ** SPLIT, GFP_KERNEL);
    if (made === null) {
      const text = `failed to allocate l2 stream table for SID ${index * 2 ** SPLIT}`;
      this.#dev.services.log.device('err', this.#dev, text);
      return null;
    }
    this.#refuseAll(made.cpuAddr, 2 ** SPLIT);
    const entry = new Uint32Array(2);
    L1_STREAM.SPAN.put(entry, SPLIT + 1);
    L1_STREAM.L2PTR.put(entry, made.dmaHandle);
    const [low = 0, high = 0] = entry;
    this.#dev.services.barriers.dmaWmb();
    memory.store64(offsetBy(this.#table, L1_STREAM.SIZE * index), low, high);
    this.#seconds.set(index, made.cpuAddr);
    return made.cpuAddr;
  }

  /** Entries that nothing can look at yet; their other words are zero already. */
  #refuseAll(entries: CpuAddr, count: number): void {
    const { relaxed } = this.#dev.services.io;
    const [low = 0] = abortSte();
    for (let i = 0; i < count; i++) relaxed.writel(low, offsetBy(entries, STE.SIZE * i));
  }
}
