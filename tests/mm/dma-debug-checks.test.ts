import test from 'ava';
import fc from 'fast-check';
import { DMA_MAPPING_ERROR, DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import type { Direction, RefusedMemory } from '../../drivers/base/types/observer';
import type { DmaDebugOptions } from '../../mm/dma-debug';
import type { DebugAreas } from '../../mm/dma-debug-addresses';
import { DebugEntries, DebugEntry } from '../../mm/dma-debug-entries';
import type { Reference } from '../../mm/dma-debug-entries';
import type { Check } from '../../mm/dma-debug-log';
import { DebugBench, HERE, START, listOf } from './debug-kernel';
import { partOf } from './watched-memory';

/*
 * Every check of kernel/dma/debug.c by its number: a driver that makes it speak, what it then says
 * to the byte, and one that does the same rightly.
 */

interface Spoken {
  readonly check: Check;
  readonly what: string;
  /** After `DMA-API: driver dev: `. */
  readonly says: string;
  readonly wrong: (bench: DebugBench) => void;
  readonly right: (bench: DebugBench) => void;
  /** What the same mistake makes others say, before or after. */
  readonly besides?: readonly Check[];
  readonly options?: DmaDebugOptions;
  readonly areas?: Partial<DebugAreas>;
}

const AT = '[device address=0x00000000c0001000]';
const refused = (virtualAddress: number): RefusedMemory => ({
  device: 'dev',
  driver: 'driver',
  virtualAddress,
  size: 64,
});
const LIST = [
  [START, 64],
  [START + 8192, 64],
] as const;
const VMAP_STACK = {
  stack: { virtualAddress: 0xf010_0000, pages: [0x8100_0000, START], isVmapped: true },
};
const ATTRS = DmaAttr.Privileged + DmaAttr.NoWarn;

const sync = (
  bench: DebugBench,
  mapped: Direction,
  synced: Direction,
  to: 'cpu' | 'device',
): void => {
  bench.debug.synced({ ...bench.map({ direction: mapped }), direction: synced }, to, HERE);
};

const CHECKS: readonly Spoken[] = [
  {
    check: 1,
    what: 'two mappings that a device writes begin in one line',
    says: "cacheline tracking EEXIST, overlapping mappings aren't supported",
    wrong: bench => {
      bench.map({ size: 32 });
      bench.map({ address: START + 32, size: 32 });
    },
    right: bench => {
      bench.map({ size: 32 });
      bench.map({ address: START + 64, size: 32 });
    },
  },
  {
    check: 2,
    what: 'a driver leaves its device with a mapping',
    says: `device driver has pending DMA allocations while released from device [count=1]\nOne of leaked entries details: ${AT} [size=256 bytes] [mapped with DMA_FROM_DEVICE] [mapped as single]`,
    wrong: bench => {
      bench.debug.released(bench.map(), HERE);
    },
    right: bench => {
      const mapped = bench.map();
      bench.unmap(mapped);
      bench.debug.released(mapped, HERE);
    },
  },
  {
    check: 3,
    what: 'the answer of a mapping that failed is unmapped',
    says: 'device driver tries to free an invalid DMA memory address',
    wrong: bench => {
      bench.unmap({ ...bench.map(), busAddress: DMA_MAPPING_ERROR });
    },
    right: bench => {
      bench.unmap(bench.map());
    },
  },
  {
    check: 4,
    what: 'an address is unmapped that was never mapped',
    says: 'device driver tries to free DMA memory it has not allocated [device address=0x00000000c0001040] [size=256 bytes]',
    wrong: bench => {
      const mapped = bench.map();
      bench.unmap(mapped, { busAddress: mapped.busAddress + 64 });
    },
    right: bench => {
      bench.unmap(bench.map({ busAddress: 0 }));
    },
  },
  {
    check: 5,
    what: 'an unmap has another size',
    says: `device driver frees DMA memory with different size ${AT} [map size=256 bytes] [unmap size=255 bytes]`,
    wrong: bench => {
      bench.unmap(bench.map(), { size: 255 });
    },
    right: bench => {
      bench.unmap(bench.map({ size: 255 }));
    },
  },
  {
    check: 6,
    what: 'a mapping is ended by the call for another kind',
    says: `device driver frees DMA memory with wrong function ${AT} [size=256 bytes] [mapped as single] [unmapped as resource]`,
    wrong: bench => {
      bench.unmap(bench.map(), { kind: 'resource' });
    },
    right: bench => {
      bench.unmap(bench.map({ kind: 'resource', address: 0x4000_0000, busAddress: 0x4000_0000 }));
    },
  },
  {
    check: 7,
    what: 'coherent memory is freed with another CPU address',
    // %pa brings a 0x of its own.
    says: 'device driver frees DMA memory with different CPU address [device address=0x00000000c0001000] [size=4096 bytes] [cpu alloc address=0x0x80001000] [cpu free address=0x0x80001800]',
    wrong: bench => {
      const memory = bench.allocate();
      const virtualAddress = memory.virtualAddress + 2048;
      bench.debug.memoryFreed({ ...memory, virtualAddress }, HERE);
    },
    right: bench => {
      bench.debug.memoryFreed(bench.allocate(), HERE);
    },
  },
  {
    check: 8,
    what: 'of a list, an unmap names as many entries as the device has, not as were given',
    says: 'device driver frees DMA sg list with different entry count [map count=2] [unmap count=1]',
    wrong: bench => {
      const list = listOf(LIST, { mapped: 1 });
      bench.mapList(list);
      bench.debug.sgUnmapped({ ...list, entries: list.entries.slice(0, 1) }, HERE);
    },
    right: bench => {
      bench.debug.sgUnmapped(bench.mapList(listOf(LIST, { mapped: 1 })), HERE);
    },
  },
  {
    check: 9,
    what: 'an unmap has another direction',
    says: `device driver frees DMA memory with different direction ${AT} [size=256 bytes] [mapped with DMA_FROM_DEVICE] [unmapped with DMA_TO_DEVICE]`,
    wrong: bench => {
      bench.unmap(bench.map(), { direction: 'to-device' });
    },
    right: bench => {
      bench.unmap(bench.map({ direction: 'bidirectional' }));
    },
  },
  {
    check: 10,
    what: 'nobody has looked whether the mapping failed',
    says: `device driver failed to check map error${AT} [size=256 bytes] [mapped as single]`,
    wrong: bench => {
      bench.unmap(bench.map({}, false));
    },
    right: bench => {
      bench.unmap(bench.map());
      bench.debug.sgUnmapped(bench.mapList(), HERE);
      bench.debug.memoryFreed(bench.allocate(), HERE);
      bench.debug.memoryFreed(bench.allocate({ kind: 'noncoherent' }), HERE);
    },
  },
  {
    check: 11,
    what: 'a buffer lies on the stack, in the linear map',
    says: 'device driver maps memory from stack [addr=c0001010]',
    wrong: bench => {
      bench.map({ address: START + 16 });
    },
    right: bench => {
      bench.map({ address: START + 4096 });
    },
    areas: { stack: { virtualAddress: 0xc000_1000, pages: [START], isVmapped: false } },
  },
  {
    check: 12,
    what: 'a page of a stack that is mapped elsewhere is mapped for a device',
    says: 'device driver maps memory from stack [probable addr=f0101010]',
    wrong: bench => {
      bench.mapList(listOf([[START + 16, 64]]));
    },
    right: bench => {
      bench.mapList(listOf([[START + 4096, 64]]));
    },
    areas: VMAP_STACK,
  },
  {
    check: 13,
    what: 'text of the kernel is mapped',
    says: 'device driver maps memory from kernel text or rodata [addr=c0000ff0] [len=17]',
    wrong: bench => {
      bench.map({ address: 0x8000_0ff0, size: 17 });
    },
    right: bench => {
      bench.map({ address: 0x8000_1000, size: 17 });
    },
  },
  {
    check: 14,
    what: 'a sync goes beyond what is mapped',
    says: 'device driver tries to sync DMA memory it has not allocated [device address=0x00000000c00010f0] [size=17 bytes]',
    wrong: bench => {
      bench.debug.synced(partOf(bench.map(), 240, 17), 'cpu', HERE);
    },
    right: bench => {
      bench.debug.synced(partOf(bench.map(), 240, 16), 'cpu', HERE);
    },
  },
  {
    check: 16,
    what: 'a sync has another direction',
    says: `device driver syncs DMA memory with different direction ${AT} [size=256 bytes] [mapped with DMA_FROM_DEVICE] [synced with DMA_TO_DEVICE]`,
    wrong: bench => {
      sync(bench, 'from-device', 'to-device', 'cpu');
    },
    right: bench => {
      sync(bench, 'from-device', 'from-device', 'cpu');
    },
  },
  {
    check: 17,
    what: 'the CPU takes back what the device only reads, as if it had written',
    says: `device driver syncs device read-only DMA memory for cpu ${AT} [size=256 bytes] [mapped with DMA_TO_DEVICE] [synced with DMA_FROM_DEVICE]`,
    wrong: bench => {
      sync(bench, 'to-device', 'from-device', 'cpu');
    },
    right: bench => {
      sync(bench, 'to-device', 'to-device', 'cpu');
    },
    besides: [16],
  },
  {
    check: 18,
    what: 'the device is given what it only writes, as if it read',
    says: `device driver syncs device write-only DMA memory to device ${AT} [size=256 bytes] [mapped with DMA_FROM_DEVICE] [synced with DMA_BIDIRECTIONAL]`,
    wrong: bench => {
      sync(bench, 'from-device', 'bidirectional', 'device');
    },
    right: bench => {
      sync(bench, 'from-device', 'from-device', 'device');
    },
    besides: [16],
  },
  {
    check: 19,
    what: 'of a list, a sync names as many entries as the device has, not as were given',
    says: 'device driver syncs DMA sg list with different entry count [map count=2] [sync count=1]',
    wrong: bench => {
      const list = bench.mapList(listOf(LIST, { mapped: 1 }));
      bench.debug.sgSynced({ ...list, entries: list.entries.slice(0, 1) }, 'cpu', HERE);
    },
    right: bench => {
      bench.debug.sgSynced(bench.mapList(listOf(LIST)), 'cpu', HERE);
    },
  },
  {
    check: 20,
    what: 'a piece of a list is longer than the device says it can be',
    says: 'mapping sg segment longer than device claims to support [len=65537] [max=65536]',
    wrong: bench => {
      bench.mapList(listOf([[START, 65537]]));
    },
    right: bench => {
      bench.mapList(listOf([[START, 65536]]));
    },
  },
  {
    check: 21,
    what: 'a piece of a list crosses a boundary of the device',
    says: 'mapping sg segment across boundary [start=0x00000000c0001000] [end=0x00000000c0002000] [boundary=0x0000000000000fff]',
    wrong: bench => {
      bench.mapList(listOf([[START, 4097]], { segBoundary: 0xfff }));
    },
    right: bench => {
      bench.mapList(listOf([[START, 4096]], { segBoundary: 0xfff }));
    },
  },
  {
    check: 22,
    what: 'an address is mapped that has no page',
    says: 'device driver maps memory from invalid area [addr=00008000] [len=64]',
    wrong: bench => {
      bench.debug.refused(refused(0x8000), HERE);
    },
    right: bench => {
      bench.map();
    },
  },
  {
    check: 23,
    what: 'an address of vmalloc comes to debug_dma_map_single',
    says: 'device driver maps memory from vmalloc area [addr=f0000000] [len=64]',
    wrong: bench => {
      bench.debug.mapSingle(refused(0xf000_0000), HERE);
    },
    right: bench => {
      bench.debug.mapSingle(refused(0xc000_1000), HERE);
    },
    besides: [22],
  },
  {
    check: 'attributes',
    what: 'an unmap has other attributes',
    says: `device driver frees DMA memory with different attributes ${AT} [size=256 bytes] [mapped with 0x300] [unmapped with 0x20]`,
    wrong: bench => {
      bench.unmap(bench.map({ attrs: ATTRS }), { attrs: DmaAttr.SkipCpuSync });
    },
    right: bench => {
      bench.unmap(bench.map({ attrs: ATTRS }), { attrs: DmaAttr.Privileged });
    },
    options: { version: 'newest' },
  },
  {
    check: 'RAM as resource',
    what: 'memory is mapped as if it were registers',
    says: 'dma_map_resource called for RAM address 0x80001000',
    wrong: bench => {
      bench.map({ kind: 'resource' });
    },
    right: bench => {
      bench.map({ kind: 'resource', address: 0x4000_0000 });
    },
    options: { version: 'newest' },
  },
];

for (const { check, what, says, wrong, right, besides = [], options, areas } of CHECKS) {
  const name = typeof check === 'number' ? `check ${check}` : check;
  test(`${name}: ${what}`, t => {
    const bench = new DebugBench(options, areas);
    wrong(bench);
    const spoken = bench.told.splice(0);
    t.deepEqual(
      spoken.filter(one => one.check === check).map(({ text }) => text),
      [`DMA-API: driver dev: ${says}`],
    );
    const others = spoken.map(one => one.check).filter(one => one !== check);
    t.deepEqual(others, [...besides]);
  });
  test(`${name}: not where it is done rightly`, t => {
    const bench = new DebugBench(options, areas);
    right(bench);
    t.deepEqual(bench.texts(), []);
  });
}

test('the table has every check of the kernel but 15, which nothing can reach', t => {
  const numbers = CHECKS.map(({ check }) => check).filter(check => typeof check === 'number');
  t.deepEqual(numbers, [...Array.from({ length: 23 }, (_, i) => i + 1).filter(i => i !== 15)]);
});

const part = fc.record({ address: fc.integer({ min: 0, max: 40_000 }), size: fc.nat(20_000) });
const direction = fc.constantFrom<Direction>('to-device', 'from-device', 'bidirectional');

test('check 15 is dead: a mapping that a sync finds is never smaller than what is synced', t => {
  const refOf = (address: number, size: number, way: Direction): Reference => ({
    type: 'single',
    device: 'dev',
    driver: 'driver',
    busAddress: address,
    size,
    direction: way,
    sgCallEnts: 0,
    attrs: 0,
    address: null,
  });
  let found = 0;
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      part,
      direction,
      (all, one, way) => {
        const entries = new DebugEntries();
        for (const { address, size } of all) {
          entries.add(new DebugEntry({ ...refOf(address, size, way), address }, HERE));
        }
        const entry = entries.containing(refOf(one.address, one.size, 'to-device'));
        if (entry !== null) found++;
        return entry === null || entry.made.size >= one.size;
      },
    ),
  );
  t.true(found > 0);
});

test('check 23 is behind a door that is shut: vmalloc is refused before, in words of its own', t => {
  const bench = new DebugBench();
  bench.debug.refused(refused(0xf000_0000), HERE);
  t.deepEqual(bench.told.splice(0), [
    {
      check: 'warning',
      text: 'driver dev: rejecting DMA map of vmalloc memory',
      device: 'dev',
      site: HERE,
      mappedAt: null,
      range: null,
    },
  ]);
  t.is(bench.debug.log.errorCount, 0, 'it is none of its errors');
});
