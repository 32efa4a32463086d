import test from 'ava';
import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { ticks } from '../../../drivers/base/types/address';
import { BenchError } from '../../../drivers/base/types/errors';
import { CHANNELS, COPY_ENGINE, MAX_LENGTH } from '../../../drivers/dma/copy-engine/regs';
import { deviceModelConformance } from '../../conformance/device-model';
import { DeviceBus } from '../../support/device-bus';
import { IO_END, RAM_BASE } from '../../support/dma-bench';
import { makeEngine } from './engine';
import type { EngineBench } from './engine';

const make = (timing: DmaTiming = 'earliest'): EngineBench => makeEngine(timing);

const running = (timing: DmaTiming = 'earliest') => {
  const made = make(timing);
  const bus = new DeviceBus(made.model);
  const regs = ioRegisters(COPY_ENGINE, bus.io, bus.baseOf(0));
  regs.CTRL.write({ EN: 1 });
  const start = (channel: number, from: number, to: number, length: number): void => {
    const ch = regs.CH(channel);
    ch.SRC_LO.write(from % 2 ** 32);
    ch.SRC_HI.write(Math.floor(from / 2 ** 32));
    ch.DST_LO.write(to % 2 ** 32);
    ch.DST_HI.write(Math.floor(to / 2 ** 32));
    ch.LENGTH.write({ BYTES: length });
    ch.CMD.write({ START: 1 });
  };
  const pass = (nanoseconds: number): void => {
    made.bench.events.advanceTo(ticks(made.bench.events.now + nanoseconds));
  };
  made.bench.poke(RAM_BASE, [1, 2, 3, 4, 5, 6, 7, 8]);
  const copied = (length: number): number[] => made.bench.peek(TO, length);
  return { ...made, regs, start, pass, copied };
};

const FROM = RAM_BASE;
const TO = RAM_BASE + 0x1000;
const NOTHING = [0, 0, 0, 0];

deviceModelConformance(test, 'copy-engine', () => {
  const { bench, guestErrors, irq, model } = make();
  const { CH } = COPY_ENGINE.arrays;
  const channel = CH.at + CH.stride * (CHANNELS - 1);
  return {
    device: model,
    windows: [{ sheet: COPY_ENGINE, region: 0, offset: 0 }],
    irqs: [irq],
    guestErrors,
    dynamic: [],
    stir: bus => {
      bus.write(COPY_ENGINE.registers.CTRL.at, 4, 1);
      bus.write(COPY_ENGINE.registers.IRQ_MASK.at, 4, 0xf0f);
      bus.write(channel + CH.registers.SRC_LO.at, 4, IO_END);
      bus.write(channel + CH.registers.LENGTH.at, 4, 4);
      bus.write(channel + CH.registers.CMD.at, 4, 1);
      bench.events.advanceTo(ticks(1000));
    },
    release: () => undefined,
  };
});

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: every channel copies, and its bit rises when all has reached memory`, t => {
    const { regs, start, pass, copied } = running(timing);
    for (let channel = 0; channel < CHANNELS; channel++) {
      start(channel, FROM + channel, TO + channel, 1);
      start(channel, FROM, TO + 16, 8);
      t.is(regs.CH(channel).STATUS.read().BUSY, 1);
    }
    t.deepEqual(copied(4), timing === 'earliest' ? [1, 2, 3, 4] : NOTHING);
    pass(200);
    t.is(regs.IRQ_STAT.read().value, 0);
    pass(1);
    t.is(regs.IRQ_STAT.read().value, 0xf);
    t.deepEqual(copied(5), [1, 2, 3, 4, 0]);
    pass(1000);
    t.deepEqual(copied(20).slice(16), NOTHING, 'a START of a busy channel is ignored');
  });

  test(`${timing}: what is stopped never ends, and touches nothing from then on`, t => {
    for (const stop of ['abort', 'reset'] as const) {
      const { regs, start, pass, copied, bench, model, irq } = running(timing);
      regs.IRQ_MASK.write({ DONE: 0xf, FAULT: 0xf });
      start(2, FROM, TO, 4);
      const before = copied(4);
      if (stop === 'abort') regs.CH(2).CMD.write({ ABORT: 1 });
      else model.reset.pulse();
      pass(1000);
      t.is(regs.CH(2).STATUS.read().BUSY, 0, stop);
      t.is(regs.IRQ_STAT.read().value, 0, stop);
      t.deepEqual(copied(4), before, stop);
      t.deepEqual([bench.events.pending, irq.level], [0, false]);
      regs.CTRL.write({ EN: 1 });
      start(2, FROM + 1, TO, 4);
      pass(1000);
      t.deepEqual(copied(4), [2, 3, 4, 5], stop);
    }
  });
}

test('no snapshot is taken of a copy, and one that is restored ends it', t => {
  const { start, pass, model, regs } = running();
  const saved = model.saveState();
  start(1, FROM, TO, 4);
  t.throws(() => model.saveState(), { instanceOf: BenchError, message: /^engine: a snapshot/ });
  model.restoreState(saved);
  pass(1000);
  t.is(regs.IRQ_STAT.read().value, 0);
  t.deepEqual(model.saveState(), saved);
});

test('an engine that is off ignores its doorbells', t => {
  const { regs, start, bench } = running();
  regs.CTRL.write({ EN: 0 });
  start(0, FROM, TO, 4);
  t.deepEqual([regs.CH(0).STATUS.read().BUSY, bench.events.pending], [0, 0]);
});

test('a fault of the bus ends the copy with its result, on its channel only', t => {
  const { regs, start, pass, copied } = running();
  start(0, FROM, IO_END, 4);
  start(1, IO_END - 2, TO, 4);
  start(2, 2 ** 35, TO, 4);
  start(3, FROM, TO, 4);
  pass(1000);
  t.like(regs.IRQ_STAT.read(), { DONE: 8, FAULT: 7 });
  const results = [0, 1, 2, 3].map(channel => regs.CH(channel).STATUS.read().RESULT);
  t.deepEqual(results, [
    TxResult.DecodeError,
    TxResult.AccessError | TxResult.DecodeError,
    TxResult.DecodeError,
    TxResult.Ok,
  ]);
  t.deepEqual(copied(4), [1, 2, 3, 4], 'what cannot be read is not written');
});

test('a length beyond the largest copies nothing, ends at once and is a guest error', t => {
  const { regs, start, copied, bench, guestErrors } = running();
  start(1, FROM, TO, MAX_LENGTH + 1);
  t.like(regs.IRQ_STAT.read(), { DONE: 0, FAULT: 2 });
  t.like(regs.CH(1).STATUS.read(), { BUSY: 0, RESULT: TxResult.Error });
  t.deepEqual(copied(4), NOTHING);
  t.is(bench.events.pending, 0);
  t.regex(guestErrors.join(), /^engine\.CH\.LENGTH: 1048577 bytes/);
  start(1, FROM, TO, MAX_LENGTH);
  t.is(regs.CH(1).STATUS.read().BUSY, 1);
});

test('the interrupt is high while a bit is set that the mask lets through', t => {
  const { regs, start, pass, irq } = running();
  start(0, FROM, TO, 0);
  pass(200);
  t.false(irq.level);
  regs.IRQ_MASK.write({ DONE: 1 });
  t.true(irq.level);
  regs.IRQ_STAT.write({ DONE: 2 });
  t.true(irq.level, 'the bit of another channel');
  regs.IRQ_STAT.write({ DONE: 1 });
  t.false(irq.level);
});
