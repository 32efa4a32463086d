import test from 'ava';
import fc from 'fast-check';
import { AddressSpace } from '../../../../drivers/base/hw/address-space';
import { MemoryRegion } from '../../../../drivers/base/hw/memory-region';

const ram = (name: string, size: number): MemoryRegion => MemoryRegion.ram(name, { name, size });

test('an address is found in the range that holds it, and nowhere else', t => {
  const root = MemoryRegion.container('root', 0x1_0000);
  const a = ram('a', 0x1000);
  const b = ram('b', 0x1000);
  root.add(0x1000, a);
  root.add(0x4000, b);
  const space = new AddressSpace('cpu', root);
  const at = (address: number): string | null => space.find(address)?.region.name ?? null;
  const addresses = [0, 0xfff, 0x1000, 0x1fff, 0x2000, 0x3fff, 0x4000, 0x4fff, 0x5000, -1, NaN];
  t.deepEqual(addresses.map(at), [
    ...[null, null, 'a', 'a', null],
    ...[null, 'b', 'b', null, null, null],
  ]);
  t.deepEqual([...addresses].reverse().map(at).reverse(), addresses.map(at));
});

test('the view is rendered again only after the topology changed, however deep', t => {
  const root = MemoryRegion.container('root', 0x1_0000);
  const bus = MemoryRegion.container('bus', 0x1000);
  root.add(0, MemoryRegion.alias('window', bus, 0, 0x1000));
  const space = new AddressSpace('cpu', root);
  const before = space.view;
  t.is(space.view, before);
  const device = ram('device', 0x100);
  bus.add(0, device);
  t.is(space.find(0)?.region, device, 'seen through the alias');
  device.enabled = false;
  t.is(space.find(0), null, 'the last hit does not outlive the view');
  device.enabled = true;
  bus.remove(device);
  t.is(space.find(0), null);
});

test('the version rises with each change that the space can see, once, and with no other', t => {
  const root = MemoryRegion.container('root', 0x1_0000);
  const shared = ram('shared', 0x1000);
  root.add(0, MemoryRegion.alias('one', shared, 0, 0x1000));
  root.add(0x1000, MemoryRegion.alias('two', shared, 0, 0x1000));
  const space = new AddressSpace('cpu', root);
  const { version } = space;
  shared.enabled = false;
  t.is(space.version, version + 1);
  MemoryRegion.container('elsewhere', 0x1000).add(0, ram('unseen', 1));
  shared.enabled = false;
  t.is(space.version, version + 1);
});

test('two address spaces of one root agree', t => {
  const root = MemoryRegion.container('root', 0x1000);
  const cpu = new AddressSpace('cpu', root);
  const dma = new AddressSpace('dma', root);
  root.add(0, ram('dram', 0x1000));
  t.deepEqual(cpu.view, dma.view);
});

test('the search agrees with a scan of the view, in any order of addresses', t => {
  const place = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 8 }));
  fc.assert(
    fc.property(
      fc.array(place, { maxLength: 12 }),
      fc.array(fc.nat(70), { maxLength: 40 }),
      (places, addresses) => {
        const root = MemoryRegion.container('root', 64);
        places.forEach(([offset, size], i) => {
          root.add(offset, ram(`r${i}`, size));
        });
        const space = new AddressSpace('cpu', root);
        for (const address of addresses) {
          const scanned = space.view.find(r => address >= r.start && address < r.start + r.size);
          t.is(space.find(address), scanned ?? null);
        }
      },
    ),
  );
});
