import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { coreNamed } from '../../../../arch/arm/cores';
import { FaultKind } from '../../../../drivers/base/types/isa';
import { Noise, bits, mmuOver, outcomeOf, showRights } from './oracle';
import type { Outcome } from './oracle';

/** The registers of a walk, as the manual names them. */
interface Registers {
  readonly format: 'v5' | 'v6' | 'v7';
  readonly ttbr0: number;
  readonly ttbr1: number;
  readonly n: number;
  readonly pd0: boolean;
  readonly pd1: boolean;
  readonly tre: boolean;
  readonly prrr: number;
  readonly nmrr: number;
  readonly dacr: number;
  readonly asid: number;
}

const TEX_CB: Readonly<Record<string, string>> = {
  '000 00': 'strongly-ordered',
  '000 01': 'device',
  '000 10': 'WT WT',
  '000 11': 'WB WB',
  '001 00': 'NC NC',
  '001 11': 'WBWA WBWA',
  '010 00': 'device',
};
const AA = ['NC', 'WBWA', 'WT', 'WB'] as const;
const V5_CB = ['strongly-ordered', 'NC NC', 'WT WT', 'WB WB'] as const;

/** Table B3-10 without remap, B3-12 with it, and B4-3 of the ARMv5 manual. */
const memoryOracle = (r: Registers, tex: number, cb: number, s: boolean): Outcome => {
  let text: string;
  let shareable = s;
  if (r.format === 'v5') {
    text = V5_CB[cb] ?? '';
    shareable = false;
  } else if (r.tre) {
    const n = (tex % 2) * 4 + cb;
    const kind = bits(BigInt(r.prrr), 2 * n + 1, 2 * n);
    const inner = AA[bits(BigInt(r.nmrr), 2 * n + 1, 2 * n)] ?? '';
    const outer = AA[bits(BigInt(r.nmrr), 2 * n + 17, 2 * n + 16)] ?? '';
    text = ['strongly-ordered', 'device'][kind] ?? `${inner} ${outer}`;
    shareable = bits(BigInt(r.prrr), s ? 19 : 18, s ? 19 : 18) === 1;
  } else if (tex >= 4) {
    text = `${AA[cb] ?? ''} ${AA[tex - 4] ?? ''}`;
  } else {
    const key = `${tex.toString(2).padStart(3, '0')} ${cb.toString(2).padStart(2, '0')}`;
    text = TEX_CB[key] ?? 'strongly-ordered';
  }
  const [inner = '', outer] = text.split(' ');
  return outer === undefined ? { type: text } : { type: 'normal', inner, outer, shareable };
};

/** Table B3-8: AP[2:0] in one number, then the domain. */
const rightsOracle = (ap: number, dacr: number, domain: number): Outcome => {
  const access = bits(BigInt(dacr), 2 * domain + 1, 2 * domain);
  const table = ['--/--', 'rw/--', 'rw/r-', 'rw/rw', '--/--', 'r-/--', 'r-/r-', 'r-/r-'];
  const rights = ['--/--', table[ap] ?? '', '--/--', showRights(true, true, true, true)][access];
  return { rights: rights ?? '', domain, isDomainFault: access === 0 || access === 2 };
};

const fault = (kind: FaultKind, level: number): Outcome => ({ fault: kind, level });

const oracle = (r: Registers, noise: Noise, va: number): Outcome => {
  const isUpper = r.n > 0 && va >= 2 ** (32 - r.n);
  if (isUpper ? r.pd1 : r.pd0) return fault(FaultKind.Translation, 1);
  const size = isUpper ? 0x4000 : 0x4000 / 2 ** r.n;
  const ttbr = isUpper ? r.ttbr1 : r.ttbr0;
  const first = noise.word(ttbr - (ttbr % size) + Math.floor(va / 0x10_0000) * 4);
  if (first === null) return fault(FaultKind.External, 1);
  const l1 = BigInt(first >>> 0);
  const type = bits(l1, 1, 0);
  if (type === 2) return sectionOracle(r, va, l1);
  if (type === 3 && r.format === 'v5') return { unmodelled: 'ARMv5 fine table' };
  if (type !== 1) return fault(FaultKind.Translation, 1);
  const second = noise.word(bits(l1, 31, 10) * 1024 + (Math.floor(va / 4096) % 256) * 4);
  if (second === null) return fault(FaultKind.External, 2);
  return pageOracle(r, va, bits(l1, 8, 5), BigInt(second >>> 0));
};

const sectionOracle = (r: Registers, va: number, l1: bigint): Outcome => {
  const isV5 = r.format === 'v5';
  const isSuper = !isV5 && bits(l1, 18, 18) === 1;
  const span = isSuper ? 0x100_0000 : 0x10_0000;
  const pa = isSuper
    ? bits(l1, 31, 24) * 2 ** 24 + bits(l1, 23, 20) * 2 ** 32 + bits(l1, 8, 5) * 2 ** 36
    : bits(l1, 31, 20) * 2 ** 20;
  const ap = bits(l1, 11, 10) + (isV5 ? 0 : bits(l1, 15, 15) * 4);
  return {
    va: va - (va % span),
    span,
    pa,
    ...memoryOracle(r, bits(l1, 14, 12), bits(l1, 3, 2), bits(l1, 16, 16) === 1),
    ...rightsOracle(ap, r.dacr, isSuper ? 0 : bits(l1, 8, 5)),
    asid: !isV5 && bits(l1, 17, 17) === 1 ? r.asid : -1,
  };
};

const pageOracle = (r: Registers, va: number, domain: number, l2: bigint): Outcome => {
  const type = bits(l2, 1, 0);
  if (type === 0) return fault(FaultKind.Translation, 2);
  const isV5 = r.format === 'v5';
  if (isV5 && type === 3) return { unmodelled: 'ARMv5 extended small page' };
  const quarters = new Set([4, 6, 8, 10].map(low => bits(l2, low + 1, low)));
  if (isV5 && quarters.size > 1) return { unmodelled: 'ARMv5 subpage permissions' };
  const isLarge = type === 1;
  const span = isLarge ? 0x1_0000 : 0x1000;
  const tex = isLarge ? bits(l2, 14, 12) : bits(l2, 8, 6);
  return {
    va: va - (va % span),
    span,
    pa: isLarge ? bits(l2, 31, 16) * 0x1_0000 : bits(l2, 31, 12) * 0x1000,
    ...memoryOracle(r, tex, bits(l2, 3, 2), bits(l2, 10, 10) === 1),
    ...rightsOracle(bits(l2, 5, 4) + (isV5 ? 0 : bits(l2, 9, 9) * 4), r.dacr, domain),
    asid: !isV5 && bits(l2, 11, 11) === 1 ? r.asid : -1,
  };
};

const word32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** PRRR has no type 3: it is reserved. */
const withoutReserved = (prrr: number): number => {
  let legal = BigInt(prrr);
  for (let n = 0n; n < 8n; n++) {
    if (bits(legal, Number(2n * n) + 1, Number(2n * n)) === 3) legal &= ~(1n << (2n * n));
  }
  return Number(legal);
};

const CORES = { v5: 'arm926ej-s', v6: 'arm1176jzf-s', v7: 'cortex-a9' } as const;
const SCTLR_M_C = 5;
const SCTLR_XP = 1 << 23;
const SCTLR_TRE = 1 << 28;

for (const format of ['v5', 'v6', 'v7'] as const) {
  test(`${format} tables: a walk finds what the manual says`, t => {
    const seen = new Map<string, number>();
    const hasSplit = format !== 'v5';
    const arbitrary = fc.record({
      format: fc.constant(format),
      ttbr0: word32,
      ttbr1: word32,
      n: hasSplit ? fc.nat(7) : fc.constant(0),
      pd0: hasSplit ? fc.boolean().map(Boolean) : fc.constant(false),
      pd1: hasSplit ? fc.boolean() : fc.constant(false),
      tre: hasSplit ? fc.boolean() : fc.constant(false),
      prrr: word32.map(withoutReserved),
      nmrr: word32,
      dacr: word32,
      asid: hasSplit ? fc.nat(255) : fc.constant(0),
    });
    // Half of the noise has the same permissions in all quarters, or ARMv5 would have no pages.
    const even = (word: number): number => (word & ~0xff0) | (((word >>> 4) & 3) * 0x550);
    const property = fc.property(arbitrary, fc.nat(), word32, (drawn, seed, va) => {
      const r = { ...drawn, pd0: drawn.pd0 && seed % 4 === 0, pd1: drawn.pd1 && seed % 4 === 1 };
      const noise = new Noise(seed, word => (word < 0 ? even(word) : word));
      const mmu = mmuOver(coreNamed(CORES[format]), noise, {
        sctlr: SCTLR_M_C | SCTLR_XP | (r.tre ? SCTLR_TRE : 0),
        ttbr0: r.ttbr0 | 0,
        ttbr1: r.ttbr1 | 0,
        tcr: r.n | (r.pd0 ? 1 << 4 : 0) | (r.pd1 ? 1 << 5 : 0),
        dacr: r.dacr | 0,
        prrr: r.prrr | 0,
        nmrr: r.nmrr | 0,
        contextidr: r.asid,
      });
      const expected = oracle(r, noise, va);
      assert.deepStrictEqual(
        outcomeOf(mmu, () => mmu.walk(va)),
        expected,
      );
      const kind = `${expected['span'] ?? expected['unmodelled'] ?? `fault ${expected['fault'] ?? ''}`}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    });
    fc.assert(property, { numRuns: 2000, includeErrorInReport: true });
    const spans = [0x1000, 0x1_0000, 0x10_0000, ...(format === 'v5' ? [] : [0x100_0000])];
    for (const kind of [
      ...spans,
      `fault ${FaultKind.Translation}`,
      `fault ${FaultKind.External}`,
    ]) {
      t.true((seen.get(`${kind}`) ?? 0) > 10, `${kind} was hardly ever met`);
    }
  });
}

test('ARMv6 tables with subpages are a named error', t => {
  const mmu = mmuOver(coreNamed('arm1176jzf-s'), new Noise(1), { sctlr: SCTLR_M_C });
  t.deepEqual(
    outcomeOf(mmu, () => mmu.walk(0)),
    { unmodelled: 'ARMv6 tables with subpages' },
  );
});
