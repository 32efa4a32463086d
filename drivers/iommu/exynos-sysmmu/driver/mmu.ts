import type { Device } from '../../../base/kernel/device';
import { ioRegisters } from '../../../base/kernel/registers';
import type { IoRegister, IoRegisters } from '../../../base/kernel/registers';
import type { CpuAddr } from '../../../base/types/address';
import { PAGE_SIZE } from '../../../base/types/bits';
import { OLDEST_VERSION, SYSMMU, SYSMMU_V5, majorOf, sysmmuVersion } from '../regs';

/** Reads of STATUS after which blocking has failed. */
const MOST_READS = 120;
/** Pages that are flushed one by one; of more, all are. */
const MOST_SINGLE = 64;
/** The TLB of version 2 has 64 sets: a large page is in one of as many as it has small pages. */
const SETS = 64;

/** A fault, as the registers of the version tell it. */
export interface SysmmuFault {
  readonly name: string;
  readonly address: number;
  readonly write: boolean;
  /** Its bit of INT_STATUS. */
  readonly bit: number;
}

type Names = readonly (readonly [bit: number, name: string, write: boolean])[];

const FAULTS: Names = [
  [0, 'PAGE', false],
  [1, 'AR MULTI-HIT', false],
  [2, 'AW MULTI-HIT', true],
  [3, 'BUS ERROR', false],
  [4, 'AR SECURITY PROTECTION', false],
  [5, 'AR ACCESS PROTECTION', false],
  [6, 'AW SECURITY PROTECTION', true],
  [7, 'AW ACCESS PROTECTION', true],
];

const V5_FAULTS: Names = [
  [0, 'AR PTW', false],
  [1, 'AR PAGE', false],
  [2, 'AR MULTI-HIT', false],
  [3, 'AR ACCESS PROTECTION', false],
  [4, 'AR SECURITY PROTECTION', false],
  [16, 'AW PTW', true],
  [17, 'AW PAGE', true],
  [18, 'AW MULTI-HIT', true],
  [19, 'AW ACCESS PROTECTION', true],
  [20, 'AW SECURITY PROTECTION', true],
];

/** The lowest bit that is set of those that have a name. */
const firstOf = (names: Names, status: number): Names[number] | null =>
  names.find(([bit]) => Math.floor(status / 2 ** bit) % 2 === 1) ?? null;

type Old = IoRegisters<typeof SYSMMU>;
type V5 = IoRegisters<typeof SYSMMU_V5>;

/** A SYSMMU as its driver commands it, of whatever version. */
export class SysmmuHardware {
  /** As sysmmuVersion() makes it. */
  readonly version: number;
  readonly #old: Old;
  readonly #v5: V5;

  constructor(dev: Device, base: CpuAddr) {
    this.#old = ioRegisters(SYSMMU, dev.services.io, base);
    this.#v5 = ioRegisters(SYSMMU_V5, dev.services.io, base);
    const { value, MAJOR, MINOR } = this.#old.VERSION.read();
    // The first ones do not report one.
    this.version = value === OLDEST_VERSION ? sysmmuVersion(1, 0) : sysmmuVersion(MAJOR, MINOR);
  }

  get isV5(): boolean {
    return majorOf(this.version) >= 5;
  }

  /** __sysmmu_enable(). */
  enable(table: number): void {
    this.#control({ ENABLE: 1, BLOCK: 1, INTERRUPT: 1 });
    this.#configure();
    if (this.isV5) this.#v5.PT_BASE.write({ FRAME: table / PAGE_SIZE });
    else this.#old.PT_BASE.write(table);
    this.#flushAll();
    this.unblock();
  }

  /** __sysmmu_disable(): addresses pass unchanged. */
  disable(): void {
    this.#control({});
    this.#old.CFG.write(0);
  }

  unblock(): void {
    this.#control({ ENABLE: 1, INTERRUPT: 1 });
  }

  /** What is kept of these pages: in vain if the hardware does not block (as in Linux). */
  flushPages(start: number, size: number, pageSize: number): void {
    this.#whileBlocked(() => {
      const pages = this.#pagesToFlush(size, pageSize);
      if (size / pageSize > MOST_SINGLE) this.#flushAll();
      else if (this.isV5 && pages > 1) this.#flushRange(start, size);
      else this.#flushEntries(start, size, pages);
    });
  }

  flushAll(): void {
    this.#whileBlocked(() => {
      this.#flushAll();
    });
  }

  /** The first fault that it tells of, or null. */
  pending(): SysmmuFault | null {
    if (this.isV5) {
      const { value } = this.#v5.INT_STATUS.read();
      const [bit, name, write] = firstOf(V5_FAULTS, value) ?? [0, null, false];
      if (name === null) return null;
      const at = write ? this.#v5.FAULT_AW_VA : this.#v5.FAULT_AR_VA;
      return { name, address: at.read().value, write, bit: 2 ** bit };
    }
    const { value } = this.#old.INT_STATUS.read();
    const [bit, name, write] = firstOf(FAULTS, value) ?? [0, null, false];
    if (name === null) return null;
    return { name, address: this.#addressOf(name, write).read().value, write, bit: 2 ** bit };
  }

  /** Acknowledges it, and goes on. */
  clear({ bit }: SysmmuFault): void {
    if (this.isV5) this.#v5.INT_CLEAR.write(bit);
    else this.#old.INT_CLEAR.write(bit);
    this.unblock();
  }

  #addressOf(name: string, write: boolean): Pick<IoRegister<object>, 'read'> {
    if (name === 'PAGE') return this.#old.PAGE_FAULT_ADDR;
    if (name === 'BUS ERROR') return this.#old.DEFAULT_SLAVE_ADDR;
    return write ? this.#old.AW_FAULT_ADDR : this.#old.AR_FAULT_ADDR;
  }

  /** __sysmmu_init_config(). */
  #configure(): void {
    const all = { QOS: 15, ACCESS_PROTECTION: 1 } as const;
    const { version } = this;
    if (version <= sysmmuVersion(3, 1)) {
      this.#old.CFG.write({ ...all, LRU: 1 });
    } else if (version <= sysmmuVersion(3, 2)) {
      this.#old.CFG.write({ ...all, LRU: 1, FLPD_CACHE: 1, SYSSEL: 1 });
    } else {
      this.#old.CFG.write({ ...all, FLPD_CACHE: 1, AUTO_CLOCK_GATING: 1 });
    }
  }

  #control(fields: { readonly ENABLE?: 1; readonly BLOCK?: 1; readonly INTERRUPT?: 1 }): void {
    this.#old.CTRL.write(fields);
  }

  /** sysmmu_block(), sysmmu_unblock(). */
  #whileBlocked(does: () => void): void {
    this.#control({ ENABLE: 1, BLOCK: 1, INTERRUPT: 1 });
    for (let reads = 0; reads < MOST_READS; reads++) {
      if (this.#old.STATUS.read().BLOCKED === 0) continue;
      does();
      break;
    }
    this.unblock();
  }

  /** One for a page, whatever its size, but in version 2. */
  #pagesToFlush(size: number, pageSize: number): number {
    const pages = size / pageSize;
    if (majorOf(this.version) !== 2) return pages;
    return pages * Math.min(pageSize / PAGE_SIZE, SETS);
  }

  #flushEntries(start: number, size: number, count: number): void {
    const { FLUSH_ENTRY } = this.isV5 ? this.#v5 : this.#old;
    const step = size / count;
    for (let i = 0; i < count; i++) {
      FLUSH_ENTRY.write({ GO: 1, PAGE: Math.floor((start + i * step) / PAGE_SIZE) });
    }
  }

  #flushRange(start: number, size: number): void {
    this.#v5.FLUSH_START.write({ PAGE: start / PAGE_SIZE });
    this.#v5.FLUSH_END.write({ PAGE: (start + size) / PAGE_SIZE - 1 });
    this.#v5.FLUSH_RANGE.write({ GO: 1 });
  }

  #flushAll(): void {
    if (this.isV5) this.#v5.FLUSH_ALL.write({ GO: 1 });
    else this.#old.FLUSH_ALL.write({ GO: 1 });
  }
}
