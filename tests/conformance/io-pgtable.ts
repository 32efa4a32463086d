import type { TestFn } from 'ava';
import fc from 'fast-check';
import { EEXIST, EINVAL, ENOMEM, ERANGE } from '../../drivers/base/kernel/errno';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import { WalkFault, permits } from '../../drivers/iommu/walk/types';
import type { TableWalk, WalkedEntry } from '../../drivers/iommu/walk/types';
import type { IoPgtable, PartialUnmap } from '../../mm/io-pgtable/types';
import { newGather } from '../../mm/iommu/gather';
import { pageSizesIn } from '../../mm/iommu/page-sizes';
import { IommuProt } from '../../mm/iommu/types';
import { Oracle } from './io-pgtable-oracle';
import type { Leaf, PgtableShape } from './io-pgtable-oracle';
import { PgtableBench } from '../support/pgtable-bench';

/** What the suite has to know of a format. */
export interface PgtableFormat extends PgtableShape {
  readonly name: string;
  /** A table in the memory of a bench. */
  make(bench: PgtableBench, partialUnmap: PartialUnmap): IoPgtable | null;
  /** Walks a table that `make` gave as hardware does, from its root or from a step that was kept. */
  walk(
    bench: PgtableBench,
    table: IoPgtable,
  ): (address: number, from: WalkedEntry | null) => TableWalk;
  /** Rules for the unmapping of parts that the format knows. */
  readonly partialUnmap: readonly PartialUnmap[];
  /** `free` flushes all before it gives the tables back. */
  readonly flushesWhenFreed: boolean;
  /** What `map` answers where something is mapped; -EEXIST unless given. */
  readonly existing?: number;
  /** Permissions that the format knows apart, of Read and Write. */
  readonly prots: readonly number[];
}

type Command =
  | {
      readonly kind: 'map';
      readonly slot: number;
      readonly size: number;
      readonly count: number;
      readonly to: number;
      readonly prot: number;
    }
  | { readonly kind: 'unmap'; readonly slot: number; readonly size: number; readonly count: number }
  | { readonly kind: 'unmap leaf'; readonly which: number; readonly part: number }
  | { readonly kind: 'protect'; readonly which: number; readonly prot: number };

const commandsOf = (format: PgtableFormat): fc.Arbitrary<Command[]> => {
  const slot = fc.nat(63);
  const size = fc.nat(7);
  const count = fc.integer({ min: 1, max: 3 });
  const prot = fc.constantFrom(...format.prots);
  const map = fc.record({ slot, size, count, to: fc.nat(15), prot });
  const unmap = fc.record({ slot, size, count });
  const which = fc.nat(15);
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: map.map(fields => ({ kind: 'map', ...fields }) as const) },
      { weight: 1, arbitrary: unmap.map(fields => ({ kind: 'unmap', ...fields }) as const) },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('unmap leaf' as const), which, part: size }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('protect' as const), which, prot }) },
    ),
    { minLength: 1, maxLength: 12 },
  );
};

/** Runs commands on a table and on the list, and holds one against the other. */
class Trial {
  readonly #format: PgtableFormat;
  readonly #partialUnmap: PartialUnmap;
  readonly #bench: PgtableBench;
  readonly #table: IoPgtable;
  readonly #oracle: Oracle;
  readonly #sizes: readonly number[];
  readonly #walk: ReturnType<PgtableFormat['walk']>;
  #watched: { readonly leaf: Leaf; readonly address: number }[] = [];

  constructor(format: PgtableFormat, isCoherent: boolean, partialUnmap: PartialUnmap) {
    this.#format = format;
    this.#partialUnmap = partialUnmap;
    this.#bench = new PgtableBench(isCoherent);
    const table = format.make(this.#bench, partialUnmap);
    if (table === null) throw new Error('no table');
    this.#table = table;
    this.#oracle = new Oracle(format);
    this.#sizes = pageSizesIn(table.pageSizes);
    this.#walk = format.walk(this.#bench, table);
    this.#bench.onFree = (address, size) => {
      const onTheWay = this.#bench.kept.some(
        ({ kind, entry }) =>
          kind === 'step' && entry.leads >= address && entry.leads < address + size,
      );
      if (onTheWay) throw new Error('a table was given back that a walk may be on the way through');
    };
    this.#bench.onVisible = () => {
      this.#checkUntouched();
    };
    this.#bench.onFlushWalk = (iova, size, granule) => {
      // Of a larger page that becomes smaller ones nothing is broken.
      if (granule === size) return;
      equal(this.#walk(iova, null).fault, WalkFault.Translation, 'a table that is flushed');
    };
  }

  run(command: Command): void {
    switch (command.kind) {
      case 'map':
        this.#map(command);
        break;
      case 'unmap': {
        const size = this.#sizeOf(command.size);
        this.#unmap(this.#startOf(command.slot, size), size, command.count);
        break;
      }
      case 'unmap leaf': {
        const leaf = this.#leaf(command.which);
        if (leaf === null) break;
        const parts = this.#sizes.filter(size => size <= leaf.size);
        const part = parts[command.part % parts.length] ?? leaf.size;
        this.#unmap(leaf.start + (part === leaf.size ? 0 : part), part, 1);
        break;
      }
      case 'protect': {
        const leaf = this.#leaf(command.which);
        if (leaf === null || !this.#sizes.includes(leaf.size)) break;
        this.#unmap(leaf.start, leaf.size, 1);
        this.#mapAt({ ...leaf, prot: command.prot }, 1);
        break;
      }
    }
    this.#check();
  }

  finish(): void {
    if (!this.#format.flushesWhenFreed) this.#bench.kept.length = 0;
    this.#table.free();
    equal(this.#bench.kept.length, 0, 'what is kept of tables that are gone');
    if (this.#bench.pagesInUse !== 0) throw new Error('tables are left');
  }

  /** Pages beside those that a call is about: whatever is stored, they stay as they are. */
  #watch(start: number, size: number): void {
    this.#watched = this.#oracle.leaves
      .filter(leaf => leaf.start < start || leaf.start + leaf.size > start + size)
      .slice(-3)
      .map(leaf => ({ leaf, address: leaf.start < start ? leaf.start : start + size }))
      .filter(({ leaf, address }) => address >= leaf.start && address < leaf.start + leaf.size);
  }

  #checkUntouched(): void {
    for (const { leaf, address } of this.#watched) {
      const { fault, leads, start } = this.#walk(address, null);
      equal(fault, WalkFault.None, `${address}, beside what changes`);
      equal(
        leads + (address - start),
        leaf.address + (address - leaf.start),
        'beside what changes',
      );
    }
    equal(this.#bench.strays.length, 0, 'words read that are no table');
  }

  #leaf(which: number): Leaf | null {
    const { leaves } = this.#oracle;
    return leaves.length === 0 ? null : (leaves[which % leaves.length] ?? null);
  }

  #sizeOf(index: number): number {
    return this.#sizes[index % this.#sizes.length] ?? 0;
  }

  /** Few places, each of which pages of all sizes may meet; the last are at the end. */
  #startOf(slot: number, size: number): number {
    const { apertureStart, apertureEnd } = this.#table;
    const largest = this.#sizes.at(-1) ?? 0;
    const places = Math.min(3, (apertureEnd + 1 - apertureStart) / largest);
    const place = slot % places;
    const base = place === places - 1 ? apertureEnd + 1 - largest : apertureStart + place * largest;
    const within = (Math.floor(slot / 3) % 4) * size;
    return base + (within % largest);
  }

  #map({ slot, size, count, to, prot }: Extract<Command, { kind: 'map' }>): void {
    const pageSize = this.#sizeOf(size);
    const start = this.#startOf(slot, pageSize);
    // The first pages of memory, and the last that the format can say.
    const page = to < 8 ? to : 2 ** this.#table.oas / pageSize + to - 16;
    this.#mapAt({ start, size: pageSize, address: pageSize * page, prot }, count);
  }

  #mapAt({ start, size, address, prot }: Leaf, count: number): void {
    const mapped = { bytes: 0 };
    const end = this.#table.apertureEnd + 1;
    const pages = Math.min(count, (end - start) / size, (2 ** this.#table.oas - address) / size);
    if (pages < 1) return;
    this.#watch(start, pages * size);
    let result = 0;
    while (result === 0 && mapped.bytes < pages * size) {
      const from = mapped.bytes;
      result = this.#table.map(
        dmaAddr(start + from),
        physAddr(address + from),
        size,
        pages - from / size,
        prot,
        mapped,
      );
      if (result === 0 && mapped.bytes === from) throw new Error('map did nothing');
    }
    const expected = this.#format.existing ?? -EEXIST;
    let conflicts = 0;
    for (let page = 0; page < pages && conflicts === 0; page++) {
      const at = { start: start + page * size, size, address: address + page * size, prot };
      const isDone = page * size < mapped.bytes;
      const before = this.#oracle.leaves;
      if (!this.#oracle.map(at)) conflicts++;
      else if (!isDone) this.#oracle.leaves = before.filter(one => this.#isLeft(one, at));
      if (isDone && conflicts > 0) throw new Error('map over what is mapped');
    }
    equal(result, conflicts > 0 ? expected : 0, 'map');
    this.#watched = [];
  }

  /** A page before the one that was refused: what was in its place is gone if it was smaller. */
  #isLeft(one: Leaf, page: Leaf): boolean {
    return one.start + one.size <= page.start || page.start + page.size <= one.start;
  }

  #unmap(start: number, size: number, count: number): void {
    const pages = Math.min(count, (this.#table.apertureEnd + 1 - start) / size);
    const gather = newGather();
    let done = 0;
    const isWhole = this.#partialUnmap === 'whole';
    const larger = this.#oracle.at(start);
    if (isWhole && larger !== null && larger.size > size) this.#watch(larger.start, larger.size);
    else this.#watch(start, pages * size);
    while (done < pages * size) {
      const at = start + done;
      const bytes = this.#table.unmap(dmaAddr(at), size, pages - done / size, gather);
      if (bytes === 0) break;
      this.#unmapped(at, size, bytes);
      done += bytes;
    }
    if (done < pages * size) this.#mayStop(start + done, size);
    this.#bench.sync(gather);
    this.#watched = [];
  }

  #unmapped(start: number, size: number, bytes: number): void {
    for (let done = 0; done < bytes;) {
      const larger = this.#oracle.at(start + done);
      if (larger === null || larger.size <= size) {
        // A table that went is less than a page of this size where pages are larger than tables.
        const part = Math.min(size, bytes - done);
        this.#oracle.remove(start + done, part);
        done += part;
        continue;
      }
      if (this.#partialUnmap === 'refuse') throw new Error('part of a page was unmapped');
      if (this.#partialUnmap === 'split') {
        this.#oracle.split(larger, start + done, size);
        this.#oracle.remove(start + done, size);
        done += size;
      } else {
        this.#oracle.remove(larger.start, larger.size);
        done += larger.size;
      }
    }
  }

  /** Unmapping ends where a word of the page says nothing, or before part of a page. */
  #mayStop(start: number, size: number): void {
    const span = this.#oracle.spanOf(size);
    const isPart = (this.#oracle.at(start)?.size ?? 0) > size;
    if (isPart && this.#partialUnmap === 'refuse') return;
    for (let word = start; word < start + size; word += span) {
      if (this.#oracle.inside(word, span).length === 0) return;
    }
    throw new Error(`unmap of ${size} at ${start} stopped where something is mapped`);
  }

  /** At both ends of each page, and beyond them. */
  #check(): void {
    const { apertureStart, apertureEnd } = this.#table;
    const ends = this.#oracle.leaves
      .filter((_, i, all) => i < 4 || i >= all.length - 4)
      .flatMap(({ start, size }) => [start - 1, start, start + size - 1, start + size]);
    for (const address of [apertureStart, ...ends, apertureEnd]) {
      if (address >= apertureStart && address <= apertureEnd) this.#checkAt(address);
    }
    for (const { kind, entry } of this.#bench.kept)
      if (kind === 'translation') this.#checkKept(entry);
    equal(this.#bench.strays.length, 0, 'words read that are no table');
  }

  #checkAt(address: number): void {
    const leaf = this.#oracle.at(address);
    const expected = leaf === null ? null : leaf.address + (address - leaf.start);
    const found = this.#table.iovaToPhys(dmaAddr(address));
    equal(found, expected === null ? null : physAddr(expected), `iovaToPhys(${address})`);
    const fromRoot = this.#walked(address, null, leaf);
    const steps = this.#bench.kept.filter(
      ({ kind, entry }) =>
        kind === 'step' && address >= entry.start && address < entry.start + entry.size,
    );
    for (const { entry } of steps) this.#walked(address, entry, leaf);
    this.#keep(fromRoot);
  }

  #walked(address: number, from: WalkedEntry | null, leaf: Leaf | null): TableWalk {
    const walk = this.#walk(address, from);
    const what = `walk of ${address}${from === null ? '' : ' from a kept step'}`;
    equal(walk.fault, leaf === null ? WalkFault.Translation : WalkFault.None, what);
    if (leaf === null) return walk;
    equal(walk.leads + (address - walk.start), leaf.address + (address - leaf.start), what);
    equal([walk.start, walk.size], [leaf.start, leaf.size], `${what}: the page`);
    this.#checkRights(walk, leaf, what);
    return walk;
  }

  #checkRights({ attributes }: WalkedEntry, { prot }: Leaf, what: string): void {
    const mayRead = this.#format.prots.some(one => one === IommuProt.Write)
      ? prot !== IommuProt.Write
      : true;
    equal(permits(attributes, false), mayRead, `${what}: reading`);
    equal(permits(attributes, true), prot >= IommuProt.Write, `${what}: writing`);
  }

  /** Each page that it was of leads there still, and none is missing. */
  #checkKept(entry: WalkedEntry): void {
    const what = `a translation of ${entry.start} that was not flushed`;
    let covered = 0;
    for (const leaf of this.#oracle.inside(entry.start, entry.size)) {
      const end = Math.min(leaf.start + leaf.size, entry.start + entry.size);
      covered += end - Math.max(leaf.start, entry.start);
      equal(leaf.address - leaf.start, entry.leads - entry.start, what);
      this.#checkRights(entry, leaf, what);
    }
    equal(covered, entry.size, what);
  }

  /** All that the walk read, as the hardware might use it again. */
  #keep(walk: TableWalk): void {
    const isFound = walk.fault === WalkFault.None;
    for (const { start, size, leads, attributes } of walk.steps.slice(0, walk.count - 1)) {
      this.#keepOne('step', { start, size, leads, attributes });
    }
    const { start, size, leads, attributes } = walk;
    if (isFound) this.#keepOne('translation', { start, size, leads, attributes });
  }

  #keepOne(kind: 'step' | 'translation', entry: WalkedEntry): void {
    const isThere = this.#bench.kept.some(
      one =>
        one.kind === kind &&
        one.entry.start === entry.start &&
        one.entry.size === entry.size &&
        one.entry.leads === entry.leads,
    );
    if (!isThere) this.#bench.kept.push({ kind, entry });
  }
}

const equal = (found: unknown, expected: unknown, what: string): void => {
  const [a, b] = [found, expected].map(value => JSON.stringify(value));
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
};

/**
 * Registers, with ava's `test`, what every format of tables promises: what hardware finds, and what
 * it may have kept, is what a plain list of mappings says, whoever snoops and whatever is unmapped
 * in part; and what callers do wrong is answered as Linux does.
 */
export const ioPgtableConformance = (test: TestFn, format: PgtableFormat, runs = 25): void => {
  test(`${format.name}: walks find what a list of mappings has`, t => {
    const rule = fc.constantFrom(...format.partialUnmap);
    fc.assert(
      fc.property(fc.boolean(), rule, commandsOf(format), (isCoherent, partialUnmap, commands) => {
        const trial = new Trial(format, isCoherent, partialUnmap);
        for (const command of commands) trial.run(command);
        trial.finish();
      }),
      { numRuns: runs },
    );
    t.pass();
  });

  test(`${format.name}: without memory for a table nothing is mapped, and nothing is lost`, t => {
    const bench = new PgtableBench(false);
    const [rule = 'split'] = format.partialUnmap;
    bench.tablesLeft = 0;
    t.is(format.make(bench, rule), null);
    bench.tablesLeft = Infinity;
    const table = format.make(bench, rule);
    if (table === null) throw new Error('no table');
    const { pagesInUse } = bench;
    bench.tablesLeft = 0;
    const [smallest = 0] = pageSizesIn(table.pageSizes);
    const mapped = { bytes: 0 };
    const start = dmaAddr(table.apertureStart);
    const prot = IommuProt.Read + IommuProt.Write;
    t.is(table.map(start, physAddr(0), smallest, 1, prot, mapped), -ENOMEM);
    t.deepEqual([mapped.bytes, bench.pagesInUse], [0, pagesInUse]);
    table.free();
    t.is(bench.pagesInUse, 0);
  });

  test(`${format.name}: a DMA address that is not where the table is is refused`, t => {
    const bench = new PgtableBench(false);
    bench.dmaOffset = 0x1000_0000;
    t.is(format.make(bench, format.partialUnmap[0] ?? 'split'), null);
    t.is(bench.pagesInUse, 0);
    t.true(bench.log.lines.some(({ text }) => text.includes('Cannot accommodate DMA translation')));
  });

  test(`${format.name}: sizes, addresses and permissions that are none are refused`, t => {
    const table = format.make(new PgtableBench(true), format.partialUnmap[0] ?? 'split');
    if (table === null) throw new Error('no table');
    const { apertureStart, apertureEnd, oas } = table;
    const [size = 0] = pageSizesIn(table.pageSizes);
    const map = (iova: number, address: number, pageSize: number, prot: number): number =>
      table.map(dmaAddr(iova), physAddr(address), pageSize, 1, prot, { bytes: 0 });
    t.is(map(apertureStart, 0, size / 2, IommuProt.Read), -EINVAL);
    t.is(map(apertureStart, 0, size, 0), -EINVAL);
    t.is(map(apertureStart, 2 ** oas, size, IommuProt.Read), -ERANGE);
    t.is(map(apertureEnd + 1, 0, size, IommuProt.Read), -ERANGE);
    t.is(table.unmap(dmaAddr(apertureEnd + 1), size, 1, null), 0);
    t.is(table.unmap(dmaAddr(apertureStart), size / 2, 1, null), 0);
    t.is(table.unmap(dmaAddr(apertureStart), size, 1, null), 0);
    t.is(table.iovaToPhys(dmaAddr(apertureEnd + 1)), null);
  });
};
