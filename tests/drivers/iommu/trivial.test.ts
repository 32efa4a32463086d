import test from 'ava';
import type { RefusedAccess, StaleEntry } from '../../../drivers/base/hw/iommu';
import { IrqLine } from '../../../drivers/base/hw/irq';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { dmaAddr, ticks } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { BenchError } from '../../../drivers/base/types/errors';
import { TrivialIommu } from '../../../drivers/iommu/trivial/model';
import { EveryIotlb, LruIotlb } from '../../../drivers/iommu/trivial/model/iotlb';
import type { Iotlb } from '../../../drivers/iommu/trivial/model/iotlb';
import {
  ENTRY,
  FaultCause,
  STREAMS,
  StreamMode,
  TRIVIAL_IOMMU,
} from '../../../drivers/iommu/trivial/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { DeviceBus } from '../../support/device-bus';
import { DmaBench, IO_END, RAM_BASE } from '../../support/dma-bench';

const STREAM = 5;
/** The table is in the first page of memory, what it leads to in the second. */
const TABLE = RAM_BASE / PAGE_SIZE;
const PAGES = 8;
const DATA = RAM_BASE + PAGE_SIZE;

const make = (iotlb: Iotlb = new LruIotlb(2)) => {
  const bench = new DmaBench();
  const guestErrors: string[] = [];
  const stale: StaleEntry[] = [];
  const refused: RefusedAccess[] = [];
  const irq = new IrqLine('irq');
  const model = new TrivialIommu({
    name: 'iommu',
    tables: bench.memory,
    iotlb,
    irq,
    events: bench.events,
    aperturePages: PAGES,
    onGuestError: text => guestErrors.push(text),
    onStale: entry => stale.push(entry) < 0,
    onRefused: access => refused.push(access),
  });
  return { bench, guestErrors, stale, refused, irq, model };
};

/** One with a stream that translates, and a master on that stream. */
const running = (iotlb?: Iotlb) => {
  const made = make(iotlb);
  const { bench, model } = made;
  const bus = new DeviceBus(model);
  const regs = ioRegisters(TRIVIAL_IOMMU, bus.io, bus.baseOf(0));
  const port = bench.port({ iommu: model.stream([STREAM], 'master') });
  const entry = (page: number, value: number): void => {
    const bytes = [0, 8, 16, 24].map(shift => (value >>> shift) & 0xff);
    bench.poke(RAM_BASE + 4 * page, bytes);
  };
  const pass = (nanoseconds: number): void => {
    bench.events.advanceTo(ticks(bench.events.now + nanoseconds));
  };
  const invalidate = (page: number): void => {
    regs.INV_ENTRY.write({ STREAM, PAGE: page });
    regs.INV_CMD.write({ ONE: 1 });
    pass(100);
  };
  const read = (address: number, length = 4): number | number[] => {
    const into = new Uint8Array(length);
    const result = port.read(dmaAddr(address), length, into);
    return result === TxResult.Ok ? [...into] : result;
  };
  const write = (address: number, ...bytes: number[]): TxResult =>
    port.write(dmaAddr(address), bytes.length, Uint8Array.from(bytes));
  regs.STREAM(STREAM).TABLE.write({ FRAME: TABLE });
  regs.STREAM(STREAM).PAGES.write({ COUNT: PAGES });
  regs.STREAM(STREAM).CTRL.write({ MODE: StreamMode.Translate });
  regs.CTRL.write({ ENABLE: 1 });
  bench.poke(DATA, [1, 2, 3, 4, 5, 6, 7, 8]);
  return { ...made, regs, port, entry, pass, invalidate, read, write };
};

const to = (address: number, write = false): number =>
  ENTRY.VALID.at(1) + ENTRY.WRITE.at(write ? 1 : 0) + ENTRY.FRAME.at(address / PAGE_SIZE);

deviceModelConformance(test, 'trivial-iommu', () => {
  const { bench, guestErrors, irq, model } = make();
  const { STREAM: streams } = TRIVIAL_IOMMU.arrays;
  const last = streams.at + streams.stride * (STREAMS - 1);
  return {
    device: model,
    windows: [{ sheet: TRIVIAL_IOMMU, region: 0, offset: 0 }],
    irqs: [irq],
    guestErrors,
    dynamic: ['trivial-iommu.STREAM.PAGES'],
    stir: bus => {
      bench.poke(RAM_BASE, [0x11, 0, 0x08, 0]);
      bus.write(TRIVIAL_IOMMU.registers.IRQ_ENABLE.at, 4, 1);
      bus.write(last + streams.registers.TABLE.at, 4, TABLE);
      bus.write(last + streams.registers.PAGES.at, 4, PAGES);
      bus.write(last + streams.registers.CTRL.at, 4, StreamMode.Translate);
      bus.write(TRIVIAL_IOMMU.registers.CTRL.at, 4, 1);
      const hook = model.stream([STREAMS - 1], 'master');
      hook.translate(0, false);
      hook.translate(0, true);
    },
    release: () => undefined,
  };
});

test('an address keeps its place in the page and goes where the entry says', t => {
  const { entry, read, write, bench, port } = running();
  entry(0, to(RAM_BASE));
  entry(3, to(DATA, true));
  t.deepEqual(read(3 * PAGE_SIZE + 2), [3, 4, 5, 6]);
  t.is(write(3 * PAGE_SIZE + PAGE_SIZE - 2, 9, 10), TxResult.Ok);
  t.deepEqual(bench.peek(DATA + PAGE_SIZE - 2, 2), [9, 10]);
  t.is(port.transactions, 2);
});

test('a transaction over two pages follows the entries of both', t => {
  const { entry, write, bench } = running();
  entry(6, to(DATA, true));
  entry(7, to(RAM_BASE, true));
  t.is(write(7 * PAGE_SIZE - 2, 1, 2, 3, 4), TxResult.Ok);
  t.deepEqual(bench.peek(DATA + PAGE_SIZE - 2, 2), [1, 2]);
  t.deepEqual(bench.peek(RAM_BASE, 2), [3, 4]);
});

test('while it is off, and for a stream in bypass, addresses pass unchanged', t => {
  const { regs, read, bench, model } = running();
  t.is(read(DATA), TxResult.Error);
  regs.CTRL.write({ ENABLE: 0 });
  t.deepEqual(read(DATA), [1, 2, 3, 4]);
  regs.CTRL.write({ ENABLE: 1 });
  regs.STREAM(STREAM).CTRL.write({ MODE: StreamMode.Bypass });
  t.deepEqual(read(DATA), [1, 2, 3, 4]);
  const windows = [{ dma: 0x100, cpu: DATA, size: 0x10 }];
  const port = bench.port({ iommu: model.stream([STREAM], 'master'), windows });
  const into = new Uint8Array(2);
  t.is(port.read(dmaAddr(0x102), 2, into), TxResult.Ok, 'then the bus has its windows');
  t.deepEqual([...into], [3, 4]);
});

for (const [what, cause, address, isWrite] of [
  ['no valid entry', FaultCause.Translation, 2 * PAGE_SIZE + 8, false],
  ['a write without the right to it', FaultCause.Permission, PAGE_SIZE + 8, true],
  ['an address beyond the table', FaultCause.Aperture, PAGES * PAGE_SIZE, false],
  ['an address beyond 32 bits', FaultCause.Aperture, 2 ** 35 + 16, true],
] as const) {
  test(`${what} is a bus error, and told with where and why`, t => {
    const { regs, entry, read, write, irq, bench } = running();
    entry(1, to(DATA));
    regs.IRQ_ENABLE.write({ FAULT: 1 });
    const before = bench.peek(DATA, 16);
    t.is(isWrite ? write(address, 0xff) : read(address), TxResult.Error);
    t.deepEqual(bench.peek(DATA, 16), before);
    t.true(irq.level);
    t.like(regs.FAULT_INFO.read(), { STREAM, WRITE: isWrite ? 1 : 0, CAUSE: cause });
    const told = [regs.FAULT_LO.read().value, regs.FAULT_HI.read().value];
    t.deepEqual(told, [address % 2 ** 32, Math.floor(address / 2 ** 32)]);
  });
}

test('a stream that is to abort, and a table where nothing is, let nothing pass', t => {
  const { regs, read } = running();
  regs.STREAM(STREAM).TABLE.write({ FRAME: Math.ceil(IO_END / PAGE_SIZE) });
  t.is(read(0), TxResult.Error);
  t.is(regs.FAULT_INFO.read().CAUSE, FaultCause.Walk);
  regs.STATUS.write({ FAULT: 1 });
  regs.STREAM(STREAM).CTRL.write({ MODE: StreamMode.Abort });
  t.is(read(0), TxResult.Error);
  t.is(regs.FAULT_INFO.read().CAUSE, FaultCause.Abort);
});

test('the first fault is kept until it is cleared, later ones are only noted', t => {
  const { regs, read, irq, refused } = running();
  regs.IRQ_ENABLE.write({ FAULT: 1 });
  read(PAGE_SIZE);
  t.like(regs.STATUS.read(), { FAULT: 1, MULTIPLE: 0 });
  read(2 * PAGE_SIZE);
  t.like(regs.STATUS.read(), { FAULT: 1, MULTIPLE: 1 });
  t.is(regs.FAULT_LO.read().value, PAGE_SIZE);
  const told = {
    iommu: 'iommu',
    master: 'master',
    stream: STREAM,
    write: false,
    cause: 'translation',
  };
  t.deepEqual(
    refused,
    [1, 2].map(page => ({ ...told, address: page * PAGE_SIZE })),
    'but whoever watches hears of all',
  );
  regs.STATUS.write({ FAULT: 1, MULTIPLE: 1 });
  t.false(irq.level);
  read(2 * PAGE_SIZE);
  t.is(regs.FAULT_LO.read().value, 2 * PAGE_SIZE);
  t.true(irq.level);
});

test('an entry that was used stays in force until its invalidation has completed', t => {
  const { regs, entry, read, write, pass } = running();
  entry(1, to(DATA, true));
  t.deepEqual(read(PAGE_SIZE, 2), [1, 2]);
  entry(1, 0);
  t.deepEqual(read(PAGE_SIZE, 2), [1, 2]);
  t.is(write(PAGE_SIZE, 7), TxResult.Ok);
  regs.INV_ENTRY.write({ STREAM, PAGE: 2 });
  regs.INV_CMD.write({ ONE: 1 });
  pass(100);
  t.deepEqual(read(PAGE_SIZE, 2), [7, 2], 'another entry was invalidated');
  regs.INV_ENTRY.write({ STREAM, PAGE: 1 });
  regs.INV_CMD.write({ ONE: 1 });
  t.is(regs.INV_STATUS.read().BUSY, 1);
  pass(99);
  t.deepEqual(read(PAGE_SIZE, 2), [7, 2]);
  pass(1);
  t.is(regs.INV_STATUS.read().BUSY, 0);
  t.is(read(PAGE_SIZE), TxResult.Error);
});

test('an entry that was not valid is not kept, and all are invalidated at once', t => {
  const { regs, entry, read, pass } = running();
  t.is(read(PAGE_SIZE), TxResult.Error);
  entry(1, to(DATA));
  entry(2, to(DATA));
  t.deepEqual(read(PAGE_SIZE, 1), [1]);
  t.deepEqual(read(2 * PAGE_SIZE, 1), [1]);
  entry(1, 0);
  entry(2, 0);
  regs.INV_CMD.write({ ALL: 1 });
  pass(100);
  t.is(read(PAGE_SIZE), TxResult.Error);
  t.is(read(2 * PAGE_SIZE), TxResult.Error);
});

test('the TLB has so many entries: the one that was used the longest time ago goes', t => {
  const { entry, read } = running(new LruIotlb(2));
  for (const page of [1, 2, 3]) entry(page, to(DATA));
  read(PAGE_SIZE);
  read(2 * PAGE_SIZE);
  read(PAGE_SIZE);
  read(3 * PAGE_SIZE);
  for (const page of [1, 2, 3]) entry(page, 0);
  t.is(read(2 * PAGE_SIZE), TxResult.Error);
  t.deepEqual(read(PAGE_SIZE, 1), [1]);
});

test('streams have tables and entries of their own', t => {
  const { bench, model, regs, entry, read } = running();
  entry(4, to(DATA));
  t.deepEqual(read(4 * PAGE_SIZE, 1), [1]);
  regs.STREAM(2).CTRL.write({ MODE: StreamMode.Translate });
  regs.STREAM(2).TABLE.write({ FRAME: TABLE + 1 });
  regs.STREAM(2).PAGES.write({ COUNT: PAGES });
  const other = bench.port({ iommu: model.stream([2], 'other') });
  t.is(other.read(dmaAddr(4 * PAGE_SIZE), 4, new Uint8Array(4)), TxResult.Error);
  t.is(regs.FAULT_INFO.read().STREAM, 2);
});

test('every lookup is an event of the machine, whether the TLB has the entry or not', t => {
  for (const iotlb of [new LruIotlb(0), new LruIotlb(2), new EveryIotlb()]) {
    const { entry, read, bench } = running(iotlb);
    entry(1, to(DATA));
    read(PAGE_SIZE);
    read(PAGE_SIZE);
    const table = bench.ram.wordOf(RAM_BASE + 4);
    t.is(bench.touched.filter(word => word === table).length, 2);
  }
});

test('every TLB at once: the table decides, and what else might have been used is told', t => {
  const { entry, read, write, invalidate, stale } = running(new EveryIotlb());
  entry(1, to(DATA, true));
  read(PAGE_SIZE + 4);
  t.deepEqual(stale, []);
  entry(1, to(RAM_BASE));
  t.deepEqual(read(PAGE_SIZE + 4, 1), [to(RAM_BASE) % 256]);
  const told = {
    iommu: 'iommu',
    what: 'translation',
    master: 'master',
    stream: STREAM,
    address: PAGE_SIZE + 4,
    write: false,
    older: DATA + 4,
  };
  t.deepEqual(stale.splice(0), [{ ...told, newer: RAM_BASE + 4 }]);
  entry(1, 0);
  t.is(write(PAGE_SIZE, 1), TxResult.Error);
  t.deepEqual(
    stale.splice(0).map(({ older, newer }) => [older, newer]),
    [
      [DATA, null],
      [RAM_BASE, null],
    ],
  );
  invalidate(1);
  t.is(read(PAGE_SIZE), TxResult.Error);
  t.deepEqual(stale, []);
});

test('a command during an invalidation is ignored, and a table beyond the aperture refused', t => {
  const { regs, guestErrors, entry, read, pass } = running();
  entry(1, to(DATA));
  read(PAGE_SIZE);
  regs.INV_ENTRY.write({ STREAM, PAGE: 2 });
  regs.INV_CMD.write({ ONE: 1 });
  regs.INV_CMD.write({ ALL: 1 });
  entry(1, 0);
  pass(200);
  t.deepEqual(read(PAGE_SIZE, 1), [1]);
  regs.STREAM(STREAM).PAGES.write({ COUNT: PAGES + 1 });
  t.is(regs.STREAM(STREAM).PAGES.read().COUNT, PAGES);
  t.is(guestErrors.length, 2);
  t.is(regs.APERTURE.read().PAGES, PAGES);
});

test('reset forgets the TLB and what was under way, and then lets everything pass', t => {
  const { regs, entry, read, model, bench } = running();
  entry(1, to(DATA));
  read(PAGE_SIZE);
  regs.INV_CMD.write({ ALL: 1 });
  t.throws(() => model.saveState(), { instanceOf: BenchError, message: /during an invalidation/ });
  model.reset.assert();
  t.deepEqual(read(PAGE_SIZE, 1), [1], 'until all masters have stopped, nothing changes');
  model.reset.release();
  t.is(bench.events.pending, 0);
  t.deepEqual(read(DATA, 1), [1]);
  t.throws(() => model.stream([STREAMS], 'master'), { instanceOf: BenchError });
});
