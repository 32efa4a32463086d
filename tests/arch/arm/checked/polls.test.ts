import test from 'ava';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { CheckedArmMachine } from '../machine';
import { Listener } from './listener';

const word = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);

test('a poll that may be late is answered with the old value once, then with the new one', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9', cpus: 2 });
  const va = machine.page(0, 'cached');
  const listener = new Listener(machine.complex);
  const [first, second] = machine.cpus;
  t.is(second?.poll32(va), 0);
  first?.store32(va, 7);
  t.deepEqual([second?.poll32(va), second?.poll32(va), second?.poll32(va)], [0, 7, 7]);
  t.deepEqual(listener.take(), [], 'a store that drains by itself is nothing to complain of');
});

test('a poll that only maintenance could end is a finding, and gets the new value', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a53' });
  const va = machine.page(0, 'cached');
  const listener = new Listener(machine.complex);
  const { cpu } = machine;
  t.is(cpu.poll32(va), 0);
  machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, word(1));
  t.is(cpu.poll32(va), 0);
  t.deepEqual(listener.take(), [], 'it may yet be maintained');
  t.is(cpu.poll32(va), 1);
  t.deepEqual(listener.take(), ['poll']);
});

test('a driver that invalidates the line in its loop is late, and not stuck', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a53' });
  const va = machine.page(0, 'cached');
  const listener = new Listener(machine.complex);
  const { cpu } = machine;
  for (let round = 1; round < 4; round++) {
    cpu.cacheOp(CacheOp.CIVAC, va);
    cpu.dsb();
    machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, word(round));
    t.is(cpu.poll32(va), round - 1);
    cpu.cacheOp(CacheOp.IVAC, va);
    cpu.dsb();
    t.is(cpu.poll32(va), round);
  }
  t.deepEqual(listener.take(), []);
});

test('a first poll that comes after what it waits for is answered with what was there before', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a53' });
  const va = machine.page(0, 'cached');
  const listener = new Listener(machine.complex);
  const { cpu } = machine;
  machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, word(7));
  cpu.cacheOp(CacheOp.IVAC, va);
  cpu.dsb();
  machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, word(9));
  t.deepEqual([cpu.poll32(va), cpu.poll32(va)], [7, 9]);
  t.deepEqual(listener.take(), ['poll']);
});

test('what was read with the value of a poll is as new as that', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const va = machine.page(0, 'cached');
  const listener = new Listener(machine.complex);
  const { cpu } = machine;
  const port = machine.port(false);
  cpu.load32(va);
  port.write(dmaAddr(machine.pageAt(0)), 8, new Uint8Array(8).fill(1));
  cpu.poll32(va);
  cpu.poll32(va);
  listener.take();
  // A finding was made; the poll nevertheless saw what the device wrote, and the line with it.
  cpu.load32(va + 4);
  t.deepEqual(listener.take(), []);
});

test('a poll on the concrete machine and one of a device register are loads', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const va = machine.page(0, 'non-cached');
  const before = machine.complex.pulse.now;
  machine.cpu.load32(va);
  const load = machine.complex.pulse.now - before;
  machine.cpu.poll32(va);
  t.is(machine.complex.pulse.now - before, 2 * load);
});

test('a device that polls sees a waiting store late, and then all that was stored before it', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const data = machine.page(0, 'non-cached');
  const flag = machine.page(1, 'non-cached');
  const listener = new Listener(machine.complex);
  const port = machine.port(false);
  const { cpu } = machine;
  const poll = (): number => {
    const into = new Uint8Array(4);
    port.poll(dmaAddr(machine.pageAt(1)), 4, into);
    return into[0] ?? 0;
  };
  t.is(poll(), 0);
  cpu.store32(data, 5);
  cpu.dmb('st');
  cpu.store32(flag, 1);
  t.deepEqual([poll(), poll()], [0, 1]);
  port.read(dmaAddr(machine.pageAt(0)), 4, new Uint8Array(4));
  t.deepEqual(listener.take(), []);
});

test('without a barrier between them the device may have seen the flag before the data', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const data = machine.page(0, 'non-cached');
  const flag = machine.page(1, 'non-cached');
  const listener = new Listener(machine.complex);
  const port = machine.port(false);
  machine.cpu.store32(data, 5);
  machine.cpu.store32(flag, 1);
  port.poll(dmaAddr(machine.pageAt(1)), 4, new Uint8Array(4));
  port.read(dmaAddr(machine.pageAt(0)), 4, new Uint8Array(4));
  t.deepEqual(listener.take(), ['device read']);
});

/** A device that polls a cached page, and who listens. */
const polling = (core = 'cortex-a53', outer = false) => {
  const machine = new CheckedArmMachine({ core, outer });
  const va = machine.page(0, 'cached');
  const port = machine.port(false);
  const poll = (): number => {
    const into = new Uint8Array(4);
    port.poll(dmaAddr(machine.pageAt(0)), 4, into);
    return into[0] ?? 0;
  };
  const listener = new Listener(machine.complex);
  return { machine, cpu: machine.cpu, va, port, poll, listener };
};

test('a device that polls what only a clean would bring is late once, then that is a finding', t => {
  const { cpu, va, poll, listener } = polling();
  t.is(poll(), 0);
  cpu.store32(va, 1);
  cpu.dsb();
  t.is(poll(), 0);
  t.deepEqual(listener.take(), [], 'it may yet be cleaned');
  t.is(poll(), 1);
  t.deepEqual(listener.take(), ['device poll']);
});

test('a device whose first poll is stuck is told at once: nobody knows the old value', t => {
  const { cpu, va, poll, listener } = polling();
  cpu.store32(va, 1);
  cpu.dsb();
  t.is(poll(), 1);
  t.deepEqual(listener.take(), ['device poll']);
});

test('maintenance between two polls of a device that are stuck makes both late', t => {
  for (const outer of [false, true]) {
    const { machine, cpu, va, poll, listener } = polling('cortex-a9', outer);
    t.is(poll(), 0);
    for (let round = 1; round < 4; round++) {
      cpu.store32(va, round);
      cpu.dsb();
      t.is(poll(), round - 1);
      cpu.cacheOp(CacheOp.CVAC, va);
      cpu.dsb();
      if (outer) machine.outerWrite(cpu, 'CLEAN_PA', machine.pageAt(0));
      if (outer) machine.outerWrite(cpu, 'CACHE_SYNC', 0);
      t.is(poll(), round);
    }
    t.deepEqual(listener.take(), [], `outer cache: ${String(outer)}`);
  }
});

test('maintenance of the line counts at the outer level too, and that of the whole cache', t => {
  const maintains = {
    'cortex-a9': ({ machine, cpu }: ReturnType<typeof polling>) => {
      machine.outerWrite(cpu, 'CLEAN_PA', machine.pageAt(0));
    },
    'arm1136jf-s': ({ cpu }: ReturnType<typeof polling>) => {
      cpu.cacheOp(CacheOp.CALL, 0);
    },
  };
  for (const [core, maintain] of Object.entries(maintains)) {
    const it = polling(core, core === 'cortex-a9');
    const { cpu, va, poll, listener } = it;
    t.is(poll(), 0);
    // Where a store that misses does not allocate, only a line that is there gets dirty.
    cpu.load32(va);
    cpu.store32(va, 1);
    cpu.dsb();
    t.is(poll(), 0, core);
    maintain(it);
    cpu.load32(va);
    cpu.store32(va, 2);
    cpu.dsb();
    poll();
    t.deepEqual(listener.take(), [], core);
  }
});

test('a device that acts on what may be late has seen it: that is told once', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9' });
  const descriptor = machine.page(0, 'non-cached');
  const listener = new Listener(machine.complex);
  const port = machine.port(false);
  const at = dmaAddr(machine.pageAt(0));
  machine.cpu.store32(descriptor + 4, 5);
  machine.cpu.dmb('st');
  machine.cpu.store32(descriptor, 1);
  port.fetch(at, 4, new Uint8Array(4));
  t.deepEqual(listener.take(), ['device read'], 'nothing made the store go out');
  // It would not have come to this had it read anything else.
  port.read(dmaAddr(machine.pageAt(0) + 4), 4, new Uint8Array(4));
  port.write(at, 4, word(2));
  t.deepEqual(listener.take(), []);
});

const bytes = (value: number): Uint8Array =>
  Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);

test('an old value is one that the word had: it is not put together from two', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9', cpus: 2 });
  const va = machine.page(0, 'cached');
  const [first, second] = machine.cpus;
  t.is(second?.poll32(va), 0);
  first?.store32(va, 0x0101);
  t.is(second?.poll32(va), 0, 'late');
  // The low byte was late; only the other has changed since.
  first?.store8(va + 2, 1);
  t.is(second?.poll32(va), 0x1_0101);
  const port = machine.port(false);
  const data = machine.page(1, 'non-cached');
  const into = new Uint8Array(8);
  const poll = (at: number, length: number): number[] => {
    port.poll(dmaAddr(machine.pageAt(1) + at), length, into);
    return [...into.subarray(0, length)];
  };
  poll(0, 4);
  first?.store32(data + 4, 5);
  first?.dsb();
  poll(4, 4);
  first?.store64(data, 8, 9);
  t.deepEqual(poll(0, 8), [8, 0, 0, 0, 9, 0, 0, 0], 'its halves were polled at different times');
});

test('a poll is not answered with what is older than the poller’s own store', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9', cpus: 2 });
  const va = machine.page(0, 'cached');
  const [first, second] = machine.cpus;
  if (first === undefined || second === undefined) return t.fail();
  const stores: readonly (() => void)[] = [
    () => {
      second.store8(va, 5);
    },
    () => {
      second.store16(va, 5);
    },
    () => {
      second.store32(va, 5);
    },
    () => {
      second.store64(va, 5, 0);
    },
  ];
  for (const [n, store] of stores.entries()) {
    second.poll32(va);
    store();
    second.dsb();
    first.store32(va, 7);
    t.deepEqual([second.poll32(va), second.poll32(va)], [5, 7], `${2 ** n} bytes`);
  }
  second.store32(va + 2, 0x0006_0006);
  second.dsb();
  first.store32(va, 8);
  t.is(second.poll32(va), 0x0006_0007, 'nor of two words');
  // Who only polls may well be answered with what was there before another's store.
  first.poll32(va);
  second.store32(va, 9);
  second.dsb();
  second.store32(va, 10);
  t.is(first.poll32(va), 8);
});

test('nobody knows what was there before a write that no device made', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a53' });
  const va = machine.page(0, 'cached');
  const alias = machine.page(64, 'cached');
  machine.tables.map(alias, machine.pageAt(0), 'non-cached');
  const listener = new Listener(machine.complex);
  const { cpu } = machine;
  const write = (at: number, value: number): void => {
    machine.port(false).write(dmaAddr(machine.pageAt(0) + at), 4, word(value));
  };
  cpu.load32(va);
  write(0, 3);
  cpu.store32(alias + 4, 1);
  cpu.store32(alias, 4);
  cpu.dsb();
  listener.take();
  t.is(cpu.poll32(va + 4), 1, 'a word beside');
  t.deepEqual(listener.take(), ['poll']);
  t.is(cpu.poll32(va), 4, 'not what was there before the device wrote');
});

test('a poll whose old value is the new one proves nothing', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a9', cpus: 2 });
  const data = machine.page(0, 'cached');
  const flag = machine.page(1, 'cached');
  const listener = new Listener(machine.complex);
  const [first, second] = machine.cpus;
  const send = (value: number): void => {
    first?.store32(data, value);
    first?.dmb('st');
    first?.store32(flag, 1);
  };
  send(1);
  t.is(second?.poll32(flag), 1);
  second?.load32(data);
  first?.dsb();
  send(2);
  t.is(second?.poll32(flag), 1, 'of this message or of the last');
  listener.take();
  second?.load32(data);
  t.deepEqual(listener.take(), ['load']);
  const port = machine.port(false);
  const descriptor = machine.page(2, 'non-cached');
  const poll = (n: number): Uint8Array => {
    const into = new Uint8Array(4);
    port.poll(dmaAddr(machine.pageAt(2) + n), 4, into);
    return into;
  };
  first?.store32(descriptor, 1);
  first?.dsb();
  poll(0);
  first?.store32(descriptor + 4, 5);
  first?.dmb('st');
  first?.store32(descriptor, 1);
  t.deepEqual([...poll(0)], [...bytes(1)]);
  port.read(dmaAddr(machine.pageAt(2) + 4), 4, new Uint8Array(4));
  t.deepEqual(listener.take(), ['device read']);
});

test('a poll that was stuck has its time anew once one has come through', t => {
  const machine = new CheckedArmMachine({ core: 'cortex-a53' });
  const va = machine.page(0, 'cached');
  const alias = machine.page(64, 'cached');
  machine.tables.map(alias, machine.pageAt(0), 'non-cached');
  const listener = new Listener(machine.complex);
  const { cpu } = machine;
  t.is(cpu.poll32(va), 0);
  machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, word(1));
  t.deepEqual([cpu.poll32(va), cpu.poll32(alias)], [0, 1]);
  machine.port(false).write(dmaAddr(machine.pageAt(0)), 4, word(2));
  t.is(cpu.poll32(va), 1);
  t.deepEqual(listener.take(), []);
});

test('the outer cache, maintained as a whole, ends a poll that was stuck', t => {
  const { machine, cpu, va, poll, listener } = polling('cortex-a9', true);
  poll();
  for (let round = 1; round < 4; round++) {
    cpu.store32(va, round);
    cpu.cacheOp(CacheOp.CVAC, va);
    cpu.dsb();
    t.is(poll(), round - 1);
    machine.complex.outer?.maintainWays('clean', 0xff);
    machine.complex.outer?.drainAll();
    cpu.store32(va, round + 10);
    cpu.store32(va, round);
    cpu.dsb();
    poll();
  }
  t.deepEqual(listener.take(), []);
});
