import test from 'ava';
import type { DeviceModel } from '../../../drivers/base/hw/device';
import type { IommuHook } from '../../../drivers/base/hw/dma-port';
import type { RefusedAccess, StaleEntry } from '../../../drivers/base/hw/iommu';
import { IrqLine } from '../../../drivers/base/hw/irq';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { dmaAddr, ticks } from '../../../drivers/base/types/address';
import { BenchError } from '../../../drivers/base/types/errors';
import { Sysmmu } from '../../../drivers/iommu/exynos-sysmmu/model';
import { SYSMMU, SYSMMU_V5, sysmmuVersion } from '../../../drivers/iommu/exynos-sysmmu/regs';
import { OmapIommu } from '../../../drivers/iommu/omap-iommu/model';
import { OMAP_IOMMU, PageSize } from '../../../drivers/iommu/omap-iommu/regs';
import { RockchipIommu } from '../../../drivers/iommu/rockchip-iommu/model';
import { BANK_SIZE, Command, ROCKCHIP_IOMMU } from '../../../drivers/iommu/rockchip-iommu/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { DeviceBus } from '../../support/device-bus';
import { DmaBench, RAM_BASE } from '../../support/dma-bench';

/* Models of the IOMMUs that stand before one master each. The first page of memory is the table of the
 * first level, as far as it is there, the second that of the second level; data is behind words. */

const FIRST = RAM_BASE;
const SECOND = RAM_BASE + 0x1000;
const M = 0x10_0000;

const wires = (isChecked = false) => {
  const bench = new DmaBench();
  const guestErrors: string[] = [];
  const stale: StaleEntry[] = [];
  const refused: RefusedAccess[] = [];
  const irq = new IrqLine('irq');
  const common = {
    name: 'iommu',
    memory: bench.memory,
    irq,
    isChecked,
    tlbEntries: 4,
    onGuestError: (text: string) => guestErrors.push(text),
    onStale: (entry: StaleEntry) => stale.push(entry) < 0,
    onRefused: (access: RefusedAccess) => refused.push(access),
  };
  const word = (at: number, value: number): void => {
    bench.poke(
      at,
      [0, 8, 16, 24].map(shift => (value >>> shift) & 0xff),
    );
  };
  return { bench, guestErrors, stale, refused, irq, common, word };
};

type Wires = ReturnType<typeof wires>;

const master = (
  { bench }: Wires,
  model: DeviceModel & { stream(c: number[], m: string): IommuHook },
) => {
  const port = bench.port({ iommu: model.stream([], 'master') });
  const read = (address: number): number => {
    const into = new Uint8Array(1);
    const result = port.read(dmaAddr(address), 1, into);
    return result === TxResult.Ok ? (into[0] ?? 0) : -result;
  };
  const write = (address: number): TxResult => port.write(dmaAddr(address), 1, Uint8Array.of(9));
  return { port, read, write };
};

const sysmmu = (version: number, isChecked = false) => {
  const made = wires(isChecked);
  return { ...made, model: new Sysmmu({ ...made.common, version }) };
};

const rockchip = (isV2 = false, isChecked = false) => {
  const made = wires(isChecked);
  const windows = [BANK_SIZE, BANK_SIZE];
  return { ...made, model: new RockchipIommu({ ...made.common, isV2, windows }) };
};

const omap = (hasBusErrorBack = true, isChecked = false) => {
  const made = wires(isChecked);
  const tlb = { tlbEntries: 4, windowSize: OMAP_IOMMU.size, hasBusErrorBack };
  return { ...made, model: new OmapIommu({ ...made.common, ...tlb }) };
};

for (const [name, version, sheet] of [
  ['sysmmu', sysmmuVersion(3, 3), SYSMMU],
  ['sysmmu-v5', sysmmuVersion(5, 0), SYSMMU_V5],
] as const) {
  deviceModelConformance(test, name, () => {
    const { model, irq, guestErrors } = sysmmu(version);
    return {
      device: model,
      windows: [{ sheet, region: 0, offset: 0 }],
      irqs: [irq],
      guestErrors,
      dynamic: [`${name}.VERSION`],
      stir: bus => {
        bus.write(sheet.registers.CTRL.at, 4, 5);
        model.stream([], 'master').translate(0x1234, true);
      },
      release: () => undefined,
    };
  });
}

deviceModelConformance(test, 'rockchip-iommu', () => {
  const { model, irq, guestErrors } = rockchip();
  return {
    device: model,
    windows: [0, 1].map(region => ({ sheet: ROCKCHIP_IOMMU, region, offset: 0 })),
    irqs: [irq],
    guestErrors,
    dynamic: ['DTE_ADDR', 'INT_RAWSTAT', 'INT_STATUS'].map(key => `rockchip-iommu.${key}`),
    stir: bus => {
      bus.write(ROCKCHIP_IOMMU.registers.INT_MASK.at, 4, 3);
      bus.write(ROCKCHIP_IOMMU.registers.COMMAND.at, 4, Command.EnablePaging);
      model.stream([], 'master').translate(0, true);
    },
    release: () => undefined,
  };
});

deviceModelConformance(test, 'omap-iommu', () => {
  const { model, irq, guestErrors } = omap();
  return {
    device: model,
    windows: [{ sheet: OMAP_IOMMU, region: 0, offset: 0 }],
    irqs: [irq],
    guestErrors,
    dynamic: ['SYSCONFIG', 'LOCK', 'READ_CAM', 'READ_RAM'].map(key => `omap-iommu.${key}`),
    stir: bus => {
      bus.write(OMAP_IOMMU.registers.GP_REG.at, 4, 1);
      bus.write(OMAP_IOMMU.registers.IRQENABLE.at, 4, 0x1f);
      bus.write(OMAP_IOMMU.registers.CNTL.at, 4, 2);
      model.stream([], 'master').translate(0, true);
    },
    release: () => undefined,
  };
});

test('SYSMMU: what it keeps is in force until its flush, and nothing is flushed while it runs', t => {
  const made = sysmmu(sysmmuVersion(3, 3));
  const { word, refused, irq, guestErrors, bench } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(SYSMMU, bus.io, bus.baseOf(0));
  const { read, write } = master(made, made.model);
  bench.poke(SECOND + 0x800, [7]);
  t.is(read(SECOND + 0x800), 7, 'off, addresses pass unchanged');
  word(FIRST + 4, SECOND + 1);
  // Read only: a small page, where the data is.
  word(SECOND + 4 * 3, SECOND + 0x200 + 0x10 + 2);
  regs.PT_BASE.write(FIRST);
  regs.CFG.write({ ACCESS_PROTECTION: 1 });
  regs.CTRL.write({ ENABLE: 1, INTERRUPT: 1 });
  t.is(read(M + 0x3800), 7);
  t.is(write(M + 0x3800), TxResult.Error);
  t.is(regs.INT_STATUS.read().AW_ACCESS, 1);
  t.is(regs.AW_FAULT_ADDR.read().value, M + 0x3800);
  t.true(irq.level);
  regs.INT_CLEAR.write({ AW_ACCESS: 1 });
  t.false(irq.level);
  word(SECOND + 4 * 3, 0);
  t.is(read(M + 0x3800), 7, 'kept');
  regs.FLUSH_ENTRY.write({ GO: 1, PAGE: (M + 0x3000) / 0x1000 });
  t.regex(guestErrors.splice(0).join(), /not blocked/);
  t.is(read(M + 0x3800), -TxResult.Error);
  t.is(regs.PAGE_FAULT_ADDR.read().value, M + 0x3800);
  t.deepEqual(
    refused.map(({ cause }) => cause),
    ['permission', 'translation'],
  );
  t.is(regs.VERSION.read().MAJOR, 3);
});

test('SYSMMU: whoever comes while it is blocked waits; version 5 flushes a range', t => {
  const made = sysmmu(sysmmuVersion(5, 0));
  const { word, bench } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(SYSMMU_V5, bus.io, bus.baseOf(0));
  const { port, read } = master(made, made.model);
  // A section for reading and writing: 1 MiB at 0x8000_0000.
  word(FIRST, RAM_BASE / 16 + 0x30 + 2);
  bench.poke(SECOND + 0x800, [5]);
  regs.PT_BASE.write({ FRAME: FIRST / 0x1000 });
  regs.CTRL.write({ ENABLE: 1, BLOCK: 1 });
  t.is(regs.STATUS.read().BLOCKED, 1);
  const into = new Uint8Array(1);
  let isDone = false;
  port.transfer(
    10,
    () => port.read(dmaAddr(0x1800), 1, into),
    () => (isDone = true),
  );
  bench.events.advanceTo(ticks(100));
  t.false(isDone);
  t.throws(() => made.model.saveState(), { instanceOf: BenchError });
  regs.CTRL.write({ ENABLE: 1 });
  bench.events.advanceTo(ticks(200));
  t.deepEqual([isDone, into[0]], [true, 5]);
  word(FIRST, 0);
  t.is(read(0x1800), 5);
  regs.CTRL.write({ ENABLE: 1, BLOCK: 1 });
  regs.FLUSH_START.write({ PAGE: 7 });
  regs.FLUSH_END.write({ PAGE: 8 });
  regs.FLUSH_RANGE.write({ GO: 1 });
  regs.CTRL.write({ ENABLE: 1 });
  t.is(read(0x1800), -TxResult.Error, 'the section holds for what was flushed');
  t.is(regs.INT_STATUS.read().AR_PAGE, 1);
});

test('SYSMMU: under all, what was kept of both levels is told where it leads elsewhere', t => {
  const made = sysmmu(sysmmuVersion(3, 3), true);
  const { word, stale } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(SYSMMU, bus.io, bus.baseOf(0));
  const { read } = master(made, made.model);
  word(FIRST + 4, SECOND + 1);
  word(SECOND, SECOND + 0x10 + 2);
  regs.PT_BASE.write(FIRST);
  regs.CTRL.write({ ENABLE: 1 });
  read(M);
  t.deepEqual(stale, []);
  word(SECOND, FIRST + 0x10 + 2);
  read(M);
  word(FIRST + 4, SECOND + 0x400 + 1);
  read(M);
  t.deepEqual(
    stale.map(({ what, older, newer }) => [what, older, newer]),
    [
      ['translation', SECOND, FIRST],
      ['walk', SECOND, SECOND + 0x400],
      ['translation', SECOND, null],
      ['translation', FIRST, null],
    ],
  );
});

test('Rockchip: pages take the MMUs in turn; a fault keeps others waiting until it is done', t => {
  const made = rockchip();
  const { word, bench, irq, refused } = made;
  const bus = new DeviceBus(made.model);
  const banks = [0, 1].map(i => ioRegisters(ROCKCHIP_IOMMU, bus.io, bus.baseOf(i)));
  const { port, read, write } = master(made, made.model);
  bench.poke(FIRST + 0x800, [3]);
  word(FIRST, SECOND + 1);
  word(SECOND, FIRST + 3);
  word(SECOND + 4, FIRST + 3);
  for (const { DTE_ADDR, INT_MASK, COMMAND } of banks.slice(0, 1)) {
    DTE_ADDR.write(FIRST);
    INT_MASK.write({ PAGE_FAULT: 1, BUS_ERROR: 1 });
    COMMAND.write({ CODE: Command.EnablePaging });
  }
  t.is(read(0x800), 3);
  t.is(read(FIRST + 0x1800), 0, 'the second one is off: memory itself');
  t.is(write(0x800), TxResult.Error);
  t.true(irq.level);
  const [bank] = banks;
  if (bank === undefined) throw new Error('no bank');
  t.like(bank.STATUS.read(), { PAGE_FAULT_ACTIVE: 1, PAGE_FAULT_IS_WRITE: 1 });
  t.is(bank.PAGE_FAULT_ADDR.read().value, 0x800);
  t.deepEqual(
    refused.map(({ cause }) => cause),
    ['permission'],
  );
  const into = new Uint8Array(1);
  port.transfer(
    1,
    () => port.read(dmaAddr(0x800), 1, into),
    () => undefined,
  );
  bench.events.advanceTo(ticks(50));
  bank.COMMAND.write({ CODE: Command.PageFaultDone });
  bank.INT_CLEAR.write({ PAGE_FAULT: 1 });
  t.false(irq.level);
  bench.events.advanceTo(ticks(100));
  t.is(into[0], 3);
});

test('Rockchip: what led nowhere is kept too, until any address of its table is zapped', t => {
  const made = rockchip(true);
  const { word, bench } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(ROCKCHIP_IOMMU, bus.io, bus.baseOf(0));
  const { read } = master(made, made.model);
  bench.poke(FIRST + 0x800, [3]);
  word(FIRST, SECOND + 1);
  regs.DTE_ADDR.write(FIRST);
  regs.COMMAND.write({ CODE: Command.EnablePaging });
  const done = (): void => {
    regs.COMMAND.write({ CODE: Command.PageFaultDone });
  };
  t.is(read(0x800), -TxResult.Error);
  done();
  word(SECOND, FIRST + 3);
  t.is(read(0x800), -TxResult.Error, 'it led nowhere');
  done();
  regs.ZAP_ONE_LINE.write(0x3f_f000);
  t.is(read(0x800), 3);
  word(SECOND, 0);
  t.is(read(0x800), 3);
  regs.COMMAND.write({ CODE: Command.ZapCache });
  t.is(read(0x800), -TxResult.Error);
  done();
  regs.COMMAND.write({ CODE: Command.EnableStall });
  t.is(regs.STATUS.read().STALL_ACTIVE, 1);
  regs.COMMAND.write({ CODE: Command.ForceReset });
  t.is(regs.DTE_ADDR.read().value, 0);
  regs.COMMAND.write({ CODE: Command.EnableStall });
  regs.COMMAND.write({ CODE: 7 });
  t.is(made.guestErrors.length, 2);
});

test('Rockchip: under all, what lay beside a page that is used is told when it is used unzapped', t => {
  const made = rockchip(false, true);
  const { word, stale } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(ROCKCHIP_IOMMU, bus.io, bus.baseOf(0));
  const { read } = master(made, made.model);
  word(FIRST, SECOND + 1);
  word(SECOND, FIRST + 3);
  regs.DTE_ADDR.write(FIRST);
  regs.COMMAND.write({ CODE: Command.EnablePaging });
  read(0);
  // Zapped, and fetched again at once as it still is: then it is written.
  regs.ZAP_ONE_LINE.write(0);
  word(SECOND + 8, FIRST + 3);
  read(0x2000);
  t.like(stale[0], { what: 'translation', older: null, newer: FIRST });
  stale.length = 0;
  regs.ZAP_ONE_LINE.write(0);
  read(0x2000);
  t.deepEqual(stale, []);
});

test('OMAP: software and walks fill the TLB; locked entries stay, and entries are seen', t => {
  const made = omap();
  const { word, bench, irq } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(OMAP_IOMMU, bus.io, bus.baseOf(0));
  const { read } = master(made, made.model);
  bench.poke(SECOND + 0x800, [4]);
  regs.GP_REG.write({ BUS_ERROR_BACK: 1 });
  regs.IRQENABLE.write({ TLB_MISS: 1, TRANSLATION_FAULT: 1 });
  regs.CNTL.write({ ENABLE: 1 });
  t.is(read(0x800), -TxResult.Error);
  t.is(regs.IRQSTATUS.read().TLB_MISS, 1);
  t.true(irq.level);
  regs.IRQSTATUS.write({ TLB_MISS: 1 });
  regs.CAM.write({ TAG: 0x10, VALID: 1, PRESERVED: 1, SIZE: PageSize.Small });
  regs.RAM.write({ ADDRESS: SECOND / 0x1000 });
  regs.LD_TLB.write({ GO: 1 });
  regs.LOCK.write({ BASE: 1, VICTIM: 1 });
  t.is(read(0x10800), 4);
  regs.TTB.write(FIRST);
  word(FIRST + 4, RAM_BASE + 2);
  regs.CNTL.write({ ENABLE: 1, WALK: 1 });
  t.is(read(M + 0x1800), 4);
  t.is(regs.LOCK.read().VICTIM, 2);
  regs.LOCK.write({ BASE: 1, VICTIM: 1 });
  t.like(regs.READ_CAM.read(), { TAG: M / 0x1000, VALID: 1, SIZE: PageSize.Section });
  word(FIRST + 4, 0);
  t.is(read(M + 0x1800), 4, 'kept');
  regs.CAM.write({ TAG: M / 0x1000 });
  regs.FLUSH_ENTRY.write({ GO: 1 });
  t.is(read(M + 0x1800), -TxResult.Error);
  t.is(regs.FAULT_AD.read().value, M + 0x1800);
  regs.GFLUSH.write({ GO: 1 });
  t.is(read(0x10800), 4, 'preserved');
  regs.LOCK.write({ BASE: 0, VICTIM: 2 });
  regs.CAM.write({ TAG: 0x10, VALID: 1, SIZE: PageSize.Large });
  regs.LD_TLB.write({ GO: 1 });
  t.is(read(0x10800), -TxResult.Error);
  t.is(regs.IRQSTATUS.read().MULTI_HIT, 1);
  regs.LOCK.write({ BASE: 0, VICTIM: 4 });
  t.is(made.guestErrors.length, 1);
  regs.SYSCONFIG.write({ SOFT_RESET: 1 });
  t.is(read(SECOND + 0x800), 4, 'off');
});

test('OMAP: without bus errors, whoever faults waits for software and is tried again', t => {
  const made = omap(false);
  const { bench } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(OMAP_IOMMU, bus.io, bus.baseOf(0));
  const { port } = master(made, made.model);
  bench.poke(SECOND + 0x800, [6]);
  regs.GP_REG.write({ BUS_ERROR_BACK: 1 });
  t.is(made.guestErrors.length, 1, 'this one has no such register');
  regs.CNTL.write({ ENABLE: 1 });
  const into = new Uint8Array(1);
  port.transfer(
    1,
    () => port.read(dmaAddr(0x800), 1, into),
    () => undefined,
  );
  bench.events.advanceTo(ticks(50));
  t.is(regs.FAULT_AD.read().value, 0x800);
  t.throws(() => made.model.saveState(), { instanceOf: BenchError });
  regs.CAM.write({ TAG: 0, VALID: 1, SIZE: PageSize.Small });
  regs.RAM.write({ ADDRESS: SECOND / 0x1000 });
  regs.LD_TLB.write({ GO: 1 });
  regs.IRQSTATUS.write({ TLB_MISS: 1 });
  bench.events.advanceTo(ticks(100));
  t.is(into[0], 6);
  t.deepEqual(made.refused, []);
});

test('OMAP: under all, an entry that the table has no more is told, one of software is not', t => {
  const made = omap(true, true);
  const { word, stale } = made;
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(OMAP_IOMMU, bus.io, bus.baseOf(0));
  const { read } = master(made, made.model);
  regs.GP_REG.write({ BUS_ERROR_BACK: 1 });
  regs.TTB.write(FIRST);
  word(FIRST + 4, RAM_BASE + 2);
  regs.CNTL.write({ ENABLE: 1, WALK: 1 });
  read(M);
  read(M);
  t.deepEqual(stale, []);
  word(FIRST + 4, 0);
  read(M);
  t.like(stale[0], { what: 'translation', older: RAM_BASE, newer: null });
  regs.LOCK.write({ VICTIM: 3 });
  regs.CAM.write({ TAG: 0x20, VALID: 1, SIZE: PageSize.Small });
  regs.RAM.write({ ADDRESS: SECOND / 0x1000 });
  regs.LD_TLB.write({ GO: 1 });
  stale.length = 0;
  t.is(read(0x20000), bytesOf(made));
  t.deepEqual(stale, []);
});

const bytesOf = ({ bench }: Wires): number => bench.peek(SECOND, 1)[0] ?? -1;
