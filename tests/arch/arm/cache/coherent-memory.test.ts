import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { LruAdversary } from '../../../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../../../arch/arm/adversary/random';
import type { Cluster } from '../../../../arch/arm/cache/cluster';
import { NONE } from '../../../../arch/arm/cache/line-cache';
import type { LineCache } from '../../../../arch/arm/cache/line-cache';
import { CORES, coreNamed } from '../../../../arch/arm/cores';
import type { CoreProfile } from '../../../../arch/arm/profile';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { TxResult } from '../../../../drivers/base/hw/mmio';
import { Random } from '../../../../drivers/base/types/random';
import { ArmMachine, DEVICES } from '../machine';

/* The port of a master that snoops: what it finds in every cache, and what it leaves there. */

const KINDS = ['invalidates', 'cleans-invalidates', 'updates'] as const;
/** Without a second level; inclusive, neither and exclusive ones; one with wider lines. */
const SHAPES = ['cortex-a9', 'cortex-a15', 'cortex-a53', 'cortex-a55', 'krait'];
const LINE = 32;
/** The dirty line, byte by byte, and what the bytes around it are. */
const DIRTY_BYTE = 0xd0;
const WRITTEN_BYTE = 0x70;

/** Where the youngest copy of a line can be, and how it gets there from CPU 0's first level. */
const PLACES = {
  'the first level': () => undefined,
  'the second level': machine => {
    evictFirst(machine, 0);
  },
  'the first level of another cluster': machine => {
    for (let i = 0; i < LINE; i++) machine.cpus[2]?.load8(machine.page(0, 'cached') + i);
    machine.cpus[2]?.store8(machine.page(0, 'cached'), DIRTY_BYTE);
  },
  'the second level of another cluster': machine => {
    PLACES['the first level of another cluster'](machine);
    evictFirst(machine, 2);
  },
  'the first levels of two clusters': machine => {
    machine.cpus[2]?.load8(machine.page(0, 'cached'));
  },
  'the second levels of two clusters': machine => {
    machine.cpus[2]?.load8(machine.page(0, 'cached'));
    evictFirst(machine, 0);
    evictFirst(machine, 2);
  },
  'the outer cache or memory': machine => {
    evictFirst(machine, 0);
    evictSecond(machine);
  },
  'the buffer of the outer cache or memory': machine => {
    evictFirst(machine, 0);
    evictSecond(machine);
    const { outer } = machine.complex;
    if (outer === null) return;
    outer.holdsWrites = true;
    outer.evict(outer.find(wordOf(machine)));
  },
} as const satisfies Record<string, (machine: ArmMachine) => void>;

const wordOf = (machine: ArmMachine): number => machine.ram.wordOf(machine.pageAt(0));

const evictFirst = (machine: ArmMachine, core: number): void => {
  const cache = machine.complex.domain.caches[core];
  const slot = cache?.findPhysical(wordOf(machine)) ?? NONE;
  assert.notEqual(slot, NONE, 'the line was in the first level');
  cache?.evict(slot);
};

const evictSecond = (machine: ArmMachine): void => {
  for (const cluster of machine.complex.domain.clusters) {
    const slot = cluster.find(wordOf(machine));
    if (slot !== NONE) cluster.evict(slot);
  }
};

/** CPU 0 has filled a line of page 0 with bytes of its own, and it has got to a place. */
const withDirtyLine = (core: CoreProfile, place: keyof typeof PLACES): ArmMachine => {
  const machine = new ArmMachine({ core, cpus: 3, outer: core.l2 === null });
  const va = machine.page(0, 'cached');
  for (let i = 0; i < LINE; i++) machine.cpu.store8(va + i, DIRTY_BYTE + i);
  for (let i = 0; i < LINE; i++) machine.cpu.store8(va + LINE + i, DIRTY_BYTE + LINE + i);
  machine.cpu.dsb();
  PLACES[place](machine);
  machine.cpus[2]?.dsb();
  return machine;
};

/** One level's copy of a word, and whether a dirty line above it is looked up first. */
interface Copy {
  readonly name: string;
  readonly value: number;
  readonly isHidden: boolean;
}

const wordIn = (lines: LineCache, slot: number, word: number): number =>
  lines.data[lines.dataIndex(slot, word)] ?? 0;

/** Every copy of a word index there is in a cache. */
const copiesOf = (machine: ArmMachine, word: number): readonly Copy[] => {
  const { domain, outer } = machine.complex;
  const copies: Copy[] = [];
  const dirty = new Set<Cluster>();
  for (const cache of domain.caches) {
    const slot = cache.findPhysical(word);
    if (slot === NONE) continue;
    if (cache.lines.isDirty(slot)) dirty.add(cache.cluster);
    const { name } = cache.lines;
    copies.push({ name, value: wordIn(cache.lines, slot, word), isHidden: false });
  }
  for (const cluster of domain.clusters) {
    const slot = cluster.find(word);
    if (cluster.l2 === null || slot === NONE) continue;
    const { name } = cluster.l2;
    copies.push({ name, value: wordIn(cluster.l2, slot, word), isHidden: dirty.has(cluster) });
    if (cluster.l2.isDirty(slot)) dirty.add(cluster);
  }
  const slot = outer?.find(word) ?? NONE;
  if (outer === null || slot === NONE) return copies;
  const value = wordIn(outer.lines, slot, word);
  return [...copies, { name: 'outer', value, isHidden: dirty.size > 0 }];
};

/** Every cache writes back what is dirty and gives up its line; then the outer buffer drains. */
const flushAll = (machine: ArmMachine): void => {
  const { domain, outer } = machine.complex;
  for (const cache of domain.caches) for (const slot of cache.lines.occupied()) cache.evict(slot);
  for (const cluster of domain.clusters) {
    for (const slot of cluster.l2?.occupied() ?? []) cluster.evict(slot);
  }
  for (const slot of outer?.lines.occupied() ?? []) outer?.evict(slot);
  outer?.drainAll();
};

const shapes = SHAPES.flatMap(name =>
  KINDS.map((snoopedWrite): CoreProfile => {
    const core = coreNamed(name);
    return { ...core, name: `${name} whose snooped write ${snoopedWrite}`, snoopedWrite };
  }),
);

/** Writes of every alignment into a dirty line, then what the caches, the CPUs and memory have. */
const checkWrites = (core: CoreProfile, place: keyof typeof PLACES): void => {
  for (const [from, length] of [
    [0, LINE],
    [1, 1],
    [3, 2],
    [6, 7],
    [4, 4],
    [30, 4],
  ] as const) {
    const machine = withDirtyLine(core, place);
    const label = `${core.name}: ${length} bytes from ${from}`;
    const data = Uint8Array.from({ length }, (_, i) => WRITTEN_BYTE + i);
    machine.port(true).write(dmaAddr(machine.pageAt(0) + from), length, data);
    const byteAt = (i: number): number =>
      i >= from && i < from + length ? WRITTEN_BYTE + i - from : (DIRTY_BYTE + i) % 256;
    const last = from + length - 1;
    for (const at of [from, last]) checkWord(machine, at - (at % 4), byteAt, label);
    const va = machine.page(0, 'cached');
    for (const cpu of [2, 1, 0]) {
      for (let i = 0; i < 2 * LINE; i++) {
        assert.equal(machine.cpus[cpu]?.load8(va + i), byteAt(i), `${label}: CPU ${cpu} at ${i}`);
      }
    }
    flushAll(machine);
    checkMemory(machine, byteAt, label);
  }
};

for (const place of Object.keys(PLACES) as (keyof typeof PLACES)[]) {
  test(`a coherent read finds what ${place} holds, from any byte on`, t => {
    for (const core of shapes) {
      for (const [from, length] of [
        [0, LINE],
        [1, 2],
        [3, 2],
        [5, 9],
        [2, 40],
        [31, 2],
      ] as const) {
        const machine = withDirtyLine(core, place);
        const before = copiesOf(machine, wordOf(machine));
        const into = new Uint8Array(length);
        const port = machine.port(true);
        t.is(port.read(dmaAddr(machine.pageAt(0) + from), length, into), TxResult.Ok);
        const expected = Array.from({ length }, (_, i) => (DIRTY_BYTE + from + i) % 256);
        t.deepEqual([...into], expected, `${core.name}: ${length} bytes from ${from}`);
        t.deepEqual(copiesOf(machine, wordOf(machine)), before, 'a read moves nothing');
      }
    }
  });
  test(`a coherent write leaves nothing stale, and no byte beside it lost, that ${place} held`, t => {
    for (const core of shapes) checkWrites(core, place);
    t.pass();
  });
}

const littleEndian = (at: number, byteAt: (i: number) => number): number =>
  byteAt(at) | (byteAt(at + 1) << 8) | (byteAt(at + 2) << 16) | (byteAt(at + 3) << 24);

/** No cache has a word that differs and would be found by somebody. */
const checkWord = (
  machine: ArmMachine,
  at: number,
  byteAt: (i: number) => number,
  label: string,
): void => {
  for (const { name, value, isHidden } of copiesOf(machine, wordOf(machine) + at / 4)) {
    if (!isHidden) assert.equal(value, littleEndian(at, byteAt), `${label}: ${name} at ${at}`);
  }
};

const checkMemory = (machine: ArmMachine, byteAt: (i: number) => number, name: string): void => {
  for (let at = 0; at < 2 * LINE; at += 4) {
    const found = machine.memoryWord(machine.pageAt(0) + at);
    assert.equal(found, littleEndian(at, byteAt), `${name}: memory at ${at}`);
  }
};

test('what a snooped write leaves of a line in a first level is what the profile says', t => {
  for (const core of shapes) {
    const machine = withDirtyLine(core, 'the first level');
    machine.port(true).write(dmaAddr(machine.pageAt(0) + 4), 4, new Uint8Array(4));
    const slot = machine.complex.domain.caches[0]?.findPhysical(wordOf(machine)) ?? NONE;
    t.is(slot !== NONE, core.snoopedWrite === 'updates', core.name);
  }
});

test('what lies outside RAM is reached through no cache, and its answer is the bus’s', t => {
  const machine = new ArmMachine({ core: 'cortex-a15' });
  const rung: number[] = [];
  machine.onDoorbell = value => rung.push(value);
  const port = machine.port(true);
  t.is(port.write(dmaAddr(DEVICES), 4, Uint8Array.of(1, 2, 3, 4)), TxResult.Ok);
  t.deepEqual(rung, [0x0403_0201]);
  const end = dmaAddr(DEVICES - 2);
  const into = new Uint8Array(4).fill(0xee);
  t.is(port.read(end, 4, into), TxResult.Ok);
  t.deepEqual([...into], [0, 0, 0, 0]);
  t.is(port.read(dmaAddr(DEVICES + 0x8000), 4, into), TxResult.DecodeError);
});

const PAGES = 2;
type Step = readonly [kind: number, cpu: number, at: number, length: number, value: number];
const step: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(99),
  fc.nat(2),
  fc.nat(PAGES * 4096 - 1),
  fc.integer({ min: 1, max: 70 }),
  fc.nat(255),
);

/** The range of a step: few lines of each page, that steps meet; it may cross into the next. */
const rangeOf = (at: number, length: number): { start: number; size: number } => {
  const start = at - (at % 4096) + (at % 200);
  return { start, size: Math.min(length, PAGES * 4096 - start) };
};

const storeByte = (
  machine: ArmMachine,
  cpu: number,
  pages: readonly number[],
  at: number,
  value: number,
): void => {
  const core = machine.cpus[cpu] ?? machine.cpu;
  core.store8((pages[Math.floor(at / 4096)] ?? 0) + (at % 4096), value);
  core.dsb();
};

/** CPUs and a device share memory in turns; each read is what was last written to each byte. */
const share = (core: CoreProfile, steps: readonly Step[], seed: number): void => {
  const adversary = seed % 2 === 0 ? new LruAdversary() : new RandomAdversary(new Random(seed));
  const outer = core.l2 === null;
  const machine = new ArmMachine({ core, cpus: 3, adversary, seed, tiny: true, outer });
  const pages = Array.from({ length: PAGES }, (_, n) => machine.page(n, 'cached'));
  const port = machine.port(true);
  const flat = new Uint8Array(PAGES * 4096);
  for (const [kind, cpu, at, length, value] of steps) {
    const { start, size } = rangeOf(at, length);
    const address = dmaAddr(machine.pageAt(0) + start);
    if (kind < 30) {
      storeByte(machine, cpu, pages, start, value);
      flat[start] = value;
    } else if (kind < 60) {
      const va = (pages[Math.floor(start / 4096)] ?? 0) + (start % 4096);
      assert.equal(machine.cpus[cpu]?.load8(va), flat[start], `CPU ${cpu} at ${start}`);
    } else if (kind < 80) {
      const data = Uint8Array.from({ length: size }, (_, i) => value + i);
      assert.equal(port.write(address, size, data), TxResult.Ok);
      flat.set(data, start);
    } else {
      const into = new Uint8Array(size);
      assert.equal(port.read(address, size, into), TxResult.Ok);
      assert.deepEqual(into, flat.slice(start, start + size), `the device at ${start}`);
    }
  }
  flushAll(machine);
  for (let at = 0; at < flat.length; at += 4) {
    const expected = new DataView(flat.buffer).getInt32(at, true);
    assert.equal(machine.memoryWord(machine.pageAt(0) + at), expected, `memory at ${at}`);
  }
};

const snooping = CORES.filter(core => core.multiprocessor && core.snoopPort !== 'none');
const updating = shapes.filter(({ snoopedWrite }) => snoopedWrite === 'updates');

for (const core of [...snooping, ...updating]) {
  test(`${core.name}: a master that snoops and the CPUs share one memory`, t => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 100, size: 'max' }),
        fc.nat(),
        (steps, seed) => {
          share(core, steps, seed);
        },
      ),
      { numRuns: 10, includeErrorInReport: true },
    );
    t.pass();
  });
}
