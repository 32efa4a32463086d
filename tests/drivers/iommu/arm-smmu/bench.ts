import type { DmaPort } from '../../../../drivers/base/hw/dma-port';
import type { RefusedAccess, StaleEntry } from '../../../../drivers/base/hw/iommu';
import { IrqLine } from '../../../../drivers/base/hw/irq';
import { TxResult } from '../../../../drivers/base/hw/mmio';
import { ioRegisters } from '../../../../drivers/base/kernel/registers';
import type { IoRegisters } from '../../../../drivers/base/kernel/registers';
import { dmaAddr, offsetBy, ticks } from '../../../../drivers/base/types/address';
import type { CpuAddr } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { ArmSmmu } from '../../../../drivers/iommu/arm-smmu/model';
import type { ArmSmmuPorts } from '../../../../drivers/iommu/arm-smmu/model';
import { integrationOf } from '../../../../drivers/iommu/arm-smmu/model/integration';
import type { SmmuIntegration } from '../../../../drivers/iommu/arm-smmu/model/integration';
import {
  ARM_SMMU_CB,
  ARM_SMMU_GR0,
  ARM_SMMU_GR1,
  BankType,
  StreamType,
} from '../../../../drivers/iommu/arm-smmu/regs';
import { DeviceBus } from '../../../support/device-bus';
import { DmaBench, RAM_BASE } from '../../../support/dma-bench';

/* A small SMMU on a bus of its own, with tables that fit two pages of memory. */

/** The last table is the first page of memory; the second has the first table, and data behind it. */
export const LAST_TABLE = RAM_BASE;
export const ROOT = RAM_BASE + PAGE_SIZE;
export const DATA = ROOT;
/** In the data page, beyond the first table. */
export const TEXT_OFFSET = 0x800;
export const TEXT = [1, 2, 3, 4];

export const STREAM = 0x21;
export const BANK = 2;
export const ASID = 5;

/** 25 bits of address: a first table of 16 entries at level 2, then one of 512 at level 3. */
export const INPUT_BITS = 25;

export const BUILT = ((): SmmuIntegration => {
  const compatible = 'arm,mmu-500';
  const windowSize = 0x8000;
  const built = integrationOf({ compatible, windowSize, contextInterrupts: 4, coherentWalk: true });
  if (built === null) throw new Error('no integration');
  return built;
})();

/** What is kept: so many translations, or on a checked machine whatever may be. */
type Keeping = Pick<ArmSmmuPorts, 'isChecked' | 'tlbEntries'>;
export const lru = (tlbEntries: number): Keeping => ({ isChecked: false, tlbEntries });
export const every: Keeping = { isChecked: true, tlbEntries: 0 };

export interface MadeSmmu {
  readonly bench: DmaBench;
  readonly guestErrors: string[];
  readonly stale: StaleEntry[];
  readonly refused: RefusedAccess[];
  readonly globalIrq: IrqLine;
  readonly contextIrqs: readonly IrqLine[];
  readonly model: ArmSmmu;
}

export const makeSmmu = (keeping = lru(4), built: SmmuIntegration = BUILT): MadeSmmu => {
  const bench = new DmaBench();
  const guestErrors: string[] = [];
  const stale: StaleEntry[] = [];
  const refused: RefusedAccess[] = [];
  const globalIrq = new IrqLine('global');
  const contextIrqs = Array.from({ length: 4 }, (_, i) => new IrqLine(`context${i}`));
  const model = new ArmSmmu({
    name: 'smmu',
    built,
    memory: bench.memory,
    ...keeping,
    globalIrq,
    contextIrqs,
    events: bench.events,
    onGuestError: text => guestErrors.push(text),
    onStale: entry => stale.push(entry) < 0,
    onRefused: access => refused.push(access),
  });
  return { bench, guestErrors, stale, refused, globalIrq, contextIrqs, model };
};

const bytesOf = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);

type Bank = IoRegisters<typeof ARM_SMMU_CB>;

export interface PoweredSmmu extends MadeSmmu {
  readonly bus: DeviceBus;
  readonly gr0: IoRegisters<typeof ARM_SMMU_GR0>;
  readonly gr1: IoRegisters<typeof ARM_SMMU_GR1>;
  readonly cb: (bank: number) => Bank;
  readonly port: DmaPort;
  /** Nanoseconds. */
  readonly pass: (time: number) => void;
  /** A word of a table: 8 bytes, or 4. */
  readonly poke: (address: number, value: number, bytes?: number) => void;
  /** The master reads, and what came of it. */
  readonly read: (address: number, length?: number) => number | number[];
  readonly write: (address: number, ...bytes: number[]) => TxResult;
}

/** One whose registers a driver can reach, with a master on STREAM. */
export const poweredSmmu = (keeping = lru(4), built: SmmuIntegration = BUILT): PoweredSmmu => {
  const made = makeSmmu(keeping, built);
  const { bench, model } = made;
  const bus = new DeviceBus(model);
  const page = (index: number): CpuAddr => offsetBy(bus.baseOf(0), index * built.pageSize);
  const gr0 = ioRegisters(ARM_SMMU_GR0, bus.io, page(0));
  const gr1 = ioRegisters(ARM_SMMU_GR1, bus.io, page(1));
  const cb = (bank: number): Bank => ioRegisters(ARM_SMMU_CB, bus.io, page(built.pages + bank));
  const port = bench.port({ iommu: model.stream([STREAM], 'master') });
  return {
    ...made,
    bus,
    gr0,
    gr1,
    cb,
    port,
    pass: time => {
      bench.events.advanceTo(ticks(bench.events.now + time));
    },
    poke: (address, value, bytes = 8) => {
      bench.poke(address, bytesOf(value, bytes));
    },
    read: (address, length = 4) => {
      const into = new Uint8Array(length);
      const result = port.read(dmaAddr(address), length, into);
      return result === TxResult.Ok ? [...into] : result;
    },
    write: (address, ...bytes) =>
      port.write(dmaAddr(address), bytes.length, Uint8Array.from(bytes)),
  };
};

/** Descriptors of AArch64 stage 1. */
export const table = (address: number): number => address + 3;
export const page = (address: number, isReadOnly = false): number =>
  address + 3 + (1 << 10) + (1 << 6) + (isReadOnly ? 1 << 7 : 0);
/** Address 0x1000 × n is entry n of the last table. */
export const entryAt = (iova: number): number => LAST_TABLE + 8 * (iova / PAGE_SIZE);

/** Faults are told, and abort: as Linux sets it. */
export const GLOBAL_FAULTS = { GFRE: 1, GFIE: 1, GCFGFRE: 1, GCFGFIE: 1, USFCFG: 1, SMCFCFG: 1 };

export interface RunningSmmu extends PoweredSmmu {
  readonly bank: Bank;
  /** SCTLR of a bank that translates. */
  readonly enable: { readonly M: 1; readonly CFRE: 1; readonly CFIE: 1 };
  /** TLBSYNC, and its time. */
  readonly sync: () => void;
}

/** One whose STREAM is translated by BANK, AArch64 stage 1, one page of data at 0x3000. */
export const runningSmmu = (keeping = lru(4)): RunningSmmu => {
  const made = poweredSmmu(keeping);
  const { gr0, gr1, cb, poke, bench } = made;
  gr0.SMR(0).write({ ID: STREAM, VALID: 1 });
  gr0.S2CR(0).write({ TYPE: StreamType.Translate, CBNDX: BANK });
  gr1.CBAR(BANK).write({ TYPE: BankType.Stage1 });
  gr1.CBA2R(BANK).write({ VA64: 1 });
  const bank = cb(BANK);
  bank.TCR.write(64 - INPUT_BITS + (1 << 23));
  bank.TCR2.write({ PASIZE: 5, AS: 1 });
  bank.TTBR0_HI.write(ASID * 2 ** 16);
  bank.TTBR0.write(ROOT);
  const enable = { M: 1, CFRE: 1, CFIE: 1 } as const;
  bank.SCTLR.write(enable);
  gr0.CR0.write(GLOBAL_FAULTS);
  poke(ROOT, table(LAST_TABLE));
  poke(entryAt(0x3000), page(DATA));
  bench.poke(DATA + TEXT_OFFSET, TEXT);
  const sync = (): void => {
    bank.TLBSYNC.write(0);
    made.pass(100);
  };
  return { ...made, bank, enable, sync };
};
