import test from 'ava';
import { TxResult } from '../../../../drivers/base/hw/mmio';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { BenchError, UnmodelledError } from '../../../../drivers/base/types/errors';
import {
  ARM_SMMU_CB,
  ARM_SMMU_GR0,
  ARM_SMMU_GR1,
  BankType,
  PrivilegeConfig,
  StreamType,
} from '../../../../drivers/iommu/arm-smmu/regs';
import { deviceModelConformance } from '../../../conformance/device-model';
import { IO_END } from '../../../support/dma-bench';
import {
  ASID,
  BANK,
  BUILT,
  DATA,
  GLOBAL_FAULTS,
  LAST_TABLE,
  ROOT,
  STREAM,
  TEXT,
  TEXT_OFFSET,
  entryAt,
  every,
  makeSmmu,
  page,
  runningSmmu,
  table,
} from './bench';

const IOVA = 0x3000;
const AT = IOVA + TEXT_OFFSET;

deviceModelConformance(test, 'arm-smmu', () => {
  const { guestErrors, globalIrq, contextIrqs, model } = makeSmmu();
  const half = BUILT.pages * BUILT.pageSize;
  const at = (sheet: { readonly at: number }, index = 0): number => sheet.at + 4 * index;
  return {
    device: model,
    windows: [
      { sheet: ARM_SMMU_GR0, region: 0, offset: 0 },
      { sheet: ARM_SMMU_GR1, region: 0, offset: BUILT.pageSize },
      { sheet: ARM_SMMU_CB, region: 0, offset: half + (BUILT.banks - 1) * BUILT.pageSize },
    ],
    irqs: [globalIrq, ...contextIrqs],
    guestErrors,
    // ACTLR is locked by ACR; of CBAR there are as many as there are banks.
    dynamic: ['arm-smmu.CB.ACTLR', 'arm-smmu.GR1.CBAR', 'arm-smmu.GR1.CBA2R'],
    stir: bus => {
      const { registers: gr0 } = ARM_SMMU_GR0;
      const { registers: gr1 } = ARM_SMMU_GR1;
      const { registers: cb } = ARM_SMMU_CB;
      const write = (address: number, value: number): unknown => bus.write(address, 4, value);
      for (let bank = 0; bank < BUILT.banks; bank++) {
        write(at(gr0.SMR, bank), 2 ** 31 + bank);
        write(at(gr0.S2CR, bank), bank);
        write(BUILT.pageSize + at(gr1.CBAR, bank), BankType.Stage1 * 2 ** 16);
        write(half + bank * BUILT.pageSize + cb.TCR.at, 2 ** 31);
        write(half + bank * BUILT.pageSize + cb.SCTLR.at, 0x61);
      }
      write(at(gr0.CR0), 0x432 + 2 ** 21);
      for (let stream = 0; stream <= BUILT.banks; stream++) {
        model.stream([stream], 'master').translate(0, true);
      }
      write(half + cb.TLBIALL.at, 0);
    },
    release: () => undefined,
  };
});

test('an address goes where the table of the context bank says', t => {
  const { read, write, poke, bench, refused } = runningSmmu();
  t.deepEqual(read(AT), TEXT);
  poke(entryAt(0x5000), page(DATA));
  t.is(write(0x5ffe, 9, 8), TxResult.Ok);
  t.deepEqual(bench.peek(DATA + PAGE_SIZE - 2, 2), [9, 8]);
  t.deepEqual(refused, []);
});

test('without CLIENTPD cleared, and in a bank that is off, addresses pass unchanged', t => {
  const { gr0, bank, read, enable } = runningSmmu();
  t.is(read(DATA + TEXT_OFFSET), TxResult.Error);
  bank.FSR.write(0xffff_ffff);
  gr0.CR0.update({ CLIENTPD: 1 });
  t.deepEqual(read(DATA + TEXT_OFFSET), TEXT);
  gr0.CR0.update({ CLIENTPD: 0 });
  bank.SCTLR.write({ ...enable, M: 0 });
  t.deepEqual(read(DATA + TEXT_OFFSET), TEXT);
});

test('streams are told apart by id and mask, and S2CR says what becomes of them', t => {
  const { gr0, read, guestErrors } = runningSmmu();
  gr0.SMR(0).write({ ID: STREAM % 16, MASK: 0x7ff0, VALID: 1 });
  t.deepEqual(read(AT), TEXT, 'bits of the mask do not count');
  gr0.S2CR(0).write({ TYPE: StreamType.Bypass });
  t.deepEqual(read(DATA + TEXT_OFFSET), TEXT);
  gr0.S2CR(0).write({ TYPE: StreamType.Fault });
  t.is(read(AT), TxResult.Error);
  t.like(gr0.GFSR.read(), { ICF: 1, MULTI: 0 });
  gr0.SMR(0).write({ ID: STREAM, VALID: 0 });
  t.is(read(AT), TxResult.Error, 'no group, and USFCFG');
  t.like(gr0.GFSR.read(), { ICF: 1, USF: 0, MULTI: 1 });
  gr0.GFSR.write(0xffff_ffff);
  read(AT);
  t.like(gr0.GFSR.read(), { USF: 1, MULTI: 0 });
  gr0.CR0.update({ USFCFG: 0 });
  t.deepEqual(read(DATA + TEXT_OFFSET), TEXT, 'without USFCFG it passes');
  t.is(guestErrors.length, 1, 'reserved bits of GFSR');
});

test('a stream of two groups, and a bank that is not there, are faults of the configuration', t => {
  const { gr0, read } = runningSmmu();
  gr0.SMR(7).write({ ID: STREAM, VALID: 1 });
  read(AT);
  t.is(gr0.GFSR.read().SMCF, 1);
  gr0.GFSR.write({ SMCF: 1 });
  gr0.CR0.update({ SMCFCFG: 0 });
  t.deepEqual(read(DATA + TEXT_OFFSET), TEXT);
  gr0.SMR(7).write(0);
  gr0.S2CR(0).write({ CBNDX: BUILT.banks });
  t.is(read(AT), TxResult.Error);
  t.is(gr0.GFSR.read().UCBF, 1);
});

test('a global fault is told with stream and address, and its interrupt ends with it', t => {
  const { gr0, bench, model, globalIrq, refused } = runningSmmu();
  const other = bench.port({ iommu: model.stream([0x77], 'other') });
  t.is(other.write(dmaAddr(2 ** 35 + 8), 1, Uint8Array.of(1)), TxResult.Error);
  t.true(globalIrq.level);
  t.is(gr0.GFSYNR1.read().STREAMID, 0x77);
  t.is(gr0.GFSYNR0.read().WNR, 1);
  t.deepEqual([gr0.GFAR.read().value, gr0.GFAR_HI.read().value], [8, 8]);
  t.like(refused[0], { master: 'other', stream: 0x77, cause: 'abort', write: true });
  gr0.GFSR.write({ USF: 1 });
  t.false(globalIrq.level);
  gr0.CR0.write({ ...GLOBAL_FAULTS, GCFGFRE: 0 });
  t.throws(() => other.read(dmaAddr(0), 1, new Uint8Array(1)), { instanceOf: UnmodelledError });
});

for (const [what, bit, cause, level, prepare] of [
  ['no valid entry', 'TF', 'translation', 3, entryAt(IOVA)],
  ['no table', 'TF', 'translation', 2, ROOT],
] as const) {
  test(`${what}: the transaction aborts, and the bank tells where and why`, t => {
    const { bank, gr1, poke, read, contextIrqs, refused } = runningSmmu();
    poke(prepare, 0);
    t.is(read(AT), TxResult.Error);
    t.is(bank.FSR.read()[bit], 1);
    t.is(bank.FAR.read().value, AT);
    t.like(bank.FSYNR0.read(), { PLVL: level, WNR: 0 });
    t.is(gr1.CBFRSYNRA(BANK).read().SID, STREAM);
    t.deepEqual(
      contextIrqs.map(({ level: raised }) => raised),
      [false, false, true, false],
    );
    t.like(refused[0], { cause, address: AT, stream: STREAM, iommu: 'smmu' });
  });
}

test('permission, access flag, address size and a table where nothing is: each has its bit', t => {
  const { bank, poke, read, write, refused } = runningSmmu();
  const fault = (): string[] => {
    const { TF, PF, AFF, ASF, EF } = bank.FSR.read();
    bank.FSR.write({ TF: 1, PF: 1, AFF: 1, ASF: 1, EF: 1, MULTI: 1 });
    return Object.entries({ TF, PF, AFF, ASF, EF }).flatMap(([k, v]) => (v === 1 ? [k] : []));
  };
  poke(entryAt(0x4000), page(DATA, true));
  t.is(write(0x4004, 1), TxResult.Error);
  t.is(bank.FSYNR0.read().WNR, 1);
  t.deepEqual(fault(), ['PF']);
  t.deepEqual(read(0x4000 + TEXT_OFFSET), TEXT);
  poke(entryAt(0x5000), page(DATA) - (1 << 10));
  t.is(read(0x5000), TxResult.Error);
  t.deepEqual(fault(), ['AFF']);
  bank.TCR2.write({ PASIZE: 0, AS: 1 });
  poke(entryAt(0x6000), page(2 ** 33));
  t.is(read(0x6000), TxResult.Error);
  t.deepEqual(fault(), ['ASF']);
  poke(ROOT + 8, table(Math.ceil(IO_END / PAGE_SIZE) * PAGE_SIZE));
  t.is(read(2 ** 21), TxResult.Error);
  t.deepEqual(fault(), ['EF']);
  t.deepEqual(
    refused.map(({ cause }) => cause),
    ['permission', 'access-flag', 'address-size', 'walk'],
  );
});

test('a transaction is privileged unless S2CR makes it not', t => {
  const { gr0, bank, read, poke } = runningSmmu();
  poke(entryAt(0x4000), page(DATA) - (1 << 6));
  t.deepEqual(read(0x4000 + TEXT_OFFSET), TEXT, 'memory of privileged accesses only');
  const { Unprivileged: PRIVCFG } = PrivilegeConfig;
  gr0.S2CR(0).write({ TYPE: StreamType.Translate, CBNDX: BANK, PRIVCFG });
  t.is(read(0x4000 + TEXT_OFFSET), TxResult.Error);
  t.like(bank.FSYNR0.read(), { PNU: 0, PLVL: 3 });
  bank.FSR.write({ PF: 1 });
  t.deepEqual(read(AT), TEXT);
});

test('after a fault nothing of the bank passes until it is cleared, unless HUPCF lets it', t => {
  const { bank, read, enable, contextIrqs } = runningSmmu();
  t.is(read(0x8000), TxResult.Error);
  t.is(read(AT), TxResult.Error);
  bank.SCTLR.write({ ...enable, HUPCF: 1 });
  t.deepEqual(read(AT), TEXT);
  t.is(read(0x9000), TxResult.Error);
  t.like(bank.FSR.read(), { TF: 1, MULTI: 1 });
  t.is(bank.FAR.read().value, 0x8000, 'the first is kept');
  bank.SCTLR.write(enable);
  bank.FSR.write({ TF: 1, MULTI: 1 });
  t.false(contextIrqs[BANK]?.level);
  t.deepEqual(read(AT), TEXT);
});

test('an entry is used until its invalidation has been synchronised', t => {
  const { bank, poke, read, sync, gr0, pass } = runningSmmu();
  t.deepEqual(read(AT), TEXT);
  poke(entryAt(IOVA), 0);
  const tlbi = (address: number, asid: number): void => {
    bank.TLBIVAL_HI.write(asid * 2 ** 16);
    bank.TLBIVAL.write(address / PAGE_SIZE);
  };
  tlbi(IOVA + PAGE_SIZE, ASID);
  tlbi(IOVA, ASID + 1);
  sync();
  t.deepEqual(read(AT), TEXT, 'another page and another ASID');
  tlbi(IOVA, ASID);
  pass(1000);
  t.deepEqual(read(AT), TEXT, 'nobody has waited for it');
  gr0.TLBGSYNC.write(0);
  t.is(gr0.TLBGSTATUS.read().GSACTIVE, 1);
  pass(100);
  t.is(gr0.TLBGSTATUS.read().GSACTIVE, 0);
  t.is(read(AT), TxResult.Error);
});

test('a bank waits for its own invalidations only, the global registers for all', t => {
  const { cb, bank, poke, read, sync, pass } = runningSmmu();
  read(AT);
  poke(entryAt(IOVA), 0);
  bank.TLBIASID.write({ ASID: ASID + 1 });
  sync();
  bank.TLBIASID.write({ ASID });
  cb(0).TLBSYNC.write(0);
  pass(100);
  t.deepEqual(read(AT), TEXT, 'another ASID, and another bank');
  bank.TLBSYNC.write(0);
  t.is(bank.TLBSTATUS.read().SACTIVE, 1);
  sync();
  t.is(bank.TLBSTATUS.read().SACTIVE, 0);
  t.is(read(AT), TxResult.Error);
});

test('a table that is replaced needs more than the invalidation of last levels', t => {
  const { bank, poke, read, sync } = runningSmmu();
  read(AT);
  poke(ROOT, 0);
  bank.TLBIVAL_HI.write(ASID * 2 ** 16);
  bank.TLBIVAL.write(IOVA / PAGE_SIZE);
  sync();
  t.deepEqual(read(AT), TEXT, 'the step to the table is kept');
  bank.TLBIVA_HI.write(ASID * 2 ** 16);
  bank.TLBIVA.write(IOVA / PAGE_SIZE);
  sync();
  t.is(read(AT), TxResult.Error);
});

for (const [what, command] of [
  [
    'TLBIALL of the bank',
    made => {
      made.bank.TLBIALL.write(0);
    },
  ],
  [
    'TLBIVAA of every ASID',
    made => {
      made.bank.TLBIVAA.write(IOVA / PAGE_SIZE);
    },
  ],
  [
    'TLBIVMID',
    made => {
      made.gr0.TLBIVMID.write({ VMID: 0 });
    },
  ],
  [
    'TLBIALLNSNH',
    made => {
      made.gr0.TLBIALLNSNH.write(0);
    },
  ],
] as readonly (readonly [string, (made: ReturnType<typeof runningSmmu>) => void])[]) {
  test(`${what} ends what was kept`, t => {
    const made = runningSmmu();
    made.read(AT);
    made.poke(ROOT, 0);
    made.poke(entryAt(IOVA), 0);
    command(made);
    made.gr0.TLBGSYNC.write(0);
    made.pass(100);
    t.is(made.read(AT), TxResult.Error);
  });
}

test('every TLB at once: what might have been used instead is told, translations and steps', t => {
  const { poke, read, stale, bank, sync } = runningSmmu(every);
  read(AT);
  poke(entryAt(IOVA), page(DATA + PAGE_SIZE));
  read(AT);
  t.like(stale[0], { what: 'translation', older: DATA + TEXT_OFFSET, address: AT });
  t.is(stale[0]?.newer, DATA + PAGE_SIZE + TEXT_OFFSET);
  stale.length = 0;
  poke(ROOT, 0);
  t.is(read(AT), TxResult.Error);
  t.deepEqual(
    stale.map(({ what, older, newer }) => [what, older, newer]),
    [
      ['walk', LAST_TABLE, null],
      ['translation', DATA + TEXT_OFFSET, null],
      ['translation', DATA + PAGE_SIZE + TEXT_OFFSET, null],
    ],
  );
  stale.length = 0;
  bank.TLBIALL.write(0);
  sync();
  bank.FSR.write({ TF: 1, MULTI: 1 });
  read(AT);
  t.deepEqual(stale, []);
});

test('every TLB at once: who invalidates before the table has changed has invalidated nothing', t => {
  const { poke, read, stale, bank, sync, bench } = runningSmmu(every);
  read(AT);
  const before = bench.touched.length;
  bank.TLBIASID.write({ ASID });
  sync();
  t.is(bench.touched.length, before, 'what is fetched unasked is no event');
  poke(entryAt(IOVA), 0);
  read(AT);
  t.like(stale[0], { what: 'translation', newer: null });
});

test('a bank that stalls: the transfer waits, and goes on when it is resumed', t => {
  const { bank, enable, port, poke, pass, contextIrqs } = runningSmmu();
  bank.SCTLR.write({ ...enable, CFCFG: 1 });
  const into = new Uint8Array(4);
  const results: TxResult[] = [];
  let completed = 0;
  const start = (address: number): void => {
    let result: TxResult = TxResult.Ok;
    port.transfer(
      10,
      () => {
        result = port.read(dmaAddr(address), 4, into);
      },
      () => {
        results.push(result);
        completed++;
      },
    );
    pass(50);
  };
  start(0x8000 + TEXT_OFFSET);
  t.like(bank.FSR.read(), { TF: 1, SS: 1 });
  t.true(contextIrqs[BANK]?.level);
  t.is(completed, 0);
  poke(entryAt(0x8000), page(DATA));
  bank.FSR.write({ TF: 1 });
  t.is(bank.FSR.read().SS, 1, 'it waits still');
  bank.RESUME.write({ TERMINATE: 0 });
  pass(50);
  t.is(bank.FSR.read().SS, 0);
  t.deepEqual([results, [...into]], [[TxResult.Ok], TEXT]);
});

test('a stalled transaction that is terminated aborts, and those behind it are tried', t => {
  const { model, bank, enable, port, pass, refused, guestErrors } = runningSmmu();
  bank.SCTLR.write({ ...enable, CFCFG: 1 });
  const results: [number, TxResult][] = [];
  for (const address of [0x8000, AT]) {
    let result: TxResult = TxResult.Ok;
    const into = new Uint8Array(4);
    port.transfer(
      10,
      () => {
        result = port.read(dmaAddr(address), 4, into);
      },
      () => results.push([address, result]),
    );
  }
  pass(50);
  t.deepEqual(results, []);
  t.throws(() => model.saveState(), { instanceOf: BenchError, message: /bank 2 stalls/ });
  bank.FSR.write({ TF: 1 });
  bank.RESUME.write({ TERMINATE: 1 });
  pass(50);
  t.deepEqual(results, [
    [0x8000, TxResult.Error],
    [AT, TxResult.Ok],
  ]);
  t.deepEqual(
    refused.map(({ cause }) => cause),
    ['stalled-terminated'],
  );
  bank.RESUME.write({ TERMINATE: 1 });
  t.is(guestErrors.length, 1, 'nothing is stalled any more');
});
