import test from 'ava';
import { CORES, coreNamed } from '../../../arch/arm/cores';
import { Mmu } from '../../../arch/arm/mmu/mmu';
import { SystemRegisters } from '../../../arch/arm/sysregs';
import { ArmMachine } from './machine';

test('CTR tells the smallest line of either cache, in words', t => {
  const lineOf = (field: number): number => 4 << (field & 0xf);
  for (const { name, architecture, l1d, l1i } of CORES) {
    const isNew = architecture === 'v7' || architecture === 'v8';
    if (!isNew || l1d === null || l1i === null) continue;
    const ctr = new ArmMachine({ core: name }).cpu.readSys('CTR');
    t.is(lineOf(ctr), l1i.line, `${name}: instructions`);
    t.is(lineOf(ctr >>> 16), l1d.line, `${name}: data`);
  }
});

test('MPIDR keeps every affinity level of a 64-bit core', t => {
  const profile = coreNamed('cortex-a53');
  const mmu = new Mmu(profile, 16);
  const caches = { l1d: null, l1i: null, l2: null };
  const registers = new SystemRegisters(profile, caches, mmu, 0x12_0034_5678);
  t.is(registers.read('MPIDR') >>> 0, 0x8034_5678);
  t.is(registers.readHigh('MPIDR'), 0x12);
});
