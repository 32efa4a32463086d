import test from 'ava';
import { IrqLine } from '../../../drivers/base/hw/irq';
import type { DmaTiming } from '../../../drivers/base/hw/dma-port';
import { EBUSY, EIO, ENOMEM, ETIMEDOUT } from '../../../drivers/base/kernel/errno';
import { IRQ_HANDLED, IRQ_NONE, IrqDomain, IrqType } from '../../../drivers/base/kernel/irq';
import type { IrqChip } from '../../../drivers/base/kernel/irq';
import { ioRegisters } from '../../../drivers/base/kernel/registers';
import { cpuAddr } from '../../../drivers/base/types/address';
import { copyEngineDriver } from '../../../drivers/dma/copy-engine/driver';
import type { CopyEngineDevice } from '../../../drivers/dma/copy-engine/driver';
import { CopyEngine } from '../../../drivers/dma/copy-engine/model';
import { CHANNELS, COPY_ENGINE, MAX_LENGTH } from '../../../drivers/dma/copy-engine/regs';
import { DmaBench, IO_END, RAM_BASE } from '../../support/dma-bench';
import { DriverBench } from '../../support/driver-bench';
import { makeEngine } from './engine';

const FROM = cpuAddr(RAM_BASE);
const TO = cpuAddr(RAM_BASE + 0x1000);
const NOBODY = cpuAddr(IO_END);
const BYTES = [1, 2, 3, 4, 5, 6, 7, 8];
const HWIRQ = 7;

const make = (timing: DmaTiming = 'latest') => {
  const { bench, guestErrors, irq, model } = makeEngine(timing);
  bench.poke(FROM, BYTES);
  const kernel = new DriverBench(bench, model);
  const regs = ioRegisters(COPY_ENGINE, kernel.registers.io, kernel.registers.baseOf(0));
  return { bench, guestErrors, irq, kernel, regs };
};

const probed = (timing: DmaTiming = 'latest') => {
  const made = make(timing);
  const engine = copyEngineDriver.probe(made.kernel.device());
  if (typeof engine === 'number') throw new Error(`probe: ${engine}`);
  return { ...made, engine };
};

/** A controller that lets everything through to its domain. */
const openChip: IrqChip = {
  name: 'open',
  enable: () => undefined,
  disable: () => undefined,
  ack: () => null,
  eoi: () => undefined,
  setType: () => 0,
  setAffinity: () => 0,
  translate: () => ({ hwirq: HWIRQ, type: IrqType.None }),
};

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: a copy is mapped, made, unmapped the other way round, and 0`, t => {
    const { bench, engine, kernel } = probed(timing);
    for (let i = 0; i < 2 * CHANNELS; i++) {
      t.is(engine.copy(cpuAddr(TO + i * 8), FROM, 8), 0);
      t.deepEqual(bench.peek(TO + i * 8, 8), BYTES);
    }
    t.deepEqual(kernel.dmaCalls.slice(0, 4), [
      'map 8 at 0x80000000 1',
      'map 8 at 0x80001000 2',
      'unmap 8 at 0x80001000 2',
      'unmap 8 at 0x80000000 1',
    ]);
  });
}

test('nothing is copied in no time: no mapping, no command', t => {
  const { engine, kernel, bench } = probed();
  t.is(engine.copy(TO, FROM, 0), 0);
  t.deepEqual([kernel.dmaCalls, bench.events.pending], [[], 0]);
});

test('a fault of the bus is -EIO, both mappings end, and the next copy is none the worse', t => {
  const { bench, engine, kernel } = probed();
  for (const [to, from] of [
    [NOBODY, FROM],
    [TO, NOBODY],
  ] as const) {
    for (let channel = 0; channel < CHANNELS; channel++) t.is(engine.copy(to, from, 4), -EIO);
    t.deepEqual(bench.peek(TO, 4), [0, 0, 0, 0]);
  }
  const verbs = kernel.dmaCalls.map(call => call.split(' ')[0]);
  t.is(verbs.filter(verb => verb === 'map').length, 4 * CHANNELS);
  t.is(verbs.filter(verb => verb === 'unmap').length, 4 * CHANNELS);
  t.is(engine.copy(TO, FROM, 8), 0);
  t.deepEqual(bench.peek(TO, 8), BYTES);
});

test('a buffer that cannot be mapped is -ENOMEM, and what was mapped before it is not any more', t => {
  for (const [lost, calls] of [
    [FROM, []],
    [TO, ['map 8 at 0x80000000 1', 'unmap 8 at 0x80000000 1']],
  ] as const) {
    const { bench, engine, kernel } = probed();
    kernel.unreachable.add(lost);
    t.is(engine.copy(TO, FROM, 8), -ENOMEM);
    t.deepEqual(kernel.dmaCalls, [...calls]);
    t.is(bench.events.pending, 0);
  }
});

test('a copy that does not end is -ETIMEDOUT; its channel is stopped and can be used again', t => {
  const { bench, engine, kernel, regs } = probed();
  kernel.isStuck = true;
  for (let channel = 0; channel < CHANNELS; channel++) {
    t.is(engine.copy(TO, FROM, 8), -ETIMEDOUT);
    t.is(regs.CH(channel).STATUS.read().BUSY, 0);
  }
  t.is(bench.events.pending, 0);
  t.is(kernel.dmaCalls.filter(call => call.startsWith('unmap')).length, 2 * CHANNELS);
  kernel.isStuck = false;
  for (let channel = 0; channel < CHANNELS; channel++) {
    t.is(engine.copy(TO, FROM, 8), 0);
    t.deepEqual(bench.peek(TO, 8), BYTES);
    bench.poke(TO, [0]);
  }
});

test('ten milliseconds are waited for the end, and no longer', t => {
  const { bench, engine, regs } = probed();
  regs.CTRL.write({ EN: 0 });
  const before = bench.events.now;
  t.is(engine.copy(TO, FROM, 8), -ETIMEDOUT);
  t.is(bench.events.now - before, 10_000_000);
});

test('a long copy is made in parts of the largest length, and the first that fails ends it', t => {
  const { engine, guestErrors, kernel } = probed();
  // RAM is far shorter than this: the bus faults.
  t.is(engine.copy(TO, FROM, 3 * MAX_LENGTH), -EIO);
  t.deepEqual(
    kernel.dmaCalls.filter(call => call.startsWith('map')),
    [`map ${MAX_LENGTH} at 0x80000000 1`, `map ${MAX_LENGTH} at 0x80001000 2`],
  );
  const { engine: reaching, kernel: other } = withoutFaults();
  t.is(reaching.copy(cpuAddr(0x9000_0000), FROM, 2 * MAX_LENGTH + 5), 0);
  t.deepEqual(
    other.dmaCalls.filter(call => call.startsWith('map') && call.endsWith(' 1')),
    [
      `map ${MAX_LENGTH} at 0x80000000 1`,
      `map ${MAX_LENGTH} at 0x80100000 1`,
      'map 5 at 0x80200000 1',
    ],
  );
  t.deepEqual(guestErrors, []);
});

/** An engine on a bus where every access succeeds and moves nothing. */
const withoutFaults = (): { engine: CopyEngineDevice; kernel: DriverBench } => {
  const bench = new DmaBench();
  const port = bench.port();
  Object.assign(port, { read: () => 0, write: () => 0 });
  const model = new CopyEngine({
    name: 'engine',
    dma: port,
    irq: new IrqLine('irq'),
    events: bench.events,
    onGuestError: text => {
      throw new Error(text);
    },
  });
  const kernel = new DriverBench(bench, model);
  const engine = copyEngineDriver.probe(kernel.device());
  if (typeof engine === 'number') throw new Error(`probe: ${engine}`);
  return { engine, kernel };
};

test('probe: what is missing has its own error, and nothing is left running', t => {
  const without = make();
  t.is(copyEngineDriver.probe(without.kernel.device([], false)), -EIO);
  t.deepEqual(without.kernel.ioremapped, []);
  const full = make();
  full.kernel.hasAddressSpace = false;
  t.is(copyEngineDriver.probe(full.kernel.device()), -ENOMEM);
  t.deepEqual(full.kernel.ioremapped, ['0x1000 at 0x90000000']);
  const narrow = make();
  narrow.kernel.smallestMask = 2 ** 41 - 1;
  const dev = narrow.kernel.device();
  t.is(copyEngineDriver.probe(dev), -EIO);
  t.is(dev.dma.mask, 2 ** 32 - 1);
  const taken = make();
  const domain = new IrqDomain(openChip);
  domain.requestIrq(HWIRQ, 'somebody who does not share', () => IRQ_HANDLED);
  t.is(copyEngineDriver.probe(taken.kernel.device([{ domain, hwirq: HWIRQ }])), -EBUSY);
  for (const { kernel } of [narrow, taken]) t.is(kernel.iounmapped, 1);
  for (const { regs } of [without, full, narrow, taken]) {
    t.deepEqual([regs.CTRL.read().EN, regs.IRQ_MASK.read().value], [0, 0]);
  }
});

test('probe: an engine drives 40 bits of address, is on, and is polled where no interrupt is wired', t => {
  const { kernel, regs } = make();
  const dev = kernel.device();
  t.is(typeof copyEngineDriver.probe(dev), 'object');
  t.deepEqual([dev.dma.mask, dev.dma.coherentMask], [2 ** 40 - 1, 2 ** 40 - 1]);
  t.deepEqual([regs.CTRL.read().EN, regs.IRQ_MASK.read().value], [1, 0]);
  const wired = make();
  const domain = new IrqDomain(openChip);
  copyEngineDriver.probe(wired.kernel.device([{ domain, hwirq: HWIRQ }]));
  t.like(wired.regs.IRQ_MASK.read(), { DONE: 0xf, FAULT: 0xf });
  t.deepEqual(domain.statistics(HWIRQ).names, ['dev']);
});

test('with an interrupt wired a copy ends by it, and one that is not ours is left to others', t => {
  const { bench, irq, kernel, regs } = make();
  const handlers: ((hwirq: number) => number)[] = [];
  const domain = new IrqDomain(openChip);
  const requestIrq = domain.requestIrq.bind(domain);
  domain.requestIrq = (hwirq, name, handle, flags) => {
    handlers.push(handle);
    return requestIrq(hwirq, name, handle, flags);
  };
  const engine = copyEngineDriver.probe(kernel.device([{ domain, hwirq: HWIRQ }]));
  const [handle] = handlers;
  if (typeof engine === 'number' || handle === undefined) return t.fail();
  t.is(handle(HWIRQ), IRQ_NONE, 'the line is shared');
  const answers: number[] = [];
  irq.connect(level => {
    if (level) answers.push(handle(HWIRQ));
  });
  t.is(engine.copy(TO, FROM, 8), 0);
  t.deepEqual(bench.peek(TO, 8), BYTES);
  t.is(engine.copy(NOBODY, FROM, 8), -EIO);
  t.deepEqual(answers, [IRQ_HANDLED, IRQ_HANDLED]);
  t.is(regs.IRQ_STAT.read().value, 0);
  t.false(irq.level);
});
