import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { UserSpaces } from '../../../../arch/arm/mm/context';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { alignUp } from '../../../../drivers/base/types/bits';
import { FaultKind } from '../../../../drivers/base/types/isa';
import type { PgMemory, PgProt } from '../../../../mm/pgprot';
import { pageToPhys } from '../../../../mm/page-alloc';
import type { BareKernel } from './kernel';
import { KERNELS, bootCase, walkerOf } from './kernels';
import type { KernelCase } from './kernels';
import { outcomeOf } from '../mmu/oracle';
import type { Outcome } from '../mmu/oracle';

/* What software writes into tables is what the hardware's walk finds there. */

/** Pages of the property's address range, and those that one allocation of tables serves at most. */
const PAGES = 4096;
const GROUP = 1024;
const MEMORIES: readonly PgMemory[] = [
  'cached',
  'dmacoherent',
  'writecombine',
  'noncached',
  'device',
  'writethrough',
];
const RIGHTS = [
  { write: true, user: false },
  { write: false, user: false },
  { write: true, user: true },
  { write: false, user: true },
] as const;

/** Memory types as Linux defines them for each format: proc-*.S, mmu.c, pgtable-prot.h. */
const memoryIn = ({ format, core }: KernelCase, memory: PgMemory): string => {
  switch (memory) {
    case 'cached':
      // A uniprocessor's policy is write-back; write-allocate comes with SMP, LPAE and arm64.
      if (core === 'cortex-a9' || format === 'lpae' || format === 'v8') return 'WBWA shareable';
      return 'WB';
    case 'writethrough':
      return core === 'cortex-a9' || format === 'lpae' || format === 'v8' ? 'WT shareable' : 'WT';
    case 'writecombine':
      return core === 'cortex-a9' || format === 'lpae' || format === 'v8' ? 'NC shareable' : 'NC';
    case 'dmacoherent':
      // pgprot_dmacoherent: bufferable only where the write buffer can be drained.
      return format === 'v5'
        ? 'strongly-ordered'
        : memoryIn({ format, core, image: 'arm', lpae: false }, 'writecombine');
    case 'noncached':
      return 'strongly-ordered';
    case 'device':
      return format === 'v5' ? 'strongly-ordered' : 'device';
  }
};

/** Privileged, then user: ARMv5 cannot write-protect a kernel page; v6 leaves the kernel its writes. */
const rightsIn = ({ format }: KernelCase, { write, user }: PgProt): string => {
  if (write) return user ? 'rw/rw' : 'rw/--';
  if (user) return format === 'v5' || format === 'v6' ? 'rw/r-' : 'r-/r-';
  return format === 'v5' ? 'rw/--' : 'r-/--';
};

const memoryOf = ({ type, inner, outer, shareable }: Outcome): string => {
  if (type !== 'normal') return String(type);
  assert.equal(inner, outer);
  return `${String(inner)}${shareable === true ? ' shareable' : ''}`;
};

/** The first address from which tables of every level begin, in the vmalloc range. */
const roomOf = ({ mm }: BareKernel): number => alignUp<number>(mm.vmalloc?.start ?? 0, 2 ** 25);

for (const kernel of KERNELS) {
  const name = `${kernel.format} on ${kernel.core}`;

  test(`${name}: every memory type and protection is what the walk finds, page or block`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const mmu = walkerOf(bare);
    const block = kernel.format === 'lpae' || kernel.format === 'v8' ? 2 ** 21 : 2 ** 20;
    let at = roomOf(bare);
    for (const memory of MEMORIES) {
      for (const rights of RIGHTS) {
        for (const span of [4096, block]) {
          const prot = { memory, ...rights };
          const pa = 0x2000_0000 + span;
          t.true(mm.tables.map(mm.root, { va: at, pa, size: span, prot, blocks: span > 4096 }));
          const found = outcomeOf(mmu, () => mmu.walk(at + span - 4));
          const label = `${memory} ${JSON.stringify(rights)} ${span}`;
          t.like(found, { va: at, span, pa, isDomainFault: false }, label);
          t.is(memoryOf(found), memoryIn(kernel, memory), label);
          t.is(found['rights'], rightsIn(kernel, prot), label);
          const isGlobal = !rights.user || kernel.format === 'v5';
          t.is(found['asid'], isGlobal ? -1 : mmu.asid, label);
          at += block;
        }
      }
    }
  });

  test(`${name}: mapped, unmapped and mapped again, the walk finds what there is and no more`, t => {
    const paPages = kernel.format === 'lpae' || kernel.format === 'v8' ? 2 ** 28 : 2 ** 20;
    const step = fc.record({
      first: fc.nat(PAGES - 1),
      count: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(256, 512, 700)),
      aligned: fc.boolean(),
      pa: fc.nat(paPages - 2048),
      memory: fc.constantFrom(...MEMORIES),
      rights: fc.constantFrom(...RIGHTS),
      unmap: fc.boolean(),
    });
    const bare = bootCase(kernel);
    let run = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 25, size: 'max' }), steps => {
        // Tables stay once they are made: every run has addresses of its own.
        const shadow = new Shadow(bare, roomOf(bare) + (run++ % 30) * PAGES * 4096);
        const pages = steps.flatMap(({ first, count }) => [first, first + count, first - 1]);
        try {
          for (const { first, count, aligned, pa, memory, rights, unmap } of steps) {
            const prot = { memory, ...rights };
            const from = aligned ? first - (first % 256) : first;
            const frame = aligned ? pa - (pa % 512) + (from % 512) : pa;
            if (unmap) shadow.unmapAround(first);
            else shadow.map(from, Math.min(count, PAGES - from), frame, prot, aligned);
          }
          shadow.check(kernel, pages);
        } finally {
          shadow.clear();
        }
        shadow.check(kernel, pages);
      }),
      { numRuns: 12, includeErrorInReport: true },
    );
    t.true(bare.mm.tables.writes > 0);
  });

  test(`${name}: neither a page in a block nor a part of a block is split off: an oops, and no change`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const va = mm.layout.pageOffset + 2 ** 24;
    const before = outcomeOf(walkerOf(bare), () => walkerOf(bare).walk(va + 4096));
    t.true(Number(before['span']) > 4096, 'lowmem is mapped by blocks');
    const prot: PgProt = { memory: 'device', write: true, user: false };
    const writes = mm.tables.writes;
    const inside = { va: va + 4096, pa: 0x1000, size: 4096, prot, blocks: false };
    t.throws(() => mm.tables.map(mm.root, inside), {
      instanceOf: KernelOops,
      message: /^a page is to be mapped inside the (section|block) at /,
    });
    for (const [at, size] of [
      [va, 4096],
      [va + 4096, Number(before['span'])],
    ] as const) {
      const run = (): void => {
        mm.tables.unmap(mm.root, at, size);
      };
      t.throws(run, {
        instanceOf: KernelOops,
        message: /^unmap of part of the (section|block) at /,
      });
    }
    t.is(mm.tables.writes, writes);
    t.deepEqual(
      outcomeOf(walkerOf(bare), () => walkerOf(bare).walk(va + 4096)),
      before,
    );
  });

  test(`${name}: tables of a space that ends are free again, to the page`, t => {
    const bare = bootCase(kernel);
    const users = new UserSpaces(bare.mm);
    const { page } = bare.page(1);
    const { pages } = bare.mm;
    users.destroy(users.create());
    const [free, held] = [pages.freePages, bare.mm.tablePages];
    const space = users.create();
    const far = kernel.format === 'v8' ? 2 ** 46 : 2 ** 31;
    // Four neighbouring megabytes share a page of tables, whichever comes first.
    for (const va of [0x30_0000, 0x1_0000, 0x2_0000, 0x4000_0000, far])
      t.true(users.mapPage(space, va, page));
    t.true(pages.freePages < free);
    users.destroy(space);
    t.deepEqual([pages.freePages, bare.mm.tablePages], [free, held]);
  });

  test(`${name}: user mode reads and writes what its mapping permits, and faults on the rest`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const users = new UserSpaces(mm);
    const space = users.create();
    users.switchTo(space);
    const protections = [
      { prot: { memory: 'cached', write: true, user: true }, reads: true, writes: true },
      { prot: { memory: 'cached', write: false, user: true }, reads: true, writes: false },
      { prot: { memory: 'cached', write: true, user: false }, reads: false, writes: false },
    ] as const;
    protections.forEach(({ prot, reads, writes }, i) => {
      const va = 0x10_0000 + i * 4096;
      const { page, address } = bare.page(i + 7);
      t.true(users.mapPage(space, va, page, prot));
      let value = 0;
      const readFault = mm.faults.capture(() => {
        value = mm.cpu.loadUser32(va);
      });
      t.deepEqual([readFault?.kind ?? 0, value], reads ? [0, i + 7] : [FaultKind.Permission, 0]);
      const writeFault = mm.faults.capture(() => {
        mm.cpu.storeUser32(va, 99);
      });
      t.is(writeFault?.kind ?? 0, writes ? 0 : FaultKind.Permission);
      users.unmapPage(space, va);
      t.is(mm.cpu.load32(address), writes ? 99 : i + 7);
      t.is(mm.faults.capture(() => mm.cpu.loadUser32(va))?.kind, FaultKind.Translation);
    });
  });

  test(`${name}: an address of two spaces is two pages, whichever was there before`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const users = new UserSpaces(mm);
    const spaces = [11, 12, 13].map(value => {
      const { page } = bare.page(value);
      const space = users.create();
      t.true(users.mapPage(space, 0x5000, page));
      t.is(walkerOf(bare).walk(0x5000).ok, false, 'nobody has switched to it');
      return { space, value, pa: pageToPhys(page) };
    });
    for (const { space, value, pa } of [...spaces, ...spaces]) {
      users.switchTo(space);
      t.is(mm.cpu.load32(0x5000), value);
      const mmu = walkerOf(bare);
      t.like(
        outcomeOf(mmu, () => mmu.walk(0x5000)),
        {
          pa,
          asid: kernel.format === 'v5' ? -1 : space.asid,
        },
      );
    }
    t.is(new Set(spaces.map(({ space }) => space.asid)).size, 3);
    users.switchToKernel();
    t.is(mm.faults.capture(() => mm.cpu.load32(0x5000))?.kind, FaultKind.Translation);
  });
}

/** What ought to be mapped, by page, over sixteen megabytes. */
class Shadow {
  readonly #kernel: BareKernel;
  readonly #base: number;
  readonly #pages = new Map<
    number,
    { pfn: number; prot: PgProt; region: readonly [number, number] }
  >();

  /** Groups of pages that have a table somewhere: no block fits there any more. */
  readonly #tabled = new Set<number>();

  constructor(kernel: BareKernel, base: number) {
    this.#kernel = kernel;
    this.#base = base;
  }

  /** Maps a run of pages if all are free; by blocks if asked to and no table is in their place. */
  map(first: number, count: number, pfn: number, prot: PgProt, blocks: boolean): void {
    for (let i = first; i < first + count; i++) if (this.#pages.has(i)) return;
    const { tables, root } = this.#kernel.mm;
    const groups = new Set([first, first + count - 1].map(page => Math.floor(page / GROUP)));
    const isFresh = ![...groups].some(group => this.#tabled.has(group));
    const va = this.#base + first * 4096;
    const request = { va, pa: pfn * 4096, size: count * 4096, prot, blocks: blocks && isFresh };
    assert.ok(tables.map(root, request));
    const isAllBlocks = request.blocks && first % 512 === 0 && count % 512 === 0;
    if (!isAllBlocks) for (const group of groups) this.#tabled.add(group);
    for (let i = 0; i < count; i++) {
      this.#pages.set(first + i, { pfn: pfn + i, prot, region: [first, count] });
    }
  }

  /** Ends the mapping that a page is part of. */
  unmapAround(page: number): void {
    const found = this.#pages.get(page);
    if (found === undefined) return;
    const [first, count] = found.region;
    this.#kernel.mm.tables.unmap(this.#kernel.mm.root, this.#base + first * 4096, count * 4096);
    for (let i = first; i < first + count; i++) this.#pages.delete(i);
  }

  clear(): void {
    for (const page of [...this.#pages.keys()]) this.unmapAround(page);
  }

  check(kernel: KernelCase, pages: readonly number[]): void {
    const mmu = walkerOf(this.#kernel);
    for (const page of pages.filter(one => one >= 0 && one < PAGES)) {
      const va = this.#base + page * 4096;
      const found = outcomeOf(mmu, () => mmu.walk(va));
      const expected = this.#pages.get(page);
      if (expected === undefined) {
        assert.equal(found['fault'], FaultKind.Translation, `page ${page}`);
        continue;
      }
      const { pfn, prot } = expected;
      const at = Number(found['pa']) + va - Number(found['va']);
      assert.equal(at, pfn * 4096, `page ${page}`);
      assert.equal(memoryOf(found), memoryIn(kernel, prot.memory));
      assert.equal(found['rights'], rightsIn(kernel, prot));
    }
  }
}
