import test from 'ava';
import { LpaeWalker, mayStartAt, startLevelOf } from '../../../../drivers/iommu/walk/lpae';
import type { LpaeRegime } from '../../../../drivers/iommu/walk/lpae';
import { Attribute, WalkFault, permits } from '../../../../drivers/iommu/walk/types';
import type { TableReader, WalkedEntry } from '../../../../drivers/iommu/walk/types';
import { V7sWalker } from '../../../../drivers/iommu/walk/v7s';
import type { V7sRegime } from '../../../../drivers/iommu/walk/v7s';

const M = 2 ** 20;
const G = 2 ** 30;
const ROOT = 0x8000_0000;

/** Tables by the addresses of their words; nobody answers elsewhere than at `from` and above. */
class Words implements TableReader {
  tableHigh = 0;
  readonly read: number[] = [];
  readonly #words = new Map<number, readonly [low: number, high: number]>();

  set(address: number, entry: bigint): void {
    this.#words.set(address, [Number(entry % 2n ** 32n), Number(entry / 2n ** 32n)]);
  }

  readTable(address: number): number | null {
    this.read.push(address);
    return address < ROOT ? null : (this.#words.get(address)?.[0] ?? 0);
  }

  readTable64(address: number): number | null {
    this.tableHigh = this.#words.get(address)?.[1] ?? 0;
    return this.readTable(address);
  }
}

const STAGE_1: LpaeRegime = {
  ...{ stage: 1, is64: true, root: ROOT, inputBits: 39, granule: 12, startLevel: 1 },
  ...{ outputBits: 40, isUpper: false, heedsAccessFlag: true },
};
const STAGE_2: LpaeRegime = { ...STAGE_1, stage: 2 };

const TABLE = 3n;
const AF = 1n << 10n;
const USER = 1n << 6n;
const PAGE = AF + USER + 3n;
const BLOCK = AF + USER + 1n;

/** A walk of address 0x40201000 in stage 1: entry 1 of each of three tables. */
const ADDRESS = G + 2 * M + 0x1000;
const TABLES = [ROOT + 8, ROOT + 0x1008, ROOT + 0x2008] as const;

const walked = (
  entries: readonly bigint[],
  regime: Partial<LpaeRegime> = {},
  address = ADDRESS,
) => {
  const words = new Words();
  entries.forEach((entry, i) => {
    words.set(TABLES[i] ?? 0, entry);
  });
  const walker = new LpaeWalker(words);
  walker.translate({ ...STAGE_1, ...regime }, address, null);
  return { words, walker, walk: walker.walk };
};

const TO_1 = BigInt(ROOT + 0x1000) + TABLE;
const TO_2 = BigInt(ROOT + 0x2000) + TABLE;

test('a walk reads a word of each level and tells of each', t => {
  const { walk, words } = walked([TO_1, TO_2, 0x12_3456_7000n + PAGE]);
  t.is(walk.fault, WalkFault.None);
  const { level, start, size, leads } = walk;
  t.deepEqual([level, start, size, leads], [3, ADDRESS, 0x1000, 0x12_3456_7000]);
  t.deepEqual(words.read, [...TABLES]);
  t.is(walk.count, 3);
  t.deepEqual(
    walk.steps.slice(0, 3).map(step => [step.level, step.at, step.start, step.size, step.leads]),
    [
      [1, TABLES[0], G, G, ROOT + 0x1000],
      [2, TABLES[1], G + 2 * M, 2 * M, ROOT + 0x2000],
      [3, TABLES[2], ADDRESS, 0x1000, 0x12_3456_7000],
    ],
  );
  t.is(walk.steps[2]?.low, 0x3456_7000 + Number(PAGE));
  t.is(walk.steps[2]?.high, 0x12);
});

test('blocks are at levels that have them, and the contiguous hint joins entries', t => {
  t.like(walked([BigInt(3 * G) + BLOCK]).walk, { fault: WalkFault.None, level: 1, size: G });
  t.like(walked([TO_1, BigInt(6 * M) + BLOCK]).walk, { level: 2, size: 2 * M, leads: 6 * M });
  const CONTIGUOUS = 1n << 52n;
  const joined = walked([TO_1, TO_2, 0x1_1000n + PAGE + CONTIGUOUS]).walk;
  t.like(joined, { start: G + 2 * M, size: 0x1_0000, leads: 0x1_0000 });
  const blocks = walked([TO_1, BigInt(34 * M) + BLOCK + CONTIGUOUS]).walk;
  t.like(blocks, { start: G, size: 32 * M, leads: 32 * M });
  const sixteen = { granule: 14, inputBits: 36, startLevel: 2 } as const;
  const words = new Words();
  words.set(ROOT, BigInt(32 * M) + BLOCK + CONTIGUOUS);
  const walker = new LpaeWalker(words);
  walker.translate({ ...STAGE_1, ...sixteen }, 5, null);
  t.like(walker.walk, { size: G, leads: 0 });
  words.set(ROOT, BigInt(ROOT + 0x4000) + TABLE);
  words.set(ROOT + 0x4000, 0x4000n + PAGE + CONTIGUOUS);
  walker.translate({ ...STAGE_1, ...sixteen }, 5, null);
  t.like(walker.walk, { level: 3, size: 2 * M, leads: 0 });
});

test('a fault has its level and its cause', t => {
  const { Translation, AccessFlag, AddressSize, External } = WalkFault;
  const cases: readonly (readonly [string, ReturnType<typeof walked>, WalkFault, number])[] = [
    ['nothing', walked([0n]), Translation, 1],
    ['nothing below', walked([TO_1, 0n]), Translation, 2],
    ['a page that is no page', walked([TO_1, TO_2, BLOCK]), Translation, 3],
    [
      'a block of level 0',
      walked([BLOCK], { inputBits: 48, startLevel: 0 }, 2 ** 39),
      Translation,
      0,
    ],
    ['beyond the table', walked([], {}, 2 ** 39), Translation, 0],
    ['the same of AArch32', walked([], { is64: false, inputBits: 32 }, 2 ** 32), Translation, 1],
    ['below the upper half', walked([], { isUpper: true }, 5), Translation, 0],
    ['no access flag', walked([TO_1, TO_2, USER + 3n]), AccessFlag, 3],
    ['a page too far', walked([TO_1, TO_2, (1n << 40n) + PAGE]), AddressSize, 3],
    ['a table too far', walked([(1n << 41n) + TABLE]), AddressSize, 1],
    ['a root too far', walked([], { root: 2 ** 40 }), AddressSize, 0],
    ['nobody answers', walked([BigInt(0x1000) + TABLE]), External, 2],
    ['nobody answers at the root', walked([], { root: 0 }), External, 1],
  ];
  for (const [what, { walk }, fault, level] of cases) {
    t.deepEqual([walk.fault, walk.level], [fault, level], what);
  }
  t.is(walked([TO_1, TO_2, USER + 3n], { heedsAccessFlag: false }).walk.fault, WalkFault.None);
});

test('64 KiB: a block of level 1 and address bits 51:48 are of 52 bits alone', t => {
  const regime = { granule: 16, inputBits: 48, startLevel: 1 } as const;
  const block = (1n << 42n) * 3n + 0x5000n + BLOCK;
  const at = 2 ** 42;
  const { walk } = walked([block], { ...regime, outputBits: 52 }, at);
  t.like(walk, { fault: WalkFault.None, size: 2 ** 42, leads: 5 * 2 ** 48 + 3 * 2 ** 42 });
  t.is(walked([block], { ...regime, outputBits: 48 }, at).walk.fault, WalkFault.Translation);
});

/** Unprivileged reading and writing, privileged reading and writing. */
const rights = ({ attributes }: { readonly attributes: number }): string =>
  [false, true]
    .flatMap(privileged => [false, true].map(write => permits(attributes, write, privileged)))
    .map(may => (may ? 'x' : '-'))
    .join('');

test('stage 1: AP says who may do what, and tables above may forbid it', t => {
  const leaf = (ap: bigint, first = 0n, second = 0n): string =>
    rights(walked([TO_1 + first, TO_2 + second, AF + 3n + (ap << 6n)]).walk);
  t.deepEqual(
    [0n, 1n, 2n, 3n].map(ap => leaf(ap)),
    ['--xx', 'xxxx', '--x-', 'x-x-'],
  );
  const NO_USER = 1n << 61n;
  const READ_ONLY = 1n << 62n;
  t.is(leaf(1n, NO_USER), '--xx');
  t.is(leaf(1n, 0n, READ_ONLY), 'x-x-');
  t.is(leaf(1n, NO_USER, READ_ONLY), '--x-');
});

test('stage 2: there is no privilege, and tables forbid nothing', t => {
  const leaf = (ap: bigint): string =>
    rights(walked([TO_1 + (3n << 61n), TO_2, AF + 3n + (ap << 6n)], { stage: 2 }).walk);
  t.deepEqual([0n, 1n, 2n, 3n].map(leaf), ['----', 'x-x-', '-x-x', 'xxxx']);
});

test('what else an entry says is in its attributes', t => {
  const of = (entry: bigint, regime: Partial<LpaeRegime> = {}, first = 0n): number =>
    walked([TO_1 + first, TO_2, PAGE + entry], regime).walk.attributes;
  const plain = of(0n);
  t.is(of(1n << 54n) - plain, Attribute.xn);
  t.is(of(1n << 53n) - plain, Attribute.pxn);
  t.is(of(1n << 11n) - plain, Attribute.nonGlobal);
  t.is(of(1n << 5n) - plain, Attribute.nonSecure);
  t.is(of(3n << 8n) - plain, 3 * 2 ** Attribute.shareabilityShift);
  t.is(of(5n << 2n) - plain, 5 * 2 ** Attribute.memoryShift);
  t.is(of(0n, {}, 1n << 60n) - plain, Attribute.xn);
  t.is(of(0n, {}, 1n << 59n) - plain, Attribute.pxn);
  t.is(of(0n, {}, 1n << 63n) - plain, Attribute.nonSecure);
  t.is(of(0xfn << 2n, { stage: 2 }) - of(0n, { stage: 2 }), 0xf * 2 ** Attribute.memoryShift);
});

/** Steps are used again by the next walk. */
const copyOf = ({ start, size, leads, attributes }: WalkedEntry): WalkedEntry => ({
  ...{ start, size, leads, attributes },
});

test('a walk goes on from a step that was kept, as if it had come there itself', t => {
  const NO_USER = 1n << 61n;
  const { walker, words } = walked([TO_1 + NO_USER, TO_2, 0x5000n + PAGE]);
  const steps = walker.walk.steps.slice(0, 2).map(copyOf);
  const { attributes } = walker.walk;
  for (const [i, step] of steps.entries()) {
    words.read.length = 0;
    t.is(walker.translate(STAGE_1, ADDRESS, step), WalkFault.None);
    t.deepEqual(words.read, TABLES.slice(i + 1));
    t.like(walker.walk, { level: 3, leads: 0x5000, attributes });
  }
});

test('which level a walk may start at', t => {
  const bits = [25, 30, 31, 39, 40, 48];
  t.deepEqual(
    bits.map(bit => startLevelOf(bit, 12)),
    [2, 2, 1, 1, 0, 0],
  );
  t.is(startLevelOf(12, 12), null);
  t.is(startLevelOf(60, 12), null);
  t.is(startLevelOf(52, 16), 1);
  t.true(mayStartAt(1, 43, 12));
  t.false(mayStartAt(1, 44, 12));
  t.false(mayStartAt(1, 30, 12));
  t.false(mayStartAt(-1, 48, 12));
});

test('several tables next to each other are one, at their level', t => {
  const words = new Words();
  words.set(ROOT + 0x3008, BigInt(G) + BLOCK);
  const walker = new LpaeWalker(words);
  const regime = { ...STAGE_2, inputBits: 42, startLevel: 1 };
  t.is(walker.translate(regime, (3 * 512 + 1) * G + 7, null), WalkFault.None);
  t.like(walker.walk, { size: G, leads: G, start: (3 * 512 + 1) * G });
});

const V7S: V7sRegime = { root: ROOT, split: 0, hasAccessFlag: true, outputBits: 40 };
/** Address 0x00305000: entry 3 of the first level, 5 of the second. */
const V7S_ADDRESS = 0x30_5000;

const walkedV7s = (
  first: number,
  second = 0,
  regime: Partial<V7sRegime> = {},
  at = V7S_ADDRESS,
) => {
  const words = new Words();
  words.set(ROOT + 12, BigInt(first));
  words.set(ROOT + 0x4000 + 20, BigInt(second));
  const walker = new V7sWalker(words);
  walker.translate({ ...V7S, ...regime }, at, null);
  return { walker, walk: walker.walk, words };
};
const TO_SECOND = ROOT + 0x4000 + 1;

test('short descriptors: sections, supersections, large and small pages', t => {
  const section = walkedV7s(0x1230_0c02).walk;
  t.like(section, { level: 1, start: 0x30_0000, size: M, leads: 0x1230_0000, count: 1 });
  const SUPER = 1 << 18;
  const far = walkedV7s(0x1250_0c02 + SUPER + (3 << 5)).walk;
  t.like(far, { start: 0, size: 16 * M, leads: 0x35_1200_0000 });
  const small = walkedV7s(TO_SECOND, 0x4567_8032).walk;
  t.like(small, { level: 2, start: V7S_ADDRESS, size: 0x1000, leads: 0x4567_8000, count: 2 });
  const large = walkedV7s(TO_SECOND, 0x4567_0031).walk;
  t.like(large, { start: 0x30_0000, size: 0x1_0000, leads: 0x4567_0000 });
});

test('short descriptors: faults', t => {
  const { Translation, AccessFlag, AddressSize, External } = WalkFault;
  const cases = [
    ['nothing', walkedV7s(0), Translation, 1],
    ['reserved', walkedV7s(3), Translation, 1],
    ['nothing below', walkedV7s(TO_SECOND, 0), Translation, 2],
    ['beyond 32 bits', walkedV7s(0, 0, {}, 2 ** 32), Translation, 1],
    ['beyond what TTBCR.N leaves', walkedV7s(0, 0, { split: 2 }, 2 ** 30), Translation, 1],
    ['no access flag', walkedV7s(0x1230_0802), AccessFlag, 1],
    ['no access flag of a page', walkedV7s(TO_SECOND, 0x4567_8022), AccessFlag, 2],
    ['too far', walkedV7s(0x1250_0c02 + (1 << 18), 0, { outputBits: 32 }), AddressSize, 1],
    ['no table', walkedV7s(0x1001), External, 2],
    ['no root', walkedV7s(0, 0, { root: 0 }), External, 1],
  ] as const;
  for (const [what, { walk }, fault, level] of cases) {
    t.deepEqual([walk.fault, walk.level], [fault, level], what);
  }
});

test('short descriptors: beyond what a table translates nothing is read', t => {
  t.deepEqual(walkedV7s(0, 0, {}, 2 ** 32).words.read, []);
  t.deepEqual(walkedV7s(0, 0, { split: 2 }, 2 ** 30).words.read, []);
  t.deepEqual(walkedV7s(0, 0, { split: 2 }, 2 ** 30 - 1).words.read, [ROOT + 0xffc]);
});

test('short descriptors: AP with the access flag and without it', t => {
  const page = (ap: number, hasAccessFlag: boolean): string => {
    const bits = ((ap & 3) << 4) + ((ap >> 2) << 9);
    return rights(walkedV7s(TO_SECOND, 0x4567_8002 + bits, { hasAccessFlag }).walk);
  };
  t.deepEqual(
    [1, 3, 5, 7].map(ap => page(ap, true)),
    ['--xx', 'xxxx', '--x-', 'x-x-'],
  );
  const simple = [0, 1, 2, 3, 5, 6, 7].map(ap => page(ap, false));
  t.deepEqual(simple, ['----', '--xx', 'x-xx', 'xxxx', '--x-', 'x-x-', 'x-x-']);
});

test('short descriptors: attributes, and a table of the non-secure', t => {
  const plain = walkedV7s(TO_SECOND, 0x4567_8032).walk.attributes;
  const of = (bits: number): number => walkedV7s(TO_SECOND, 0x4567_8032 + bits).walk.attributes;
  t.is(of(1) - plain, Attribute.xn);
  t.is(of(1 << 11) - plain, Attribute.nonGlobal);
  t.is(of(1 << 10) - plain, 3 * 2 ** Attribute.shareabilityShift);
  t.is(of(0b101_0000_00 + 0b1100) - plain, 0b101_11 * 2 ** Attribute.memoryShift);
  const ns = walkedV7s(TO_SECOND + 8, 0x4567_8032).walk.attributes;
  t.is(ns - plain, Attribute.nonSecure);
  const large = walkedV7s(TO_SECOND, 0x4567_0031 + (1 << 15) + (5 << 12)).walk.attributes;
  t.is(large - plain, Attribute.xn + 0b101_00 * 2 ** Attribute.memoryShift);
  const section = walkedV7s(0x1230_0c02 + (1 << 4) + (1 << 19) + (3 << 12) + (1 << 17)).walk;
  const { xn, nonSecure, nonGlobal, memoryShift } = Attribute;
  t.is(section.attributes - plain, xn + nonSecure + nonGlobal + 0b011_00 * 2 ** memoryShift);
});

test('short descriptors: a walk goes on from a table that was kept', t => {
  const { walker, words } = walkedV7s(TO_SECOND + 8, 0x4567_8032);
  const [first] = walker.walk.steps;
  const { attributes } = walker.walk;
  words.read.length = 0;
  t.is(walker.translate(V7S, V7S_ADDRESS, copyOf(first ?? walker.walk)), WalkFault.None);
  t.deepEqual(words.read, [ROOT + 0x4000 + 20]);
  t.like(walker.walk, { leads: 0x4567_8000, attributes });
});
