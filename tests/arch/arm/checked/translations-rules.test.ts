import test from 'ava';
import { coreNamed } from '../../../../arch/arm/cores';
import { INNER_LIVE, OUTER_LIVE } from '../../../../arch/arm/coherence/spontaneous';
import { SCTLR } from '../../../../arch/arm/regs/sysreg';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import type { AccessKind } from '../../../../drivers/base/types/observer';
import { TlbOp } from '../../../../drivers/base/types/isa';
import { DATA, RAM, TranslationBench } from './translation-bench';
import type { Format } from './translation-bench';

const ROOT_A = RAM;
const ROOT_B = RAM + 0x4000;
const TABLE_A = RAM + 0x8000;
const TABLE_B = RAM + 0x9000;
const TABLE_LOW = RAM + 0xa000;
/** The page all tests use, and one beside it. */
const VA = 0x1000;
const ALIAS = 0x3000;
const PAGE = DATA;
const OTHER = DATA + 0x5000;

type Memory = 'cached' | 'uncached' | 'device';

/** Entries as numbers, on purpose not from the data sheet that the product reads. */
const SHORT_V5: Readonly<Record<Memory, number>> = { cached: 0xc, uncached: 4, device: 0 };
const SHORT: Readonly<Record<Memory, number>> = { cached: 0x4c, uncached: 0x40, device: 4 };
/** Indices into the MAIR of the bench: 4 write-back, 2 non-cacheable, 1 device. */
const LONG: Readonly<Record<Memory, number>> = { cached: 4 << 2, uncached: 2 << 2, device: 1 << 2 };

interface How {
  readonly memory?: Memory;
  readonly readOnly?: boolean;
  readonly local?: boolean;
}

/** A machine with two address spaces, whose tables a test writes page by page. */
class Spaces extends TranslationBench {
  readonly #tables = new Map([
    [ROOT_A, TABLE_A],
    [ROOT_B, TABLE_B],
  ]);

  constructor(format: Format, cpus = 1) {
    super(format, cpus);
    for (const [root, table] of this.#tables) this.#link(root, table);
    for (let cpu = 0; cpu < cpus; cpu++) {
      this.start(cpu, {});
      this.go(cpu, ROOT_A, 1);
    }
    this.liveAt(PAGE);
  }

  get isLong(): boolean {
    return this.format === 'lpae' || this.format === 'v8';
  }

  go(cpu: number, root: number, asid: number): void {
    const ttbr0 = root | 0;
    this.write(cpu, this.isLong ? { ttbr0, ttbr0High: asid << 16 } : { ttbr0, contextidr: asid });
  }

  map(va: number, pa: number, how: How = {}, root = ROOT_A, cpu = 0): void {
    this.store(cpu, this.#entryOf(va, root), ...this.#entry(pa, how));
  }

  unmap(va: number, root = ROOT_A, cpu = 0): void {
    this.store(cpu, this.#entryOf(va, root), 0);
  }

  invalidate(cpu: number, op: TlbOp, operand: number, asid = 1): void {
    this.translations.tlbMaintained(cpu, op, operand, asid);
  }

  dsb(cpu: number): void {
    this.translations.synchronised(cpu);
  }

  /** dsb, the operation, dsb: as it should be. */
  flush(va: number, cpu = 0): void {
    this.dsb(cpu);
    this.invalidate(cpu, TlbOp.Address, va);
    this.dsb(cpu);
  }

  /** What an access is told of: `stale`, `type`, `cacheability`. */
  use(access: AccessKind = 'load', va = VA, cpu = 0): string[] {
    this.stale.length = 0;
    this.mismatches.length = 0;
    this.translations.used(cpu, va, access);
    return [...this.stale.map(() => 'stale'), ...this.mismatches.map(({ kind }) => kind)];
  }

  #link(root: number, table: number): void {
    if (!this.isLong) {
      this.store(0, root, table + 1);
      return;
    }
    let above = root;
    const levels =
      this.format === 'v8' ? [TABLE_LOW, TABLE_LOW + 0x1000, table] : [TABLE_LOW, table];
    for (const below of levels) {
      // Each root has middle tables of its own.
      const next = below === table ? table : below + (root === ROOT_A ? 0 : 0x2000);
      this.store(0, above, next + 3);
      above = next;
    }
  }

  #entryOf(va: number, root: number): number {
    return (this.#tables.get(root) ?? 0) + (va >>> 12) * (this.isLong ? 8 : 4);
  }

  #entry(
    pa: number,
    { memory = 'cached', readOnly = false, local = false }: How,
  ): [number, number] {
    if (this.isLong) {
      const rights = (readOnly ? 1 << 7 : 0) | (local ? 1 << 11 : 0);
      return [pa | LONG[memory] | rights | (1 << 10) | (3 << 8) | 3, 0];
    }
    if (this.format === 'v5') return [pa | SHORT_V5[memory] | 0x552 | 2, 0];
    const rights = 0x10 | (readOnly ? 1 << 9 : 0) | (local ? 1 << 11 : 0);
    return [pa | SHORT[memory] | rights | 2, 0];
  }
}

const FORMATS: readonly Format[] = ['v5', 'v6', 'v7', 'lpae', 'v8'];

for (const format of FORMATS) {
  test(`${format}: a page that was unmapped may be used until its invalidation is complete`, t => {
    const bench = new Spaces(format);
    bench.map(VA, PAGE);
    t.deepEqual(bench.use(), []);
    bench.unmap(VA);
    t.deepEqual(bench.use(), ['stale']);
    t.deepEqual(bench.stale[0], {
      event: 7,
      cpu: 0,
      access: 'load',
      virtualAddress: VA,
      older: PAGE,
      newer: null,
    });
    t.is(bench.liveAt(PAGE), INNER_LIVE | OUTER_LIVE);
    bench.dsb(0);
    bench.invalidate(0, TlbOp.Address, VA + 0x1000);
    bench.dsb(0);
    t.deepEqual(bench.use(), ['stale'], 'another page was invalidated');
    bench.invalidate(0, TlbOp.Address, VA);
    if (format !== 'v5') t.deepEqual(bench.use(), ['stale'], 'nothing has waited');
    bench.dsb(0);
    t.deepEqual(bench.use(), []);
    t.is(bench.liveAt(PAGE), 0);
  });

  test(`${format}: invalidation before the store is visible leaves the old entry`, t => {
    const bench = new Spaces(format);
    bench.map(VA, PAGE);
    bench.unmap(VA);
    bench.invalidate(0, TlbOp.Address, VA);
    bench.dsb(0);
    t.deepEqual(bench.use('store'), ['stale']);
    bench.flush(VA);
    t.deepEqual(bench.use('store'), []);
  });

  test(`${format}: another page without an invalidation between is found at the access`, t => {
    const bench = new Spaces(format);
    bench.map(VA, PAGE);
    bench.map(VA, OTHER);
    t.deepEqual(bench.use('clean'), ['stale']);
    t.like(bench.stale[0], { older: PAGE, newer: OTHER, access: 'clean' });
    t.deepEqual(bench.use('load', ALIAS), [], 'another address');
    bench.flush(VA);
    t.deepEqual(bench.use('clean'), []);
  });

  test(`${format}: what becomes valid, and the same entry once more, need no invalidation`, t => {
    const bench = new Spaces(format);
    bench.map(VA, PAGE);
    bench.map(VA, PAGE);
    t.deepEqual(bench.use('store'), []);
    bench.unmap(VA);
    bench.map(VA, PAGE);
    t.deepEqual(bench.use('store'), []);
  });
}

for (const format of FORMATS.filter(each => each !== 'v5')) {
  test(`${format}: rights that grow need no invalidation, rights that shrink do`, t => {
    const bench = new Spaces(format);
    bench.map(VA, PAGE, { readOnly: true });
    bench.map(VA, PAGE);
    t.deepEqual(bench.use('store'), []);
    bench.flush(VA);
    bench.map(VA, PAGE, { readOnly: true });
    t.deepEqual(bench.use('load'), ['stale']);
  });

  test(`${format}: entries of another address space are not used, until it is switched to`, t => {
    const bench = new Spaces(format);
    bench.map(VA, PAGE, { local: true });
    bench.go(0, ROOT_B, 2);
    t.is(bench.liveAt(PAGE), 0);
    bench.unmap(VA);
    t.deepEqual(bench.use(), []);
    bench.go(0, ROOT_A, 1);
    t.deepEqual(bench.use(), ['stale']);
    t.is(bench.liveAt(PAGE), INNER_LIVE | OUTER_LIVE);
    bench.invalidate(0, TlbOp.Asid, 2);
    bench.dsb(0);
    t.deepEqual(bench.use(), ['stale']);
    bench.invalidate(0, TlbOp.Asid, 1);
    bench.dsb(0);
    t.deepEqual(bench.use(), []);
    t.is(bench.liveAt(PAGE), 0);
  });
}

test('a kernel entry that this space has not copied yet is no older one', t => {
  const bench = new Spaces('v7');
  bench.map(VA, PAGE);
  bench.go(0, ROOT_B, 2);
  t.is(bench.liveAt(PAGE), INNER_LIVE | OUTER_LIVE, 'it is global, and may be in the TLB');
  t.deepEqual(bench.use(), []);
  bench.map(VA, PAGE, {}, ROOT_B);
  t.deepEqual(bench.use(), []);
  bench.unmap(VA);
  t.deepEqual(bench.use(), [], 'its own entry is valid');
  bench.unmap(VA, ROOT_B);
  t.deepEqual(bench.use(), ['stale']);
});

test('a global entry that becomes one of an address space stays in the TLB of all', t => {
  const bench = new Spaces('v7');
  bench.map(VA, PAGE);
  bench.map(VA, PAGE, { local: true });
  bench.dsb(0);
  bench.invalidate(0, TlbOp.Asid, 1);
  bench.dsb(0);
  bench.go(0, ROOT_B, 2);
  t.is(bench.liveAt(PAGE), INNER_LIVE | OUTER_LIVE);
  t.deepEqual(bench.use(), ['stale']);
  bench.flush(VA);
  t.is(bench.liveAt(PAGE), 0);
});

test('what one space gives up is older in the TLB of a CPU that left it', t => {
  const bench = new Spaces('v7');
  bench.map(VA, PAGE);
  bench.go(0, ROOT_B, 2);
  bench.unmap(VA);
  t.deepEqual(bench.use(), ['stale']);
});

test('an entry of a table that two spaces share lingers once it is overwritten', t => {
  const bench = new Spaces('v7');
  const shared = 0x10_0000 + VA;
  bench.store(0, ROOT_A + 4, TABLE_B + 1);
  bench.store(0, ROOT_B + 4, TABLE_B + 1);
  bench.store(0, ROOT_B, 0);
  bench.map(VA, PAGE, {}, ROOT_B);
  // Something of the first space must linger, for its tables to be remembered.
  bench.map(VA, OTHER, { local: true });
  bench.go(0, ROOT_B, 2);
  bench.unmap(VA, ROOT_B);
  t.deepEqual(bench.use('load', shared), ['stale']);
  t.is(bench.liveAt(PAGE), INNER_LIVE | OUTER_LIVE);
});

test('an entry that one CPU has lost is no older one on a CPU that only left its tables', t => {
  const bench = new Spaces('v7', 2);
  const empty = RAM + 0x3_0000;
  bench.map(VA, PAGE);
  bench.map(VA, PAGE, {}, ROOT_B);
  bench.go(0, ROOT_B, 2);
  bench.go(1, empty, 3);
  bench.unmap(VA, ROOT_B);
  t.deepEqual(bench.use('load', VA, 0), ['stale']);
  t.deepEqual(bench.use('load', VA, 1), []);
});

test('an invalidation reaches the other CPUs only if it is broadcast', t => {
  const bench = new Spaces('v7', 2);
  bench.map(VA, PAGE);
  bench.unmap(VA);
  bench.flush(VA);
  t.deepEqual(bench.use('load', VA, 0), []);
  t.deepEqual(bench.use('load', VA, 1), ['stale']);
  bench.invalidate(0, TlbOp.AddressIS, VA);
  bench.dsb(1);
  t.deepEqual(bench.use('load', VA, 1), ['stale'], 'the other CPU has not waited for it');
  bench.dsb(0);
  t.deepEqual(bench.use('load', VA, 1), []);
});

test('RAM as device memory beside its cacheable mapping is two types, from ARMv6 on', t => {
  for (const format of FORMATS) {
    const bench = new Spaces(format);
    bench.map(VA, PAGE);
    bench.map(ALIAS, PAGE, { memory: 'device' });
    const expected = format === 'v5' ? [] : ['type'];
    t.deepEqual(bench.use('load', ALIAS), expected, format);
    t.deepEqual(bench.use('load', VA), expected, format);
    t.deepEqual(bench.use('clean', VA), [], format);
    bench.unmap(ALIAS);
    bench.flush(ALIAS);
    t.deepEqual(bench.use('load', VA), [], format);
  }
});

test('two cacheabilities are a finding where a lookup or a dirty line makes them harmful', t => {
  // Non-cacheable load and store, cacheable load and store.
  const expected: Readonly<Record<Format, readonly string[]>> = {
    v5: ['', '', '', 'cacheability'],
    v6: ['', '', '', 'cacheability'],
    v7: ['cacheability', '', '', 'cacheability'],
    lpae: ['cacheability', '', '', 'cacheability'],
    v8: ['', '', '', 'cacheability'],
  };
  for (const format of FORMATS) {
    const bench = new Spaces(format);
    bench.map(VA, PAGE);
    bench.map(ALIAS, PAGE, { memory: 'uncached' });
    const found = [
      bench.use('load', ALIAS),
      bench.use('store', ALIAS),
      bench.use('load', VA),
      bench.use('store', VA),
    ];
    t.deepEqual(
      found.map(rules => rules.join()),
      expected[format],
      format,
    );
    t.true(bench.translations.used(0, VA, 'load'), 'a store would be another matter');
    bench.unmap(ALIAS);
    t.deepEqual(bench.use('store', VA), ['cacheability'], 'it may still be in the TLB');
    bench.flush(ALIAS);
    t.deepEqual(bench.use('store', VA), [], format);
    t.false(bench.translations.used(0, VA, 'load'));
  }
});

test('a mismatch says what the two mappings are', t => {
  const bench = new Spaces('v7');
  bench.map(VA, PAGE);
  bench.map(ALIAS, PAGE, { memory: 'uncached' });
  bench.use('load', ALIAS + 8);
  t.deepEqual(bench.mismatches, [
    {
      kind: 'cacheability',
      event: 7,
      cpu: 0,
      access: 'load',
      address: PAGE + 8,
      mappings: ['normal non-cacheable', 'normal write-back allocating'],
    },
  ]);
});

test('pages are tables while a walk can reach them, and forgotten with the address space', t => {
  const bench = new Spaces('v7');
  const holds = (page: number): boolean => bench.tables.has(bench.frameAt(page));
  t.true(holds(ROOT_A) && holds(TABLE_A));
  t.false(holds(TABLE_B));
  bench.map(VA, PAGE, { local: true });
  bench.go(0, ROOT_B, 2);
  t.true(holds(TABLE_A), 'its entries may be in the TLB');
  bench.invalidate(0, TlbOp.Asid, 1);
  bench.dsb(0);
  bench.store(0, TABLE_A, 0x1234_5678);
  t.false(holds(TABLE_A) || holds(ROOT_A), 'the page is something else now');
  t.true(holds(TABLE_B));
});

test('without an MMU all RAM is live as long as the cache is on; with one that is off, none', t => {
  const mpu = new TranslationBench('v7', 1, coreNamed('cortex-m7'));
  t.is(mpu.liveAt(PAGE), 0);
  mpu.write(0, { sctlr: SCTLR.C });
  t.is(mpu.liveAt(PAGE), INNER_LIVE | OUTER_LIVE);
  t.is(mpu.live.get(mpu.frameAt(PAGE)), INNER_LIVE | OUTER_LIVE);
  const off = new TranslationBench('v7');
  off.write(0, { sctlr: SCTLR.C });
  t.is(off.liveAt(PAGE), 0);
});

test('tables that lead to themselves are a named error, not a hang', t => {
  const bench = new TranslationBench('v8');
  for (let n = 0; n < 512; n++) bench.store(0, RAM + n * 8, RAM + 3);
  t.throws(
    () => {
      bench.start(0, { ttbr0: RAM | 0 });
    },
    { instanceOf: UnmodelledError },
  );
});
