import test from 'ava';
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOSYS } from '../../../drivers/base/kernel/errno';
import { dmaAddr } from '../../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { BenchError } from '../../../drivers/base/types/errors';
import { granuleOf } from '../../../mm/iommu/page-sizes';
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
