import test from 'ava';
import { TxResult } from '../../../drivers/base/hw/mmio';
import { dmaAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { BenchError, UnmodelledError } from '../../../drivers/base/types/errors';
import {
  cfgiAll,
  cfgiCd,
  cfgiSte,
  prefetchConfig,
  sync,
  tlbiAsid,
  tlbiIpa,
  tlbiNsnhAll,
  tlbiVa,
  tlbiVmid,
} from '../../../drivers/iommu/arm-smmu-v3/driver/commands';
import { SMMU_V3 } from '../../../drivers/iommu/arm-smmu-v3/regs';
import { COMMAND, Opcode } from '../../../drivers/iommu/arm-smmu-v3/regs/commands';
import { EVENT, EventClass, EventId } from '../../../drivers/iommu/arm-smmu-v3/regs/events';
import { CD, STE, SteConfig } from '../../../drivers/iommu/arm-smmu-v3/regs/tables';
import type { Words } from '../../../drivers/iommu/arm-smmu-v3/regs/words';
import { deviceModelConformance } from '../../conformance/device-model';
import { RAM_BASE, RAM_SIZE } from '../../support/dma-bench';
import {
  ASID,
  AT,
  AT_DATA,
  DATA,
  DATA_PAGE,
  SID,
  SmmuV3Bench,
  SmmuV3Silicon,
  VMID,
  running,
  translating,
} from '../../support/smmu-v3-bench';

deviceModelConformance(test, 'smmu-v3', () => {
  const { bench, guestErrors, model } = new SmmuV3Silicon();
  return {
    device: model,
    windows: [{ sheet: SMMU_V3, region: 0, offset: 0 }],
    irqs: [],
    guestErrors,
    dynamic: ['smmu-v3.GBPA'],
    stir: bus => {
      bus.write(SMMU_V3.registers.CR2.at, 4, 2);
      bus.write(SMMU_V3.registers.STRTAB_BASE_LO.at, 4, AT.streams);
      bus.write(SMMU_V3.registers.CR0.at, 4, 1);
      bench.events.advanceTo(bench.events.nextTime() ?? bench.events.now);
      model.stream([0], 'master').translate(0, false);
    },
    release: () => undefined,
  };
});

test('a stream passes, is refused, or is translated, as its entry says', t => {
  const made = running();
  made.abort();
  t.is(made.read(AT.data), TxResult.Error);
  t.deepEqual(made.events(), [], 'which is no event');
  made.bypass();
  made.command(cfgiSte(SID), sync(null));
  t.deepEqual(made.read(AT.data), DATA);
  made.stage1().page(1, DATA_PAGE);
  made.command(cfgiSte(SID), sync(null));
  t.deepEqual(made.read(AT_DATA), DATA);
  made.stage2().page(1, DATA_PAGE, { stage: 2 });
  made.command(cfgiSte(SID), sync(null));
  t.deepEqual(made.read(AT_DATA), DATA);
  t.is(made.read(AT.data), TxResult.Error);
  t.deepEqual(made.guestErrors, []);
});

test('while it is off, GBPA says what transactions meet', t => {
  const made = new SmmuV3Bench();
  const { GBPA } = made.regs;
  made.bench.poke(AT.data, DATA);
  t.deepEqual(made.read(AT.data), DATA);
  GBPA.write({ ABORT: 1 });
  t.is(made.guestErrors.length, 1, 'a write that is no update is ignored');
  t.is(GBPA.read().ABORT, 0);
  GBPA.write({ ABORT: 1, UPDATE: 1 });
  t.is(GBPA.read().UPDATE, 1);
  t.deepEqual(made.read(AT.data), DATA);
  made.pass(100);
  t.like(GBPA.read(), { ABORT: 1, UPDATE: 0 });
  t.is(made.read(AT.data), TxResult.Error);
});

test('CR0 and IRQ_CTRL take effect when they are acknowledged; what is on is not moved', t => {
  const made = new SmmuV3Bench();
  const { regs } = made;
  regs.CR0.write({ SMMUEN: 1, CMDQEN: 1 });
  t.is(regs.CR0ACK.read().SMMUEN, 0);
  t.throws(() => made.model.saveState(), { instanceOf: BenchError });
  made.pass(100);
  t.like(regs.CR0ACK.read(), { SMMUEN: 1, CMDQEN: 1, EVENTQEN: 0 });
  regs.STRTAB_BASE_LO.write(AT.streams);
  regs.CMDQ_CONS.write({ RD: 3 });
  regs.EVENTQ_PROD.write({ WR: 3 });
  t.is(made.guestErrors.length, 2);
  t.deepEqual([regs.STRTAB_BASE_LO.read().value, regs.CMDQ_CONS.read().RD], [0, 0]);
  t.is(regs.EVENTQ_PROD.read().WR, 3);
});

/** What is asked of the record of a fault. */
interface Expected {
  readonly id: EventId;
  readonly fields?: Partial<Record<Exclude<keyof typeof EVENT, 'SIZE' | 'WORDS'>, number>>;
}

const INPUT = { CLASS: EventClass.Input, RNW: 1, S2: 0, STALL: 0, INPUT: AT_DATA };

const FAULTS: readonly (readonly [string, (made: SmmuV3Bench) => void, Expected])[] = [
  ['no entry (C_BAD_STE)', () => undefined, { id: EventId.BadSte }],
  [
    'an entry of stage 1 behind stage 2 (C_BAD_STE)',
    made => {
      made.stage2(ste => {
        STE.CONFIG.put(ste, SteConfig.Nested);
      });
    },
    { id: EventId.BadSte },
  ],
  [
    'an entry of the EL2 world (C_BAD_STE)',
    made => {
      made.stage1();
      const ste = made.words(AT.streams + STE.SIZE * SID, STE.WORDS);
      STE.STRW.put(ste, 2);
      made.ste(ste);
    },
    { id: EventId.BadSte },
  ],
  [
    'tables of stage 2 that start too high (C_BAD_STE)',
    made =>
      made.stage2(ste => {
        STE.S2SL0.put(ste, 2);
      }),
    { id: EventId.BadSte },
  ],
  [
    'a CD that is not valid (C_BAD_CD)',
    made =>
      made.stage1(cd => {
        CD.V.put(cd, 0);
      }),
    { id: EventId.BadCd },
  ],
  [
    'a CD that stalls where the stream may not (C_BAD_CD)',
    made =>
      made.stage1(cd => {
        CD.S.put(cd, 1);
      }),
    { id: EventId.BadCd },
  ],
  [
    'no CD where nobody answers (F_CD_FETCH)',
    made => {
      made.stage1();
      const ste = made.words(AT.streams + STE.SIZE * SID, STE.WORDS);
      STE.S1CTXPTR.put(ste, RAM_BASE + RAM_SIZE);
      made.ste(ste);
    },
    { id: EventId.CdFetch, fields: { FETCH: RAM_BASE + RAM_SIZE } },
  ],
  [
    'no table where nobody answers (F_WALK_EABT)',
    made =>
      made.stage1(cd => {
        CD.TTB0.put(cd, RAM_BASE + RAM_SIZE);
      }),
    {
      id: EventId.WalkExternalAbort,
      fields: { CLASS: EventClass.TranslationTable, FETCH: RAM_BASE + RAM_SIZE, INPUT: AT_DATA },
    },
  ],
  [
    'no translation (F_TRANSLATION)',
    made => made.stage1(),
    { id: EventId.Translation, fields: INPUT },
  ],
  [
    'tables that are switched off (F_TRANSLATION)',
    made =>
      made
        .stage1(cd => {
          CD.EPD0.put(cd, 1);
        })
        .page(1, DATA_PAGE),
    { id: EventId.Translation, fields: INPUT },
  ],
  [
    'no translation of stage 2 (F_TRANSLATION)',
    made => made.stage2(),
    { id: EventId.Translation, fields: { ...INPUT, S2: 1, IPA: PAGE_SIZE } },
  ],
  [
    'an entry that was not accessed (F_ACCESS)',
    made => made.stage1().page(1, DATA_PAGE, { accessed: false }),
    { id: EventId.AccessFlag, fields: INPUT },
  ],
  [
    'an entry beyond the output addresses (F_ADDR_SIZE)',
    made =>
      made.stage1(cd => {
        CD.IPS.put(cd, 0);
        CD.TTB0.put(cd, 2 ** 33);
      }),
    { id: EventId.AddressSize, fields: INPUT },
  ],
];

for (const [what, prepare, { id, fields }] of FAULTS) {
  test(`a transaction that finds ${what} is refused, and that is recorded`, t => {
    const made = running();
    prepare(made);
    t.is(made.read(AT_DATA), TxResult.Error);
    const [record, ...others] = made.events();
    t.deepEqual(others, []);
    if (record === undefined) {
      t.fail('no record');
      return;
    }
    t.is(EVENT.ID.of(record), id);
    t.is(EVENT.SID.of(record), SID);
    for (const [name, value] of Object.entries(fields ?? {})) {
      t.is(EVENT[name as keyof typeof INPUT].of(record), value, name);
    }
    t.deepEqual(made.interrupts, ['eventq']);
    t.like(made.refused, { length: 1, 0: { master: 'master', stream: SID, address: AT_DATA } });
  });
}

test('a write that is not permitted is F_PERMISSION, a stream beyond the table C_BAD_STREAMID', t => {
  const made = running().stage1().page(1, DATA_PAGE, { write: false });
  t.is(made.port().write(dmaAddr(AT_DATA), 4, new Uint8Array(4)), TxResult.Error);
  t.is(made.read(AT_DATA, 4), TxResult.Error);
  const ids = made.events().map(record => [EVENT.ID.of(record), EVENT.RNW.of(record)]);
  t.deepEqual(ids, [
    [EventId.Permission, 0],
    [EventId.BadStreamId, 0],
  ]);
  made.regs.CR2.write({ RECINVSID: 0 });
  t.is(made.read(AT_DATA, 4), TxResult.Error);
  t.deepEqual(made.events(), []);
  t.deepEqual(
    made.refused.map(({ cause }) => cause),
    ['permission', 'abort', 'abort'],
  );
});

test('what no register can switch on is a loud error', t => {
  for (const change of [
    (cd: Words): void => {
      CD.AA64.put(cd, 0);
    },
    (cd: Words): void => {
      CD.EPD1.put(cd, 0);
    },
    (cd: Words): void => {
      CD.TBI0.put(cd, 1);
    },
  ]) {
    const made = running().stage1(change);
    t.throws(() => made.read(AT_DATA), { instanceOf: UnmodelledError });
  }
  const made = running().stage2(ste => {
    STE.S2AA64.put(ste, 0);
  });
  t.throws(() => made.read(AT_DATA), { instanceOf: UnmodelledError });
});

test('a stream table of two levels has the streams that its spans say', t => {
  const made = translating().twoLevels(3);
  t.deepEqual(made.read(AT_DATA), DATA);
  t.is(made.read(AT_DATA, 4), TxResult.Error, 'beyond the span');
  t.is(made.read(AT_DATA, 256), TxResult.Error, 'an entry without a span');
  const ids = made.events().map(record => EVENT.ID.of(record));
  t.deepEqual(ids, [EventId.BadStreamId, EventId.BadStreamId]);
});

test('a transaction over two pages follows both, and a contiguous answer holds to its end', t => {
  const made = translating().page(2, AT.pages);
  const into = new Uint8Array(PAGE_SIZE);
  t.is(made.port().read(dmaAddr(PAGE_SIZE + 0x800), PAGE_SIZE, into), TxResult.Ok);
  t.deepEqual([...into.subarray(0, 4)], DATA);
  t.is(into[0x800 + 8], made.bench.peek(AT.pages + 8, 1)[0]);
});

/** Commands, and whether each ends a translation of stage 1 and of stage 2. */
const INVALIDATIONS: readonly (readonly [string, Words, boolean, boolean])[] = [
  ['TLBI_NH_VA', tlbiVa(ASID, PAGE_SIZE, true), true, false],
  ['TLBI_NH_VA of another address', tlbiVa(ASID, 2 * PAGE_SIZE, false), false, false],
  ['TLBI_NH_VA of another ASID', tlbiVa(ASID + 1, PAGE_SIZE, false), false, false],
  ['TLBI_NH_ASID', tlbiAsid(ASID), true, false],
  ['TLBI_NH_ASID of another', tlbiAsid(ASID + 1), false, false],
  ['TLBI_S2_IPA', tlbiIpa(VMID, PAGE_SIZE, false), false, true],
  ['TLBI_S2_IPA of another VMID', tlbiIpa(VMID + 1, PAGE_SIZE, false), false, false],
  ['TLBI_S12_VMALL', tlbiVmid(VMID), false, true],
  ['TLBI_NSNH_ALL', tlbiNsnhAll(), true, true],
  ['TLBI_NH_ALL', Uint32Array.of(Opcode.TlbiNhAll, 0, 0, 0), true, false],
  ['TLBI_NH_VAA', Uint32Array.of(Opcode.TlbiNhVaa, 0, PAGE_SIZE, 0), true, false],
  ['CFGI_ALL', cfgiAll(), false, false],
];

for (const [what, command, endsStage1, endsStage2] of INVALIDATIONS) {
  const ends = [endsStage1 ? 'stage 1' : '', endsStage2 ? 'stage 2' : '']
    .filter(Boolean)
    .join(' and ');
  test(`${what} ends translations of ${ends || 'neither stage'}, once a CMD_SYNC has followed`, t => {
    for (const [stage, isEnded] of [
      [1, endsStage1],
      [2, endsStage2],
    ] as const) {
      const made = running();
      if (stage === 1) made.stage1();
      else made.stage2();
      made.page(1, DATA_PAGE, { stage });
      t.deepEqual(made.read(AT_DATA), DATA);
      made.page(1, null);
      made.command(command);
      t.deepEqual(made.read(AT_DATA), DATA, 'not before');
      made.command(sync(null));
      t.deepEqual(made.read(AT_DATA), isEnded ? TxResult.Error : DATA, `stage ${stage}`);
    }
  });
}

test('CFGI_STE ends what the CD said that was found through the entry', t => {
  const made = translating();
  t.deepEqual(made.read(AT_DATA), DATA);
  made.put(AT.cd, new Uint32Array(CD.WORDS));
  t.deepEqual(made.read(AT_DATA), DATA);
  made.command(cfgiSte(SID), sync(null));
  t.is(made.read(AT_DATA), TxResult.Error);
});

test('CMD_PREFETCH_CONFIG fetches what a stream has as a transaction would, and it is kept', t => {
  const made = translating();
  made.command(prefetchConfig(SID));
  for (const at of [AT.streams + STE.SIZE * SID, AT.cd]) {
    t.true(made.bench.touched.includes(made.bench.ram.wordOf(at)));
  }
  made.abort();
  t.deepEqual(made.read(AT_DATA), DATA);
});

test('an entry, and a CD found through it, are kept until CFGI; a CD alone until CFGI_CD', t => {
  const made = translating();
  t.deepEqual(made.read(AT_DATA), DATA);
  const cd = made.words(AT.cd, CD.WORDS);
  CD.V.put(cd, 0);
  made.put(AT.cd, cd);
  made.command(cfgiSte(SID + 1), sync(null));
  t.deepEqual(made.read(AT_DATA), DATA);
  made.command(cfgiCd(SID), sync(null));
  t.is(made.read(AT_DATA), TxResult.Error);
  made.abort();
  made.stage1();
  made.command(cfgiAll(), sync(null));
  t.deepEqual(made.read(AT_DATA), DATA);
  made.abort();
  t.deepEqual(made.read(AT_DATA), DATA);
  made.command(cfgiSte(SID), sync(null));
  t.is(made.read(AT_DATA), TxResult.Error);
});

test('under all: a translation that is used after its table has changed is stale until TLBI and SYNC', t => {
  const made = translating({ isChecked: true });
  t.deepEqual(made.read(AT_DATA), DATA);
  t.deepEqual(made.stale, []);
  made.page(1, null);
  const isStale = (): boolean => {
    made.read(AT_DATA);
    made.events();
    return made.stale.splice(0).length > 0;
  };
  t.true(isStale(), 'no TLBI');
  made.command(tlbiVa(ASID, PAGE_SIZE, true));
  t.true(isStale(), 'no SYNC');
  made.command(sync(null));
  t.false(isStale());
});

test('under all: what was invalidated before the table changed may have been fetched again', t => {
  const made = translating({ isChecked: true });
  made.read(AT_DATA);
  made.command(tlbiVa(ASID, PAGE_SIZE, true), sync(null));
  made.page(1, null);
  made.read(AT_DATA);
  t.deepEqual(
    made.stale.map(({ what, older, newer }) => [what, older, newer]),
    [['translation', AT.data, null]],
  );
});

test('under all: a table that a kept step leads to is stale, and so is what a stream was told', t => {
  const made = translating({ isChecked: true });
  made.read(AT_DATA);
  made.put(AT.root, Uint32Array.of(0, 0));
  made.command(tlbiVa(ASID, PAGE_SIZE, true), sync(null));
  made.read(AT_DATA);
  t.true(
    made.stale.splice(0).some(({ what }) => what === 'walk'),
    'a leaf alone was invalidated',
  );
  made.command(tlbiVa(ASID, PAGE_SIZE, false), sync(null));
  made.read(AT_DATA);
  t.deepEqual(made.stale, []);
  made.bypass();
  made.read(AT.data);
  t.deepEqual(
    made.stale.splice(0).map(({ what, newer }) => [what, newer]),
    [['configuration', AT.data]],
  );
  made.command(cfgiSte(SID), sync(null));
  made.read(AT.data);
  t.deepEqual(made.stale, []);
});

test('a snapshot has what is kept and what was commanded', t => {
  const made = translating();
  made.read(AT_DATA);
  made.page(1, null);
  made.command(tlbiNsnhAll());
  const state = made.model.saveState();
  made.model.reset.pulse();
  t.is(made.regs.CR0ACK.read().SMMUEN, 0);
  made.model.restoreState(state);
  t.deepEqual(made.read(AT_DATA), DATA, 'still kept');
  made.regs.CMDQ_PROD.write({ WR: 2 });
  made.put(AT.commands + COMMAND.SIZE, sync(null));
  made.pass(20);
  t.is(made.read(AT_DATA), TxResult.Error, 'and still commanded');
});
