import test from 'ava';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import { UNWRITTEN } from '../../../../arch/arm/coherence/verdicts';
import { MicroTlb } from '../../../../arch/arm/micro-tlb';
import { CheckedArmMachine, DEVICE_VA } from '../machine';
import { Listener } from './listener';

const hex = (address: number): string => address.toString(16);

test('every access of a CPU to what is watched is told, and nothing else', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const va = machine.page(0, 'cached');
  const pa = machine.pageAt(0);
  const { cpu, complex } = machine;
  const listener = new Listener(complex);
  cpu.load32(va);
  complex.watch.watch(pa + 32, 32);
  cpu.load32(va);
  t.deepEqual(listener.touches, []);
  cpu.load32(va + 32);
  cpu.load8(va + 35);
  cpu.store16(va + 62, 1);
  cpu.store64(va + 40, 1, 2);
  cpu.cacheOp(CacheOp.CVAC, va + 36);
  t.deepEqual(listener.touches, [
    `cpu0 load ${hex(pa + 32)}+4`,
    `cpu0 load ${hex(pa + 35)}+1`,
    `cpu0 store ${hex(pa + 62)}+2`,
    `cpu0 store ${hex(pa + 40)}+8`,
    `cpu0 clean ${hex(pa + 32)}+32`,
  ]);
  complex.watch.watch(pa + 60, 8);
  complex.watch.unwatch(pa + 32, 32);
  cpu.load32(va + 32);
  complex.watch.unwatch(pa + 60, 8);
  cpu.load32(va + 32);
  t.is(listener.touches.length, 6, 'watches nest');
});

test('a store to a table is told to nobody who has not asked', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const { cpu, tables } = machine;
  const va = machine.page(0, 'cached');
  const linear = 0x4007_0000;
  const word = tables.entryOf(va);
  tables.map(linear, word - (word % 4096), 'cached');
  const listener = new Listener(machine.complex);
  cpu.store32(linear + (word % 4096), machine.memoryWord(word));
  t.deepEqual(listener.touches, []);
});

test('a master is told of before each piece of a line, with its transfer around it', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const listener = new Listener(machine.complex);
  const port = machine.port(false);
  const pa = machine.pageAt(0);
  port.transfer(
    10,
    () => port.write(dmaAddr(pa + 16), 32, new Uint8Array(32)),
    () => undefined,
  );
  const other = port.transfer(
    10,
    () => undefined,
    () => undefined,
  );
  port.abort(other);
  port.abort(other);
  machine.cpu.relax(20);
  t.deepEqual(listener.touches, [
    'device begins 1',
    'device begins 2',
    'device ends 2',
    'device acts 1',
    `device writes ${hex(pa + 16)}+16`,
    `device writes ${hex(pa + 32)}+16`,
    'device acts 0',
    'device ends 1',
  ]);
});

test('forgotten bytes are nobody’s until somebody writes them', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a53' });
  const va = machine.page(0, 'cached');
  const { cpu, complex } = machine;
  const listener = new Listener(complex);
  cpu.store32(va, 1);
  machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, new Uint8Array(4));
  complex.watch.forget(machine.pageAt(0), 4096);
  listener.verdicts.length = 0;
  cpu.load32(va);
  t.deepEqual(
    listener.verdicts.map(({ bits }) => bits),
    [UNWRITTEN],
  );
  cpu.store32(va, 2);
  cpu.load32(va);
  t.is(listener.verdicts.length, 1);
});

test('without an observer the program runs the same', t => {
  const run = (observed: boolean): readonly number[] => {
    const machine = new CheckedArmMachine({ core: 'cortex-a9', cpus: 2 });
    const va = machine.page(0, 'cached');
    if (observed) new Listener(machine.complex).take();
    const port = machine.port(false);
    const seen: number[] = [];
    for (let i = 0; i < 20; i++) {
      machine.cpu.store32(va + 4 * i, i);
      port.write(dmaAddr(machine.pageAt(0) + 4 * i), 4, Uint8Array.of(i ^ 5, 0, 0, 0));
      seen.push(machine.cpus[1]?.poll32(va + 4 * i) ?? 0, machine.cpu.load32(va));
    }
    return [...seen, machine.complex.pulse.now, machine.trace.events];
  };
  t.deepEqual(run(true), run(false));
});

test('what a checked machine cannot do is a named error', t => {
  const { complex, cpu } = new CheckedArmMachine({ core: 'cortex-a9', outer: true });
  const refused: readonly (() => unknown)[] = [
    () => complex.saveState(),
    () => {
      complex.restoreState();
    },
    () => cpu.saveState(),
    () => complex.unasked(),
    () => {
      if (complex.outer !== null) complex.outer.enabled = false;
    },
    () => {
      complex.outer?.maintainWays('invalidate', 1);
    },
  ];
  for (const body of refused) t.throws(body, { instanceOf: UnmodelledError });
  t.notThrows(() => {
    complex.outer?.maintainWays('clean', 1);
  });
});

test('an invalidation of some ways of a set is a named error, at the barrier that completes it', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-m7' });
  machine.cpu.load32(machine.page(0, 'cached'));
  machine.cpu.cacheOp(CacheOp.CSW, 0);
  t.notThrows(() => {
    machine.cpu.dsb();
  });
  machine.cpu.cacheOp(CacheOp.ISW, 0);
  t.throws(
    () => {
      machine.cpu.dsb();
    },
    { instanceOf: UnmodelledError },
  );
});

test('a device is one even if its page takes the place of a page of RAM in the micro-TLB', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const { cpu, tables } = machine;
  const micro = new MicroTlb();
  let va = DEVICE_VA + 0x10_0000;
  while (micro.slotOf(va) !== micro.slotOf(DEVICE_VA)) va += 4096;
  tables.map(va, machine.pageAt(0), 'cached');
  machine.ring(cpu, 1);
  cpu.store32(va, 2);
  cpu.dsb();
  for (let load = 0; load < 3; load++) t.is(cpu.load32(va), 2);
  for (let load = 0; load < 3; load++) t.is(cpu.load32(DEVICE_VA), 0, 'what a doorbell reads as');
});

test('maintenance of a virtual address is no use of its translation, and hides none', t => {
  const machine = new CheckedArmMachine({ core: 'arm926ej-s' });
  const { cpu, tables } = machine;
  const va = machine.page(0, 'cached');
  const listener = new Listener(machine.complex);
  cpu.load32(va);
  tables.map(va, machine.pageAt(1), 'cached');
  cpu.cacheOp(CacheOp.CIVAC, va);
  t.is(listener.stale, 0);
  cpu.load32(va);
  t.is(listener.stale, 1);
});
