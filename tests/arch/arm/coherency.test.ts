import test from 'ava';
import { SCTLR } from '../../../arch/arm/regs/sysreg';
import { CacheOp, FaultKind, TlbOp } from '../../../drivers/base/types/isa';
import { ArmMachine, RAM_BASE } from './machine';

/* What reaches which cache: caches switched off, walks, memory cached in one level, broadcasts. */

for (const core of ['cortex-a57', 'cortex-a15', 'cortex-a9']) {
  test(`${core}: with SCTLR.C clear no level of cache takes part`, t => {
    const machine = new ArmMachine({ core, outer: core === 'cortex-a9' });
    const page = machine.page(0, 'cached');
    const word = machine.ram.wordOf(machine.pageAt(0));
    machine.cpu.writeSys('SCTLR', SCTLR.M);
    machine.cpu.store32(page, 5);
    machine.cpu.dsb();
    t.is(machine.complex.domain.clusters[0]?.fills, 0);
    t.is(machine.complex.outer?.find(word) ?? -1, -1);
    machine.complex.outer?.drainLine(word);
    t.is(machine.memoryWord(machine.pageAt(0)), 5);
  });
}

/** A Cortex-A57 of two clusters, its tables walked as inner shareable write-back memory. */
const twoClusters = (): ArmMachine => {
  const machine = new ArmMachine({ core: 'cortex-a57', cpus: 3 });
  const walks = (1 << 8) | (1 << 10) | (3 << 12) | (1 << 24) | (1 << 26) | (3 << 28);
  for (const cpu of machine.cpus) cpu.writeSys('TCR', 32 | (32 << 16) | (2 << 30) | walks, 0);
  return machine;
};

for (const [where, evictions] of [
  ['a first level', 0],
  ["another cluster's second level", 1],
  ['memory', 2],
] as const) {
  test(`a coherent walk finds a table entry that is in ${where}`, t => {
    const machine = twoClusters();
    const [writer, , reader] = machine.cpus;
    const { tables } = machine;
    const page = machine.page(3, 'cached');
    const table = 0x4000_5000;
    tables.map(table, RAM_BASE + 0x5000, 'cached');
    machine.setMemoryWord(machine.pageAt(3), 0x77);
    const fresh = 0x4000_9000;
    writer?.store64(table + 9 * 8, machine.memoryWord(tables.entryOf(page)), 0);
    writer?.dsb();
    const word = machine.ram.wordOf(tables.entryOf(fresh));
    const [cache] = machine.complex.domain.caches;
    const [cluster] = machine.complex.domain.clusters;
    if (evictions > 0) cache?.evict(cache.findPhysical(word));
    if (evictions > 1) cluster?.evict(cluster.find(word));
    t.is(reader?.load32(fresh), 0x77);
  });
}

test('memory that only the outer level may cache is the same to every cluster', t => {
  const machine = twoClusters();
  const [writer, , reader] = machine.cpus;
  // Attribute 2, which `non-cached` pages have: inner non-cacheable, outer write-back.
  for (const cpu of machine.cpus) cpu.writeSys('MAIR', 0xbbf4_0400 | 0, 0xff);
  const page = machine.page(0, 'non-cached');
  reader?.load32(page);
  writer?.store32(page, 9);
  writer?.dsb();
  reader?.dsb();
  t.is(reader?.load32(page), 9);
  t.is(writer?.load32(page), 9);
});

for (const [isForwarded, what] of [
  [true, 'reaches'],
  [false, 'does not reach'],
] as const) {
  test(`Cortex-A9: maintenance ${what} other cores with ACTLR.FW ${isForwarded ? 'set' : 'clear'}`, t => {
    const machine = new ArmMachine({ core: 'cortex-a9', cpus: 2 });
    const [first, second] = machine.cpus;
    const page = machine.page(0, 'cached');
    second?.load32(page);
    second?.store32(page, 1);
    first?.writeSys('ACTLR', (1 << 6) | (isForwarded ? 1 : 0));
    first?.cacheOp(CacheOp.CIVAC, page);
    first?.dsb();
    t.is(machine.memoryWord(machine.pageAt(0)), isForwarded ? 1 : 0);
    machine.setMemoryWord(machine.tables.entryOf(page), 0);
    first?.tlbOp(TlbOp.AllIS, 0, 0);
    first?.dsb();
    second?.load32(page);
    t.is(second?.fault.kind, isForwarded ? FaultKind.Translation : FaultKind.None);
  });
}
