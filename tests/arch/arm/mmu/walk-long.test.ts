import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { coreNamed } from '../../../../arch/arm/cores';
import { UPPER_HALF } from '../../../../drivers/base/types/address';
import { FaultKind } from '../../../../drivers/base/types/isa';
import { Noise, bits, mmuOver, outcomeOf, showRights } from './oracle';
import type { Outcome } from './oracle';

interface Registers {
  readonly is64: boolean;
  readonly t0sz: number;
  readonly t1sz: number;
  readonly epd0: boolean;
  readonly epd1: boolean;
  readonly ttbr0: bigint;
  readonly ttbr1: bigint;
  readonly mair: bigint;
  readonly asid: number;
}

const fault = (kind: FaultKind, level: number): Outcome => ({ fault: kind, level });

/** The 64-bit address that a CpuAddr stands for. */
const canonical = (r: Registers, va: number): bigint =>
  r.is64 && va >= UPPER_HALF ? BigInt(va) - (1n << 52n) + (1n << 64n) : BigInt(va);

/** Input bits of the table that translates the address, null between the regions. */
const regionOracle = (r: Registers, va: bigint): { upper: boolean; bits: number } | null => {
  const width = r.is64 ? 64n : 32n;
  const top = 1n << width;
  const lowerSize = 1n << (width - BigInt(r.t0sz));
  const upperSize = 1n << (width - BigInt(r.t1sz));
  const lower = { upper: false, bits: Number(width) - r.t0sz };
  const upper = { upper: true, bits: Number(width) - r.t1sz };
  if (r.is64) {
    if (va < lowerSize && va < top / 2n) return lower;
    return va >= top - upperSize ? upper : null;
  }
  // DDI 0406C table B3-9.
  if (r.t1sz === 0) return r.t0sz === 0 || va < lowerSize ? lower : upper;
  if (va >= top - upperSize) return upper;
  return r.t0sz === 0 || va < lowerSize ? lower : null;
};

/** TCR.IPS: how wide an output address may be; address-size.test.ts is about that. */
const IPS_40 = 2;
const IPS_48 = 5;

const SHIFTS = [39, 30, 21, 12] as const;

const oracle = (r: Registers, noise: Noise, address: number): Outcome => {
  const va = canonical(r, address);
  const region = regionOracle(r, va);
  const unwalked = fault(FaultKind.Translation, r.is64 ? 0 : 1);
  if (region === null || (region.upper ? r.epd1 : r.epd0)) return unwalked;
  // The first level is the lowest whose entry covers less than the whole region.
  let level = SHIFTS.findIndex(shift => shift < region.bits);
  let high = region.bits - 1;
  let table = region.upper ? r.ttbr1 : r.ttbr0;
  table &= (1n << 48n) - 1n;
  let writable = true;
  let user = true;
  for (;;) {
    const shift = SHIFTS[level] ?? 12;
    const size = 8n << BigInt(high - shift + 1);
    const at = Number(table - (table % size)) + bits(va, high, shift) * 8;
    const low = noise.word(at);
    const upper = noise.word(at + 4);
    if (low === null || upper === null) return fault(FaultKind.External, level);
    const entry = (BigInt(upper >>> 0) << 32n) | BigInt(low >>> 0);
    const type = bits(entry, 1, 0);
    if (type === 0 || type === 2) return fault(FaultKind.Translation, level);
    if (level === 3 || type === 1) {
      if (level === 0 || (level === 3) !== (type === 3)) {
        return fault(FaultKind.Translation, level);
      }
      return leafOracle(r, address, level, entry, writable, user);
    }
    if (bits(entry, 62, 62) === 1) writable = false;
    if (bits(entry, 61, 61) === 1) user = false;
    table = BigInt(bits(entry, 47, 12)) << 12n;
    level++;
    high = shift - 1;
  }
};

const leafOracle = (
  r: Registers,
  va: number,
  level: number,
  entry: bigint,
  mayWrite: boolean,
  mayUser: boolean,
): Outcome => {
  if (bits(entry, 10, 10) === 0) return fault(FaultKind.AccessFlag, level);
  const granule = 2 ** (SHIFTS[level] ?? 12);
  const span = bits(entry, 52, 52) === 1 ? 16 * granule : granule;
  const output = bits(entry, 47, 12) * 4096;
  const write = mayWrite && bits(entry, 7, 7) === 0;
  const user = mayUser && bits(entry, 6, 6) === 1;
  const index = bits(entry, 4, 2);
  return {
    va: va - (va % span),
    span,
    pa: output - (output % span),
    ...memoryOracle(bits(r.mair, 8 * index + 7, 8 * index), bits(entry, 9, 8)),
    rights: showRights(true, write, user, user && write),
    domain: 0,
    asid: bits(entry, 11, 11) === 1 ? r.asid : -1,
    isDomainFault: false,
  };
};

/** DDI 0487, MAIR_EL1: by the nibbles' written-out values. */
const memoryOracle = (attr: number, sh: number): Outcome => {
  if (attr < 0x10) return { type: attr === 0 ? 'strongly-ordered' : 'device' };
  const policy = (nibble: number): string => {
    if (nibble === 4) return 'NC';
    if (nibble < 4 || (nibble >= 8 && nibble < 12)) return 'WT';
    return nibble % 2 === 1 ? 'WBWA' : 'WB';
  };
  return {
    type: 'normal',
    inner: policy(attr % 16),
    outer: policy(Math.floor(attr / 16)),
    shareable: sh >= 2,
  };
};

const word32 = fc.integer({ min: 0, max: 0xffff_ffff });
const half = (value: bigint, n: number): number => Number((value >> BigInt(32 * n)) & 0xffff_ffffn);
const join = (pair: readonly [number, number]): bigint =>
  (BigInt(pair[1]) << 32n) | BigInt(pair[0]);

/** No reserved attribute: a low nibble of 0 under another high one. */
const legalMair = (mair: bigint): bigint => {
  let legal = mair;
  for (let i = 0n; i < 8n; i++) {
    const byte = bits(legal, Number(8n * i) + 7, Number(8n * i));
    if (byte >= 0x10 && byte % 16 === 0) legal |= 4n << (8n * i);
  }
  return legal;
};

/** An address near an edge of a region or anywhere in it. */
const addressOf = (r: Registers, where: number, offset: number): number => {
  const spaceTop = r.is64 ? 2 ** 52 : 2 ** 32;
  const width = r.is64 ? 64 : 32;
  const lowerEnd = 2 ** Math.min(width - r.t0sz, r.is64 ? 51 : 32);
  const upperStart = spaceTop - 2 ** Math.min(width - r.t1sz, r.is64 ? 51 : 32);
  const place = [
    offset % lowerEnd,
    upperStart + (offset % (spaceTop - upperStart)),
    lowerEnd - 1 - (offset % 8192),
    lowerEnd + (offset % 8192),
    upperStart - 1 - (offset % 8192),
    upperStart + (offset % 8192),
    spaceTop - 1 - (offset % 8192),
  ][where];
  return (((place ?? 0) % spaceTop) + spaceTop) % spaceTop;
};

/** Most entries are valid, most tables lead on, and most leaves have their access flag. */
const likely = (word: number, address: number): number => {
  if (address % 8 !== 0) return word;
  const valid = (word >>> 5) % 8 === 0 ? word : word | 1;
  return (word >>> 20) % 8 === 0 ? valid : valid | (1 << 10);
};

for (const is64 of [false, true]) {
  const name = is64 ? 'VMSAv8-64' : 'LPAE';
  test(`${name} tables: a walk finds what the manual says`, t => {
    const seen = new Map<string, number>();
    const size = is64 ? fc.integer({ min: 16, max: 39 }) : fc.nat(7);
    const arbitrary = fc.record({
      is64: fc.constant(is64),
      t0sz: size,
      t1sz: size,
      epd0: fc.nat(9).map(n => n === 0),
      epd1: fc.nat(9).map(n => n === 0),
      ttbr0: fc.tuple(word32, fc.nat(is64 ? 0xffff : 0xff)).map(join),
      ttbr1: fc.tuple(word32, fc.nat(is64 ? 0xffff : 0xff)).map(join),
      mair: fc.tuple(word32, word32).map(join).map(legalMair),
      asid: fc.nat(255),
    });
    const offsets = fc.integer({ min: 0, max: 2 ** 51 });
    const property = fc.property(arbitrary, fc.nat(), fc.nat(6), offsets, (r, seed, where, n) => {
      const noise = new Noise(seed, likely);
      const epd = (r.epd0 ? 1 << 7 : 0) | (r.epd1 ? 1 << 23 : 0);
      const mmu = mmuOver(coreNamed(is64 ? 'armv8' : 'cortex-a15'), noise, {
        sctlr: 5,
        tcrHigh: is64 ? IPS_48 : 0,
        tcr: r.t0sz | (r.t1sz << 16) | epd | (is64 ? 2 << 30 : 0x8000_0000 | 0),
        ttbr0: half(r.ttbr0, 0) | 0,
        ttbr0High: half(r.ttbr0, 1) | (r.asid << 16),
        ttbr1: half(r.ttbr1, 0) | 0,
        ttbr1High: half(r.ttbr1, 1),
        mair0: half(r.mair, 0) | 0,
        mair1: half(r.mair, 1) | 0,
      });
      const va = addressOf(r, where, n);
      const expected = oracle(r, noise, va);
      assert.deepStrictEqual(
        outcomeOf(mmu, () => mmu.walk(va)),
        expected,
      );
      const kind = `${expected['span'] ?? `fault ${expected['fault'] ?? ''}`}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    });
    fc.assert(property, { numRuns: 3000, includeErrorInReport: true });
    const kinds = [2 ** 12, 2 ** 16, 2 ** 21, 2 ** 25, 2 ** 30, 'fault 2', 'fault 3', 'fault 6'];
    for (const kind of kinds) {
      t.true((seen.get(`${kind}`) ?? 0) > 10, `${kind} was hardly ever met`);
    }
  });
}

test('the output of a VMSAv8-64 walk may lie above 4 GiB and its table too', t => {
  const page = 0x8_1234_5000;
  const table = 0x4_0000_3000;
  const words = new Map([
    [table + 8, (page % 2 ** 32) | (1 << 10) | 3],
    [table + 12, 8],
  ]);
  const noise = { word: (address: number) => words.get(address) ?? 0 };
  const mmu = mmuOver(coreNamed('cortex-a53'), noise, {
    sctlr: 5,
    // 25 bits of address start at level 2: this is a block of a table of 16 entries.
    tcr: 39 | (39 << 16) | (2 << 30),
    tcrHigh: IPS_40,
    ttbr0: table | 0,
    ttbr0High: 4,
  });
  words.set(table, (0x4_0000_4000 % 2 ** 32) | 3);
  words.set(table + 4, 4);
  words.set(0x4_0000_4000 + 5 * 8, (page % 2 ** 32) | (1 << 10) | 3);
  words.set(0x4_0000_4000 + 5 * 8 + 4, 8);
  const walked = mmu.walk(0x5678);
  t.true(walked.ok && walked.entry.pa === page && walked.entry.va === 0x5000);
});
