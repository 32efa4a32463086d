import test from 'ava';
import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { dmaAddr, ticks } from '../../../drivers/base/types/address';
import { BenchError } from '../../../drivers/base/types/errors';
import { testMasterDriver } from '../../../drivers/misc/test-master/driver';
import {
  DESCRIPTOR,
  DESCRIPTOR_FLAGS,
  MAX_ENTRIES,
  MAX_LENGTH,
  TEST_MASTER,
  patternByte,
} from '../../../drivers/misc/test-master/regs';
import { IO_END, RAM_BASE } from '../../support/dma-bench';
import { DriverBench } from '../../support/driver-bench';
import { makeTestMaster } from '../../support/test-master';

const ENTRIES = 4;
const DATA = RAM_BASE + 0x400;
const LENGTH = 16;
const { OWN, DONE, WRITE, RESULT } = DESCRIPTOR_FLAGS;

interface Entry {
  readonly own?: boolean;
  readonly write?: boolean;
  readonly address?: number;
  readonly length?: number;
  readonly seed?: number;
}

const make = (timing: DmaTiming = 'latest') => {
  const { bench, guestErrors, irq, model } = makeTestMaster(timing);
  const kernel = new DriverBench(bench, model);
  const regs = ioRegisters(TEST_MASTER, kernel.registers.io, kernel.registers.baseOf(0));
  const master = testMasterDriver.probe(kernel.device());
  if (typeof master === 'number') throw new Error(`probe: ${master}`);
  const at = (index: number, offset: number): number => RAM_BASE + index * DESCRIPTOR.SIZE + offset;
  const poke32 = (address: number, value: number): void => {
    bench.poke(
      address,
      [0, 8, 16, 24].map(shift => (value >>> shift) & 0xff),
    );
  };
  const peek32 = (address: number): number =>
    bench.peek(address, 4).reduce((sum, byte, i) => sum + byte * 2 ** (8 * i), 0);
  return {
    ...{ bench, guestErrors, irq, master, model, regs },
    flags: (index: number): number => peek32(at(index, DESCRIPTOR.FLAGS)),
    mismatches: (index: number): number => peek32(at(index, DESCRIPTOR.MISMATCHES)),
    post: (index: number, entry: Entry = {}): void => {
      const { own = true, write = true, address = DATA, length = LENGTH, seed = 1 } = entry;
      poke32(at(index, DESCRIPTOR.LENGTH), length);
      poke32(at(index, DESCRIPTOR.ADDRESS_LO), address % 2 ** 32);
      poke32(at(index, DESCRIPTOR.ADDRESS_HI), Math.floor(address / 2 ** 32));
      poke32(at(index, DESCRIPTOR.SEED), seed);
      poke32(at(index, DESCRIPTOR.FLAGS), OWN.at(own ? 1 : 0) + WRITE.at(write ? 1 : 0));
    },
    pass: (nanoseconds: number): void => {
      bench.events.advanceTo(ticks(bench.events.now + nanoseconds));
    },
  };
};

const started = (timing: DmaTiming = 'latest') => {
  const made = make(timing);
  made.master.startRing(dmaAddr(RAM_BASE), ENTRIES);
  return made;
};

const pattern = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => patternByte(seed, i));

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: what is before the tail is done in order, and given back`, t => {
    const { bench, flags, mismatches, master, pass, post, regs } = started(timing);
    post(0, { seed: 5 });
    post(1, { write: false, seed: 5 });
    post(2, { write: false, seed: 6 });
    master.ringDoorbell(2);
    t.is(regs.STATUS.read().BUSY, 1);
    pass(10_000);
    t.deepEqual(bench.peek(DATA, LENGTH + 1), [...pattern(LENGTH, 5), 0]);
    t.deepEqual([flags(0), flags(1)], [DONE.at(1), DONE.at(1)]);
    t.is(OWN.of(flags(2)), 1, 'which was not promised');
    t.is(regs.RING_HEAD.read().value, 2);
    t.like(regs.STATUS.read(), { BUSY: 0, DONE: 1, HALTED: 0, RESULT: 0 });
    master.ringDoorbell(3, 'relaxed');
    pass(10_000);
    t.deepEqual([flags(2), mismatches(1), mismatches(2)], [DONE.at(1), 0, LENGTH]);
    t.is(bench.events.pending, 0, 'and the device waits to be told again');
  });

  test(`${timing}: a descriptor is read from OWN on, its data moved, and OWN given back last`, t => {
    const { bench, master, pass, post } = started(timing);
    post(0);
    bench.touched.length = 0;
    master.ringDoorbell(1);
    pass(10_000);
    const word = (address: number): number => bench.ram.wordOf(address);
    const expected = [DESCRIPTOR.FLAGS, DESCRIPTOR.LENGTH, null, DESCRIPTOR.MISMATCHES, 0];
    t.deepEqual(
      bench.touched,
      expected.map(offset => word(offset === null ? DATA : RAM_BASE + offset)),
    );
  });
}

test('the ring wraps around, and a descriptor that was given back can be used again', t => {
  const { flags, master, pass, post, regs } = started();
  for (let index = 0; index < 3 * ENTRIES; index++) {
    post(index % ENTRIES, { seed: index });
    master.ringDoorbell((index + 1) % ENTRIES);
    pass(1000);
    t.is(flags(index % ENTRIES), DONE.at(1));
  }
  t.is(regs.RING_HEAD.read().value, 0);
});

test('a descriptor that nobody promised is looked at until it is the device’s, and no longer', t => {
  const { bench, flags, master, pass, post, regs } = started();
  post(0, { own: false });
  master.pollRing(10);
  pass(550);
  t.is(regs.RING_POLLS.read().COUNT, 5);
  t.is(flags(0), WRITE.at(1), 'it is left alone');
  post(0, { seed: 9 });
  pass(1000);
  t.is(flags(0), DONE.at(1));
  t.deepEqual(bench.peek(DATA, LENGTH), pattern(LENGTH, 9));
  t.deepEqual([regs.RING_HEAD.read().value, regs.RING_TAIL.read().INDEX], [1, 1]);
  pass(10_000);
  t.is(bench.events.pending, 0);
  t.is(regs.RING_POLLS.read().COUNT, 0);
  post(1);
  pass(10_000);
  t.is(OWN.of(flags(1)), 1, 'nobody looks any more');
  t.is(regs.STATUS.read().HALTED, 0);
});

test('a descriptor that is promised while another is looked for is not looked for twice', t => {
  const { flags, master, pass, post, regs } = started();
  master.pollRing(100);
  pass(250);
  post(0);
  post(1);
  master.ringDoorbell(2);
  pass(5000);
  t.deepEqual([flags(0), flags(1), regs.RING_HEAD.read().value], [DONE.at(1), DONE.at(1), 2]);
});

test('a promise that is not kept stops the ring until it is started anew', t => {
  const { flags, master, pass, post, regs } = started();
  post(0, { own: false });
  master.ringDoorbell(1);
  pass(1000);
  t.like(regs.STATUS.read(), { BUSY: 0, DONE: 1, HALTED: 1 });
  t.true(master.isRingHalted());
  post(0);
  master.ringDoorbell(2);
  pass(1000);
  t.is(OWN.of(flags(0)), 1);
  master.startRing(dmaAddr(RAM_BASE), ENTRIES);
  t.false(master.isRingHalted());
  t.deepEqual([regs.RING_HEAD.read().value, regs.RING_TAIL.read().INDEX], [0, 0]);
  master.ringDoorbell(1);
  pass(1000);
  t.is(flags(0), DONE.at(1));
});

test('what goes wrong with the data is the descriptor’s, with the descriptor the ring’s', t => {
  const { bench, flags, master, pass, post, regs } = started();
  post(0, { address: IO_END });
  post(1, { length: MAX_LENGTH + 1 });
  post(2);
  master.ringDoorbell(3);
  pass(5000);
  t.is(flags(0), DONE.at(1) + RESULT.at(TxResult.DecodeError));
  t.is(flags(1), DONE.at(1) + RESULT.at(TxResult.Error));
  t.is(flags(2), DONE.at(1));
  t.false(master.isRingHalted());
  master.startRing(dmaAddr(IO_END), ENTRIES);
  master.ringDoorbell(1);
  pass(5000);
  t.like(regs.STATUS.read(), { HALTED: 1, RESULT: TxResult.DecodeError });
  t.is(bench.events.pending, 0);
});

test('a ring that is too large, and a tail that is not in it, are guest errors', t => {
  const { guestErrors, regs } = started();
  regs.RING_TAIL.write({ INDEX: ENTRIES });
  t.is(regs.RING_TAIL.read().INDEX, 0);
  regs.RING_ENTRIES.write({ COUNT: MAX_ENTRIES });
  regs.RING_TAIL.write({ INDEX: MAX_ENTRIES - 1 });
  t.is(guestErrors.length, 1);
  regs.RING_ENTRIES.write({ COUNT: MAX_ENTRIES + 1 });
  t.is(regs.RING_ENTRIES.read().COUNT, 0);
  t.deepEqual(guestErrors, [
    'master.RING_TAIL: there is no descriptor 4 of 4',
    'master.RING_ENTRIES: 257 are more than 256',
  ]);
});

test('commands and descriptors wait for each other', t => {
  const { bench, flags, master, pass, post } = started();
  post(0, { seed: 2 });
  master.startWrite(dmaAddr(DATA), LENGTH, 3);
  master.ringDoorbell(1);
  pass(150);
  t.is(OWN.of(flags(0)), 1);
  t.deepEqual(bench.peek(DATA, LENGTH), pattern(LENGTH, 3));
  master.startWrite(dmaAddr(DATA), LENGTH, 4);
  pass(1000);
  t.is(flags(0), DONE.at(1));
  t.deepEqual(bench.peek(DATA, LENGTH), pattern(LENGTH, 2), 'a command during one is ignored');
});

for (const stop of ['stopRing', 'reset', 'abort', 'restore'] as const) {
  test(`${stop} ends what the ring was at`, t => {
    const { bench, flags, irq, master, model, pass, post, regs } = started();
    const saved = model.saveState();
    regs.IRQ_ENABLE.write({ DONE: 1 });
    post(0);
    master.ringDoorbell(1);
    t.throws(() => model.saveState(), { instanceOf: BenchError });
    if (stop === 'stopRing') master.stopRing();
    else if (stop === 'reset') model.reset.pulse();
    else if (stop === 'abort') regs.CMD.write({ ABORT: 1 });
    else model.restoreState(saved);
    pass(10_000);
    t.is(OWN.of(flags(0)), 1);
    t.like(regs.STATUS.read(), { BUSY: 0, DONE: 0 });
    t.deepEqual([bench.events.pending, irq.level], [0, false]);
  });

  test(`${stop} ends what the ring was looking for`, t => {
    const { bench, flags, master, model, pass, post, regs } = started();
    const saved = model.saveState();
    master.pollRing(100);
    t.throws(() => model.saveState(), { instanceOf: BenchError });
    if (stop === 'stopRing') master.stopRing();
    else if (stop === 'reset') model.reset.pulse();
    else if (stop === 'abort') regs.CMD.write({ ABORT: 1 });
    else model.restoreState(saved);
    post(0);
    pass(20_000);
    t.is(OWN.of(flags(0)), 1);
    t.deepEqual([bench.events.pending, regs.RING_POLLS.read().COUNT], [0, 0]);
  });
}

test('each descriptor raises the interrupt, if it is enabled', t => {
  const { irq, master, pass, post, regs } = started();
  regs.IRQ_ENABLE.write({ DONE: 1 });
  post(0);
  post(1);
  master.ringDoorbell(1);
  pass(1000);
  t.true(irq.level);
  regs.STATUS.write({ DONE: 1 });
  t.false(irq.level);
  master.ringDoorbell(2);
  pass(1000);
  t.true(irq.level);
});
