import type { Device } from '../../../base/kernel/device';
import { GFP_KERNEL } from '../../../base/kernel/gfp';
import { offsetBy } from '../../../base/types/address';
import type { CpuAddr, DmaAddr } from '../../../base/types/address';
import { dmaAllocCoherent, dmaFreeCoherent } from '../../../../mm/dma-mapping-common';
import { FAULT_ENTRY, FAULT_FLAGS, MOST_FAULTS } from '../regs';
import type { VivanteGpu } from './gpu';

/** A fault that waits for software. */
export interface GpuFault {
  readonly space: number;
  readonly address: number;
  readonly isWrite: boolean;
}

const SIZE = MOST_FAULTS * FAULT_ENTRY.SIZE;

/** The queue of faults, a ring in memory that the GPU writes and software reads (X-FAULTQ). */
export class FaultQueueReader {
  readonly #dev: Device;
  readonly #gpu: VivanteGpu;
  readonly #cpuAddr: CpuAddr;
  readonly #dmaAddr: DmaAddr;
  #get = 0;

  private constructor(gpu: VivanteGpu, cpuAddr: CpuAddr, dmaAddr: DmaAddr) {
    this.#dev = gpu.dev;
    this.#gpu = gpu;
    this.#cpuAddr = cpuAddr;
    this.#dmaAddr = dmaAddr;
  }

  /** The GPU is given a queue; null without memory. */
  static make(gpu: VivanteGpu): FaultQueueReader | null {
    const memory = dmaAllocCoherent(gpu.dev, SIZE, GFP_KERNEL);
    if (memory === null) return null;
    const queue = new FaultQueueReader(gpu, memory.cpuAddr, memory.dmaHandle);
    queue.start();
    return queue;
  }

  /** At first, and after a reset. */
  start(): void {
    const { regs } = this.#gpu;
    const { relaxed } = this.#dev.services.io;
    for (let i = 0; i < MOST_FAULTS; i++) {
      relaxed.writel(0, offsetBy(this.#cpuAddr, i * FAULT_ENTRY.SIZE + FAULT_ENTRY.FLAGS));
    }
    this.#get = 0;
    regs.X_FAULTQ_ADDRESS.write(this.#dmaAddr);
    regs.X_FAULTQ_ENTRIES.write({ COUNT: MOST_FAULTS });
    regs.X_FAULTQ_GET.write({ INDEX: 0 });
    regs.X_INTR_ENBL.write({ FAULT: 1, OVERFLOW: 1 });
  }

  /** Takes all faults there are; their places are free for others then. */
  drain(): readonly GpuFault[] {
    const { io, barriers } = this.#dev.services;
    const faults: GpuFault[] = [];
    for (;;) {
      const entry = offsetBy(this.#cpuAddr, this.#get * FAULT_ENTRY.SIZE);
      const flags = io.relaxed.readl(offsetBy(entry, FAULT_ENTRY.FLAGS));
      if (FAULT_FLAGS.VALID.of(flags) === 0) break;
      // The rest of the entry was written before its VALID.
      barriers.dmaRmb();
      faults.push({
        space: FAULT_FLAGS.AS.of(flags),
        address: io.relaxed.readl(offsetBy(entry, FAULT_ENTRY.ADDRESS)) >>> 0,
        isWrite: FAULT_FLAGS.WRITE.of(flags) === 1,
      });
      io.relaxed.writel(0, offsetBy(entry, FAULT_ENTRY.FLAGS));
      this.#get = (this.#get + 1) % MOST_FAULTS;
    }
    // An ordered write: the entries are cleared before the GPU may write them again.
    if (faults.length > 0) this.#gpu.regs.X_FAULTQ_GET.write({ INDEX: this.#get });
    return faults;
  }

  free(): void {
    this.#gpu.regs.X_INTR_ENBL.write({});
    this.#gpu.regs.X_FAULTQ_ENTRIES.write({ COUNT: 0 });
    dmaFreeCoherent(this.#dev, SIZE, this.#cpuAddr, this.#dmaAddr);
  }
}
