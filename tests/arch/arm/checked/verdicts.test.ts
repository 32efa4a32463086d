import test from 'ava';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { ArmMachine, CheckedArmMachine } from '../machine';
import type { ArmMachineOptions } from '../machine';
import type { Memory } from '../tables';
import { Listener } from './listener';

/** One page of a kind of memory on a checked machine, a device beside it, and who listens. */
const bench = (options: ArmMachineOptions, memory: Memory = 'cached', snoops = false) => {
  const machine = new CheckedArmMachine(options);
  const va = machine.page(0, memory);
  const pa = machine.pageAt(0);
  const port = machine.port(snoops);
  const listener = new Listener(machine.complex);
  const write = (value: number, at = pa): void => {
    port.write(dmaAddr(at), 4, Uint8Array.of(value, 0, 0, 0));
  };
  const read = (at = pa): number => {
    const into = new Uint8Array(4);
    port.read(dmaAddr(at), 4, into);
    return into[0] ?? 0;
  };
  const { cpu } = machine;
  return { machine, cpu, va, pa, port, listener, write, read };
};

/** A first level and no more; with an outer cache; two levels; virtual tags. */
const MACHINES: readonly ArmMachineOptions[] = [
  { core: 'cortex-a9' },
  { core: 'cortex-a9', outer: true },
  { core: 'cortex-a53' },
  { core: 'arm926ej-s' },
  { core: 'cortex-m7' },
];

const nameOf = ({ core, outer = false }: ArmMachineOptions): string =>
  `${typeof core === 'string' ? core : core.name}${outer ? ' with an outer cache' : ''}`;

const outerOp = (
  { machine, cpu, pa }: ReturnType<typeof bench>,
  register: 'CLEAN_PA' | 'INV_PA',
  sync = true,
): void => {
  if (machine.pl310 === null) return;
  machine.outerWrite(cpu, register, pa);
  if (sync) machine.outerWrite(cpu, 'CACHE_SYNC', 0);
};

for (const options of MACHINES) {
  const name = nameOf(options);

  test(`${name}: what a device wrote is stale in the cache until it is invalidated`, t => {
    const it = bench(options);
    const { cpu, va, write, listener } = it;
    cpu.load32(va);
    write(1);
    t.is(cpu.load32(va), 1, 'the latest, whatever is said of it');
    t.deepEqual(listener.take(), ['load']);
    outerOp(it, 'INV_PA');
    cpu.cacheOp(CacheOp.IVAC, va);
    cpu.dsb();
    t.is(cpu.load32(va), 1);
    t.deepEqual(listener.take(), []);
  });

  test(`${name}: what the CPU wrote is not the device's until it is cleaned`, t => {
    const it = bench(options);
    const { cpu, va, read, listener } = it;
    // Where a store that misses does not allocate, only a line that is there gets dirty.
    cpu.load32(va);
    cpu.store32(va, 2);
    cpu.dsb();
    t.is(read(), 2);
    t.deepEqual(listener.take(), ['device read']);
    cpu.cacheOp(CacheOp.CVAC, va);
    cpu.dsb();
    outerOp(it, 'CLEAN_PA');
    t.is(read(), 2);
    t.deepEqual(listener.take(), []);
  });

  test(`${name}: a dirty line lies in wait of what a device writes`, t => {
    const { cpu, va, write, listener } = bench(options);
    cpu.store32(va, 2);
    write(1);
    t.deepEqual(listener.take(), ['device write']);
  });

  test(`${name}: an invalidation drops what was only in the cache`, t => {
    const { cpu, va, listener } = bench(options);
    cpu.load32(va);
    cpu.store32(va + 4, 2);
    cpu.cacheOp(CacheOp.IVAC, va);
    t.deepEqual(listener.take(), ['invalidate']);
  });
}

test('cleaning that no dsb has waited for may not have happened', t => {
  const { cpu, va, read, listener } = bench({ core: 'cortex-a53' });
  cpu.store32(va, 2);
  cpu.cacheOp(CacheOp.CVAC, va);
  read();
  t.deepEqual(listener.take(), ['device read']);
  cpu.dsb();
  read();
  t.deepEqual(listener.take(), []);
});

test('what the outer cache wrote waits in its buffer until a cache sync', t => {
  const it = bench({ core: 'cortex-a9', outer: true });
  const { cpu, va, read, listener } = it;
  cpu.store32(va, 2);
  cpu.cacheOp(CacheOp.CVAC, va);
  cpu.dsb();
  outerOp(it, 'CLEAN_PA', false);
  cpu.dsb();
  read();
  t.deepEqual(listener.take(), ['device read']);
  it.machine.outerWrite(cpu, 'CACHE_SYNC', 0);
  read();
  t.deepEqual(listener.take(), []);
});

test('an uncached load may come before maintenance of the outer cache that it should have seen', t => {
  const it = bench({ core: 'cortex-a9', outer: true });
  const { machine, cpu, va, pa, listener } = it;
  const alias = machine.page(1, 'non-cached');
  machine.tables.map(alias, pa, 'non-cached');
  cpu.store32(va, 2);
  cpu.cacheOp(CacheOp.CIVAC, va);
  cpu.dsb();
  outerOp(it, 'CLEAN_PA');
  cpu.load32(alias);
  t.deepEqual(listener.take(), ['load']);
  cpu.load32(alias + 4);
  t.deepEqual(listener.take(), [], 'what was not stored was the same before');
  cpu.dmb('sy');
  cpu.load32(alias);
  outerOp(it, 'CLEAN_PA');
  cpu.load32(alias);
  t.deepEqual(listener.take(), [], 'there was nothing to be cleaned');
});

test('an uncached store before a doorbell is late without a barrier', t => {
  const { machine, cpu, va, read, listener } = bench({ core: 'cortex-a9' }, 'non-cached');
  machine.onDoorbell = () => read();
  cpu.store32(va, 2);
  machine.ring(cpu, 1);
  t.deepEqual(listener.take(), ['device read']);
  cpu.store32(va, 3);
  cpu.dmb('st');
  machine.ring(cpu, 1);
  t.deepEqual(listener.take(), []);
});

test('a store to Device memory does not wait, nor does one of an earlier epoch behind it', t => {
  const { machine, cpu, va, read, pa, listener } = bench({ core: 'cortex-a9' }, 'non-cached');
  const device = machine.page(1, 'strongly-ordered');
  cpu.store32(va, 2);
  cpu.dmb('sy');
  cpu.store32(device, 3);
  t.is(read(machine.pageAt(1)), 3);
  t.is(read(pa), 2);
  t.deepEqual(listener.take(), []);
});

test('an uncached load is early if no barrier came after what told of the data', t => {
  const { cpu, va, write, listener } = bench({ core: 'cortex-a53' }, 'non-cached');
  write(1);
  cpu.load32(va);
  t.deepEqual(listener.take(), ['load']);
  cpu.dmb('ld');
  cpu.load32(va);
  t.deepEqual(listener.take(), []);
});

test('what the CPU itself has stored since is not early, whichever store of many it was', t => {
  const { cpu, va, pa, port, listener } = bench({ core: 'cortex-a53' }, 'non-cached');
  port.write(dmaAddr(pa), 32, new Uint8Array(32));
  for (let offset = 0; offset < 24; offset += 4) cpu.store32(va + offset, offset);
  for (let offset = 0; offset < 24; offset += 4) t.is(cpu.load32(va + offset), offset);
  t.deepEqual(listener.take(), []);
  cpu.load32(va + 24);
  t.deepEqual(listener.take(), ['load']);
});

test('a master that snoops needs no maintenance', t => {
  const { cpu, va, write, read, listener } = bench({ core: 'cortex-a53' }, 'cached', true);
  cpu.store32(va, 2);
  cpu.dsb();
  t.is(read(), 2);
  write(1);
  t.is(cpu.load32(va), 1);
  t.deepEqual(listener.take(), []);
});

test('another CPU may not see a store that waits, and sees it after a barrier', t => {
  const { machine, va, listener } = bench({ core: 'cortex-a9', cpus: 2 });
  const [first, second] = machine.cpus;
  first?.store32(va, 5);
  t.is(second?.load32(va), 5);
  t.deepEqual(listener.take(), ['load']);
  first?.dsb();
  second?.load32(va);
  t.deepEqual(listener.take(), []);
});

test('two virtual addresses of one page are two lines of a virtual cache', t => {
  const { machine, cpu, va, pa, listener } = bench({ core: 'arm926ej-s' });
  const other = va + 0x1_0000;
  machine.tables.map(other, pa, 'cached');
  cpu.load32(other);
  cpu.store32(va, 4);
  cpu.dsb();
  cpu.load32(va);
  t.deepEqual(listener.take(), []);
  cpu.load32(other);
  t.deepEqual(listener.take(), ['load']);
  cpu.cacheOp(CacheOp.CIVAC, va);
  cpu.cacheOp(CacheOp.IVAC, other);
  cpu.load32(other);
  t.deepEqual(listener.take(), []);
});

test('the whole cache, flushed, holds nothing that a device could have overtaken', t => {
  const { cpu, va, write, read, listener } = bench({ core: 'arm926ej-s' });
  cpu.store32(va, 4);
  cpu.cacheOp(CacheOp.CIALL, 0);
  t.is(read(), 4);
  write(1);
  cpu.load32(va);
  t.deepEqual(listener.take(), []);
  write(2);
  cpu.load32(va);
  t.deepEqual(listener.take(), ['load']);
});

test('what is stored after a flush of the whole cache is there for the next one', t => {
  const { cpu, va, read, listener } = bench({ core: 'arm926ej-s' });
  for (let round = 0; round < 3; round++) {
    cpu.load32(va);
    cpu.store32(va, round);
    cpu.cacheOp(CacheOp.CIALL, 0);
    t.is(read(), round);
  }
  t.deepEqual(listener.take(), []);
});

test('all sets and ways, cleaned and invalidated, empty the cache of a single core', t => {
  const { machine, cpu, va, write, read, listener } = bench({ core: 'cortex-m7' });
  const l1 = machine.profile.l1d;
  if (l1 === null) return t.fail();
  cpu.store32(va, 4);
  cpu.dmb('sy');
  for (let set = 0; set < l1.size / l1.ways / l1.line; set++) {
    for (let way = 0; way < l1.ways; way++) {
      const operand = (way << (32 - Math.log2(l1.ways))) | (set << Math.log2(l1.line));
      cpu.cacheOp(CacheOp.CISW, operand);
    }
  }
  cpu.dsb();
  read();
  t.deepEqual(listener.take(), []);
  write(1);
  t.is(cpu.load32(va), 1);
});

test('a walk that does not look into the caches misses an entry that was not cleaned', t => {
  const { machine, cpu, listener } = bench({ core: 'arm926ej-s' });
  const table = machine.tables;
  const linear = 0x4007_0000;
  // The table page itself, mapped cached: the CPU writes an entry as a kernel does.
  const word = table.entryOf(0x4006_0000);
  table.map(linear, word - (word % 4096), 'cached');
  const entry = linear + (word % 4096);
  const value = machine.memoryWord(table.entryOf(linear));
  cpu.store32(entry, value);
  cpu.load32(0x4006_0000);
  t.deepEqual(listener.take(), ['table walk']);
});

for (const core of ['cortex-a9', 'cortex-a53']) {
  test(`${core}: an unaligned store over what a device wrote loses nothing of it`, t => {
    const { machine, cpu, va, pa, port, listener } = bench({ core });
    const { lineBytes } = machine.complex.checker;
    for (const offset of [1, 6, 4094 - lineBytes, lineBytes - 2]) {
      cpu.load32(va + offset - (offset % 4));
      cpu.dsb();
      port.write(dmaAddr(pa + offset), 4, Uint8Array.of(9, 9, 9, 9));
      listener.take();
      cpu.store32(va + offset, 0x0403_0201);
      t.deepEqual(listener.take(), [], `at ${offset}`);
      cpu.cacheOp(CacheOp.CIVAC, va + offset);
      cpu.cacheOp(CacheOp.CIVAC, va + offset + 3);
      cpu.dsb();
      const into = new Uint8Array(4);
      port.read(dmaAddr(pa + offset), 4, into);
      t.deepEqual([...into], [1, 2, 3, 4]);
      listener.take();
    }
  });

  test(`${core}: what an unaligned store does lose is told, and who watches hears of each word`, t => {
    const { machine, cpu, va, pa, port, listener } = bench({ core });
    cpu.load32(va);
    port.write(dmaAddr(pa), 8, new Uint8Array(8).fill(9));
    listener.take();
    cpu.store32(va + 2, 0x0403_0201);
    t.deepEqual(listener.take(), ['store'], 'the bytes on both sides');
    machine.complex.watch.watch(pa + 64, 8);
    cpu.store32(va + 66, 7);
    const base = pa.toString(16).slice(0, -2);
    t.deepEqual(
      listener.touches.filter(touch => touch.startsWith('cpu')),
      [`cpu0 store ${base}42+2`, `cpu0 store ${base}44+2`],
    );
  });
}

test('a master moves no more at once than the shortest line has', t => {
  const { machine, cpu, va, pa, port, listener } = bench({ core: 'fa526' });
  for (let offset = 0; offset < 32; offset += 16) cpu.load32(va + offset);
  port.write(dmaAddr(pa), 32, new Uint8Array(32).fill(1));
  cpu.load32(va);
  cpu.load32(va + 16);
  t.deepEqual(listener.take(), ['load', 'load']);
  const concrete = new ArmMachine({ core: machine.profile });
  const before = concrete.complex.pulse.now;
  concrete.port(false).write(dmaAddr(pa), 32, new Uint8Array(32));
  t.is(concrete.complex.pulse.now - before, 2);
});
