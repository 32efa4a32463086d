import test from 'ava';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, physAddr } from '../../drivers/base/types/address';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { PageAllocator } from '../../mm/page-alloc';
import { Slab } from '../../mm/slab';

const make = (): Slab => {
  const layout = { ranges: [{ start: 0, end: 4096 }], dmaEnd: null, dma32End: null, lowEnd: 4096 };
  const pages = new PageAllocator(layout, { clearPage: () => undefined });
  const linear = { physToVirt: cpuAddr, virtToPhys: physAddr };
  return new Slab(pages, linear, 64);
};

test('a size below nothing is more than there is', t => {
  const slab = make();
  for (const size of [-1, -4096, -(2 ** 40), 2 ** 40]) t.is(slab.kmalloc(size, GFP_KERNEL), null);
  t.is(slab.live, 0);
});

test('a size that is not a whole number of bytes is a bug', t => {
  const slab = make();
  for (const size of [0.5, NaN, Infinity]) {
    t.throws(() => slab.kmalloc(size, GFP_KERNEL), { instanceOf: KernelOops }, `${size}`);
  }
});
