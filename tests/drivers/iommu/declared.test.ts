import { createRequire } from 'node:module';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { registerFile } from '../../../drivers/base/hw/register-file';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { hex } from '../../../drivers/base/types/address';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { RegisterSheet } from '../../../drivers/base/types/registers';
import { ARM_SMMU_CB, ARM_SMMU_GR0, BankType } from '../../../drivers/iommu/arm-smmu/regs';
import { sync } from '../../../drivers/iommu/arm-smmu-v3/driver/commands';
import { CommandError, SMMU_V3 } from '../../../drivers/iommu/arm-smmu-v3/regs';
import {
  ABSENT_COMMANDS,
  ABSENT_IN_CD,
  ABSENT_IN_COMMAND,
  ABSENT_IN_STE,
} from '../../../drivers/iommu/arm-smmu-v3/regs/absent';
import type { Absent } from '../../../drivers/iommu/arm-smmu-v3/regs/absent';
import { COMMAND, Opcode } from '../../../drivers/iommu/arm-smmu-v3/regs/commands';
import { STE, SteConfig } from '../../../drivers/iommu/arm-smmu-v3/regs/tables';
import type { Words } from '../../../drivers/iommu/arm-smmu-v3/regs/words';
import { AT, AT_DATA, LOG2_COMMANDS, SID, SmmuV3Bench, running } from '../../support/smmu-v3-bench';
import { projectFiles } from '../../tree/project-files';
import { BANK, BUILT, GLOBAL_FAULTS, runningSmmu } from './arm-smmu/bench';

/* What the IOMMUs' data sheets declare as not modelled: to use it is loud, and names it. */

const load = createRequire(__filename);

const isSheet = (value: unknown): value is RegisterSheet =>
  typeof value === 'object' && value !== null && 'registers' in value && 'notModelled' in value;

const SHEETS = projectFiles('drivers/iommu')
  .filter(({ path }) => path.endsWith('/regs.ts'))
  .flatMap(({ path }) => {
    const exported: unknown = load(join(__dirname, '../../..', path));
    return Object.values(exported ?? {}).filter(isSheet);
  });

/** What happened, as guest errors or an UnmodelledError; nothing else may be thrown. */
const heard = (guestErrors: string[], use: () => void): string[] => {
  try {
    use();
  } catch (error) {
    if (!(error instanceof UnmodelledError)) throw error;
    return [error.message];
  }
  return guestErrors.splice(0);
};

const isLoud = (t: ExecutionContext, name: string, told: readonly string[]): void => {
  t.true(
    told.some(text => text.includes(name)),
    `${name}: ${told.join('; ') || 'nothing was told'}`,
  );
};

for (const sheet of SHEETS) {
  test(`${sheet.name}: each register and field that is marked as not modelled is loud`, t => {
    const file = registerFile(sheet, { onGuestError: t.log });
    for (const { info, at } of sheet.layout.instances) {
      for (const { name, field } of info.fields.filter(({ field }) => !field.implemented)) {
        const value = (info.reset ^ field.at(1)) >>> 0;
        const told = heard([], () => file.write(at, 4, value));
        isLoud(t, `${sheet.name}.${info.name}.${name}`, told);
      }
      if (info.unimplemented) {
        isLoud(
          t,
          `${sheet.name}.${info.name}`,
          heard([], () => file.read(at, 4)),
        );
      }
    }
    t.true(sheet.layout.registers.length > 0);
  });
}

/** Values of a field that ask for what is not there. */
const asking = ({ field, there }: Absent): number[] =>
  Array.from({ length: field.field.max + 1 }, (_, value) => value).filter(
    value => !there.includes(value),
  );

/** What is told of a transaction of the stream. */
const transfer = (made: SmmuV3Bench): string[] => heard(made.guestErrors, () => made.read(AT_DATA));

for (const absent of ABSENT_IN_STE) {
  test(`smmu-v3: ${absent.name} that asks for ${absent.what} is loud`, t => {
    for (const config of absent.where ?? [SteConfig.Bypass]) {
      for (const value of asking(absent)) {
        const made = running().stage1();
        if (config === SteConfig.Stage2) made.stage2();
        const ste = made.words(AT.streams + STE.SIZE * SID, STE.WORDS);
        absent.field.put(ste, value);
        isLoud(t, absent.name, transfer(made.ste(ste)));
      }
    }
  });
}

for (const absent of ABSENT_IN_CD) {
  test(`smmu-v3: ${absent.name} that asks for ${absent.what} is loud`, t => {
    for (const value of asking(absent)) {
      const made = running().stage1(cd => {
        absent.field.put(cd, value);
      });
      isLoud(t, absent.name, transfer(made));
    }
  });
}

const made = new SmmuV3Bench().start();

/** What is told of the command, and whether the queue stopped at it: then it is replaced. */
const commanded = (words: Words): { told: string[]; isIllegal: boolean } => {
  const { CMDQ_CONS, GERROR, GERRORN } = made.regs;
  const told = heard(made.guestErrors, () => {
    made.command(words);
  });
  const { CMDQ_ERR } = GERROR.read();
  const { RD, ERR } = CMDQ_CONS.read();
  const isIllegal = CMDQ_ERR !== GERRORN.read().CMDQ_ERR && ERR === CommandError.Illegal;
  if (isIllegal) {
    made.put(AT.commands + COMMAND.SIZE * (RD % 2 ** LOG2_COMMANDS), sync(null));
    GERRORN.write({ CMDQ_ERR });
    made.pass(20);
  }
  return { told, isIllegal };
};

test('smmu-v3: every command that there is not is illegal, and named', t => {
  const there = new Set<number>(Object.values(Opcode));
  for (let code = 0; code < 256; code++) {
    const { told, isIllegal } = commanded(Uint32Array.of(code, 0, 0, 0));
    t.is(isIllegal, !there.has(code), `command ${code}`);
    if (there.has(code)) t.deepEqual(told, []);
    else isLoud(t, `COMMAND.OP ${hex(code)}: ${ABSENT_COMMANDS.get(code) ?? 'no command'}`, told);
  }
  for (const [code, name] of ABSENT_COMMANDS) t.false(there.has(code), name);
});

for (const absent of ABSENT_IN_COMMAND) {
  test(`smmu-v3: ${absent.name} that asks for ${absent.what} is loud`, t => {
    for (const code of absent.where ?? []) {
      const words = new Uint32Array(COMMAND.WORDS);
      COMMAND.OP.put(words, code);
      t.deepEqual(commanded(words).told, []);
      absent.field.put(words, 1);
      isLoud(t, absent.name, commanded(words).told);
    }
  });
}

const FIRST_BANK = BUILT.pages * BUILT.pageSize;

/** At these offsets there are no registers: an access is answered with an error, and told. */
const noRegisters = (offsets: readonly number[]) => (t: ExecutionContext) => {
  const smmu = runningSmmu();
  for (const offset of offsets) {
    smmu.guestErrors.length = 0;
    t.is(smmu.bus.write(smmu.bus.baseOf(0) + offset, 4, 0), TxResult.AccessError);
    isLoud(t, 'no register', smmu.guestErrors);
  }
};

const isAbsentInV3 = (t: ExecutionContext): void => {
  const guest = new SmmuV3Bench();
  const { IDR0, IDR1, IDR3 } = guest.regs;
  t.like(IDR0.read(), { BTM: 0, HTTU: 0, HYP: 0, ATS: 0, ATOS: 0, PRI: 0, VATOS: 0, NS1ATS: 0 });
  t.like(IDR1.read(), { SSIDSIZE: 0, PRIQS: 0, ECMDQ: 0 });
  t.is(IDR3.read().value, 0);
  // GATOS_CTRL to GATOS_PAR; PRIQ_BASE to PRIQ_IRQ_CFG2; CMDQ_CONTROL_PAGE_BASE; S_IDR0.
  for (const offset of [0x100, 0x108, 0x110, 0x118, 0xc0, 0xd0, 0xdc, 0x4000, 0x8000]) {
    guest.guestErrors.length = 0;
    t.is(guest.bus.write(guest.bus.baseOf(0) + offset, 4, 1), TxResult.AccessError);
    isLoud(t, 'no register', guest.guestErrors);
  }
};

/** By the beginning of a declaration, what shows that its use is loud. */
const SHOWN: readonly (readonly [string, string, (t: ExecutionContext) => void])[] = [
  [SMMU_V3.name, 'secure state, EL2 and EL3', isAbsentInV3],
  [SMMU_V3.name, 'what entries, context descriptors and commands ask for', isAbsentInV3],
  [
    SMMU_V3.name,
    'TTB1 (CD.EPD1 0)',
    t => {
      t.is(ABSENT_IN_CD.filter(({ isGap }) => isGap).length, 3);
    },
  ],
  // SCR1 and NSCR0; GATS1PR, and ATS1PR of a bank; GFSRRESTORE, and FSRRESTORE of a bank.
  [ARM_SMMU_GR0.name, 'what is secure', noRegisters([0x4, 0x400])],
  [
    ARM_SMMU_GR0.name,
    'the address translation operations',
    noRegisters([0x110, FIRST_BANK + 0x800]),
  ],
  [ARM_SMMU_GR0.name, 'restoring of faults', noRegisters([0x4c, FIRST_BANK + 0x5c])],
  [
    'arm-smmu.GR1',
    'stage 2 behind stage 1',
    t => {
      const { gr1, bank, enable, read, guestErrors } = runningSmmu();
      gr1.CBAR(BANK).write({ TYPE: BankType.Nested });
      const told = heard(guestErrors, () => {
        bank.SCTLR.write(enable);
        read(0x3000);
      });
      isLoud(t, 'arm-smmu.GR1.CBAR.TYPE', told);
    },
  ],
  [
    ARM_SMMU_CB.name,
    'big-endian tables',
    t => {
      t.false(ARM_SMMU_CB.registers.SCTLR.fields.E.implemented, 'as a marked field is shown');
    },
  ],
  [
    ARM_SMMU_CB.name,
    'faults that are ignored',
    t => {
      const { gr0, bank, read, guestErrors } = runningSmmu();
      bank.SCTLR.write({ M: 1, CFRE: 0 });
      isLoud(
        t,
        'CFRE',
        heard(guestErrors, () => read(0x8000)),
      );
      gr0.SMR(0).write({ ID: 0, VALID: 0 });
      gr0.CR0.write({ ...GLOBAL_FAULTS, GCFGFRE: 0 });
      isLoud(
        t,
        'GCFGFRE',
        heard(guestErrors, () => read(0x3000)),
      );
    },
  ],
];

/** How declarations begin of what no software can ask for, or what is kept without an effect. */
const NOT_ASKED_FOR = [
  ...['time that ', 'attributes of memory', 'privilege:', 'global translations', 'merging of'],
  ...['anything that is fetched ahead', 'entries that are fetched ahead', 'broadcast of'],
  ...['entries of the TLB for what is not', 'prefetching of translations', 'fetches of instr'],
  ...['entries of every ASID', 'requests that wait', 'first-level entries', 'quality of service'],
  ...['clocks and power', 'several entries for one page', 'version 7', 'conversion of endianness'],
  ...['idle modes', 'accesses of an emulator', 'the replay buffer', 'which master faulted'],
  ...['cache attributes'],
];

for (const sheet of SHEETS) {
  test(`${sheet.name}: each declaration is shown to be loud, or can be asked for by nobody`, t => {
    for (const text of sheet.notModelled ?? []) {
      const shown = SHOWN.filter(([of, start]) => of === sheet.name && text.startsWith(start));
      const excused = NOT_ASKED_FOR.filter(start => text.startsWith(start));
      t.is(shown.length + excused.length, 1, `${text}: how is that shown?`);
      for (const [, , show] of shown) show(t);
    }
  });
}

test('nothing is shown or excused that no data sheet declares', t => {
  const declared = SHEETS.flatMap(({ name, notModelled }) =>
    (notModelled ?? []).map(text => ({ name, text })),
  );
  t.true(SHEETS.length >= 8, `${SHEETS.length} sheets`);
  for (const [of, start] of SHOWN) {
    t.true(
      declared.some(({ name, text }) => name === of && text.startsWith(start)),
      start,
    );
  }
  for (const start of NOT_ASKED_FOR) {
    t.true(
      declared.some(({ text }) => text.startsWith(start)),
      start,
    );
  }
});
