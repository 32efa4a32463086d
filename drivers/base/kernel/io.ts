import type { CpuAddr } from '../types/address';
import type { Isa } from '../types/isa';
import type { RegisterIo } from './registers';

/** What an architecture puts around an ordered access (__iormb, __iowmb). */
export interface IoBarriers {
  afterRead(): void;
  beforeWrite(): void;
}

const noBarriers: IoBarriers = {
  afterRead: () => undefined,
  beforeWrite: () => undefined,
};

/**
 * The kernel's accessors of device registers: readl and writel, ordered against memory as
 * asm/io.h promises, or with `relaxed` readl_relaxed and writel_relaxed, which are not.
 */
export class KernelIo implements RegisterIo {
  /** The same accessors without barriers. */
  readonly relaxed: RegisterIo;
  readonly #isa: Isa;
  readonly #barriers: IoBarriers;

  constructor(isa: Isa, barriers: IoBarriers) {
    this.#isa = isa;
    this.#barriers = barriers;
    this.relaxed = barriers === noBarriers ? this : new KernelIo(isa, noBarriers);
  }

  readb(address: CpuAddr): number {
    const value = this.#isa.load8(address);
    this.#barriers.afterRead();
    return value;
  }

  readw(address: CpuAddr): number {
    const value = this.#isa.load16(address);
    this.#barriers.afterRead();
    return value;
  }

  /** Unsigned, as the kernel's u32. */
  readl(address: CpuAddr): number {
    const value = this.#isa.load32(address) >>> 0;
    this.#barriers.afterRead();
    return value;
  }

  writeb(value: number, address: CpuAddr): void {
    this.#barriers.beforeWrite();
    this.#isa.store8(address, value);
  }

  writew(value: number, address: CpuAddr): void {
    this.#barriers.beforeWrite();
    this.#isa.store16(address, value);
  }

  writel(value: number, address: CpuAddr): void {
    this.#barriers.beforeWrite();
    this.#isa.store32(address, value);
  }
}
