import test from 'ava';
import {
  abortSte,
  bypassSte,
  cdTableSte,
  stage1Cd,
  stage2Ste,
  usedByCd,
  usedBySte,
} from '../../../drivers/iommu/arm-smmu-v3/driver/entries';
import type { EntryOptions } from '../../../drivers/iommu/arm-smmu-v3/driver/entries';
import { writeEntry } from '../../../drivers/iommu/arm-smmu-v3/driver/update';
import { CD, S1Dss, STE } from '../../../drivers/iommu/arm-smmu-v3/regs/tables';
import type { Words } from '../../../drivers/iommu/arm-smmu-v3/regs/words';

/*
 * Linux's 22 cases of arm-smmu-v3-test.c, by their names. What the hardware may fetch at each moment is
 * every mixture of the 64-bit words that were stored since the last sync: each must be the old entry
 * or the new one, as far as the hardware looks at it; or, where that cannot be, not valid.
 */

const PLAIN: EntryOptions = { stallsExist: true, mayStall: false, attributesOverride: true };
const STALLING: EntryOptions = { ...PLAIN, mayStall: true };
const TABLE = 0x1234_5000_0040;

const tcr = { tsz: 16, tg: 0, irgn: 1, orgn: 1, sh: 3, ips: 5 };
const s1 = { ttbr: 0xdead_beef_d000, tcr, mair: 0xff44_0c04, mairHigh: 0xf4 };
const vtcr = { tsz: 16, sl: 2, tg: 0, irgn: 1, orgn: 1, sh: 3, ps: 5 };
const s2 = { vttbr: 0xbeef_dead_d000, vtcr };

const STES = {
  abort: abortSte(),
  bypass: bypassSte(PLAIN),
  cdtable: cdTableSte(TABLE, PLAIN, { cdMax: 4 }),
  s1dssBypass: cdTableSte(TABLE, PLAIN, { cdMax: 4, s1dss: S1Dss.Bypass }),
  s1Stall: cdTableSte(TABLE, STALLING, { cdMax: 4 }),
  s2: stage2Ste(s2, 0, PLAIN),
  s2Stall: stage2Ste(s2, 0, STALLING),
  otherCdtable: cdTableSte(TABLE + 0x1000, PLAIN, { cdMax: 4, s1dss: S1Dss.Terminate }),
};

const noCd = (): Words => new Uint32Array(CD.WORDS);
/** As for a process that has exited: its table is not looked at any more. */
const releasedCd = (): Words => {
  const cd = stage1Cd(s1, 778, PLAIN);
  for (const field of [CD.T0SZ, CD.TG0, CD.IR0, CD.OR0, CD.SH0, CD.TTB0]) field.put(cd, 0);
  CD.EPD0.put(cd, 1);
  return cd;
};

/** Words of an entry as far as hardware looks at them. */
const seen = (entry: Words, used: (entry: Words) => Words): string => {
  const mask = used(entry);
  return entry.map((word, i) => word & (mask[i] ?? 0)).join();
};

/** All entries that hardware may fetch that saw `before` last, with some of these words changed. */
const mixtures = (before: Words, after: Words): Words[] => {
  const changed = [0, 1, 2, 3, 4, 5, 6, 7].filter(dword =>
    [0, 1].some(half => before[2 * dword + half] !== after[2 * dword + half]),
  );
  return Array.from({ length: 2 ** changed.length }, (_, chosen) =>
    before.map((word, i) => {
      const at = changed.indexOf(i >> 1);
      return at >= 0 && ((chosen >> at) & 1) === 1 ? (after[i] ?? 0) : word;
    }),
  );
};

interface Outcome {
  readonly syncs: number;
  /** What was seen that is neither the old entry nor the new one. */
  readonly others: readonly Words[];
  readonly end: Words;
}

const change = (from: Words, to: Words, used: (entry: Words) => Words): Outcome => {
  const memory = from.slice();
  let synced = from.slice();
  let syncs = 0;
  const others: Words[] = [];
  const known = [seen(from, used), seen(to, used)];
  writeEntry(from.slice(), to, {
    used,
    store: (dword, low, high) => {
      memory[2 * dword] = low;
      memory[2 * dword + 1] = high;
    },
    sync: () => {
      others.push(...mixtures(synced, memory).filter(entry => !known.includes(seen(entry, used))));
      synced = memory.slice();
      syncs++;
    },
  });
  return { syncs, others, end: memory };
};

const { abort, bypass, cdtable, s1dssBypass, s2: stage2 } = STES;
const cd = stage1Cd(s1, 778, PLAIN);

const HITLESS: readonly (readonly [name: string, from: Words, to: Words, syncs: number])[] = [
  ['ste_test_bypass_to_abort', bypass, abort, 2],
  ['ste_test_abort_to_bypass', abort, bypass, 2],
  ['ste_test_cdtable_to_abort', cdtable, abort, 2],
  ['ste_test_abort_to_cdtable', abort, cdtable, 2],
  ['ste_test_cdtable_to_bypass', cdtable, bypass, 3],
  ['ste_test_bypass_to_cdtable', bypass, cdtable, 3],
  ['ste_test_cdtable_s1dss_change', cdtable, s1dssBypass, 1],
  ['ste_test_s1dssbypass_to_stebypass', s1dssBypass, bypass, 2],
  ['ste_test_stebypass_to_s1dssbypass', bypass, s1dssBypass, 2],
  ['ste_test_s2_to_abort', stage2, abort, 2],
  ['ste_test_abort_to_s2', abort, stage2, 2],
  ['ste_test_s2_to_bypass', stage2, bypass, 2],
  ['ste_test_bypass_to_s2', bypass, stage2, 2],
  ['ste_test_s1_to_s2', cdtable, stage2, 3],
  ['ste_test_s2_to_s1', stage2, cdtable, 3],
  ['ste_test_s1_to_s2_stall', STES.s1Stall, STES.s2Stall, 3],
  ['ste_test_s2_to_s1_stall', STES.s2Stall, STES.s1Stall, 3],
  ['cd_test_s1_change_asid', cd, stage1Cd(s1, 1997, PLAIN), 1],
  ['cd_test_sva_release', cd, releasedCd(), 2],
];

const usedFor = (name: string): ((entry: Words) => Words) =>
  name.startsWith('cd_') ? usedByCd : usedBySte;

for (const [name, from, to, syncs] of HITLESS) {
  test(`arm_smmu_v3_write_${name}: never a mixture, ${syncs} syncs`, t => {
    const outcome = change(from, to, usedFor(name));
    t.deepEqual(outcome.others, []);
    t.deepEqual(outcome.end, to);
    t.is(outcome.syncs, syncs);
  });
}

const NOT_HITLESS: readonly (readonly [name: string, from: Words, to: Words, syncs: number])[] = [
  ['ste_test_non_hitless', STES.cdtable, STES.otherCdtable, 3],
  ['cd_test_s1_clear', cd, noCd(), 2],
  ['cd_test_sva_clear', releasedCd(), noCd(), 2],
];

for (const [name, from, to, syncs] of NOT_HITLESS) {
  test(`arm_smmu_v3_write_${name}: what is no whole entry is not valid, ${syncs} syncs`, t => {
    const used = usedFor(name);
    const { V } = name.startsWith('cd_') ? CD : STE;
    for (const [start, end] of [
      [from, to],
      [to, from],
    ] as const) {
      const outcome = change(start, end, used);
      t.deepEqual(
        outcome.others.filter(entry => V.of(entry) === 1),
        [],
      );
      t.deepEqual(outcome.end, end);
      t.is(outcome.syncs, syncs);
    }
  });
}

test('an entry has no bit that its hardware does not look at', t => {
  for (const ste of Object.values(STES)) {
    t.deepEqual(
      [...ste].map((word, i) => word & ~(usedBySte(ste)[i] ?? 0)),
      [...new Uint32Array(16)],
    );
  }
});
