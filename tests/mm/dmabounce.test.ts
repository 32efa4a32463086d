import assert from 'node:assert/strict';
import test from 'ava';
import type { Device } from '../../drivers/base/kernel/device';
import { deviceDmaOf } from '../../drivers/base/kernel/device';
import { DmaDirection } from '../../drivers/base/kernel/dma-mapping';
import { ENOMEM } from '../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { offsetBy, physAddr } from '../../drivers/base/types/address';
import type { CpuAddr, DmaAddr, PhysAddr } from '../../drivers/base/types/address';
import { MIB } from '../../drivers/base/types/bits';
import {
  DMA_MAPPING_ERROR,
  dmaMapSingle,
  dmaSyncSingleForCpu,
  dmaSyncSingleForDevice,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { DmaBounce } from '../../mm/dmabounce';
import { boot } from '../support/booted';

const { ToDevice, FromDevice, Bidirectional } = DmaDirection;

/** RAM is from 0 to 128 MiB, of which the devices reach the first 64. */
const machine = boot('versatile-pb');
const { kernel, hardware } = machine;
/** Where caches were maintained. */
const maintained: PhysAddr[] = [];
const cache = { ...kernel.arch };
Object.assign(kernel.arch, {
  syncForDevice: (at: PhysAddr, size: number, direction: DmaDirection) => {
    maintained.push(at);
    cache.syncForDevice(at, size, direction);
  },
  syncForCpu: (at: PhysAddr, size: number, direction: DmaDirection) => {
    maintained.push(at);
    cache.syncForCpu(at, size, direction);
  },
});
const bounce = new DmaBounce(kernel.arch);
kernel.dma.bounce = bounce;
const ops = kernel.dma.opsFor(false);
const memory = hardware.debugPort();
const MASK = 64 * MIB - 1;

const nothing = (): boolean => false;
let unsafe: (address: DmaAddr) => boolean = nothing;

const makeDevice = (name: string, mask = MASK): Device => {
  const dma = deviceDmaOf({ mask, coherentMask: mask, ops });
  return kernel.addDevice(name, null, dma, [], []);
};

const registered = (name: string): Device => {
  const dev = makeDevice(name);
  const config = {
    small: 512,
    large: 4096,
    needsBounce: (_dev: Device, at: DmaAddr) => unsafe(at),
  };
  assert.equal(bounce.register(dev, config), 0);
  return dev;
};

/** 4 MiB that are out of reach: the kernel gives what lies low first. */
const beyond = (): CpuAddr => {
  const blocks: CpuAddr[] = [];
  for (;;) {
    const block = kernel.slab.kmalloc(4 * MIB, GFP_KERNEL);
    assert.ok(block !== null);
    if ((kernel.mm.layout.virtToPhys(block) ?? 0) > MASK) {
      for (const low of blocks) kernel.slab.kfree(low);
      return block;
    }
    blocks.push(block);
  }
};
let next = beyond();

/** A buffer that is not within reach, each byte `byte`. */
const buffer = (size: number, byte: number): CpuAddr => {
  const address = next;
  next = offsetBy(next, 32_768);
  for (let i = 0; i < size; i++) kernel.cpu.store8(offsetBy(address, i), byte);
  return address;
};

const read = (address: CpuAddr, size: number): number[] =>
  Array.from({ length: size }, (_, i) => kernel.cpu.load8(offsetBy(address, i)));
/** What the device finds, and what it leaves: it does not snoop. */
const deviceWord = (at: DmaAddr): number => memory.read32(physAddr(at)) >>> 0;
const deviceWrites = (at: DmaAddr, value: number): void => {
  memory.write32(physAddr(at), value);
};
const of = (byte: number, size: number): number[] => Array.from({ length: size }, () => byte);

test('what is out of reach goes through a safe buffer, of each of the three kinds', t => {
  const dev = registered('kinds');
  const handles: DmaAddr[] = [];
  for (const size of [64, 512, 513, 4096, 4097, 20_000]) {
    const address = buffer(size, 0x5a);
    const handle = dmaMapSingle(dev, address, size, ToDevice);
    t.true(handle + size - 1 <= MASK, `${size} bytes at ${handle}`);
    t.is(deviceWord(handle), 0x5a5a_5a5a);
    t.is(deviceWord(offsetBy(handle, size - (size % 4) - 4)), 0x5a5a_5a5a);
    handles.push(handle);
    dmaUnmapSingle(dev, handle, size, ToDevice);
  }
  const [small, small2, large, large2] = handles;
  t.is(small, small2);
  t.is(large, large2);
  t.not(small, large);
  bounce.unregister(dev);
  const other = registered('other');
  t.is(dmaMapSingle(other, buffer(64, 0x5a), 64, ToDevice), small ?? DMA_MAPPING_ERROR);
});

test('directions copy their way only, at map and at unmap', t => {
  const dev = registered('ways');
  for (const [direction, goesIn, comesBack] of [
    [ToDevice, true, false],
    [FromDevice, false, true],
    [Bidirectional, true, true],
  ] as const) {
    const address = buffer(64, 0x11);
    const dirty = dmaMapSingle(dev, buffer(64, 0x77), 64, ToDevice);
    dmaUnmapSingle(dev, dirty, 64, ToDevice);
    const handle = dmaMapSingle(dev, address, 64, direction);
    t.is(handle, dirty);
    t.is(deviceWord(handle), goesIn ? 0x1111_1111 : 0x7777_7777);
    deviceWrites(handle, 0x2222_2222);
    dmaUnmapSingle(dev, handle, 64, direction);
    // A device that writes a part of what it was given shows what an older mapping left there.
    const rest = goesIn ? 0x11 : 0x77;
    t.deepEqual(read(address, 64), comesBack ? [...of(0x22, 4), ...of(rest, 60)] : of(0x11, 64));
  }
});

test('a sync copies its part; with another direction than that of the mapping it is a bug', t => {
  const dev = registered('parts');
  const address = buffer(64, 0x11);
  const handle = dmaMapSingle(dev, address, 64, Bidirectional);
  for (const at of [0, 8, 16]) deviceWrites(offsetBy(handle, at), 0x2222_2222);
  dmaSyncSingleForCpu(dev, offsetBy(handle, 8), 4, Bidirectional);
  t.deepEqual(read(address, 16), [...of(0x11, 8), ...of(0x22, 4), ...of(0x11, 4)]);
  for (let i = 0; i < 64; i++) kernel.cpu.store8(offsetBy(address, i), 0x33);
  dmaSyncSingleForDevice(dev, offsetBy(handle, 16), 4, Bidirectional);
  t.deepEqual(
    [0, 16, 20].map(at => deviceWord(offsetBy(handle, at))),
    [0x2222_2222, 0x3333_3333, 0x1111_1111],
  );
  const oops = { instanceOf: KernelOops };
  const wrong: (() => void)[] = [
    () => {
      dmaSyncSingleForCpu(dev, handle, 4, FromDevice);
    },
    () => {
      dmaSyncSingleForDevice(dev, handle, 4, ToDevice);
    },
    () => {
      dmaUnmapSingle(dev, handle, 60, Bidirectional);
    },
    () => {
      dmaUnmapSingle(dev, handle, 64, FromDevice);
    },
    () => {
      bounce.unregister(dev);
    },
  ];
  for (const run of wrong) t.throws(run, oops);
  dmaUnmapSingle(dev, handle, 64, Bidirectional);
});

test('what is within reach is bounced if the device says so', t => {
  const dev = registered('choosy');
  dev.dma.mask = 2 ** 32 - 1;
  const address = buffer(64, 0x11);
  const physical = kernel.mm.layout.virtToPhys(address) ?? 0;
  t.is(dmaMapSingle(dev, address, 64, ToDevice), physical as DmaAddr);
  unsafe = at => at === physical;
  const handle = dmaMapSingle(dev, address, 64, ToDevice);
  unsafe = nothing;
  t.true(handle !== physical && handle + 63 <= MASK);
  dmaUnmapSingle(dev, handle, 64, ToDevice);
});

test('what cannot be bounced is refused, and why is told', t => {
  const dev = registered('refused');
  const address = buffer(64, 0x11);
  const before = kernel.log.lines.length;
  dev.dma.coherentMask = 0xfff;
  t.is(dmaMapSingle(dev, address, 64, ToDevice), DMA_MAPPING_ERROR);
  dev.dma.mask = 0x3f;
  t.is(dmaMapSingle(dev, address, 65, ToDevice), DMA_MAPPING_ERROR);
  const other = makeDevice('unregistered');
  t.is(dmaMapSingle(other, address, 64, ToDevice), DMA_MAPPING_ERROR);
  bounce.unregister(other);
  t.is(bounce.register(other, { small: 0, large: 0, needsBounce: nothing }), -ENOMEM);
  t.deepEqual(
    kernel.log.lines
      .slice(before)
      .map(({ text }) => text)
      .filter(text => /alloc_safe_buffer|too big|dmabounce/.test(text)),
    [
      'platform refused: alloc_safe_buffer: could not alloc dma memory (size=64)',
      'platform refused: DMA mapping too big (requested 0x41 mask 0x3f)',
      'platform unregistered: Never registered with dmabounce but attempting to unregister!',
      'platform unregistered: dmabounce: could not allocate small_dmabounce_pool',
    ],
  );
});

test('of a device with one pool only larger buffers are allocated one by one', t => {
  const dev = makeDevice('single');
  t.is(bounce.register(dev, { small: 64, large: 0, needsBounce: nothing }), 0);
  const address = buffer(128, 0x11);
  const handle = dmaMapSingle(dev, address, 128, ToDevice);
  const second = dmaMapSingle(dev, address, 128, ToDevice);
  t.is(handle % 4096, 0);
  t.is(second % 4096, 0);
  t.not(handle, second);
  for (const mapped of [handle, second]) dmaUnmapSingle(dev, mapped, 128, ToDevice);
  t.is(dmaMapSingle(dev, address, 128, ToDevice), handle);
});

test('no cache is maintained for a safe buffer, and for its original only what came back', t => {
  const dev = registered('cached');
  const address = buffer(64, 0x11);
  const original = kernel.mm.layout.virtToPhys(address);
  maintained.length = 0;
  const handle = dmaMapSingle(dev, address, 64, Bidirectional);
  dmaSyncSingleForDevice(dev, handle, 64, Bidirectional);
  t.deepEqual(maintained, []);
  dmaSyncSingleForCpu(dev, handle, 64, Bidirectional);
  dmaUnmapSingle(dev, handle, 64, Bidirectional);
  t.deepEqual(maintained, [original, original]);
  dev.dma.mask = 2 ** 32 - 1;
  dmaUnmapSingle(dev, dmaMapSingle(dev, address, 64, FromDevice), 64, FromDevice);
  t.is(maintained.length, 4);
});
