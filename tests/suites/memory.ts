import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { GFP_DMA, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { pageToPhys, physToPage } from '../../mm/page-alloc';
import { MAX_ORDER } from '../../mm/zone';
import type { Case, CaseContext, Suite } from './suite';
import { withBuffer, withPage, withoutSecondCpu } from './support';

const patternOf = (seed: number, offset: number): number =>
  Math.imul(offset + seed, 0x9e3779b1) | 0;

const fillAndCheck = (t: CaseContext, address: number, size: number, seed: number): void => {
  const { cpu } = t.machine.kernel;
  for (let at = 0; at < size; at += 4) cpu.store32(address + at, patternOf(seed, at));
  for (let at = 0; at < size; at += 4) {
    t.equal(cpu.load32(address + at), patternOf(seed, at), `the word at +${at}`);
  }
};

const readsBack: Case = {
  name: 'stores_read_back',
  run: t => {
    withPage(t, (address, page) => {
      fillAndCheck(t, address, PAGE_SIZE, page % 1000);
    });
  },
};

const widths: Case = {
  name: 'every_width_reads_back',
  run: t => {
    const { cpu } = t.machine.kernel;
    withPage(t, address => {
      cpu.store32(address, 0x0403_0201);
      for (let i = 0; i < 4; i++) t.equal(cpu.load8(address + i), i + 1, `byte ${i}`);
      t.equal(cpu.load16(address), 0x0201, 'the low half');
      t.equal(cpu.load16(address + 2), 0x0403, 'the high half');
      cpu.store8(address + 1, 0xff);
      cpu.store16(address + 2, 0xbeef);
      t.equal(cpu.load32(address) >>> 0, 0xbeef_ff01, 'the word made of parts');
      cpu.store64(address + 8, 0x1111_1111, 0x2222_2222);
      t.equal(cpu.load64(address + 8), 0x1111_1111, 'the low word of a pair');
      t.equal(cpu.high, 0x2222_2222, 'the high word of a pair');
      t.equal(cpu.load32(address + 12), 0x2222_2222, 'the high word alone');
    });
  },
};

const unaligned: Case = {
  name: 'unaligned_accesses_cross_lines_and_pages',
  unfit: machine =>
    machine.kernel.mm.info.type === 'v4wb' ? 'unaligned accesses fault on this core' : null,
  run: t => {
    const { cpu } = t.machine.kernel;
    withPage(
      t,
      address => {
        for (const offset of [1, 2, 3, 30, 61, 63, PAGE_SIZE - 2, PAGE_SIZE - 1]) {
          cpu.store32(address + offset, 0x5a69_7887);
          t.equal(cpu.load32(address + offset), 0x5a69_7887, `the word at +${offset}`);
          t.equal(cpu.load8(address + offset), 0x87, `its first byte at +${offset}`);
        }
      },
      1,
    );
  },
};

/** Free pages at the end and in the middle of every bank, through whatever mapping they have. */
const ends: Case = {
  name: 'every_bank_holds_data_to_its_end',
  run: t => {
    const { mm, cpu } = t.machine.kernel;
    for (const { base, size } of mm.layout.ram) {
      for (const address of [base + size - PAGE_SIZE, base + size / 2]) {
        const page = physToPage(physAddr(address));
        if (!mm.pages.isFree(page)) continue;
        mm.kmap.with(page, mapped => {
          cpu.store32(mapped + PAGE_SIZE - 4, page | 1);
          t.equal(cpu.load32(mapped + PAGE_SIZE - 4), page | 1, `a word of page ${page}`);
        });
      }
    }
  },
};

const zeroed: Case = {
  name: 'zeroed_pages_are_zero',
  run: t => {
    const { cpu } = t.machine.kernel;
    withPage(t, address => {
      fillAndCheck(t, address, PAGE_SIZE, 7);
    });
    withPage(
      t,
      address => {
        for (let at = 0; at < PAGE_SIZE; at += 4) {
          t.equal(cpu.load32(address + at), 0, `the word at +${at}`);
        }
      },
      0,
      { ...GFP_KERNEL, zero: true },
    );
  },
};

const buddies: Case = {
  name: 'blocks_of_every_order_are_aligned_disjoint_and_merge_again',
  run: t => {
    const { pages } = t.machine.kernel.mm;
    const before = pages.freePages;
    const blocks: { page: Page; order: number }[] = [];
    for (let order = 0; order <= MAX_ORDER; order++) {
      for (let i = 0; i < 2; i++) {
        const page = pages.allocPages(GFP_KERNEL, order);
        if (page !== null) blocks.push({ page, order });
      }
    }
    for (const { page, order } of blocks) {
      t.equal(page % 2 ** order, 0, `the alignment of a block of order ${order}`);
      const overlaps = blocks.filter(
        other => other.page < page + 2 ** order && page < other.page + 2 ** other.order,
      );
      t.equal(overlaps.length, 1, 'the blocks that share a page');
    }
    for (const { page, order } of blocks) pages.freePagesAt(page, order);
    t.equal(pages.freePages, before, 'the free pages');
  },
};

const zones: Case = {
  name: 'allocations_keep_to_their_zone',
  run: t => {
    const { pages } = t.machine.kernel.mm;
    const limit = t.machine.plan.facts.dmaZoneLimit;
    const page = t.need(pages.allocPages(GFP_KERNEL, 0), 'a page');
    t.ok(!pages.isHighmem(page), 'GFP_KERNEL to give lowmem');
    pages.freePagesAt(page, 0);
    if (limit === null) return;
    const dma = t.need(pages.allocPages(GFP_DMA, 0), 'a page of ZONE_DMA');
    t.ok(pageToPhys(dma) <= limit, 'GFP_DMA to stay below the limit of the zone');
    pages.freePagesAt(dma, 0);
  },
};

const kmalloc: Case = {
  name: 'kmalloc_gives_memory_that_shares_no_line',
  run: t => {
    const { slab, arch } = t.machine.kernel;
    const objects = [1, 24, 64, 100, 200, 4000, 9000].flatMap(size =>
      [0, 1].map(() => ({ size, at: t.need(slab.kmalloc(size, GFP_KERNEL), `${size} bytes`) })),
    );
    for (const { size, at } of objects) {
      t.equal(at % arch.minAlign, 0, `the alignment of an object of ${size} bytes`);
    }
    const lines = objects.flatMap(({ size, at }) =>
      Array.from(
        { length: Math.ceil(size / arch.minAlign) },
        (_, i) => Math.floor(at / arch.minAlign) + i,
      ),
    );
    t.equal(new Set(lines).size, lines.length, 'the number of different lines');
    for (const { at } of objects) slab.kfree(at);
  },
};

const coherent: Case = {
  name: 'a_store_of_one_cpu_is_read_by_the_others',
  unfit: withoutSecondCpu,
  run: t => {
    const { cpu } = t.machine.kernel;
    const others = Math.min(cpu.online, 4);
    withBuffer(t, 256, buffer => {
      for (let round = 0; round < 32; round++) {
        const writer = t.random.below(others);
        const reader = t.random.below(others);
        const at = buffer + 4 * t.random.below(64);
        cpu.on(writer, () => {
          cpu.store32(at, round);
          cpu.dsb();
        });
        const seen = cpu.on(reader, () => cpu.load32(at));
        t.equal(seen, round, `what CPU ${reader} reads of CPU ${writer}`);
      }
    });
  },
};

export const memorySuite: Suite = {
  name: 'memory',
  summary: 'RAM, the page allocator and kmalloc',
  cases: [readsBack, widths, unaligned, ends, zeroed, buddies, zones, kmalloc, coherent],
};
