import { GFP_KERNEL } from '../../../base/kernel/gfp';
import type { Device } from '../../../base/kernel/device';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { hi32 } from '../../../base/types/bits';
import { dmaAllocCoherent } from '../../../../mm/dma-mapping-common';
import { EVENT } from '../regs/events';
import type { Words } from '../regs/words';
import { nextIndex } from './registers';
import type { SmmuRegisters } from './registers';

/** Entries that the driver asks for at most, as log2 (EVTQ_MAX_SZ_SHIFT). */
const MOST_SHIFT = 11;

/** The event queue as the driver reads it. */
export class EventQueue {
  readonly base: DmaAddr;
  readonly log2Size: number;
  readonly #dev: Device;
  readonly #regs: SmmuRegisters;
  readonly #entries: CpuAddr;
  #consumer = 0;
  /** EVENTQ_CONS.OVACKFLG, as it was written last. */
  #acknowledged = 0;

  private constructor(
    dev: Device,
    regs: SmmuRegisters,
    memory: { readonly cpuAddr: CpuAddr; readonly dmaHandle: DmaAddr },
    log2Size: number,
  ) {
    this.#dev = dev;
    this.#regs = regs;
    this.#entries = memory.cpuAddr;
    this.base = memory.dmaHandle;
    this.log2Size = log2Size;
  }

  /** Null without memory. */
  static make(dev: Device, regs: SmmuRegisters): EventQueue | null {
    const log2Size = Math.min(MOST_SHIFT, regs.IDR1.read().EVENTQS);
    const memory = dmaAllocCoherent(dev, EVENT.SIZE * 2 ** log2Size, GFP_KERNEL);
    return memory === null ? null : new EventQueue(dev, regs, memory, log2Size);
  }

  /** Writes its place to the registers; nothing is in it. */
  start(): void {
    const { EVENTQ_BASE_LO, EVENTQ_BASE_HI, EVENTQ_PROD, EVENTQ_CONS } = this.#regs;
    EVENTQ_BASE_LO.write((this.base % 2 ** 32) + this.log2Size);
    EVENTQ_BASE_HI.write({ ADDR: hi32(this.base), WA: 1 });
    EVENTQ_PROD.write({ WR: 0, OVFLG: 0 });
    EVENTQ_CONS.write({ RD: 0, OVACKFLG: 0 });
    this.#consumer = 0;
    this.#acknowledged = 0;
  }

  /** Takes out all records; how many they were. What was lost is said (arm_smmu_evtq_thread). */
  drain(take: (record: Words) => void): number {
    let taken = 0;
    for (;;) {
      const { WR, OVFLG } = this.#regs.EVENTQ_PROD.read();
      if (OVFLG !== this.#acknowledged) {
        this.#acknowledged = OVFLG;
        const { log } = this.#dev.services;
        log.device('err', this.#dev, 'EVTQ overflow detected -- events lost');
      }
      if (WR === this.#consumer) break;
      for (; this.#consumer !== WR; taken++) {
        const record = this.#record(this.#consumer);
        this.#consumer = nextIndex(this.#consumer, this.log2Size);
        take(record);
      }
      this.#acknowledge();
    }
    this.#acknowledge();
    return taken;
  }

  #acknowledge(): void {
    // Ordered after what was read of the records, so that they are not overwritten before.
    this.#dev.services.barriers.mb();
    this.#regs.EVENTQ_CONS.write({ RD: this.#consumer, OVACKFLG: this.#acknowledged });
  }

  #record(index: number): Words {
    const { barriers, io } = this.#dev.services;
    barriers.dmaRmb();
    const entry = offsetBy(this.#entries, EVENT.SIZE * (index % 2 ** this.log2Size));
    return Uint32Array.from({ length: EVENT.WORDS }, (_, i) =>
      io.relaxed.readl(offsetBy(entry, 4 * i)),
    );
  }
}
