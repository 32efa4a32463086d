import { ioRegisters } from '../../../drivers/base/kernel/registers';
import type { RegisterIo } from '../../../drivers/base/kernel/registers';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import type { CpuAddr, PhysAddr } from '../../../drivers/base/types/address';
import { alignDown } from '../../../drivers/base/types/bits';
import { PL310 } from '../cache/pl310/regs';
import type { OuterSync } from './barrier';

/** Maintenance of the cache outside the cores, by physical address (struct outer_cache_fns). */
export interface OuterCacheFns extends OuterSync {
  /** Dropped; a line that the range covers only in part is cleaned first. */
  invRange(start: PhysAddr, size: number): void;
  cleanRange(start: PhysAddr, size: number): void;
  flushRange(start: PhysAddr, size: number): void;
  flushAll(): void;
  disable(): void;
  /** Lines that were maintained by address so far. */
  readonly lines: number;
}

/** A machine without an outer cache, and one before its outer cache is on. */
export const noOuterCache = (): OuterCacheFns => ({
  invRange: () => undefined,
  cleanRange: () => undefined,
  flushRange: () => undefined,
  flushAll: () => undefined,
  disable: () => undefined,
  lines: 0,
  sync: () => undefined,
});

/** What the device tree says of the controller (arm,pl310-cache). */
export interface L2x0Options {
  /** arm,shared-override. */
  readonly sharedOverride: boolean;
  /** arm,io-coherent: devices snoop, no `sync` is needed at a barrier. */
  readonly ioCoherent: boolean;
}

const LINE = 32;
/** A poll of a way operation gives up after this many reads. */
const POLLS = 100_000;

/**
 * Switches a PL310 on and answers its maintenance (l2c310 in cache-l2x0.c): the ways are
 * invalidated in the background, polled, and only then is the cache enabled. A range goes line by
 * line however long it is (l2c210_clean_range), and ends with a cache sync.
 */
export const l2x0Init = (
  io: RegisterIo,
  relaxed: RegisterIo,
  base: CpuAddr,
  options: L2x0Options,
): OuterCacheFns => {
  const regs = ioRegisters(PL310, relaxed, base);
  const ordered = ioRegisters(PL310, io, base);
  const ways = regs.AUX_CTRL.read().ASSOCIATIVITY === 1 ? 16 : 8;
  const wayMask = 2 ** ways - 1;

  const sync = (): void => {
    regs.CACHE_SYNC.write(0);
  };
  const byWay = (register: { write(value: number): void; read(): { value: number } }): void => {
    register.write(wayMask);
    for (let polls = 0; (register.read().value & wayMask) !== 0; polls++) {
      if (polls > POLLS) throw new KernelOops('L2C-310: a way operation never ended');
    }
    sync();
  };
  let lines = 0;
  const byLine = (register: { write(value: number): void }, start: number, end: number): void => {
    for (let line = alignDown(start, LINE); line < end; line += LINE) {
      lines++;
      register.write(line);
    }
  };
  const flushAll = (): void => {
    byWay(regs.CLEAN_INV_WAY);
  };

  if (regs.CTRL.read().EN === 0) {
    if (options.sharedOverride) regs.AUX_CTRL.update({ SHARED_OVERRIDE: 1 });
    byWay(regs.INV_WAY);
    ordered.CTRL.write({ EN: 1 });
  }

  return {
    invRange: (start, length) => {
      const end = start + length;
      const first = alignDown(start, LINE);
      const last = alignDown(end, LINE);
      if (first !== start) byLine(regs.CLEAN_INV_PA, first, first + LINE);
      if (last !== end) byLine(regs.CLEAN_INV_PA, last, last + LINE);
      byLine(regs.INV_PA, first === start ? first : first + LINE, last);
      sync();
    },
    cleanRange: (start, length) => {
      byLine(regs.CLEAN_PA, start, start + length);
      sync();
    },
    flushRange: (start, length) => {
      byLine(regs.CLEAN_INV_PA, start, start + length);
      sync();
    },
    flushAll,
    get lines() {
      return lines;
    },
    disable: () => {
      flushAll();
      ordered.CTRL.write({ EN: 0 });
    },
    sync: options.ioCoherent ? () => undefined : sync,
  };
};
