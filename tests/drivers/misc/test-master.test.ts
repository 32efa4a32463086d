import test from 'ava';
import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { ticks } from '../../../drivers/base/types/address';
import { BenchError } from '../../../drivers/base/types/errors';
import { MAX_LENGTH, TEST_MASTER, patternByte } from '../../../drivers/misc/test-master/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { DeviceBus } from '../../support/device-bus';
import { IO_END, RAM_BASE } from '../../support/dma-bench';
import { makeTestMaster } from '../../support/test-master';

const at = TEST_MASTER.registers;

deviceModelConformance(test, 'test-master', () => {
  const { bench, guestErrors, irq, model } = makeTestMaster('earliest');
  return {
    device: model,
    windows: [{ sheet: TEST_MASTER, region: 0, offset: 0 }],
    irqs: [irq],
    guestErrors,
    // A write of ones is a transfer that is too long: done at once, with an error.
    // Without a ring there is no index that RING_TAIL can hold; one of 511 entries is refused.
    dynamic: [
      'test-master.CMD',
      'test-master.STATUS',
      'test-master.RING_ENTRIES',
      'test-master.RING_TAIL',
    ],
    stir: bus => {
      bus.write(at.ADDRESS_LO.at, 4, RAM_BASE);
      bus.write(at.LENGTH.at, 4, 64);
      bus.write(at.SEED.at, 4, 7);
      bus.write(at.IRQ_ENABLE.at, 4, 1);
      bus.write(at.CMD.at, 4, 2);
      bench.events.advanceTo(ticks(1000));
    },
    release: () => undefined,
  };
});

const running = (timing: DmaTiming = 'earliest') => {
  const made = makeTestMaster(timing);
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(TEST_MASTER, bus.io, bus.baseOf(0));
  const start = (address: number, length: number, seed: number, command: object): void => {
    regs.ADDRESS_LO.write(address % 2 ** 32);
    regs.ADDRESS_HI.write(Math.floor(address / 2 ** 32));
    regs.LENGTH.write({ BYTES: length });
    regs.SEED.write(seed);
    regs.CMD.write({ ...command });
  };
  const pass = (nanoseconds: number): void => {
    made.bench.events.advanceTo(ticks(made.bench.events.now + nanoseconds));
  };
  const memory = (length: number): number[] => made.bench.peek(RAM_BASE, length);
  return { ...made, regs, start, pass, memory };
};

const pattern = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => patternByte(seed, i));

test('no snapshot is taken of a transfer, and one that is restored ends it', t => {
  const { start, pass, model, regs } = running();
  const saved = model.saveState();
  start(RAM_BASE, 8, 3, { WRITE: 1 });
  t.throws(() => model.saveState(), { instanceOf: BenchError, message: /^master: a snapshot/ });
  model.restoreState(saved);
  pass(1000);
  t.is(regs.STATUS.read().DONE, 0);
  t.deepEqual(model.saveState(), saved);
});

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: what was written is found again, and differences are counted`, t => {
    const { regs, start, pass, memory, bench } = running(timing);
    start(RAM_BASE, 100, 3, { WRITE: 1 });
    t.deepEqual(memory(100), timing === 'earliest' ? pattern(100, 3) : new Array(100).fill(0));
    t.like(regs.STATUS.read(), { BUSY: 1, DONE: 0 });
    pass(199);
    t.like(regs.STATUS.read(), { BUSY: 1, DONE: 0 });
    pass(1);
    t.like(regs.STATUS.read(), { BUSY: 0, DONE: 1, RESULT: 0 });
    t.deepEqual(memory(101), [...pattern(100, 3), 0]);
    bench.poke(RAM_BASE + 40, [patternByte(3, 40) ^ 1]);
    bench.poke(RAM_BASE + 90, [patternByte(3, 90) ^ 1]);
    start(RAM_BASE, 100, 3, { CHECK: 1 });
    pass(200);
    t.is(regs.MISMATCHES.read().value, 2);
    t.is(regs.FIRST_MISMATCH.read().value, 40);
  });

  test(`${timing}: a command takes its operands when it is written, others wait for its end`, t => {
    const { regs, start, pass, memory } = running(timing);
    start(RAM_BASE, 8, 3, { WRITE: 1 });
    start(RAM_BASE + 16, 4, 4, { WRITE: 1 });
    pass(1000);
    t.deepEqual(memory(20), [...pattern(8, 3), ...new Array<number>(12).fill(0)]);
    t.is(regs.STATUS.read().DONE, 1);
  });

  test(`${timing}: what is stopped is never done, and touches nothing from then on`, t => {
    for (const stop of ['abort', 'reset'] as const) {
      const { regs, start, pass, memory, bench, model } = running(timing);
      start(RAM_BASE, 8, 3, { WRITE: 1 });
      const before = memory(8);
      if (stop === 'abort') regs.CMD.write({ ABORT: 1 });
      else model.reset.pulse();
      pass(1000);
      t.like(regs.STATUS.read(), { BUSY: 0, DONE: 0 }, stop);
      t.deepEqual(memory(8), before, stop);
      t.is(bench.events.pending, 0);
      start(RAM_BASE, 8, 5, { WRITE: 1 });
      pass(1000);
      t.deepEqual(memory(8), pattern(8, 5), stop);
    }
  });
}

test('the results of the bus are those of the transfer', t => {
  const { regs, start, pass } = running();
  for (const [command, address, result] of [
    [{ WRITE: 1 }, IO_END, TxResult.DecodeError],
    [{ CHECK: 1 }, IO_END - 4, TxResult.AccessError | TxResult.DecodeError],
    [{ CHECK: 1 }, 2 ** 33, TxResult.DecodeError],
    [{ CHECK: 1 }, RAM_BASE, TxResult.Ok],
  ] as const) {
    start(address, 8, 0, command);
    pass(1000);
    t.like(regs.STATUS.read(), { DONE: 1, RESULT: result });
    regs.STATUS.write({ DONE: 1 });
    t.is(regs.STATUS.read().DONE, 0);
  }
});

test('a length beyond the largest moves nothing, is done at once and is a guest error', t => {
  const { regs, start, memory, bench, guestErrors } = running();
  start(RAM_BASE, MAX_LENGTH + 1, 3, { WRITE: 1 });
  t.like(regs.STATUS.read(), { BUSY: 0, DONE: 1, RESULT: TxResult.Error });
  t.deepEqual(memory(8), new Array<number>(8).fill(0));
  t.deepEqual([bench.events.pending, guestErrors.length], [0, 1]);
  t.regex(guestErrors[0] ?? '', /^master\.LENGTH: 262145 bytes/);
  regs.STATUS.write({ DONE: 1 });
  start(RAM_BASE, MAX_LENGTH, 3, { CHECK: 1 });
  t.is(regs.STATUS.read().BUSY, 1);
});

test('the interrupt is high while DONE is, if it is enabled', t => {
  const { regs, start, pass, irq } = running();
  start(RAM_BASE, 0, 0, { WRITE: 1 });
  pass(100);
  t.false(irq.level);
  regs.IRQ_ENABLE.write({ DONE: 1 });
  t.true(irq.level);
  regs.STATUS.write({ DONE: 1 });
  t.false(irq.level);
});

test('the pattern tells neighbouring bytes, lines, pages and seeds apart', t => {
  const same = (other: (i: number) => number): number =>
    Array.from({ length: 4096 }, (_, i) => i).filter(i => patternByte(1, i) === other(i)).length;
  for (const distance of [1, 2, 4, 32, 64, 4096]) {
    t.true(same(i => patternByte(1, i + distance)) < 64, `${distance}`);
  }
  t.true(same(i => patternByte(2, i)) < 64);
});
