import test from 'ava';
import type { Cpu } from '../../../arch/arm/cpu';
import { CacheOp, FaultKind, TlbOp, faultName } from '../../../drivers/base/types/isa';
import { ArmMachine, DEVICES } from './machine';

interface Mapped {
  readonly machine: ArmMachine;
  readonly cpu: Cpu;
  readonly va: number;
  /** Addresses of the aborts that were taken; each is skipped. */
  readonly aborts: number[];
}

/** One cached page full of ones; the page behind it is not mapped. */
const mapped = (core: string): Mapped => {
  const machine = new ArmMachine({ core });
  const va = machine.page(0, 'cached');
  for (let offset = 0; offset < 4096; offset += 4) machine.cpu.store32(va + offset, -1);
  const aborts: number[] = [];
  machine.cpu.setVectors({
    abort: fault => {
      aborts.push(Number(fault.address));
      return false;
    },
    interrupt: () => undefined,
  });
  return { machine, cpu: machine.cpu, va, aborts };
};

for (const core of ['arm1176jzf-s', 'cortex-a9', 'cortex-a53']) {
  test(`${core}: an unaligned load that faults in part gives 0, and one abort is taken`, t => {
    const { cpu, va, aborts } = mapped(core);
    const next = va + 4096;
    t.is(cpu.load32(next - 2), 0);
    t.is(cpu.load16(next - 1), 0);
    t.deepEqual(aborts, [next, next]);
    t.is(cpu.load64(next - 4), 0);
    t.is(cpu.high, 0);
    t.deepEqual(aborts, [next, next, next]);
  });

  test(`${core}: an unaligned store that faults in part takes one abort`, t => {
    const { cpu, va, aborts } = mapped(core);
    const next = va + 4096;
    cpu.store32(next - 2, 0);
    cpu.store64(next - 4, 0, 0);
    t.deepEqual(aborts, [next, next]);
  });

  test(`${core}: an unaligned load whose abort is mended is whole`, t => {
    const { machine, cpu, va } = mapped(core);
    const next = va + 4096;
    cpu.setVectors({
      abort: () => {
        machine.page(1, 'cached');
        return true;
      },
      interrupt: () => undefined,
    });
    machine.setMemoryWord(machine.pageAt(1), 0x1122_3344);
    t.is(cpu.load32(next - 2), 0x3344_ffff);
    t.is(cpu.fault.kind, FaultKind.None);
  });
}

test('a load of which a part lies where nothing answers gives 0', t => {
  const { machine, cpu, va } = mapped('cortex-a9');
  machine.tables.map(va + 4096, DEVICES + 0x20_0000, 'device');
  t.is(cpu.load32(va + 4094), 0);
  t.is(faultName(cpu.fault.kind), 'external');
});

/** Bits of a descriptor that take the right to write away. */
const READ_ONLY = { 'cortex-a9': 1 << 9, 'cortex-a15': 1 << 7, 'cortex-a53': 1 << 7 } as const;

const makeReadOnly = ({ machine, cpu, va }: Mapped, core: keyof typeof READ_ONLY): void => {
  const at = machine.tables.entryOf(va);
  machine.setMemoryWord(at, machine.memoryWord(at) | READ_ONLY[core]);
  cpu.tlbOp(TlbOp.All, 0, 0);
  cpu.dsb();
};

test('a permission or domain fault has the level of the entry that it comes from', t => {
  for (const [core, level] of [
    ['cortex-a9', 2],
    ['cortex-a15', 3],
    ['cortex-a53', 3],
  ] as const) {
    const bench = mapped(core);
    makeReadOnly(bench, core);
    bench.cpu.store32(bench.va, 1);
    const { kind, write, level: found } = bench.cpu.fault;
    t.deepEqual([faultName(kind), write, found], ['permission', true, level], core);
  }
  const { cpu, va } = mapped('cortex-a9');
  cpu.writeSys('DACR', 0);
  cpu.load32(va);
  t.deepEqual([faultName(cpu.fault.kind), cpu.fault.level], ['domain', 2]);
});

test('a section that forbids an access faults at level 1', t => {
  const { machine, cpu } = mapped('cortex-a9');
  // Cached, privileged access only for reading: AP[2:0] is 101.
  const section = 0x8020_0000 | (1 << 15) | (1 << 12) | (1 << 10) | 0b1110 | 0;
  machine.setMemoryWord(0x8000_0000 + 0x500 * 4, section);
  t.is(cpu.load32(0x5000_0000), machine.memoryWord(0x8020_0000));
  cpu.store32(0x5000_0000, 1);
  t.deepEqual([faultName(cpu.fault.kind), cpu.fault.level], ['permission', 1]);
});

test('to discard a line of a page that may only be read is a permission fault in ARMv8', t => {
  for (const core of ['cortex-a9', 'cortex-a53'] as const) {
    const bench = mapped(core);
    const { cpu, va } = bench;
    makeReadOnly(bench, core);
    for (const op of [CacheOp.CVAC, CacheOp.CIVAC]) cpu.cacheOp(op, va);
    t.is(cpu.fault.kind, FaultKind.None, core);
    cpu.cacheOp(CacheOp.IVAC, va);
    t.is(faultName(cpu.fault.kind), core === 'cortex-a53' ? 'permission' : 'none', core);
  }
});
