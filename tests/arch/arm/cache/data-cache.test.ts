import test from 'ava';
import { coreNamed } from '../../../../arch/arm/cores';
import type { CoreProfile } from '../../../../arch/arm/profile';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { ArmMachine } from '../machine';
import type { Memory } from '../tables';

const OLD = 0x0101_0101;
const NEW = 0x7777_7777;

/** Page 0 at two virtual addresses: as page 0, and as page `n` with what memory type. */
const aliased = (
  core: string | CoreProfile,
  n: number,
  first: Memory = 'cached',
  second: Memory = first,
  cpus = 1,
): { machine: ArmMachine; a: number; b: number; pa: number } => {
  const machine = new ArmMachine({ core, cpus });
  const pa = machine.pageAt(0);
  const a = machine.page(0, first);
  const b = machine.page(n, second);
  machine.tables.map(b, pa, second);
  machine.setMemoryWord(pa, OLD);
  return { machine, a, b, pa };
};

/** An ARM1176 with 32 KiB: two pages to a way. */
const coloured = (): CoreProfile => {
  const core = coreNamed('arm1176jzf-s');
  return core.l1d === null ? core : { ...core, l1d: { ...core.l1d, size: 32 * 1024 } };
};

test('aliases are one line or two, as the cache is indexed and tagged', t => {
  const cases: readonly (readonly [string | CoreProfile, number, boolean])[] = [
    ['arm926ej-s', 1, true],
    ['arm926ej-s', 4, true],
    [coloured(), 1, true],
    [coloured(), 2, false],
    ['arm1176jzf-s', 1, false],
    ['cortex-a9', 1, false],
    ['cortex-a15', 1, false],
    ['cortex-a53', 3, false],
  ];
  for (const [core, n, differ] of cases) {
    const { machine, a, b, pa } = aliased(core, n);
    const { cpu } = machine;
    const name = `${machine.profile.name} page ${n}`;
    cpu.load32(a);
    t.is(cpu.load32(b), OLD);
    cpu.store32(a, NEW);
    t.is(cpu.load32(b), differ ? OLD : NEW, name);
    t.is(machine.memoryWord(pa), OLD, 'it is in the cache');
    cpu.cacheOp(CacheOp.CIVAC, a);
    cpu.dsb();
    t.is(machine.memoryWord(pa), NEW, 'it was cleaned');
    t.is(cpu.load32(b), differ ? OLD : NEW, `${name}, after maintenance of the other alias`);
    cpu.cacheOp(CacheOp.IVAC, b);
    cpu.dsb();
    t.is(cpu.load32(b), NEW, `${name}, after maintenance of both`);
  }
});

test('each alias of a virtually tagged cache writes its own line back', t => {
  const { machine, a, b, pa } = aliased('arm926ej-s', 1);
  const { cpu } = machine;
  cpu.load32(a);
  cpu.load32(b);
  cpu.store32(a, 1);
  cpu.store32(b + 4, 2);
  cpu.cacheOp(CacheOp.CVAC, a);
  t.deepEqual([machine.memoryWord(pa), machine.memoryWord(pa + 4)], [1, 0]);
  cpu.cacheOp(CacheOp.CVAC, b);
  t.deepEqual([machine.memoryWord(pa), machine.memoryWord(pa + 4)], [OLD, 2], 'a whole line');
});

test('what a non-cacheable access finds where a line is present is the core’s choice', t => {
  const a9 = coreNamed('cortex-a9');
  const cases = [
    ['cortex-a53', OLD, NEW],
    [a9, NEW, NEW],
    [{ ...a9, ncLookup: 'hits' as const }, NEW, 3],
  ] as const;
  for (const [core, loaded, afterStore] of cases) {
    const { machine, a, b, pa } = aliased(core, 1, 'cached', 'non-cached');
    const { cpu, profile } = machine;
    cpu.store32(a, NEW);
    t.is(cpu.load32(b), loaded, `${profile.name}: ${profile.ncLookup}`);
    cpu.store32(b, 3);
    t.is(machine.memoryWord(pa), 3);
    t.is(cpu.load32(a), afterStore, `${profile.name}: ${profile.ncLookup}, after a store`);
  }
});

test('a store that misses allocates as the core and the attributes say', t => {
  for (const [core, memory, fills] of [
    ['cortex-a9', 'cached', 1],
    ['cortex-a53', 'cached', 1],
    ['cortex-a8', 'cached', 0],
    ['arm926ej-s', 'cached', 0],
    ['arm926ej-s', 'write-through', 0],
    ['cortex-a9', 'non-cached', 0],
    ['cortex-a9', 'strongly-ordered', 0],
  ] as const) {
    const { machine, a, pa } = aliased(core, 1, memory);
    machine.cpu.store32(a, NEW);
    t.is(machine.complex.domain.caches[0]?.fills, fills, `${core} ${memory}`);
    // The second level of a Cortex-A8 does allocate.
    const isKept = fills === 1 || core === 'cortex-a8';
    t.is(machine.memoryWord(pa), isKept ? OLD : NEW, `${core} ${memory}`);
    t.is(machine.cpu.load32(a), NEW);
  }
});

test('write-through keeps a present line right and memory too, or is not cached at all', t => {
  for (const [core, isCached] of [
    ['arm926ej-s', true],
    ['cortex-a8', true],
    ['cortex-a9', false],
    ['cortex-a53', false],
  ] as const) {
    const { machine, a, pa } = aliased(core, 1, 'write-through');
    const { cpu } = machine;
    t.is(cpu.load32(a), OLD);
    machine.setMemoryWord(pa + 4, NEW);
    t.is(cpu.load32(a + 4), isCached ? 0 : NEW, core);
    cpu.store8(a + 1, 0xab);
    t.is(machine.memoryWord(pa), 0x0101_ab01, core);
    t.is(cpu.load32(a), 0x0101_ab01, core);
  }
});

test('shareable memory is cached by a Cortex-A9 once it takes part in coherency', t => {
  const { machine, a, pa } = aliased('cortex-a9', 1, 'cached', 'cached', 2);
  machine.cpu.writeSys('ACTLR', 0);
  machine.cpu.store32(a, 1);
  t.is(machine.memoryWord(pa), 1);
  machine.cpu.writeSys('ACTLR', 1 << 6);
  machine.cpu.store32(a, 2);
  t.is(machine.memoryWord(pa), 1);
});

test('with the caches off nothing is cached, and dirty lines wait', t => {
  const { machine, a, pa } = aliased('cortex-a53', 1);
  const { cpu } = machine;
  cpu.store32(a, NEW);
  cpu.writeSys('SCTLR', 1);
  t.is(cpu.load32(a), OLD);
  cpu.cacheOp(CacheOp.CVAC, a);
  t.is(cpu.load32(a), NEW);
  t.is(machine.memoryWord(pa), NEW);
});

test('to invalidate a line leaves its neighbour in a wider line of the second level', t => {
  const { machine, a } = aliased('krait', 1);
  const [cache] = machine.complex.domain.caches;
  machine.cpu.store32(a + 64, NEW);
  cache?.evict(cache.findPhysical(machine.ram.wordOf(machine.pageAt(0) + 64)));
  machine.cpu.cacheOp(CacheOp.IVAC, a);
  machine.cpu.dsb();
  t.is(machine.cpu.load32(a + 64), NEW);
});

test('set and way name every line of a level once', t => {
  for (const core of ['cortex-a9', 'cortex-a15', 'arm926ej-s']) {
    const machine = new ArmMachine({ core, tiny: true });
    const { cpu, profile } = machine;
    const base = machine.page(0, 'cached');
    for (let at = 0; at < 4096; at += 4) {
      cpu.load32(base + at);
      cpu.store32(base + at, at + 1);
    }
    const levels = [profile.l1d, profile.l2].filter(spec => spec !== null);
    levels.forEach(({ ways, line }, level) => {
      for (let way = 0; way < ways; way++) {
        for (let set = 0; set < (level === 0 ? 4 : 8); set++) {
          const operand = (way << (32 - Math.ceil(Math.log2(ways)))) | (set * line) | (level << 1);
          cpu.cacheOp(CacheOp.CSW, operand);
        }
      }
    });
    for (let at = 0; at < 4096; at += 4) {
      t.is(machine.memoryWord(machine.pageAt(0) + at), at + 1, `${core} +${at}`);
    }
  }
});
