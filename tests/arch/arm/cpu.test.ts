import test from 'ava';
import type { ExecutionContext } from 'ava';
import { RandomAdversary } from '../../../arch/arm/adversary/random';
import { CORES, coreNamed } from '../../../arch/arm/cores';
import type { ConcreteCpu as Cpu } from '../../../arch/arm/concrete/cpu';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import { CacheOp, FaultKind, TlbOp, cacheOpName, faultName } from '../../../drivers/base/types/isa';
import type { FaultRecord, SysReg } from '../../../drivers/base/types/isa';
import { Random } from '../../../drivers/base/types/random';
import { ArmMachine, DEVICES } from './machine';
import type { Memory } from './tables';

const UNMAPPED = 0x4000_0000 + 100 * 4096;

/** Runs `body` and answers the fault it leaves; the record is clear afterwards. */
const faultOf = (cpu: Cpu, body: () => void): FaultRecord => {
  body();
  const fault = { ...cpu.fault };
  cpu.fault.kind = FaultKind.None;
  return fault;
};

const expectFault = (t: ExecutionContext, cpu: Cpu, kind: FaultKind, body: () => void): void => {
  t.is(faultName(faultOf(cpu, body).kind), faultName(kind));
};

const ARCHITECTURES = ['arm920t', 'arm926ej-s', 'arm1176jzf-s', 'cortex-a9', 'cortex-a53'] as const;

test('an access without a translation is a fault with its address, direction and level', t => {
  for (const [core, level] of [
    ['arm926ej-s', 2],
    ['cortex-a9', 2],
    ['cortex-a15', 3],
    ['cortex-a53', 3],
  ] as const) {
    const { cpu, ...machine } = mapped(core, 'cached');
    t.true(machine.va < UNMAPPED);
    for (const [write, body] of [
      [false, () => cpu.load32(UNMAPPED)],
      [
        true,
        () => {
          cpu.store32(UNMAPPED, 1);
        },
      ],
      [false, () => cpu.load64(UNMAPPED)],
      [
        true,
        () => {
          cpu.store64(UNMAPPED, 1, 1);
        },
      ],
    ] as const) {
      const fault = faultOf(cpu, body);
      t.deepEqual(
        { ...fault },
        { kind: FaultKind.Translation, address: fault.address, write, level },
      );
      t.is(Number(fault.address), UNMAPPED);
    }
    t.is(cpu.load32(UNMAPPED), 0, 'a load that faults gives 0');
  }
});

const mapped = (
  core: string,
  memory: Memory,
): { machine: ArmMachine; cpu: Cpu; va: number; pa: number } => {
  const machine = new ArmMachine({ core });
  return { machine, cpu: machine.cpu, va: machine.page(0, memory), pa: machine.pageAt(0) };
};

test('the abort handler has an access run again, or skipped', t => {
  const { machine, cpu, va } = mapped('cortex-a9', 'cached');
  cpu.store32(va, 77);
  const seen: number[] = [];
  cpu.setVectors({
    abort: fault => {
      seen.push(fault.address);
      if (seen.length > 2) return false;
      if (seen.length === 2) machine.tables.map(UNMAPPED, machine.pageAt(0), 'cached');
      return true;
    },
    interrupt: () => undefined,
  });
  t.is(cpu.load32(UNMAPPED), 77);
  t.is(cpu.fault.kind, FaultKind.None);
  t.is(cpu.load32(UNMAPPED + 0x1000), 0);
  t.deepEqual(seen, [UNMAPPED, UNMAPPED, UNMAPPED + 0x1000]);
  cpu.setVectors({ abort: () => true, interrupt: () => undefined });
  t.throws(() => cpu.load32(UNMAPPED + 0x1000), { instanceOf: UnmodelledError });
});

test('where nothing answers, the bus answers with an external abort', t => {
  for (const core of ARCHITECTURES) {
    const { machine, cpu, va } = mapped(core, 'device');
    machine.tables.map(va, DEVICES + 0x20_0000, 'device');
    expectFault(t, cpu, FaultKind.External, () => cpu.load32(va));
    expectFault(t, cpu, FaultKind.External, () => {
      cpu.store8(va, 1);
    });
  }
});

test('rights and domains are checked at every access', t => {
  const { machine, cpu, va } = mapped('cortex-a9', 'cached');
  const at = machine.tables.entryOf(va);
  const entry = machine.memoryWord(at);
  const setEntry = (value: number): void => {
    machine.setMemoryWord(at, value);
    cpu.tlbOp(TlbOp.Address, va, 0);
  };
  cpu.store32(va, 5);
  setEntry(entry | (1 << 9));
  t.is(cpu.load32(va), 5);
  expectFault(t, cpu, FaultKind.Permission, () => {
    cpu.store32(va, 6);
  });
  setEntry(entry & ~0x20);
  t.is(cpu.load32(va), 5);
  expectFault(t, cpu, FaultKind.Permission, () => cpu.loadUser32(va));
  expectFault(t, cpu, FaultKind.Permission, () => {
    cpu.storeUser32(va, 6);
  });
  setEntry((entry & ~0x30) | 0x20);
  t.is(cpu.loadUser32(va), 5);
  expectFault(t, cpu, FaultKind.Permission, () => {
    cpu.storeUser32(va, 6);
  });
  cpu.writeSys('DACR', 0);
  expectFault(t, cpu, FaultKind.Domain, () => cpu.load32(va));
  cpu.writeSys('DACR', 3);
  cpu.storeUser32(va, 9);
  t.is(cpu.loadUser32(va), 9);
  t.is(cpu.fault.kind, FaultKind.None);
});

test('unaligned accesses are whole on normal memory of ARMv6 and later', t => {
  for (const core of ['arm1176jzf-s', 'cortex-a9', 'cortex-a53']) {
    for (const memory of ['cached', 'non-cached'] as const) {
      const { machine, cpu, va } = mapped(core, memory);
      machine.page(1, memory);
      const edge = va + 4094;
      cpu.store32(edge, 0x4433_2211);
      t.is(cpu.load32(edge), 0x4433_2211);
      t.is(cpu.load16(edge + 1), 0x3322);
      t.is(cpu.load8(edge + 3), 0x44);
      cpu.store16(edge + 1, 0xbbaa);
      t.is(cpu.load32(edge), 0x44bb_aa11);
      cpu.store64(va + 4, 0x0403_0201, 0x0807_0605);
      t.is(cpu.load64(va + 4), 0x0403_0201);
      t.is(cpu.high, 0x0807_0605);
      t.is(cpu.load32(va + 5), 0x0504_0302);
      t.is(cpu.fault.kind, FaultKind.None);
    }
  }
});

test('unaligned accesses fault on devices, under SCTLR.A, and as pairs of odd words', t => {
  for (const core of ['arm1176jzf-s', 'cortex-a9', 'cortex-a53']) {
    const device = mapped(core, 'device');
    expectFault(t, device.cpu, FaultKind.Alignment, () => device.cpu.load32(device.va + 2));
    expectFault(t, device.cpu, FaultKind.Alignment, () => {
      device.cpu.store16(device.va + 1, 1);
    });
    const { cpu, va } = mapped(core, 'cached');
    const kind = core === 'cortex-a53' ? FaultKind.None : FaultKind.Alignment;
    expectFault(t, cpu, kind, () => cpu.load64(va + 2));
    cpu.writeSys('SCTLR', cpu.readSys('SCTLR') | 2);
    expectFault(t, cpu, FaultKind.Alignment, () => cpu.load16(va + 1));
    expectFault(t, cpu, FaultKind.None, () => cpu.load16(va + 2));
  }
});

test('a core that would rotate what it loads says that this is not modelled', t => {
  const { cpu, va } = mapped('arm926ej-s', 'cached');
  t.throws(() => cpu.load32(va + 1), { instanceOf: UnmodelledError });
  cpu.writeSys('SCTLR', cpu.readSys('SCTLR') | 2);
  expectFault(t, cpu, FaultKind.Alignment, () => cpu.load32(va + 1));
});

test('a 64-bit store is one store: both halves wait or neither does', t => {
  const core = { ...coreNamed('cortex-a53'), speculativeFill: false };
  for (let seed = 1; seed <= 40; seed++) {
    const adversary = new RandomAdversary(new Random(seed));
    const machine = new ArmMachine({ core, adversary, seed });
    const va = machine.page(0, 'non-cached');
    const pa = machine.pageAt(0);
    for (let n = 1; n < 30; n++) {
      machine.cpu.store64(va, n, n);
      t.is(machine.cpu.load64(va), n);
      t.is(machine.cpu.high, n);
      t.is(machine.memoryWord(pa), machine.memoryWord(pa + 4));
    }
  }
});

/** Operations that an architecture has, by name, written out from the manuals. */
const HAS: Readonly<Record<string, { cache: string; barriers: boolean; registers: string }>> = {
  v4: {
    cache: 'IVAC CVAC CIVAC ISW CSW CISW IALL CALL CIALL',
    barriers: false,
    registers: 'TTBR0 DACR',
  },
  v5: {
    cache: 'IVAC CVAC CIVAC ISW CSW CISW IALL CALL CIALL',
    barriers: false,
    registers: 'TTBR0 DACR',
  },
  v6: {
    cache: 'IVAC CVAC CIVAC ISW CSW CISW IALL CALL CIALL',
    barriers: true,
    registers: 'TTBR0 DACR TTBR1 TCR CONTEXTIDR PRRR NMRR ID_MMFR0 ID_MMFR3 ACTLR',
  },
  v7: {
    cache: 'IVAC CVAC CVAU CIVAC ISW CSW CISW',
    barriers: true,
    registers:
      'TTBR0 DACR TTBR1 TCR CONTEXTIDR PRRR NMRR ID_MMFR0 ID_MMFR3 ACTLR CLIDR CSSELR CCSIDR MPIDR',
  },
  v7m: {
    cache: 'IVAC CVAC CVAU CIVAC ISW CSW CISW',
    barriers: true,
    registers: 'ID_MMFR0 ID_MMFR3 ACTLR CLIDR CSSELR CCSIDR',
  },
  v8: {
    cache: 'IVAC CVAC CVAU CIVAC ISW CSW CISW ZVA',
    barriers: true,
    registers:
      'TTBR0 TTBR1 TCR CONTEXTIDR MAIR ID_MMFR0 ID_MMFR3 ID_AA64MMFR0 CLIDR CSSELR CCSIDR MPIDR',
  },
};
const REGISTERS: readonly SysReg[] = [
  'MPIDR',
  'CLIDR',
  'CSSELR',
  'CCSIDR',
  'ID_MMFR0',
  'ID_MMFR3',
  'ID_AA64MMFR0',
  'ACTLR',
  'TTBR0',
  'TTBR1',
  'TCR',
  'DACR',
  'PRRR',
  'NMRR',
  'MAIR',
  'CONTEXTIDR',
];

for (const core of CORES) {
  test(`${core.name}: what the architecture does not have is an undefined instruction`, t => {
    const machine = new ArmMachine({ core, tiny: true });
    const { cpu } = machine;
    const va = machine.page(0, core.l1d === null ? 'non-cached' : 'cached');
    const { cache = '', barriers = false, registers = '' } = HAS[core.architecture] ?? {};
    const kindFor = (has: boolean): FaultKind => (has ? FaultKind.None : FaultKind.Undefined);
    for (const op of Object.values(CacheOp)) {
      const has = cache.split(' ').includes(cacheOpName(op));
      const isByLine = ['IVAC', 'CVAC', 'CVAU', 'CIVAC', 'ZVA'].includes(cacheOpName(op));
      expectFault(t, cpu, kindFor(has), () => {
        cpu.cacheOp(op, isByLine ? va : 0);
      });
    }
    expectFault(t, cpu, kindFor(barriers), () => {
      cpu.dmb('sy');
    });
    expectFault(t, cpu, kindFor(barriers), () => {
      cpu.isb();
    });
    expectFault(t, cpu, FaultKind.None, () => {
      cpu.dsb();
    });
    for (const register of REGISTERS) {
      const isLpae = register === 'MAIR' && core.tables.includes('lpae');
      const has = isLpae || registers.split(' ').includes(register);
      expectFault(t, cpu, kindFor(has), () => cpu.readSys(register));
    }
    expectFault(t, cpu, FaultKind.Undefined, () => {
      cpu.writeSys('MIDR', 1);
    });
    expectFault(t, cpu, kindFor(core.tables.length > 0), () => {
      cpu.tlbOp(TlbOp.All, 0, 0);
    });
    expectFault(t, cpu, kindFor(core.maintenanceBroadcast), () => {
      cpu.tlbOp(TlbOp.AllIS, 0, 0);
    });
  });
}

test('a register holds what was written to it, both halves where it has two', t => {
  const short = new ArmMachine({ core: 'cortex-a9', off: true }).cpu;
  for (const register of ['TTBR0', 'TTBR1', 'DACR', 'PRRR', 'NMRR', 'CONTEXTIDR'] as const) {
    short.writeSys(register, 0x1234_5678);
    t.is(short.readSys(register), 0x1234_5678, register);
  }
  const long = new ArmMachine({ core: 'cortex-a53', off: true }).cpu;
  for (const register of ['TTBR0', 'TTBR1', 'MAIR'] as const) {
    long.writeSys(register, -2, 0x77);
    t.deepEqual([long.readSys(register), long.readSysHigh(register)], [-2, 0x77], register);
  }
});

test('bits that would change what an access does and are not modelled are named errors', t => {
  const { cpu } = new ArmMachine({ core: 'cortex-a9', off: true });
  const unmodelled = { instanceOf: UnmodelledError };
  for (const bit of [7, 8, 9, 17, 24, 25, 29]) {
    t.throws(
      () => {
        cpu.writeSys('SCTLR', 1 << bit);
      },
      unmodelled,
      `SCTLR bit ${bit}`,
    );
  }
  t.throws(() => {
    cpu.writeSys('ACTLR', 1 << 1);
  }, unmodelled);
  const v8 = new ArmMachine({ core: 'cortex-a53', off: true }).cpu;
  const good = 16 | (16 << 16) | (2 << 30);
  v8.writeSys('TCR', good, 5);
  t.throws(
    () => {
      v8.writeSys('TCR', good | (1 << 14), 0);
    },
    unmodelled,
    'TG0',
  );
  t.throws(
    () => {
      v8.writeSys('TCR', good | (1 << 30), 0);
    },
    unmodelled,
    'TG1',
  );
  t.throws(
    () => {
      v8.writeSys('TCR', good | (1 << 22), 0);
    },
    unmodelled,
    'A1',
  );
  t.throws(
    () => {
      v8.writeSys('TCR', good, 1 << 4);
    },
    unmodelled,
    'AS',
  );
});

test('software finds the caches of the machine in the identification registers', t => {
  for (const core of CORES.filter(({ architecture }) =>
    ['v7', 'v7m', 'v8'].includes(architecture),
  )) {
    const { cpu } = new ArmMachine({ core });
    [core.l1d, core.l1i, core.l2].forEach((spec, n) => {
      cpu.writeSys('CSSELR', [0, 1, 2][n] ?? 0);
      const id = cpu.readSys('CCSIDR');
      if (spec === null) {
        t.is(id, 0, core.name);
        return;
      }
      const line = 2 ** ((id & 7) + 4);
      const ways = ((id >>> 3) & 0x3ff) + 1;
      const sets = ((id >>> 13) & 0x7fff) + 1;
      t.deepEqual({ line, ways, size: line * ways * sets }, pick(spec), `${core.name} ${n}`);
    });
    if (core.l1d !== null) t.is(4 << ((cpu.readSys('CTR') >>> 16) & 15), core.l1d.line, core.name);
  }
});

const pick = ({ line, ways, size }: { line: number; ways: number; size: number }): object => ({
  line,
  ways,
  size,
});

test('a value that was read early is dropped by a barrier, and only where loads may be early', t => {
  const readEarly = (core: string, barrier: (cpu: Cpu) => void): number => {
    const { machine, cpu, va, pa } = mapped(core, 'non-cached');
    machine.setMemoryWord(pa, 1);
    cpu.load32(va);
    cpu.memory.readEarly(machine.ram.wordOf(pa));
    machine.setMemoryWord(pa, 2);
    barrier(cpu);
    return cpu.load32(va);
  };
  t.is(
    readEarly('cortex-a9', () => undefined),
    1,
  );
  t.is(
    readEarly('cortex-a9', cpu => {
      cpu.dmb('sy');
    }),
    2,
  );
  t.is(
    readEarly('cortex-a9', cpu => {
      cpu.dsb();
    }),
    2,
  );
  t.is(
    readEarly('cortex-a9', cpu => {
      cpu.dmb('st');
    }),
    1,
  );
  t.is(
    readEarly('cortex-a53', cpu => {
      cpu.dmb('ld');
    }),
    2,
  );
  t.is(
    readEarly('arm1176jzf-s', cpu => {
      cpu.dmb('st');
    }),
    2,
  );
  t.is(
    readEarly('arm926ej-s', () => undefined),
    2,
  );
});
