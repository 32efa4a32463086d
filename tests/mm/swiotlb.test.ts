import test from 'ava';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DeviceDma } from '../../drivers/base/kernel/device';
import { DmaAttr, DmaDirection } from '../../drivers/base/kernel/dma-mapping';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { physAddr } from '../../drivers/base/types/address';
import { GIB, MIB } from '../../drivers/base/types/bits';
import { PhysMemory } from '../../mm/phys-memory';
import type { Bounce } from '../../mm/dma-stages';
import { InactiveSwiotlb } from '../../mm/swiotlb-inactive';
import { Swiotlb, swiotlbLeast, swiotlbWanted } from '../../mm/swiotlb';
import type { SwiotlbFields } from '../../mm/swiotlb';
import { boot } from '../support/booted';

const { ToDevice, FromDevice, Bidirectional, None } = DmaDirection;
const { kernel } = boot('versatile-pb');
const { mm, cpu } = kernel;
const memory = new PhysMemory(kernel.io.relaxed, mm.kmap);
const SLOTS = physAddr(0x100_0000);
const BUFFER = physAddr(0x200_0123);

const virt = (address: number): number => mm.layout.physToVirt(physAddr(address)) ?? 0;
const fill = (address: number, size: number, byte: number): void => {
  for (let i = 0; i < size; i++) cpu.store8(virt(address + i), byte);
};
const bytes = (address: number, size: number): number[] =>
  Array.from({ length: size }, (_, i) => cpu.load8(virt(address + i)));
const of = (byte: number, size: number): number[] => Array.from({ length: size }, () => byte);

/** Memory as each test finds it: slots of 0xee, a buffer of 0x11. */
const make = (
  dma: Partial<DeviceDma> = {},
  options: SwiotlbFields = {},
): { dev: Device; bounce: Swiotlb; lines: () => string[] } => {
  fill(SLOTS, 8192, 0xee);
  fill(BUFFER - 8, 128, 0x11);
  const log = new KernelLog();
  const dev = new Device({
    name: 'dev',
    ofPath: null,
    dma: deviceDmaOf(dma),
    registers: [],
    irqs: [],
    services: { ...kernel.services, log },
  });
  const bounce = new Swiotlb(SLOTS, { slots: 128, areas: 1 }, memory, options);
  return { dev, bounce, lines: () => log.lines.map(({ text }) => text) };
};

test('rule 73: a map copies the original in, whatever the direction and the attributes', t => {
  for (const direction of [ToDevice, FromDevice, Bidirectional]) {
    const { dev, bounce } = make();
    fill(SLOTS, 100, 0xee);
    const slot = bounce.map(dev, BUFFER, 64, direction, DmaAttr.SkipCpuSync);
    t.is(slot, SLOTS);
    t.deepEqual(bytes(SLOTS, 65), [...of(0x11, 64), 0xee]);
  }
});

test('rule 74: an unmap copies back what the device may have written, unless told not to', t => {
  for (const [direction, attrs, expected] of [
    [ToDevice, DmaAttr.None, 0x11],
    [FromDevice, DmaAttr.None, 0x22],
    [Bidirectional, DmaAttr.None, 0x22],
    [FromDevice, DmaAttr.SkipCpuSync, 0x11],
  ] as const) {
    const { dev, bounce } = make();
    fill(BUFFER, 64, 0x11);
    bounce.map(dev, BUFFER, 64, direction, attrs);
    fill(SLOTS, 16, 0x22);
    bounce.unmap(dev, SLOTS, 64, direction, attrs);
    t.deepEqual(bytes(BUFFER, 64), [...of(expected, 16), ...of(0x11, 48)]);
    t.is(bounce.pool.used, 0);
  }
});

test('rule 75: a sync copies exactly its part, and only the way of its direction', t => {
  const { dev, bounce } = make();
  bounce.map(dev, BUFFER, 64, Bidirectional, DmaAttr.None);
  fill(SLOTS, 64, 0x22);
  bounce.syncForCpu(dev, physAddr(SLOTS + 8), 4, ToDevice);
  t.deepEqual(bytes(BUFFER, 64), of(0x11, 64));
  bounce.syncForCpu(dev, physAddr(SLOTS + 8), 4, FromDevice);
  t.deepEqual(bytes(BUFFER, 16), [...of(0x11, 8), ...of(0x22, 4), ...of(0x11, 4)]);
  fill(BUFFER, 64, 0x33);
  bounce.syncForDevice(dev, physAddr(SLOTS + 3), 7, FromDevice);
  t.deepEqual(bytes(SLOTS, 64), of(0x22, 64));
  bounce.syncForDevice(dev, physAddr(SLOTS + 3), 7, Bidirectional);
  t.deepEqual(bytes(SLOTS, 16), [...of(0x22, 3), ...of(0x33, 7), ...of(0x22, 6)]);
  t.throws(
    () => {
      bounce.syncForCpu(dev, SLOTS, 4, None);
    },
    { instanceOf: KernelOops },
  );
});

test('a sync beyond the mapping copies what there is, and is told of once', t => {
  const { dev, bounce, lines } = make();
  bounce.map(dev, BUFFER, 64, FromDevice, DmaAttr.None);
  fill(SLOTS, 128, 0x22);
  bounce.syncForCpu(dev, physAddr(SLOTS + 60), 40, FromDevice);
  bounce.syncForCpu(dev, physAddr(SLOTS + 60), 40, FromDevice);
  t.deepEqual(bytes(BUFFER, 70), [...of(0x11, 60), ...of(0x22, 4), ...of(0x11, 6)]);
  t.deepEqual(lines(), [
    'platform dev: Buffer overflow detected. Allocation size: 4. Mapping size: 40.',
  ]);
});

test('rule 80: a full pool is an error at once, told unless nobody wants to know', t => {
  const { dev, bounce, lines } = make();
  t.not(bounce.map(dev, BUFFER, 200_000, ToDevice, DmaAttr.None), null);
  t.is(bounce.map(dev, BUFFER, 70_000, ToDevice, DmaAttr.NoWarn), null);
  t.is(bounce.map(dev, BUFFER, 70_000, ToDevice, DmaAttr.None), null);
  t.deepEqual(lines(), [
    'platform dev: swiotlb buffer is full (sz: 70000 bytes), total 128 (slots), used 98 (slots)',
  ]);
});

test('rules 77 and 78: the device keeps its low bits, and what they cost is known', t => {
  const { dev, bounce } = make({ minAlignMask: 0xfff });
  const slot = bounce.map(dev, BUFFER, 64, Bidirectional, DmaAttr.None) ?? 0;
  t.is(slot % 4096, BUFFER % 4096);
  t.deepEqual(bytes(slot, 64), of(0x11, 64));
  bounce.unmap(dev, physAddr(slot), 64, Bidirectional, DmaAttr.None);
  t.is(bounce.pool.used, 0);
  const largest = bounce.maxMappingSize(dev);
  t.is(largest, 256 * 1024 - 4096);
  t.is(make().bounce.maxMappingSize(make().dev), 256 * 1024);
  t.is(
    make({ minAlignMask: 0xff }).bounce.maxMappingSize(make({ minAlignMask: 0xff }).dev),
    254 * 1024,
  );
  for (const low of [0, 1, 0x7ff, 0x800, 0xfff]) {
    const at = bounce.map(dev, physAddr(0x300_0000 + low), largest, ToDevice, DmaAttr.None);
    t.is((at ?? 0) % 4096, low);
    bounce.unmap(dev, at ?? SLOTS, largest, ToDevice, DmaAttr.None);
  }
});

test('without an IOMMU what is out of reach is bounced, or everything; nobody asks for trust', t => {
  const needs = ({ dev, bounce }: ReturnType<typeof make>, isReachable: boolean): boolean =>
    bounce.needs(dev, BUFFER, 64, ToDevice, { isReachable, granule: null });
  t.true(needs(make(), false));
  t.false(needs(make(), true));
  t.false(needs(make({ isUntrusted: true }), true));
  t.true(needs(make({}, { isForced: true }), true));
  t.true(needs(make({ forcesBounce: true }), true));
  const { dev, bounce } = make();
  t.deepEqual(
    [SLOTS - 1, SLOTS, SLOTS + 128 * 2048 - 1, SLOTS + 128 * 2048].map(address =>
      bounce.isSlot(dev, physAddr(address)),
    ),
    [false, true, true, false],
  );
});

test('behind an IOMMU, who is not trusted has whole pages or slots with nothing around them', t => {
  const needs = (bounce: Bounce, dev: Device, address: number, size: number): boolean =>
    bounce.needs(dev, physAddr(address), size, ToDevice, { isReachable: true, granule: 4096 });
  const { dev, bounce } = make({ isUntrusted: true, minAlignMask: 0xff });
  t.deepEqual(
    [
      [BUFFER, 4096],
      [0x200_0000, 4095],
      [0x200_0000, 8192],
    ].map(([at = 0, size = 0]) => needs(bounce, dev, at, size)),
    [true, true, false],
  );
  const trusted = make({}, { isForced: true });
  t.false(needs(trusted.bounce, trusted.dev, BUFFER, 64), 'force is for direct DMA');
  t.deepEqual([bounce.isForced(dev, 4096), bounce.isForced(dev, null)], [true, false]);
  t.deepEqual(
    [4096, null].map(granule => trusted.bounce.isForced(trusted.dev, granule)),
    [false, true],
  );
  fill(SLOTS, 8192, 0xee);
  const slot = bounce.map(dev, BUFFER, 64, ToDevice, DmaAttr.None, 4096);
  t.is(slot, physAddr(SLOTS + 0x23));
  t.deepEqual(bytes(SLOTS, 0x23), of(0, 0x23));
  t.deepEqual(bytes(SLOTS + 0x23, 65), [...of(0x11, 64), 0]);
  t.deepEqual(bytes(SLOTS + 4088, 16), [...of(0, 8), ...of(0xee, 8)]);
  const next = bounce.map(dev, BUFFER, 64, ToDevice, DmaAttr.None, 4096);
  t.is(next, physAddr(SLOTS + 4096 + 0x23), "its pages are nobody else's");
});

test('what may be an object of kmalloc that shares a line is bounced: arm64, no snooping, not to the device', t => {
  const kmalloc = { minAlign: 128, line: 64 };
  const asked = (
    direction: DmaDirection,
    options: SwiotlbFields = { kmalloc },
    dma: Partial<DeviceDma> = {},
  ): string => {
    const { dev, bounce } = make(dma, options);
    const reach = { isReachable: true, granule: null };
    return [1, 32, 33, 63, 64, 65, 96, 97, 128, 129, 192, 193, 255, 256, 300]
      .filter(size => bounce.needs(dev, BUFFER, size, direction, reach))
      .join(' ');
  };
  t.is(asked(FromDevice), '1 32 65 96');
  t.is(asked(Bidirectional), '1 32 65 96');
  t.is(asked(FromDevice, { kmalloc: { minAlign: 128, line: 128 } }), '1 32 33 63 64 65 96 129 192');
  t.is(asked(ToDevice), '');
  t.is(asked(FromDevice, { kmalloc }, { coherent: true }), '');
  t.is(asked(FromDevice, {}), '');
  const { dev, bounce } = make({}, { kmalloc });
  t.true(bounce.splitsLists(dev, 70, FromDevice));
  t.false(bounce.splitsLists(dev, 64, FromDevice));
});

test('a kernel without the memory for it maps nothing that would have to be bounced, and says so', t => {
  const { dev, lines } = make({ isUntrusted: true });
  const inactive = new InactiveSwiotlb({ minAlign: 128, line: 64 });
  const ask = (size: number, granule: number | null): string => {
    const reach = { isReachable: true, granule };
    if (!inactive.needs(dev, BUFFER, size, FromDevice, reach)) return 'as it is';
    return `${inactive.map(dev, BUFFER, size, FromDevice, DmaAttr.None, granule)}`;
  };
  t.deepEqual([ask(32, null), ask(64, null), ask(64, 4096)], ['null', 'as it is', 'null']);
  t.deepEqual(lines(), [
    'platform dev: DMA addr 0x02000123+32 overflow (mask ffffffff, bus limit 0).',
    'platform dev: DMA bounce buffers are inactive, unable to map unaligned transaction.',
  ]);
});

test('an alignment of more than a page is told of once', t => {
  const { dev, bounce, lines } = make();
  bounce.map(dev, BUFFER, 64, ToDevice, DmaAttr.None, 0x1_0000);
  bounce.map(dev, BUFFER, 64, ToDevice, DmaAttr.None, 0x1_0000);
  t.deepEqual(lines(), [
    'platform dev: Alloc alignment may prevent fulfilling requests with max mapping_size',
  ]);
});

const machine = { cpus: 1, hasUnreachable: true, forKmalloc: false, ramBytes: GIB };

test('how much is wanted goes by what is out of reach, by the CPUs and by the command line', t => {
  for (const [fields, options, expected] of [
    [{}, {}, [32768, 1]],
    [{ cpus: 6 }, {}, [32768, 8]],
    [{ hasUnreachable: false }, {}, null],
    [{ hasUnreachable: false, forKmalloc: true, cpus: 4 }, {}, [512, 4]],
    [{ hasUnreachable: false, forKmalloc: true, cpus: 8 }, {}, [1024, 8]],
    [{ hasUnreachable: false, forKmalloc: true, ramBytes: 3 * GIB }, {}, [2048, 1]],
    [{ hasUnreachable: false, forKmalloc: true, ramBytes: 512 * GIB }, {}, [32768, 1]],
    [{ hasUnreachable: false, forKmalloc: true }, { slots: 1000 }, [1024, 1]],
    [{ hasUnreachable: false }, { force: true }, [32768, 1]],
    [{}, { slots: 129, areas: 3 }, [512, 4]],
    [{}, { disabled: true }, null],
  ] as const) {
    const wanted = swiotlbWanted({ ...machine, ...fields }, options);
    t.deepEqual(wanted === null ? null : [wanted.slots, wanted.areas], expected && [...expected]);
  }
});

test('less than 1 MiB is taken only where no more is wanted', t => {
  const small = { ...machine, hasUnreachable: false, forKmalloc: true, ramBytes: 128 * MIB };
  const sizes = [machine, { ...small, cpus: 2 }, small].map(one => swiotlbWanted(one));
  t.deepEqual(
    sizes.map(size => size && [size.slots, swiotlbLeast(size)]),
    [
      [32768, 512],
      [256, 256],
      [128, 128],
    ],
  );
});
