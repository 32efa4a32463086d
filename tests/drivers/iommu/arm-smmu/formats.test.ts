import test from 'ava';
import { TxResult } from '../../../../drivers/base/hw/mmio';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { BenchError, UnmodelledError } from '../../../../drivers/base/types/errors';
import { integrationOf } from '../../../../drivers/iommu/arm-smmu/model/integration';
import type {
  SmmuDescription,
  SmmuIntegration,
} from '../../../../drivers/iommu/arm-smmu/model/integration';
import { BankType, StreamType } from '../../../../drivers/iommu/arm-smmu/regs';
import {
  BANK,
  BUILT,
  DATA,
  GLOBAL_FAULTS,
  INPUT_BITS,
  LAST_TABLE,
  ROOT,
  STREAM,
  TEXT,
  TEXT_OFFSET,
  entryAt,
  lru,
  page,
  poweredSmmu,
  runningSmmu,
  table,
} from './bench';
import type { RunningSmmu } from './bench';

const built = (description: Partial<SmmuDescription>): SmmuIntegration => {
  const made = integrationOf({
    compatible: 'arm,mmu-401',
    windowSize: 0x1_0000,
    contextInterrupts: 1,
    coherentWalk: false,
    ...description,
  });
  if (made === null) throw new Error('no integration');
  return made;
};

/** One with STREAM in BANK, of this type; nothing else is set. */
const bound = (type: number, integration = BUILT): Omit<RunningSmmu, 'enable' | 'sync'> => {
  const made = poweredSmmu(lru(4), integration);
  const { gr0, gr1, cb, bench } = made;
  gr0.SMR(0).write({ ID: STREAM, VALID: 1 });
  gr0.S2CR(0).write({ TYPE: StreamType.Translate, CBNDX: BANK });
  gr1.CBAR(BANK).write({ TYPE: type, VMID: 3 });
  gr0.CR0.write(GLOBAL_FAULTS);
  bench.poke(DATA + TEXT_OFFSET, TEXT);
  return { ...made, bank: cb(BANK) };
};

const ON = { M: 1, CFRE: 1, CFIE: 1 };

test('short descriptors: TTBCR.N divides between TTBR0 and TTBR1', t => {
  const { bank, poke, read, write } = bound(BankType.Stage1);
  bank.TCR.write(7);
  bank.TTBR0.write(ROOT);
  bank.TTBR1.write(LAST_TABLE);
  bank.CONTEXTIDR.write({ ASID: 9 });
  bank.SCTLR.write(ON);
  // A table of 1 KiB at the end of the first page; entry 0x30 is a small page, AP 011.
  poke(ROOT, LAST_TABLE + 0xc00 + 1, 4);
  poke(LAST_TABLE + 0xc00 + 4 * 0x30, DATA + 0x32, 4);
  t.deepEqual(read(0x3_0000 + TEXT_OFFSET), TEXT);
  poke(LAST_TABLE + 0xc00 + 4 * 0x30, DATA + 0x232, 4);
  bank.TLBIVAL.write(0x3_0000 + 9);
  bank.TLBSYNC.write(0);
  t.is(bank.TLBSTATUS.read().SACTIVE, 1);
  t.is(write(0x3_0000, 1), TxResult.Ok, 'kept');
  poke(LAST_TABLE + 4 * 32, LAST_TABLE + 0xc00 + 1, 4);
  t.deepEqual(read(2 ** 25 + 0x3_0000 + TEXT_OFFSET), TEXT, 'through TTBR1');
});

test('short descriptors: an entry that was invalidated is walked for again', t => {
  const { bank, poke, write, pass } = bound(BankType.Stage1);
  bank.TCR.write(7 + (1 << 5));
  bank.TTBR0.write(ROOT);
  bank.CONTEXTIDR.write({ ASID: 9 });
  bank.SCTLR.write(ON);
  poke(ROOT, LAST_TABLE + 0xc00 + 1, 4);
  poke(LAST_TABLE + 0xc00 + 4 * 0x30, DATA + 0x32, 4);
  t.is(write(0x3_0000, 1), TxResult.Ok);
  poke(LAST_TABLE + 0xc00 + 4 * 0x30, DATA + 0x232, 4);
  for (const asid of [8, 9]) {
    bank.TLBIVAL.write(0x3_0000 + asid);
    bank.TLBSYNC.write(0);
    pass(100);
    t.is(write(0x3_0000, 1), asid === 9 ? TxResult.Error : TxResult.Ok);
  }
  t.like(bank.FSR.read(), { PF: 1 });
  t.is(bank.FSYNR0.read().PLVL, 2);
  bank.FSR.write({ PF: 1 });
  t.is(write(2 ** 25, 1), TxResult.Error, 'PD1');
  t.is(bank.FSR.read().TF, 1);
});

test('long descriptors of 32-bit addresses: the ASID has eight bits, TTBR1 is not modelled', t => {
  const { bank, poke, read, pass } = bound(BankType.Stage1);
  bank.TCR.write(2 ** 31 + 2 ** 23 + 7);
  bank.TTBR0_HI.write(0x44 * 2 ** 16);
  bank.TTBR0.write(ROOT);
  bank.SCTLR.write(ON);
  poke(ROOT, table(LAST_TABLE));
  poke(entryAt(0x3000), page(DATA));
  t.deepEqual(read(0x3000 + TEXT_OFFSET), TEXT);
  poke(entryAt(0x3000), 0);
  bank.TLBIVAL.write(0x3000 + 0x44);
  bank.TLBSYNC.write(0);
  pass(100);
  t.is(read(0x3000), TxResult.Error);
  bank.FSR.write({ TF: 1 });
  bank.TCR.write(2 ** 31 + 7);
  t.throws(() => read(0x3000), { instanceOf: UnmodelledError, message: /TTBR1/ });
});

for (const [what, integration, vtcr] of [
  ['version 2', BUILT, 64 - 25 + (2 << 16) + (0 << 6)],
  ['version 1', built({}), 7 + (0 << 6)],
] as const) {
  test(`stage 2 of ${what}: intermediate addresses, by VMID`, t => {
    const { bank, gr0, gr1, poke, read, write, pass, guestErrors } = bound(
      BankType.Stage2,
      integration,
    );
    if (integration.version === 2) gr1.CBA2R(BANK).write({ VA64: 1 });
    bank.TCR.write(vtcr);
    bank.TTBR0.write(ROOT);
    bank.SCTLR.write(ON);
    poke(ROOT, table(LAST_TABLE));
    // Memory that may be read (S2AP), accessed already.
    poke(entryAt(0x3000), DATA + 3 + (1 << 6) + (1 << 10));
    t.deepEqual(read(0x3000 + TEXT_OFFSET), TEXT);
    t.is(write(0x3000, 1), TxResult.Error);
    bank.FSR.write({ PF: 1 });
    poke(entryAt(0x3000), 0);
    const ends = (): boolean => {
      gr0.TLBGSYNC.write(0);
      pass(100);
      return read(0x3000 + TEXT_OFFSET) === TxResult.Error;
    };
    gr0.TLBIVMID.write({ VMID: 2 });
    t.false(ends());
    t.deepEqual(guestErrors, []);
    bank.TLBIASID.write(0);
    t.regex(guestErrors.splice(0)[0] ?? '', /TLBIASID of stage 1/);
    if (integration.version === 2) bank.TLBIIPAS2L.write(3);
    else gr0.TLBIVMID.write({ VMID: 3 });
    t.true(ends());
  });
}

test('AArch64: TTBR1 translates the last addresses, and a range without a table faults', t => {
  const { bank, poke, read, pass } = runningSmmu();
  const tcr = 64 - INPUT_BITS + ((64 - INPUT_BITS) << 16) + 2 * 2 ** 30;
  bank.TCR.write(tcr);
  bank.TTBR1.write(ROOT);
  bank.TTBR1_HI.write(0);
  const upper = 2 ** 52 - 2 ** INPUT_BITS;
  poke(entryAt(0x3000), page(DATA));
  t.deepEqual(read(upper + 0x3000 + TEXT_OFFSET), TEXT);
  poke(entryAt(0x3000), 0);
  bank.TLBIVAA_HI.write(0xfff);
  bank.TLBIVAA.write((2 ** 44 - 2 ** (INPUT_BITS - 12) + 3) % 2 ** 32);
  bank.TLBSYNC.write(0);
  pass(100);
  t.is(read(upper + 0x3000), TxResult.Error);
  bank.FSR.write({ TF: 1 });
  bank.TCR.write(tcr + 2 ** 7);
  t.is(read(0x3000), TxResult.Error, 'EPD0');
  t.is(bank.FSYNR0.read().PLVL, 0);
});

test('version 1: banks share interrupts as CBAR says, and have no stage 1', t => {
  const { bank, gr0, gr1, cb, bench, model, contextIrqs, guestErrors } = bound(
    BankType.Stage2,
    built({ contextInterrupts: 4 }),
  );
  const levels = (): boolean[] => contextIrqs.map(({ level }) => level);
  gr1.CBAR(BANK).write({ TYPE: BankType.Stage2, IRPTNDX: 3 });
  gr1.CBAR(1).write({ TYPE: BankType.Stage2, IRPTNDX: 3 });
  gr0.SMR(1).write({ ID: 1, VALID: 1 });
  gr0.S2CR(1).write({ CBNDX: 1 });
  for (const index of [1, BANK]) cb(index).SCTLR.write(ON);
  const port = bench.port({ iommu: model.stream([1], 'other') });
  t.is(port.read(dmaAddr(0), 1, new Uint8Array(1)), TxResult.Error);
  t.deepEqual(levels(), [false, false, false, true]);
  model.stream([STREAM], 'master').translate(0, false);
  cb(1).FSR.write({ EF: 1 });
  t.deepEqual(levels(), [false, false, false, true]);
  bank.FSR.write({ EF: 1 });
  t.deepEqual(levels(), [false, false, false, false]);
  gr1.CBA2R(0).write({ VA64: 1 });
  t.is(gr1.CBA2R(0).read().value, 0);
  t.regex(guestErrors[0] ?? '', /CBA2R in version 1/);
  t.like(gr0.IDR0.read(), { S1TS: 0, S2TS: 1, NUMSMRG: 32, NUMIRPT: 4, SMS: 1, CTTW: 0 });
  t.like(gr0.IDR1.read(), { NUMCB: 8, NUMS2CB: 8, PAGESIZE: 0, NUMPAGENDXB: 2 });
});

test('streams that are not matched index S2CR, and groups that are not there stay empty', t => {
  const indexing = { ...BUILT, isMatching: false, groups: 64, streamIdBits: 6 };
  const { gr0, gr1, bench, cb, poke, guestErrors } = poweredSmmu(lru(4), indexing);
  gr0.S2CR(STREAM).write({ TYPE: StreamType.Translate, CBNDX: BANK });
  gr1.CBAR(BANK).write({ TYPE: BankType.Stage2 });
  gr1.CBA2R(BANK).write({ VA64: 1 });
  gr0.CR0.write(GLOBAL_FAULTS);
  cb(BANK).SCTLR.write(ON);
  t.deepEqual(guestErrors, []);
  gr0.SMR(0).write({ VALID: 1 });
  gr0.S2CR(64).write({ CBNDX: 1 });
  t.is(guestErrors.length, 2);
  t.is(gr0.S2CR(64).read().value, 0);
  poke(ROOT, 0);
  t.deepEqual(bench.touched, []);
});

test('ACTLR is locked until ACR is unlocked, and nested translation is not modelled', t => {
  const { bank, gr0, gr1, read } = runningSmmu();
  bank.ACTLR.write({ CPRE: 0 });
  t.is(bank.ACTLR.read().CPRE, 1);
  gr0.ACR.update({ CACHE_LOCK: 0 });
  bank.ACTLR.write({ CPRE: 0 });
  t.is(bank.ACTLR.read().CPRE, 0);
  gr1.CBAR(BANK).write({ TYPE: BankType.Nested });
  t.throws(() => read(0x3000), { instanceOf: UnmodelledError, message: /stage 2 behind stage 1/ });
});

test('a sync under way cannot be saved, and reset ends it', t => {
  const { model, bank, read, bench, bus } = runningSmmu();
  read(0x3000);
  bank.TLBSYNC.write(0);
  t.throws(() => model.saveState(), { instanceOf: BenchError, message: /TLB sync/ });
  model.reset.pulse();
  t.is(bench.events.pending, 0);
  t.deepEqual(read(DATA + TEXT_OFFSET), TEXT, 'CLIENTPD');
  t.is(bus.read(PAGE_SIZE * BUILT.pages * 2, 4) < 0, true);
  t.throws(() => model.stream([2 ** 15], 'master'), { instanceOf: BenchError });
});

test('a window and its interrupts say how many context banks there are, and how large a page is', t => {
  const of = (compatible: string, windowSize: number, contextInterrupts: number): unknown => {
    const made = integrationOf({ compatible, windowSize, contextInterrupts, coherentWalk: false });
    return made && [made.pageSize, made.pages, made.banks];
  };
  t.deepEqual(of('arm,mmu-500', 0x80_0000, 64), [0x1_0000, 64, 64], 'LS1028A');
  t.deepEqual(of('arm,mmu-500', 0x10_0000, 80), [0x1000, 128, 80], 'SC7180');
  t.deepEqual(of('arm,mmu-500', 0x10_0000, 8), [0x1_0000, 8, 8], 'Armada 7040');
  t.deepEqual(of('qcom,smmu-v2', 0x1_0000, 3), [0x1000, 8, 3], 'MSM8998');
  t.deepEqual(of('arm,mmu-401', 0x1_0000, 1), [0x1000, 8, 8], 'Juno');
  t.is(of('arm,mmu-500', 0x1_0000, 9), null, 'no room');
  t.is(of('arm,mmu-500', 0x1_0000, 0), null);
  t.is(of('arm,mmu-500', 0x1_8000, 4), null);
});
