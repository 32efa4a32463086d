import test from 'ava';
import type { Page } from '../../drivers/base/kernel/dma-mapping';
import { GFP_HIGHUSER, GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { offsetBy } from '../../drivers/base/types/address';
import type { PhysAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { pageToPhys } from '../../mm/page-alloc';
import { PhysMemory } from '../../mm/phys-memory';
import { boot } from '../support/booted';

const { kernel } = boot('pandaboard');
const { mm, cpu } = kernel;
const memory = new PhysMemory(kernel.io.relaxed, mm.kmap);

/** Where two pages in a row begin. */
const twoPages = (isHighmem: boolean): PhysAddr => {
  const page = mm.pages.allocPages(isHighmem ? GFP_HIGHUSER : GFP_KERNEL, 1) ?? (0 as Page);
  if (mm.pages.isHighmem(page) !== isHighmem) throw new Error('a page of the other kind');
  return pageToPhys(page);
};

const at = <Value>(address: PhysAddr, body: (at: number) => Value): Value =>
  mm.kmap.with(Math.floor(address / PAGE_SIZE) as Page, page => body(page + (address % PAGE_SIZE)));

for (const [from, to] of [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const) {
  const name = (isHighmem: boolean): string => (isHighmem ? 'highmem' : 'lowmem');
  test(`bytes of ${name(from)} are copied to ${name(to)} across pages, and no others`, t => {
    const [source, target] = [twoPages(from), twoPages(to)];
    for (let i = 0; i < 2 * PAGE_SIZE; i += 4) {
      at(offsetBy(source, i), address => {
        cpu.store32(address, i + 1);
      });
    }
    memory.fill(offsetBy(target, 0), 0xab, 2 * PAGE_SIZE);
    memory.copy(offsetBy(target, 504), offsetBy(source, 100), PAGE_SIZE);
    const word = (i: number): number =>
      at(offsetBy(target, i), address => cpu.load32(address) >>> 0);
    t.is(word(500), 0xabab_abab);
    t.is(word(504), 101);
    for (let i = 504; i < 504 + PAGE_SIZE; i += 4) {
      if (word(i) !== i - 404 + 1) t.fail(`the word at ${i}`);
    }
    t.is(word(504 + PAGE_SIZE), 0xabab_abab);
  });
}
