import test from 'ava';
import type { ExecutionContext } from 'ava';
import { EFAULT, EINVAL, ENODEV, ENOMEM } from '../../../../drivers/base/kernel/errno';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import {
  GemObject,
  GemStatistics,
  HandleTable,
  Prep,
} from '../../../../drivers/gpu/vivante/driver/gem';
import type { GemRequest } from '../../../../drivers/gpu/vivante/driver/gem';
import type { Machine } from '../../../../machines/machine';
import { boot } from '../../../support/booted';

/* Objects of graphics memory, on a small board whose devices do not snoop. */

const machine: Machine = boot('versatile-pb', 16 * 2 ** 20);
const { dev } = machine.masters[0]?.device ?? {};
const SIZE = 3 * PAGE_SIZE;

const make = (t: ExecutionContext, request: Partial<GemRequest> = {}): GemObject => {
  if (dev === undefined) throw new Error('the board has no master');
  const whole: GemRequest = { size: SIZE, placement: 'pages', caching: 'cached', ...request };
  const object = GemObject.make(dev, 'object', whole, new GemStatistics());
  if (typeof object === 'number') throw new Error(`${t.title}: ${object}`);
  return object;
};

const usedPages = (): number => machine.kernel.usedPages;

test('handle, memory and mappings of an object end at different times', t => {
  const before = usedPages();
  const object = make(t);
  const handles = new HandleTable();
  const handle = handles.create(object);
  t.false(object.isBacked);
  t.is(object.pin(), 0);
  t.is(usedPages(), before + 3);
  object.get();
  t.is(handles.close(handle), 0);
  t.is(handles.lookup(handle), null);
  t.true(object.isBacked);
  object.unpin();
  t.is(usedPages(), before + 3);
  object.put();
  t.true(object.isFree);
  t.is(usedPages(), before);
});

test('what a user of an object does after its end is a bug of the kernel', t => {
  const object = make(t);
  t.is(object.pin(), 0);
  t.throws(
    () => {
      object.put();
    },
    { instanceOf: KernelOops },
  );
  t.throws(() => object.get(), { instanceOf: KernelOops });
  const other = make(t);
  t.throws(
    () => {
      other.unpin();
    },
    { instanceOf: KernelOops },
  );
  other.put();
  t.throws(
    () => {
      other.put();
    },
    { instanceOf: KernelOops },
  );
});

test('an object takes kernel address space for as long as the CPU maps it, and none before', t => {
  const statistics = new GemStatistics();
  if (dev === undefined) throw new Error('the board has no master');
  for (const caching of ['cached', 'wc', 'uncached'] as const) {
    const request = { size: SIZE, placement: 'pages', caching } as const;
    const object = GemObject.make(dev, caching, request, statistics);
    if (typeof object === 'number') throw new Error(caching);
    t.is(object.pin(), 0);
    t.is(statistics.kernelSpace, 0);
    t.true(object.vmap() > 0);
    t.is(object.vmap(), object.vmap());
    t.is(statistics.kernelSpace, SIZE);
    object.vunmap();
    object.vunmap();
    t.is(statistics.kernelSpace, SIZE);
    object.vunmap();
    t.is(statistics.kernelSpace, 0);
    object.unpin();
    object.put();
  }
  t.is(statistics.backed, 0);
  t.is(statistics.objects, 0);
});

test('an object that is not for the CPU is never mapped for it', t => {
  for (const placement of ['contiguous', 'pages'] as const) {
    const object = make(t, { placement, caching: 'wc', cpuAccess: false });
    t.is(object.pin(), 0);
    t.is(object.vmap(), -ENODEV);
    object.unpin();
    object.put();
  }
});

test('what the CPU stores through any mapping is what the device reads, and the other way', t => {
  const { kernel, hardware } = machine;
  for (const placement of ['contiguous', 'pages', 'highmem'] as const) {
    for (const caching of ['cached', 'wc', 'uncached'] as const) {
      const object = make(t, { placement, caching });
      const address = object.vmap();
      object.beginCpuAccess(Prep.Read | Prep.Write);
      for (let at = 0; at < SIZE; at += 1024) kernel.cpu.store32(address + at, at + 7);
      kernel.mm.barriers.wmb();
      object.endCpuAccess();
      const memory = hardware.debugPort();
      let offset = 0;
      for (const run of object.runs) {
        for (let at = 0; at < run.size; at += 1024) {
          t.is(memory.read32(run.address + at), offset + at + 7, `${placement} ${caching}`);
          memory.write32(run.address + at, offset + at + 9);
        }
        offset += run.size;
      }
      t.is(offset, SIZE);
      object.beginCpuAccess(Prep.Read);
      for (let at = 0; at < SIZE; at += 1024) {
        t.is(kernel.cpu.load32(address + at), at + 9, `${placement} ${caching}`);
      }
      object.endCpuAccess();
      object.vunmap();
      object.put();
    }
  }
});

test('the end of a CPU access that never began is warned of', t => {
  const object = make(t);
  t.is(object.pin(), 0);
  const before = machine.kernel.log.lines.length;
  t.is(object.beginCpuAccess(Prep.NoSync), -EINVAL);
  t.is(object.beginCpuAccess(Prep.Write), 0);
  t.is(object.prepared, Prep.Write);
  t.is(object.endCpuAccess(), 0);
  t.is(machine.kernel.log.lines.length, before);
  t.is(object.endCpuAccess(), 0);
  t.regex(machine.kernel.log.lines.at(-1)?.text ?? '', /fini without prep/);
  object.unpin();
  object.put();
});

test('memory that its owner can do without is taken back unless somebody pins it', t => {
  const object = make(t);
  t.is(object.pin(), 0);
  t.true(object.madvise('do not need'));
  t.false(object.purge());
  object.unpin();
  t.true(object.madvise('will need'));
  t.false(object.purge());
  t.true(object.madvise('do not need'));
  t.true(object.purge());
  t.false(object.isBacked);
  t.false(object.madvise('will need'));
  t.is(object.pin(), -EFAULT);
  t.is(object.vmap(), -EFAULT);
  t.is(object.beginCpuAccess(Prep.Read), -EFAULT);
  object.put();
});

test('an object without memory leaves nothing behind, whichever allocation fails', t => {
  const before = usedPages();
  const { pages } = machine.kernel.mm;
  for (let n = 1; n <= 3; n++) {
    const object = make(t);
    pages.failNth = n;
    t.is(object.pin(), -ENOMEM);
    pages.failNth = null;
    t.is(usedPages(), before);
    t.is(object.pin(), 0);
    object.unpin();
    object.put();
  }
  t.is(usedPages(), before);
});

test('a size that no object has is refused, and a carve-out that the device has not', t => {
  if (dev === undefined) throw new Error('the board has no master');
  for (const size of [0, -1, 0.5, 2 ** 31 + 1, NaN]) {
    const request = { size, placement: 'pages', caching: 'wc' } as const;
    t.is(GemObject.make(dev, 'none', request, new GemStatistics()), -EINVAL);
  }
  const object = make(t, { placement: 'carve-out' });
  t.is(object.pin(), -ENOMEM);
  object.put();
});
