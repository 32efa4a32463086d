import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { TranslationIndex } from '../../../../arch/arm/checked/translations-index';
import { TableDirectory, TableTree } from '../../../../arch/arm/checked/translations-tree';
import { hasOp, tlbOpsOf } from '../../../../arch/arm/instructions';
import type { Mmu } from '../../../../arch/arm/mmu/mmu';
import type { TlbEntry } from '../../../../arch/arm/mmu/tlb';
import { ACTLR, SCTLR, TTBCR } from '../../../../arch/arm/regs/sysreg';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { TlbOp } from '../../../../drivers/base/types/isa';
import { DATA, RAM, TranslationBench } from './translation-bench';
import type { Format } from './translation-bench';
import { TranslationOracle } from './translation-oracle';

const RUNS = Number(process.env['TRANSLATION_RUNS'] ?? 60);

/** Something that software does, as numbers that each format reads in its own way. */
type Step =
  | {
      readonly kind: 'edit';
      readonly cpu: number;
      readonly table: number;
      readonly slot: number;
      readonly entry: 'invalid' | 'leaf' | 'table';
      readonly bits: number;
      readonly target: number;
    }
  | {
      readonly kind: 'tlb';
      readonly cpu: number;
      readonly op: number;
      readonly slots: readonly number[];
      readonly asid: number;
    }
  | { readonly kind: 'dsb'; readonly cpu: number }
  | {
      readonly kind: 'switch';
      readonly cpu: number;
      readonly root: number;
      readonly asid: number;
      /** On short descriptors root and ASID are written one after the other, which first? */
      readonly rootFirst: boolean;
    }
  | { readonly kind: 'control'; readonly cpu: number; readonly what: number };

const cpu = fc.nat(1);
/** Cached, global and not; uncached: what the rest is told apart by. */
const BITS = [0x1c, 0x81c, 0x11c, 0x3c, 0x83c, 0x8cc, 0xcc, 0x30];
const ENTRIES = ['invalid', 'leaf', 'leaf', 'leaf', 'table'] as const;
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant('edit' as const),
        cpu,
        // Mostly those that a walk reaches from the start.
        table: fc.constantFrom(0, 1, 2, 3, 3, 4, 4, 5, 5, 6),
        slot: fc.constantFrom(0, 0, 0, 1, 1, 2, 3, 4, 5),
        entry: fc.constantFrom(...ENTRIES),
        bits: fc.oneof(fc.nat(0xffff), fc.constantFrom(...BITS)),
        target: fc.constantFrom(0, 0, 1, 2, 7),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('tlb' as const),
        cpu,
        op: fc.nat(7),
        slots: fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 4, maxLength: 4 }),
        asid: fc.integer({ min: 1, max: 2 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('dsb' as const), cpu }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('switch' as const),
        cpu,
        root: fc.nat(1),
        asid: fc.integer({ min: 1, max: 2 }),
        rootFirst: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('control' as const), cpu, what: fc.nat(5) }),
    },
  ),
  { minLength: 10, maxLength: 60 },
);

/** Where things are in a format, and what its entries look like. */
interface Shape {
  /** Physical addresses of seven tables: two roots of TTBR0, one of TTBR1, others. */
  readonly tables: readonly number[];
  /** Which entries of a table are ever written. */
  slots(table: number): readonly number[];
  readonly entrySize: number;
  entry(step: Extract<Step, { kind: 'edit' }>): readonly [number, number];
  /** The address that these slots lead to, by level. */
  address(slots: readonly number[]): number;
  /** What is there from the start: address and entry. */
  readonly links: readonly (readonly [number, number])[];
  /** An address under every entry that is ever written. */
  readonly addresses: readonly number[];
  roots(root: number, asid: number): readonly Partial<Mmu['registers']>[];
  control(mmu: Mmu, what: number): Partial<Mmu['registers']>;
}

const product = (lists: readonly (readonly number[])[]): number[] =>
  lists.reduce<number[]>((sums, list) => sums.flatMap(sum => list.map(each => sum + each)), [0]);

const L1_SLOTS = [0, 1, 2, 16, 0x800, 0xfff] as const;
const L2_SLOTS = [0, 1, 2, 15, 16, 255] as const;
const LONG_SLOTS = [0, 1, 2, 3, 5, 511] as const;

const shortShape = (format: Format): Shape => ({
  tables: [0, 0x4000, 0x8000, 0xc000, 0xc400, 0xc800, 0xd000].map(offset => RAM + offset),
  slots: table => (table < 3 ? L1_SLOTS : L2_SLOTS),
  entrySize: 4,
  entry: ({ table, entry, bits, target }) => {
    if (entry === 'invalid') return [0, 0];
    const attributes = (bits & 0b1100) | (((bits >>> 4) & 3) << (table < 3 ? 10 : 4));
    if (table >= 3) {
      const more = (bits & 0xfc0) | ((bits & 1) === 0 ? 2 : (bits >>> 1) & 3);
      const quarters = 0xff0;
      const small = format === 'v5' ? attributes | quarters | 2 : attributes | more;
      return [(DATA + target * PAGE_SIZE) | small, 0];
    }
    if (entry === 'table') {
      return [RAM + 0xc000 + (target & 3) * 0x400 + 1 + ((bits & 1) << 5), 0];
    }
    const isSuper = format !== 'v5' && (bits & 0xf000) === 0x7000;
    const base = isSuper ? DATA | (1 << 18) : DATA + (target & 1) * 0x10_0000;
    return [base | attributes | ((bits & 0x300) << 8) | ((bits & 7) << 12) | 2, 0];
  },
  address: ([first = 0, second = 0]) =>
    (L1_SLOTS[first] ?? 0) * 0x10_0000 + (L2_SLOTS[second] ?? 0) * PAGE_SIZE,
  links: [0, 0x4000, 0x8000].flatMap(root => [
    [RAM + root, RAM + 0xc001] as const,
    [RAM + root + 4, RAM + 0xc401] as const,
  ]),
  addresses: product([
    L1_SLOTS.map(index => index * 0x10_0000),
    L2_SLOTS.map(index => index * PAGE_SIZE),
  ]),
  roots: (root, asid) => [{ ttbr0: (RAM + root * 0x4000) | 0 }, { contextidr: asid }],
  control: ({ registers: { sctlr, actlr, tcr, nmrr } }, what) => {
    switch (what) {
      case 0:
        return { sctlr: sctlr ^ SCTLR.M };
      case 1:
        return { sctlr: sctlr ^ SCTLR.C };
      case 2:
        return format === 'v7' ? { actlr: actlr ^ ACTLR.SMP } : {};
      case 3:
        return format === 'v7' ? { actlr: actlr ^ ACTLR.FW } : {};
      case 4:
        return format === 'v5' ? {} : { tcr: tcr ^ TTBCR.pd0 };
      default:
        return format === 'v5' ? {} : { tcr: (tcr & ~7) | ((tcr + 1) & 3), nmrr: nmrr + 1 };
    }
  },
});

const longShape = (format: Format): Shape => {
  const sizes = format === 'v8' ? [2 ** 39, 2 ** 30, 2 ** 21] : [2 ** 30, 2 ** 21];
  const slots = format === 'v8' ? [0, 1, 511] : LONG_SLOTS;
  const under = product([
    ...sizes.map((size, n) => (n === 0 && format === 'lpae' ? [0, 1] : slots).map(i => i * size)),
    slots.map(index => index * PAGE_SIZE),
  ]);
  const upper = format === 'v8' ? 2 ** 52 - 2 ** 48 : 2 ** 31;
  const depth = sizes.length;
  return {
    address: places =>
      [...sizes, PAGE_SIZE].reduce((sum, size, n) => sum + (slots[places[n] ?? 0] ?? 0) * size, 0),
    // Each root leads to the fourth table, that to the fifth, and with four levels that to the sixth.
    links: [
      ...[0, 1, 2].map(root => [RAM + root * PAGE_SIZE, RAM + 3 * PAGE_SIZE + 3] as const),
      ...[3, 4]
        .slice(0, depth - 1)
        .map(table => [RAM + table * PAGE_SIZE, RAM + (table + 1) * PAGE_SIZE + 3] as const),
    ],
    tables: [0, 1, 2, 3, 4, 5, 6].map(n => RAM + n * PAGE_SIZE),
    slots: () => slots,
    entrySize: 8,
    entry: ({ entry, bits, target }) => {
      if (entry === 'invalid') return [0, 0];
      if (entry === 'table') return [(RAM + target * PAGE_SIZE) | 3, (bits & 3) << 29];
      // A block, or a page at the last level; the access flag mostly.
      const type = (bits & 1) === 0 ? 1 : 3;
      const flag = (bits & 0xe) === 0xe ? 0 : 1 << 10;
      const attributes = (((bits >>> 4) % 6) << 2) | (bits & 0x8c0) | (3 << 8) | flag;
      const contiguous = (bits & 0xf000) === 0x7000 ? 1 << 20 : 0;
      return [(DATA + target * PAGE_SIZE) | attributes | type, contiguous];
    },
    addresses: [...under, ...under.map(address => upper + address)],
    roots: (root, asid) => [{ ttbr0: (RAM + root * PAGE_SIZE) | 0, ttbr0High: asid << 16 }],
    control: ({ registers: { sctlr, actlr, tcr, mair0 } }, what) => {
      switch (what) {
        case 0:
          return { sctlr: sctlr ^ SCTLR.M };
        case 1:
          return { sctlr: sctlr ^ SCTLR.C };
        case 2:
          return format === 'lpae' ? { actlr: actlr ^ ACTLR.SMP } : {};
        case 3:
          return { tcr: tcr ^ (1 << 7) };
        case 4:
          return { tcr: tcr ^ (1 << 23) };
        default:
          return { mair0: mair0 ^ 0xff00 };
      }
    },
  };
};

const FORMATS: readonly Format[] = ['v5', 'v6', 'v7', 'lpae', 'v8'];

const shapeOf = (format: Format): Shape =>
  format === 'lpae' || format === 'v8' ? longShape(format) : shortShape(format);

const WATCHED_PAGES = [0, 1, 2, 7, 16, 256, 512, 4096 + 1].map(page => DATA + page * PAGE_SIZE);

const ALL_OPS = Object.values(TlbOp);
const isByAddress = (op: TlbOp): boolean =>
  op === TlbOp.Address ||
  op === TlbOp.AddressIS ||
  op === TlbOp.AddressAllAsid ||
  op === TlbOp.AddressAllAsidIS;

const follow = (format: Format, script: readonly Step[]): void => {
  const shape = shapeOf(format);
  const cpus = format === 'v5' || format === 'v6' ? 1 : 2;
  const bench = new TranslationBench(format, cpus);
  const oracle = new TranslationOracle(bench, shape.addresses);
  const pages = [...WATCHED_PAGES, RAM];
  const ops = ALL_OPS.filter(op => hasOp(tlbOpsOf(bench.profile), op));
  const ttbr1 = shape.tables[2] ?? 0;
  for (const [address, entry] of shape.links) bench.store(0, address, entry);
  for (let number = 0; number < cpus; number++) {
    bench.start(number, { ttbr1: ttbr1 | 0 });
    for (const registers of shape.roots(0, 1)) bench.write(number, registers);
    oracle.look(null);
  }
  for (const page of pages) bench.liveAt(page);
  const apply = (step: Step): void => {
    const number = step.cpu % cpus;
    switch (step.kind) {
      case 'edit': {
        const table = shape.tables[step.table] ?? RAM;
        const slots = shape.slots(step.table);
        const address = table + (slots[step.slot % slots.length] ?? 0) * shape.entrySize;
        bench.store(number, address, ...shape.entry(step));
        oracle.look(number);
        break;
      }
      case 'tlb': {
        const op = ops[step.op % ops.length] ?? TlbOp.All;
        const operand = isByAddress(op) ? shape.address(step.slots) : step.asid;
        bench.translations.tlbMaintained(number, op, operand, step.asid);
        oracle.issue(number, op, operand, step.asid);
        break;
      }
      case 'dsb':
        bench.translations.synchronised(number);
        oracle.dsb(number);
        break;
      case 'switch': {
        const writes = shape.roots(step.root, step.asid);
        for (const registers of step.rootFirst ? writes : [...writes].reverse()) {
          bench.write(number, registers);
          oracle.look(null);
        }
        break;
      }
      case 'control':
        bench.write(number, shape.control(bench.mmu(number), step.what));
        oracle.look(null);
        break;
    }
  };
  script.forEach((step, n) => {
    apply(step);
    const where = `after step ${n}, ${JSON.stringify(step)}`;
    for (const page of pages) {
      const found = bench.liveAt(page);
      assert.equal(found, oracle.liveOf(page), `page ${page.toString(16)} ${where}`);
      const told = bench.live.get(bench.frameAt(page));
      assert.equal(told ?? found, found, `told of page ${page.toString(16)} ${where}`);
    }
    for (const frame of oracle.tables) {
      const at = bench.ram.framePage[frame] ?? 0;
      assert.ok(bench.tables.has(frame), `page ${at.toString(16)} is a table ${where}`);
    }
  });
};

for (const format of FORMATS) {
  test(`${format}: what is live is what walks find and what invalidation has left`, t => {
    fc.assert(
      fc.property(steps, script => {
        follow(format, script);
      }),
      { numRuns: RUNS },
    );
    t.pass();
  });
}

/**
 * Entries of a last table that count on, begin anew, are larger than a page or nothing: what is found of a run
 * is what a walk finds of each page.
 */
const COUNTED: Readonly<Record<'v7' | 'lpae', readonly (readonly [low: number, high: number])[]>> =
  {
    v7: [
      // Small pages; a large one, whose next word would count its attributes on; what lies elsewhere.
      ...[0, 1, 2, 3, 9].map(n => [(DATA + n * 0x1000) | 0x72, 0] as const),
      ...[0, 0, 0].map(() => [0, 0] as const),
      ...[0, 0x1000, 0x2000].map(tex => [(DATA + 0x10_000 + tex) | 0x7d, 0] as const),
      ...[4, 5].map(n => [(DATA + n * 0x1000) | 0x72, 0] as const),
      // The same place, other attributes.
      [(DATA + 6 * 0x1000) | 0x7e, 0],
    ],
    lpae: [
      ...[0, 1, 2, 9, 10].map(n => [(DATA + n * 0x1000) | 0x713, 0] as const),
      ...[0, 0].map(() => [0, 0] as const),
      [(DATA + 11 * 0x1000) | 0x713, 0],
      // Counting on, but for what is above 32 bits: where it leads, and that nobody may execute it.
      [(DATA + 12 * 0x1000) | 0x713, 1],
      [(DATA + 13 * 0x1000) | 0x713, 1],
      [(DATA + 14 * 0x1000) | 0x713, 1 << 22],
      [0xffff_f713 | 0, 0],
      [0x713, 0],
    ],
  };

for (const format of ['v7', 'lpae'] as const) {
  test(`${format}: of entries that count on, each is found as a walk finds it`, t => {
    const bench = new TranslationBench(format);
    const table = RAM + 0x8000;
    const isLong = format === 'lpae';
    const write = (address: number, low: number, high = 0): void => {
      bench.ram.writeWord(bench.ram.wordOf(address), low);
      if (isLong) bench.ram.writeWord(bench.ram.wordOf(address + 4), high);
    };
    write(RAM, isLong ? (RAM + 0x4000) | 3 : table | 1);
    if (isLong) write(RAM + 0x4000, table | 3);
    COUNTED[format].forEach(([low, high], n) => {
      write(table + n * (isLong ? 8 : 4), low, high);
    });
    bench.start(0, { ttbr0: RAM | 0 });
    const mmu = bench.mmu(0);
    const read = (address: number): number | null => bench.word(address);
    const [region] = mmu.regions();
    if (region === undefined) throw new Error('nothing to walk');
    const tree = new TableTree(region, new TranslationIndex(), new TableDirectory(() => undefined));
    tree.refresh(mmu, read, () => undefined);
    const found = [...tree.translations()].map(({ entry }) => keyOf(entry));
    const walked = COUNTED[format].flatMap((_, n) => {
      const result = mmu.walk(n * 0x1000, read);
      return result.ok ? [keyOf(result.entry)] : [];
    });
    t.deepEqual(found, walked);
    t.true(walked.length > 6);
  });
}

const keyOf = ({ va, span, pa, attributes, domain, asid }: TlbEntry): string =>
  [va, span, pa, attributes, domain, asid].join(' ');
