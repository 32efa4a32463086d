import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { RandomAdversary } from '../../../../arch/arm/adversary/random';
import { LruAdversary } from '../../../../arch/arm/adversary/lru';
import { NONE } from '../../../../arch/arm/cache/line-cache';
import { CORES, coreNamed } from '../../../../arch/arm/cores';
import type { CoreProfile } from '../../../../arch/arm/profile';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { Random } from '../../../../drivers/base/types/random';
import { ArmMachine } from '../machine';

const PAGES = 3;

/** What must hold of the caches at every moment. */
const checkCaches = (machine: ArmMachine): void => {
  const { domain } = machine.complex;
  const holders = new Map<number, { dirty: number; exclusive: number; all: number }>();
  for (const cache of domain.caches) {
    for (const slot of cache.lines.occupied()) {
      const home = cache.homeOf(slot);
      const seen = holders.get(home) ?? { dirty: 0, exclusive: 0, all: 0 };
      if (cache.lines.isDirty(slot)) seen.dirty++;
      if (!cache.lines.isShared(slot)) seen.exclusive++;
      seen.all++;
      holders.set(home, seen);
      if (cache.cluster.inclusion === 'inclusive' && cache.cluster.l2 !== null) {
        assert.notEqual(cache.cluster.find(home), NONE, `line ${home} is in L1 and not in L2`);
      }
    }
  }
  for (const [home, { dirty, exclusive, all }] of holders) {
    assert.ok(dirty <= 1, `line ${home} is dirty in ${dirty} caches`);
    assert.ok(dirty === 0 || all === 1, `line ${home} is dirty and in ${all} caches`);
    assert.ok(exclusive === 0 || all === 1, `line ${home} is owned and in ${all} caches`);
  }
};

type Op = readonly [kind: number, cpu: number, at: number, value: number];
const op: fc.Arbitrary<Op> = fc.tuple(
  fc.nat(99),
  fc.nat(2),
  fc.nat(PAGES * 4096 - 1),
  fc.nat(0xffff),
);

/** Several CPUs store to one memory and each waits for its stores; every load is the last store. */
const shareMemory = (core: CoreProfile, ops: readonly Op[], seed: number, quiet: boolean): void => {
  const adversary = quiet ? new LruAdversary() : new RandomAdversary(new Random(seed));
  const machine = new ArmMachine({ core, cpus: 3, adversary, seed, tiny: true });
  const pages = Array.from({ length: PAGES }, (_, n) => machine.page(n, 'cached'));
  const port = core.snoopPort === 'none' ? null : machine.port(true);
  const flat = new DataView(new ArrayBuffer(PAGES * 4096));
  for (const [kind, number, byte, value] of ops) {
    const cpu = machine.cpus[number] ?? machine.cpu;
    // Few lines of each page, that they meet.
    const at = byte - (byte % 4096) + (byte % 256) - (byte % 4);
    const va = (pages[Math.floor(at / 4096)] ?? 0) + (at % 4096);
    if (kind < 40) {
      cpu.store32(va, value);
      cpu.dsb();
      flat.setInt32(at, value, true);
    } else if (kind < 80) {
      assert.equal(cpu.load32(va), flat.getInt32(at, true), `CPU ${number} at ${at}`);
    } else if (kind < 90) {
      cpu.cacheOp(kind < 85 ? CacheOp.CVAC : CacheOp.CIVAC, va);
      cpu.dsb();
    } else if (port !== null) {
      const pa = dmaAddr(machine.pageAt(Math.floor(at / 4096)) + (at % 4096));
      const bytes = new Uint8Array(4);
      if (kind < 95) {
        port.read(pa, 4, bytes);
        assert.equal(new DataView(bytes.buffer).getInt32(0, true), flat.getInt32(at, true));
      } else {
        bytes[1] = value;
        port.write(pa, 2, bytes);
        flat.setUint8(at, 0);
        flat.setUint8(at + 1, value % 256);
      }
    }
    checkCaches(machine);
  }
};

/** One line of the second level holds several of the first. */
const isWide = ({ l1d, l2 }: CoreProfile): boolean => (l2?.line ?? 0) > (l1d?.line ?? 0);

const a9 = coreNamed('cortex-a9');
const variants: readonly CoreProfile[] = [
  ...CORES.filter(core => core.multiprocessor),
  { ...a9, name: 'cortex-a9 whose snooped writes update', snoopedWrite: 'updates' },
  { ...coreNamed('cortex-a15'), name: 'cortex-a15 that updates', snoopedWrite: 'updates' },
  { ...coreNamed('cortex-a55'), name: 'cortex-a55 that updates', snoopedWrite: 'updates' },
];

for (const core of variants) {
  test(`${core.name}: no CPU reads what another has replaced, one copy at most is dirty`, t => {
    fc.assert(
      fc.property(
        fc.array(op, { minLength: 30, maxLength: 120, size: 'max' }),
        fc.nat(),
        fc.boolean(),
        (ops, seed, quiet) => {
          shareMemory(core, ops, seed, quiet);
        },
      ),
      { numRuns: isWide(core) ? 50 : 8, includeErrorInReport: true },
    );
    t.pass();
  });
}

/** Where the line of page 0 is after CPU 0 loaded it, and after it left the first level. */
const placesOf = (core: string): readonly string[] => {
  const machine = new ArmMachine({ core, tiny: true });
  const va = machine.page(0, 'cached');
  const [cache] = machine.complex.domain.caches;
  const word = machine.ram.wordOf(machine.pageAt(0));
  machine.cpu.load32(va);
  const places = (): string => {
    const inFirst = cache?.findPhysical(word) !== NONE ? 'L1' : '';
    return inFirst + (cache?.cluster.find(word) !== NONE ? 'L2' : '');
  };
  const loaded = places();
  const slot = cache?.findPhysical(word) ?? NONE;
  cache?.evict(slot);
  const left = places();
  const cluster = cache?.cluster;
  machine.cpu.load32(va);
  const back = places();
  const slotBelow = cluster?.find(word) ?? NONE;
  if (slotBelow !== NONE) cluster?.evict(slotBelow);
  return [loaded, left, back, places()];
};

test('inclusion decides where a line is, where it goes, and what it takes with it', t => {
  t.deepEqual(placesOf('cortex-a9'), ['L1', '', 'L1', 'L1']);
  t.deepEqual(placesOf('cortex-a53'), ['L1L2', 'L2', 'L1L2', 'L1']);
  t.deepEqual(placesOf('cortex-a15'), ['L1L2', 'L2', 'L1L2', '']);
  t.deepEqual(placesOf('cortex-a55'), ['L1', 'L2', 'L1', 'L1']);
});

test('a line that an inclusive second level takes back brings its dirty words along', t => {
  const machine = new ArmMachine({ core: 'cortex-a15', tiny: true });
  const va = machine.page(0, 'cached');
  machine.cpu.store32(va + 8, 7);
  const cluster = machine.complex.domain.clusters[0];
  cluster?.evict(cluster.find(machine.ram.wordOf(machine.pageAt(0))));
  t.is(machine.memoryWord(machine.pageAt(0) + 8), 7);
  t.is(machine.cpu.load32(va + 8), 7);
});

test('a clean victim brings no stale neighbour into a wider second level', t => {
  const machine = new ArmMachine({ core: 'krait', cpus: 3 });
  const [first, , third] = machine.cpus;
  const [, , cache] = machine.complex.domain.caches;
  const va = machine.page(0, 'cached');
  third?.load32(va);
  first?.store32(va + 64, 7);
  cache?.evict(cache.findPhysical(machine.ram.wordOf(machine.pageAt(0))));
  t.is(third?.load32(va + 64), 7);
});

test('to own a line takes it from another cluster, whatever its neighbour brings there', t => {
  const machine = new ArmMachine({ core: 'krait', cpus: 3 });
  const [first, , third] = machine.cpus;
  const va = machine.page(0, 'cached');
  first?.store32(va + 64, 1);
  third?.store32(va, 7);
  t.is(first?.load32(va), 7);
});

test('a walker that is coherent sees an entry in another cluster’s second level', t => {
  const machine = new ArmMachine({ core: 'cortex-a53', cpus: 3 });
  const [first, , third] = machine.cpus;
  const [, , cache] = machine.complex.domain.caches;
  const va = machine.page(0, 'non-cached');
  const entry = machine.tables.entryOf(va);
  const tables = machine.page(1, 'cached');
  machine.tables.map(tables, entry - (entry % 4096), 'cached');
  machine.setMemoryWord(machine.pageAt(0), 100);
  machine.setMemoryWord(machine.pageAt(2), 102);
  // Walks are write-back, allocating, inside and outside.
  first?.writeSys('TCR', 32 | (32 << 16) | (2 << 30) | (1 << 8) | (1 << 10));
  const low = machine.memoryWord(entry) - machine.pageAt(0) + machine.pageAt(2);
  third?.store64(tables + (entry % 4096), low, 0);
  cache?.evict(cache.findPhysical(machine.ram.wordOf(entry)));
  t.not(machine.memoryWord(entry), low | 0, 'the entry is not in memory yet');
  t.is(first?.load32(va), 102);
});

test('a CPU joins the domain when it comes up, in order', t => {
  const machine = new ArmMachine({ core: 'cortex-a9', cpus: 2 });
  t.is(machine.complex.online, 2);
  t.is(machine.complex.domain.caches.length, 2);
  t.throws(() => machine.complex.bringUp(1));
});
