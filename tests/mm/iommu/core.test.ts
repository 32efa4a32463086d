import test from 'ava';
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOSYS } from '../../../drivers/base/kernel/errno';
import { dmaAddr, physAddr } from '../../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { BenchError } from '../../../drivers/base/types/errors';
import { iommuMap, iommuUnmap } from '../../../mm/iommu/map';
import { granuleOf, pageRun } from '../../../mm/iommu/page-sizes';
import { boot } from '../../support/booted';
import { dmaDevice } from '../../support/dma-device';
import { FakeIommu, FakeIommuBench } from '../../support/fake-iommu';

const { services } = boot('versatile-pb').kernel;

test('a group is attached to its default domain when its first device is there', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(3);
  t.is(made.iommu.attached.get(3)?.type, 'dma');
  t.deepEqual(made.iommus.groupOf(dev)?.streams, [{ iommu: made.iommu, stream: 3 }]);
  t.is(made.iommus.groupOf(made.device(3)), made.iommus.groupOf(dev));
  t.is(made.iommu.attached.size, 1);
});

test('with an identity domain by default, DMA is not translated', t => {
  const made = new FakeIommuBench(services, { defaultType: 'identity' });
  const dev = made.device(0);
  t.is(made.iommu.attached.get(0)?.type, 'identity');
  t.is(made.iommus.dmaDomain(dev), null);
  t.is(made.dma.spaceOf(dev), null);
  t.throws(() => made.dma.mustHave(dev), { instanceOf: BenchError });
});

test('an IOMMU that is not there, cells it does not know, and no memory are errors', t => {
  const made = new FakeIommuBench(services);
  t.is(made.iommus.groupFor([{ iommu: new FakeIommu(8), cells: [0] }]), -ENODEV);
  t.is(made.iommus.groupFor([{ iommu: made.iommu, cells: [8] }]), -EINVAL);
  made.iommu.hasMemory = false;
  t.is(made.iommus.groupFor([{ iommu: made.iommu, cells: [1] }]), -ENOMEM);
  const free = dmaDevice(services);
  t.is(made.iommus.groupOf(free), null);
  t.is(made.iommus.dmaDomain(free), null);
  t.is(made.iommus.domainAlloc(free), null);
});

test('a device alone in its group can be attached elsewhere, and comes back', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(2);
  const { iommus, iommu } = made;
  const domain = iommus.domainAlloc(dev);
  if (domain === null) throw new Error('no domain');
  t.is(iommus.attachDevice(domain, dev), 0);
  t.is(iommu.attached.get(2), domain);
  t.is(iommus.attachDevice(domain, dev), -EBUSY);
  t.throws(() => {
    iommus.domainFree(domain);
  });
  iommus.detachDevice(domain, dev);
  t.is(iommu.attached.get(2)?.type, 'dma');
  iommus.domainFree(domain);
  t.deepEqual(iommu.freed, [domain]);
  t.is(iommus.attachDevice(domain, dev), -EINVAL);
});

test('a device that shares its group, and one behind nothing, are not attached', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(2);
  const domain = made.iommus.domainAlloc(dev);
  if (domain === null) throw new Error('no domain');
  made.device(2);
  t.is(made.iommus.attachDevice(domain, dev), -EINVAL);
  t.is(made.iommus.attachDevice(domain, dmaDevice(services)), -ENODEV);
});

test("a fault is told to the handler of the domain, and is the driver's without one", t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(4);
  const fault = { stream: 4, address: dmaAddr(0x5000), write: true, cause: 'permission' };
  t.is(made.iommu.fault(fault), -ENOSYS);
  const domain = made.iommus.domainAlloc(dev);
  if (domain === null) throw new Error('no domain');
  const told: unknown[] = [];
  made.iommus.setFaultHandler(domain, each => {
    told.push(each);
    return 0;
  });
  t.is(made.iommu.fault(fault), -ENOSYS, 'not attached yet');
  t.is(made.iommus.attachDevice(domain, dev), 0);
  t.is(made.iommu.fault(fault), 0);
  t.is(made.iommu.fault({ ...fault, stream: 5 }), -ENOSYS, 'of nobody');
  t.deepEqual(told, [fault]);
});

test('the granule of a domain is its smallest page', t => {
  t.is(granuleOf(PAGE_SIZE), PAGE_SIZE);
  t.is(granuleOf(16 * PAGE_SIZE + MIB), 16 * PAGE_SIZE);
});

test('a device is in one group', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(1);
  const group = made.iommus.groupFor([{ iommu: made.iommu, cells: [2] }]);
  if (typeof group === 'number') throw new Error('no group');
  t.throws(
    () => {
      made.iommus.addDevice(group, dev);
    },
    { instanceOf: BenchError },
  );
});

const specsOf = (iommu: FakeIommu, ...streams: number[]) =>
  streams.map(stream => ({ iommu, cells: [stream] }));

test('a device with several streams has them all attached, or none', t => {
  const { iommus, iommu } = new FakeIommuBench(services);
  iommu.refuses.add(3);
  t.is(iommus.groupFor(specsOf(iommu, 1, 3)), -EINVAL);
  iommu.refuses.clear();
  t.like(iommus.groupFor(specsOf(iommu, 1, 3, 1)), { id: 0, streams: { length: 2 } });
  t.deepEqual([...iommu.attached.keys()], [1, 3]);
  t.is(iommu.attached.get(1), iommu.attached.get(3));
});

test('devices that share a stream are one group, which then has the streams of both', t => {
  const { iommus, iommu } = new FakeIommuBench(services);
  const group = iommus.groupFor(specsOf(iommu, 1, 2));
  t.is(iommus.groupFor(specsOf(iommu, 2, 4)), group);
  t.is(iommu.attached.get(4), iommu.attached.get(1));
  t.not(iommus.groupFor(specsOf(iommu, 5)), group);
  t.is(iommus.groupFor(specsOf(iommu, 5, 1)), -EINVAL, 'it would be of two groups');
});

test('an attachment that fails halfway leaves every stream where it was', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(1);
  t.like(made.iommus.groupFor(specsOf(made.iommu, 1, 6)), { id: 0 });
  const before = made.iommu.attached.get(1);
  const domain = made.iommus.domainAlloc(dev);
  if (domain === null) throw new Error('no domain');
  made.iommu.refuses.add(6);
  t.is(made.iommus.attachDevice(domain, dev), -EINVAL);
  t.is(made.iommu.attached.get(1), before);
  t.is(made.iommus.groupOf(dev)?.domain.domain, before);
});

test('a group that has an owner lets nothing pass but what the owner attaches', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(1);
  const { iommus, iommu } = made;
  const domain = iommus.domainAlloc(dev);
  if (domain === null) throw new Error('no domain');
  t.is(iommus.claimDmaOwner(dev), 0);
  t.is(iommus.claimDmaOwner(dev), -EBUSY);
  t.is(iommu.attached.get(1)?.type, 'blocked');
  t.is(iommus.attachDevice(domain, dev), 0);
  iommus.detachDevice(domain, dev);
  t.is(iommu.attached.get(1)?.type, 'blocked');
  iommus.releaseDmaOwner(dev);
  t.is(iommu.attached.get(1)?.type, 'dma');
  t.is(iommus.claimDmaOwner(dmaDevice(services)), -ENODEV);
});

test('reserved addresses are given to nobody, and direct ones lead where they say', t => {
  const made = new FakeIommuBench(services, { pages: 8 });
  made.iommu.reserved = [
    { type: 'direct', start: 2 * PAGE_SIZE, length: PAGE_SIZE },
    { type: 'msi', start: 4 * PAGE_SIZE + 16, length: 16 },
    { type: 'sw-msi', start: 5 * PAGE_SIZE, length: PAGE_SIZE },
  ];
  const reserved = [{ type: 'reserved', start: 6 * PAGE_SIZE, length: 2 * PAGE_SIZE }] as const;
  const group = made.iommus.groupFor(specsOf(made.iommu, 0), { reserved });
  if (typeof group === 'number') throw new Error('no group');
  const { dma } = group.defaultDomain;
  t.is(dma?.iova.freeFrames, 3, '1, 3 and 5');
  t.is(dma?.ops.iovaToPhys(dmaAddr(2 * PAGE_SIZE + 8)), physAddr(2 * PAGE_SIZE + 8));
  t.is(dma?.ops.iovaToPhys(dmaAddr(6 * PAGE_SIZE)), null);
});

test('a range is mapped in the largest pages that fit both addresses', t => {
  const sizes = PAGE_SIZE + 16 * PAGE_SIZE + 256 * PAGE_SIZE;
  const run = (iova: number, address: number, size: number) =>
    pageRun(sizes, iova * PAGE_SIZE, address * PAGE_SIZE, size * PAGE_SIZE);
  t.deepEqual(run(0, 256, 600), { pageSize: 256 * PAGE_SIZE, count: 2 });
  t.deepEqual(run(15, 31, 40), { pageSize: PAGE_SIZE, count: 1 }, 'until a larger one fits');
  t.deepEqual(run(15, 32, 40), { pageSize: PAGE_SIZE, count: 40 }, 'not alike in a larger one');
  t.deepEqual(run(16, 16, 15), { pageSize: PAGE_SIZE, count: 15 });
  t.deepEqual(run(250, 250, 20), { pageSize: PAGE_SIZE, count: 20 }, 'no larger one fits');
  t.deepEqual(run(240, 240, 300), { pageSize: 16 * PAGE_SIZE, count: 1 });
});

test('what fails in the middle is taken back, and what is not of whole pages is refused', t => {
  const made = new FakeIommuBench(services, { pages: 64, pageSizes: PAGE_SIZE + 16 * PAGE_SIZE });
  const table = made.tableOf(made.device(0));
  table.mapsLeft = 2;
  const from = dmaAddr(15 * PAGE_SIZE);
  t.is(iommuMap(table, from, physAddr(31 * PAGE_SIZE), 20 * PAGE_SIZE, 3), -ENOMEM);
  t.is(table.entries.size, 0);
  t.is(table.unflushed.size, 0);
  t.is(iommuMap(table, from, physAddr(8), PAGE_SIZE, 3), -EINVAL);
  t.is(iommuUnmap(table, from, 8), 0);
  table.mapsLeft = -1;
  t.is(iommuMap(table, from, physAddr(31 * PAGE_SIZE), 20 * PAGE_SIZE, 3), 0);
  t.is(iommuUnmap(table, from, 20 * PAGE_SIZE), 20 * PAGE_SIZE);
  t.deepEqual(table.calls.slice(-6), [
    'unmap 1 pages at 0xf000',
    'unmap 16 pages at 0x10000',
    'flush 1 pages at 0xf000',
    'unmap 3 pages at 0x20000',
    'flush 16 pages at 0x10000',
    'flush 3 pages at 0x20000',
  ]);
});
