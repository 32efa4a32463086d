import test from 'ava';
import type { Device, DeviceDma, DmaMapOps } from '../../drivers/base/kernel/device';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import { GIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DmaDirection,
  dmaAddressingLimited,
  dmaGetCacheAlignment,
  dmaGetMaxSegSize,
  dmaGetMergeBoundary,
  dmaGetMinAlignMask,
  dmaGetSegBoundary,
  dmaMapPage,
  dmaMaxMappingSize,
  dmaBitMask,
  dmaGetRequiredMask,
  dmaNeedSync,
  dmaOptMappingSize,
  dmaSetMaxSegSize,
  dmaSetMinAlignMask,
  dmaSetSegBoundary,
} from '../../mm/dma-mapping-common';
import { pfnToPage } from '../../mm/page-alloc';
import { boot } from '../support/booted';
import { dmaDevice } from '../support/dma-device';
import { Stages } from '../support/fake-stages';

const { ToDevice } = DmaDirection;
const { services } = boot('versatile-pb').kernel;

const device = (ops: DmaMapOps | null, dma: Partial<DeviceDma> = {}): Device =>
  dmaDevice(services, { ops, ...dma });

test('rule 22: whether syncs can be left out depends on the caches and, by mapping, on bouncing', t => {
  const stages = new Stages();
  stages.bouncesFrom = 2 * PAGE_SIZE;
  const needs = (translation: 'direct' | 'iommu', cache: boolean, bounce: boolean): boolean[] => {
    const dev = device(stages.ops(translation, cache, bounce));
    return [1, 2].map(pfn => dmaNeedSync(dev, dmaMapPage(dev, pfnToPage(pfn), 0, 8, ToDevice)));
  };
  t.deepEqual(needs('direct', true, false), [true, true]);
  t.deepEqual(needs('direct', false, false), [false, false]);
  t.deepEqual(needs('direct', false, true), [false, true]);
  t.deepEqual(needs('iommu', false, true), [false, true]);
});

test('rules 21, 23: limits are those of the translation and, for who may be bounced, of the slots', t => {
  const stages = new Stages();
  const direct = stages.ops('direct', true, true);
  const dev = device(direct);
  const sizes = (one: Device): number[] => [dmaMaxMappingSize(one), dmaOptMappingSize(one)];
  t.deepEqual(sizes(dev), [Infinity, Infinity], 'it reaches all memory');
  t.deepEqual(sizes(device(direct, { mask: GIB - 2 })), [256 * 1024, 256 * 1024]);
  const window = [{ dma: dmaAddr(0), cpu: physAddr(0), size: GIB / 2 }];
  t.deepEqual(sizes(device(direct, { rangeMap: window })), [256 * 1024, 256 * 1024]);
  const behind = device(stages.ops('iommu', true, true), { mask: 0xfff });
  t.deepEqual(sizes(behind), [2 ** 20, 2 ** 17]);
  stages.bouncesFrom = 0;
  t.deepEqual(sizes(behind), [256 * 1024, 2 ** 17]);
  t.deepEqual(sizes(device(stages.ops('direct', true, false), { mask: 5 })), [Infinity, Infinity]);
  t.deepEqual([dmaGetMergeBoundary(dev), dmaGetMergeBoundary(behind)], [0, PAGE_SIZE - 1]);
  t.deepEqual(sizes(device(null)), [Infinity, Infinity]);
});

test('a device is limited by its mask, its bus and its windows', t => {
  const ops = new Stages().ops('direct', true, false);
  const limited = (dma: Partial<DeviceDma>): boolean => dmaAddressingLimited(device(ops, dma));
  t.false(limited({}));
  t.false(limited({ mask: GIB - 1 }));
  t.true(limited({ mask: GIB - 2 }));
  t.true(limited({ busLimit: GIB - 2 }));
  t.true(limited({ mask: 0, busLimit: GIB - 2 }));
  const window = (cpu: number, size: number) => ({ dma: dmaAddr(cpu), cpu: physAddr(cpu), size });
  t.false(limited({ rangeMap: [window(GIB / 2, GIB / 2), window(0, GIB / 2)] }));
  t.true(limited({ rangeMap: [window(GIB / 2, GIB / 2), window(0, GIB / 2 - 4096)] }));
  t.true(limited({ rangeMap: [window(4096, GIB)] }));
});

test('the mask that a device needs is that of all memory, and 32 bits where it is translated', t => {
  const stages = new Stages();
  t.is(dmaGetRequiredMask(device(stages.ops('direct', true, false))), GIB - 1);
  t.is(dmaGetRequiredMask(device(stages.ops('iommu', true, false))), dmaBitMask(32));
});

test('what a device says of itself has the defaults of the kernel', t => {
  const dev = device(null);
  t.deepEqual(
    [dmaGetMaxSegSize(dev), dmaGetSegBoundary(dev), dmaGetMinAlignMask(dev)],
    [65536, 2 ** 32 - 1, 0],
  );
  dmaSetMaxSegSize(dev, 4096);
  dmaSetSegBoundary(dev, 0xffff);
  dmaSetMinAlignMask(dev, 0xfff);
  t.deepEqual(
    [dmaGetMaxSegSize(dev), dmaGetSegBoundary(dev), dmaGetMinAlignMask(dev)],
    [4096, 0xffff, 0xfff],
  );
  t.is(dmaGetCacheAlignment(dev), 64);
});
