import test from 'ava';
import { IrqLine } from '../../../drivers/base/hw/irq';
import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { EIO, ENOMEM, ETIMEDOUT } from '../../../drivers/base/kernel/errno';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { dmaAddr } from '../../../drivers/base/types/address';
import { testMasterDriver } from '../../../drivers/misc/test-master/driver';
import { TestMaster } from '../../../drivers/misc/test-master/model';
import { MAX_LENGTH, TEST_MASTER, patternByte } from '../../../drivers/misc/test-master/regs';
import { DmaBench, IO_END, RAM_BASE } from '../../support/dma-bench';
import { DriverBench } from '../../support/driver-bench';

const RAM = dmaAddr(RAM_BASE);
const NOBODY = dmaAddr(IO_END);
const SEED = 3;

const make = (timing: DmaTiming = 'latest') => {
  const bench = new DmaBench();
  const guestErrors: string[] = [];
  const model = new TestMaster({
    name: 'master',
    dma: bench.port({ timing }),
    irq: new IrqLine('irq'),
    events: bench.events,
    onGuestError: text => guestErrors.push(text),
  });
  const kernel = new DriverBench(bench, model);
  const regs = ioRegisters(TEST_MASTER, kernel.registers.io, kernel.registers.baseOf(0));
  return { bench, guestErrors, kernel, regs };
};

const probed = (timing: DmaTiming = 'latest') => {
  const made = make(timing);
  const master = testMasterDriver.probe(made.kernel.device());
  if (typeof master === 'number') throw new Error(`probe: ${master}`);
  return { ...made, master };
};

const pattern = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => patternByte(seed, i));

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: a pattern is written and found, and what differs is counted and named`, t => {
    const { bench, master } = probed(timing);
    t.is(master.writePattern(RAM, 64, SEED), 0);
    t.deepEqual(bench.peek(RAM, 65), [...pattern(64, SEED), 0]);
    t.deepEqual(master.checkPattern(RAM, 64, SEED), { error: 0, mismatches: 0, first: 0 });
    bench.poke(RAM_BASE + 9, [patternByte(SEED, 9) ^ 1]);
    bench.poke(RAM_BASE + 40, [patternByte(SEED, 40) ^ 1]);
    t.deepEqual(master.checkPattern(RAM, 64, SEED), { error: 0, mismatches: 2, first: 9 });
  });
}

test('a write that was started is under way until finish has waited for it', t => {
  const { bench, master, regs } = probed('latest');
  master.startWrite(RAM, 16, SEED);
  t.is(regs.STATUS.read().BUSY, 1);
  t.deepEqual(bench.peek(RAM, 4), [0, 0, 0, 0]);
  t.is(master.finish(), 0);
  t.deepEqual(bench.peek(RAM, 16), pattern(16, SEED));
  t.like(regs.STATUS.read(), { BUSY: 0, DONE: 0 }, 'and DONE is cleared for the next');
});

test('an error of the bus is -EIO, once: the next transfer does not inherit it', t => {
  const { bench, master } = probed();
  t.is(master.writePattern(NOBODY, 16, SEED), -EIO);
  t.is(master.checkPattern(NOBODY, 16, SEED).error, -EIO);
  t.is(master.checkPattern(dmaAddr(2 ** 40), 16, SEED).error, -EIO);
  t.is(master.writePattern(RAM, 16, SEED), 0);
  t.deepEqual(bench.peek(RAM, 16), pattern(16, SEED));
});

test('a transfer that does not end is -ETIMEDOUT and stopped, and the next one is made', t => {
  const { bench, kernel, master, regs } = probed();
  kernel.isStuck = true;
  t.is(master.writePattern(RAM, 16, SEED), -ETIMEDOUT);
  t.is(master.checkPattern(RAM, 16, SEED).error, -ETIMEDOUT);
  t.deepEqual([regs.STATUS.read().BUSY, bench.events.pending], [0, 0]);
  t.deepEqual(bench.peek(RAM, 4), [0, 0, 0, 0]);
  kernel.isStuck = false;
  t.is(master.writePattern(RAM, 16, SEED), 0);
  t.deepEqual(bench.peek(RAM, 16), pattern(16, SEED));
});

test('a wait for a transfer that nobody started ends after ten milliseconds', t => {
  const { bench, master } = probed();
  const before = bench.events.now;
  t.is(master.finish(), -ETIMEDOUT);
  t.is(bench.events.now - before, 10_000_000);
});

test('a length beyond the largest is -EIO and moves nothing, one of zero bytes is fine', t => {
  const { bench, guestErrors, master } = probed();
  t.is(master.writePattern(RAM, MAX_LENGTH + 1, SEED), -EIO);
  t.is(guestErrors.length, 1);
  t.deepEqual(bench.peek(RAM, 4), [0, 0, 0, 0]);
  t.is(master.writePattern(NOBODY, 0, SEED), 0);
  t.deepEqual(master.checkPattern(RAM, 0, SEED), { error: 0, mismatches: 0, first: 0 });
});

test('a bus address of more than 32 bits reaches both halves', t => {
  const { master, regs } = probed();
  master.startWrite(dmaAddr(0x12_3456_7890), 4, 0xdead_beef);
  t.deepEqual(
    [regs.ADDRESS_LO.read().value, regs.ADDRESS_HI.read().value, regs.SEED.read().value],
    [0x3456_7890, 0x12, 0xdead_beef],
  );
});

test('probe: without registers it is -EIO, without room for them -ENOMEM', t => {
  const { kernel } = make();
  t.is(testMasterDriver.probe(kernel.device([], false)), -EIO);
  t.deepEqual(kernel.ioremapped, []);
  kernel.hasAddressSpace = false;
  t.is(testMasterDriver.probe(kernel.device()), -ENOMEM);
  t.deepEqual(kernel.ioremapped, ['0x1000 at 0x90000000']);
});
