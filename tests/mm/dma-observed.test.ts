import test from 'ava';
import { Device, deviceDmaOf, probeDevice } from '../../drivers/base/kernel/device';
import type { DmaMapOps, LinearMap } from '../../drivers/base/kernel/device';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaMapPage,
  dmaMapSingle,
  dmaMappingError,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaSyncSingleRangeForCpu,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { PageAllocator, pfnToPage } from '../../mm/page-alloc';
import { Slab } from '../../mm/slab';
import { boot } from '../support/booted';
import { RecordingObserver } from './recording-observer';

const { FromDevice, ToDevice } = DmaDirection;
const OFFSET = 0xc000_0000;
const linear: LinearMap = {
  virtToPhys: address => (address >= OFFSET ? physAddr(address - OFFSET) : null),
  physToVirt: address => cpuAddr(address + OFFSET),
};

/** A device whose bus adds 1000 to addresses and reaches page 8 and below; what `ops` did is told. */
const make = () => {
  const observer = new RecordingObserver();
  const nothing = (): void => undefined;
  const ops: DmaMapOps = {
    mapPage: (_dev, page, offset) => {
      observer.told.push('ops');
      return page > 8 ? DMA_MAPPING_ERROR : dmaAddr(page * PAGE_SIZE + offset + 1000);
    },
    unmapPage: (_dev, address) => {
      observer.told.push('ops');
      if (address < 1000) throw new KernelOops('no memory');
    },
    syncSingleForCpu: () => observer.told.push('ops'),
    syncSingleForDevice: () => observer.told.push('ops'),
    dmaSupported: () => true,
    getRequiredMask: () => 0,
  };
  const { services } = boot('versatile-pb').kernel;
  const dev = new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf({ mask: 0, coherentMask: 0, ops }),
    registers: [],
    irqs: [],
    services: { ...services, memory: linear, observer, ioremap: () => null, iounmap: nothing },
  });
  return { dev, observer };
};

test('every call of the DMA API is told before and after its work, with the device, its driver and the direction', t => {
  const { dev, observer } = make();
  const address = dmaMapSingle(dev, cpuAddr(OFFSET + 2 * PAGE_SIZE + 16), 64, FromDevice);
  t.deepEqual(observer.take(), [
    'map begins 8208 64 from-device platform dev',
    'ops',
    'mapped 8208 as 9208 64 from-device platform dev',
  ]);
  t.is(dmaMappingError(dev, address), 0);
  dmaSyncSingleForCpu(dev, address, 64, FromDevice);
  dmaSyncSingleRangeForCpu(dev, address, 32, 16, FromDevice);
  dmaSyncSingleForDevice(dev, address, 64, ToDevice);
  dmaUnmapSingle(dev, address, 64, FromDevice, DmaAttr.SkipCpuSync);
  t.deepEqual(observer.take(), [
    'checked 9208 dev',
    'sync for CPU begins 9208 64 from-device platform dev',
    'ops',
    'synced for CPU 9208 64 from-device platform dev',
    'sync for CPU begins 9240 16 from-device platform dev',
    'ops',
    'synced for CPU 9240 16 from-device platform dev',
    'sync for device begins 9208 64 to-device platform dev',
    'ops',
    'synced for device 9208 64 to-device platform dev',
    'unmap begins 9208 64 from-device platform dev skips',
    'ops',
    'unmapped 9208 64 from-device platform dev skips',
  ]);
});

test('maps that fail, checks of what failed, and memory that is refused are told too', t => {
  const { dev, observer } = make();
  const failed = dmaMapPage(dev, pfnToPage(9), 0, 32, ToDevice, DmaAttr.SkipCpuSync);
  t.true(dmaMappingError(dev, failed) < 0);
  t.is(dmaMapSingle(dev, cpuAddr(0x1234), 32, ToDevice), DMA_MAPPING_ERROR);
  t.deepEqual(observer.take(), [
    'map begins 36864 32 to-device platform dev skips',
    'ops',
    'map failed 36864 32 to-device platform dev skips',
    `checked ${2 ** 64} dev`,
    'refused 4660 32 dev',
  ]);
});

test('a call in which the kernel crashes is told to its end', t => {
  const { dev, observer } = make();
  t.throws(() => {
    dmaUnmapSingle(dev, dmaAddr(0), 8, ToDevice);
  });
  t.deepEqual(observer.take(), [
    'unmap begins 0 8 to-device platform dev',
    'ops',
    'unmapped 0 8 to-device platform dev',
  ]);
});

test('a site is the line of the driver that made the call', t => {
  const { dev, observer } = make();
  const before = Number(/test\.ts:(\d+)/.exec(new Error().stack ?? '')?.[1]);
  dmaMapSingle(dev, cpuAddr(OFFSET), 8, ToDevice);
  dmaSyncSingleRangeForCpu(dev, dmaAddr(1000), 4, 4, ToDevice);
  t.deepEqual(
    observer.sites,
    [1, 1, 2, 2].map(lines => `tests/mm/dma-observed.test.ts:${before + lines}`),
  );
});

test('a device has the name of its driver from the probe on, unless that fails', t => {
  const { dev, observer } = make();
  const map = (): number => dmaMapSingle(dev, cpuAddr(OFFSET), 8, ToDevice);
  const probed = probeDevice({ name: 'good', compatible: [], probe: () => ({ at: map() }) }, dev);
  t.deepEqual(probed, { at: 1000 });
  t.is(observer.take()[0], 'map begins 0 8 to-device good dev');
  t.is(probeDevice({ name: 'bad', compatible: [], probe: () => -5 }, dev), -5);
  map();
  t.is(observer.take()[0], 'map begins 0 8 to-device platform dev');
});

test('allocations are told with the room they have; not the pages that kmalloc itself keeps', t => {
  const layout = { ranges: [{ start: 16, end: 64 }], dmaEnd: null, dma32End: null, lowEnd: 64 };
  const observer = new RecordingObserver();
  const clearer = { clearPage: () => observer.told.push('cleared') };
  const pages = new PageAllocator(layout, clearer);
  const slab = new Slab(pages, linear, 64);
  pages.observer = observer;
  slab.observer = observer;
  const page = pages.allocPages({ ...GFP_KERNEL, zero: true }, 1);
  const at = (page ?? 0) * PAGE_SIZE;
  t.deepEqual(observer.take(), [`allocated ${at} 8192`, 'cleared', 'cleared']);
  const small = slab.kmalloc(100, GFP_KERNEL) ?? cpuAddr(0);
  const large = slab.kmalloc(10_000, GFP_KERNEL) ?? cpuAddr(0);
  t.deepEqual(observer.take(), [
    `allocated ${small - OFFSET} 128`,
    `allocated ${large - OFFSET} 16384`,
  ]);
  slab.kfree(small);
  if (page !== null) pages.freePagesAt(page, 1);
  t.deepEqual(observer.take(), [`freed ${small - OFFSET} 128`, `freed ${at} 8192`]);
  t.not(pages.allocKernelPages(GFP_KERNEL, 0), null);
  t.is(slab.kmalloc(2 ** 40, GFP_KERNEL), null);
  t.deepEqual(observer.take(), []);
});
