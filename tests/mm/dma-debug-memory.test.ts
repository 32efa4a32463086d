import test from 'ava';
import { DmaAttr } from '../../drivers/base/kernel/dma-mapping';
import { DebugBench, HERE, START, listOf, memoryOf } from './debug-kernel';
import { BUS_OFFSET, range } from './watched-memory';

/* What kernel/dma/debug.c makes of memory that the DMA API allocates, and of where memory is. */

/** START as the device has it, in a message. */
const AT = '[device address=0x00000000c0001000]';

test('a wrong function is told, and then nothing of the CPU address', t => {
  const bench = new DebugBench();
  const memory = bench.allocate({ size: 256 });
  bench.unmap({ ...range({ address: START, size: 256 }), direction: 'bidirectional' });
  t.deepEqual(bench.checks(), [6]);
  bench.map({ size: 4096, direction: 'bidirectional' });
  bench.debug.memoryFreed({ ...memory, size: 4096, virtualAddress: 0xf000_0800 }, HERE);
  t.deepEqual(bench.checks(), [6]);
});

test('coherent memory that is freed as pages is told by its function alone, whatever its address', t => {
  const bench = new DebugBench();
  const virtualAddress = 0xc000_3000;
  bench.debug.memoryFreed({ ...bench.allocate(), kind: 'noncoherent', virtualAddress }, HERE);
  t.deepEqual(bench.checks(), [6]);
});

test('an address of vmalloc is of what was allocated there last', t => {
  const bench = new DebugBench();
  const first = bench.allocate();
  bench.debug.memoryFreed(first, HERE);
  const pieces = [{ address: START + 65536, size: 4096 }];
  bench.debug.memoryFreed(bench.allocate({ pieces, busAddress: 0x1000 }), HERE);
  t.deepEqual(bench.checks(), []);
});

test('an address of coherent memory that lies in pieces is that of its piece', t => {
  const bench = new DebugBench();
  const pieces = [
    { address: START, size: 4096 },
    { address: START + 65536, size: 4096 },
  ];
  const memory = bench.allocate({ pieces, size: 8192 });
  const virtualAddress = memory.virtualAddress + 4096 + 16;
  bench.debug.memoryFreed({ ...memory, virtualAddress }, HERE);
  t.regex(bench.texts().join(), /\[cpu free address=0x0x80011010\]$/);
});

test('pages of dma_alloc_pages are told whatever the CPU has them as', t => {
  const bench = new DebugBench();
  bench.allocate({ kind: 'noncoherent', virtualAddress: 0x8000 });
  t.is(bench.debug.store.all.length, 1);
});

test('memory of dma_alloc_pages has a CPU address and a direction too', t => {
  const bench = new DebugBench();
  const memory = bench.allocate({ kind: 'noncoherent', direction: 'from-device' });
  const virtualAddress = 0xc000_3000;
  bench.debug.memoryFreed({ ...memory, direction: 'to-device', virtualAddress }, HERE);
  t.deepEqual(bench.texts(), [
    `DMA-API: driver dev: device driver frees DMA memory with different CPU address ${AT} [size=4096 bytes] [cpu alloc address=0x0x80001000] [cpu free address=0x0x80003000]`,
    `DMA-API: driver dev: device driver frees DMA memory with different direction ${AT} [size=4096 bytes] [mapped with DMA_FROM_DEVICE] [unmapped with DMA_TO_DEVICE]`,
  ]);
});

test('all that can be wrong with one unmap is told, in the order of the kernel', t => {
  const bench = new DebugBench({ version: 'newest' });
  const memory = bench.allocate({ attrs: DmaAttr.ForceContiguous });
  bench.debug.memoryFreed(
    { ...memory, size: 64, attrs: 0, virtualAddress: 0xf000_0040, direction: 'to-device' },
    HERE,
  );
  t.deepEqual(bench.checks(), [5, 7, 9, 'attributes']);
  bench.map({}, false);
  bench.unmap({ ...range({ address: START, size: 8 }), kind: 'coherent', direction: 'to-device' });
  t.deepEqual(bench.checks(), [5, 6, 9, 10]);
});

test('a boundary of 64 bits is crossed by nothing, one of 32 bits by what passes 4 GiB', t => {
  const bench = new DebugBench();
  const high = { address: START, length: 8192, busAddress: 2 ** 32 - 4096, busLength: 8192 };
  bench.mapList(listOf([], { entries: [high], mapped: 1, segBoundary: 2 ** 64 }));
  t.deepEqual(bench.checks(), []);
  const other = { ...high, address: START + 64 };
  bench.mapList(listOf([], { entries: [other], mapped: 1, segBoundary: 2 ** 32 - 1 }));
  t.deepEqual(bench.texts(), [
    'DMA-API: driver dev: mapping sg segment across boundary [start=0x00000000fffff000] [end=0x0000000100000fff] [boundary=0x00000000ffffffff]',
  ]);
});

test('a page of highmem is no text and no stack of the linear map, but may be one of a mapped stack', t => {
  const high = 0xb000_1000;
  const linear = { stack: { virtualAddress: 0, pages: [high], isVmapped: false } };
  const bench = new DebugBench({}, { ...linear, kernel: { start: high, size: 4096 } });
  bench.map({ address: high });
  t.deepEqual(bench.checks(), []);
  const other = new DebugBench(
    {},
    { stack: { virtualAddress: 0, pages: [high], isVmapped: true } },
  );
  other.map({ address: high });
  t.deepEqual(other.checks(), [12]);
});

test('a mapping of both stack and text is told of both, the stack first', t => {
  const areas = {
    kernel: { start: START, size: 4096 },
    stack: { virtualAddress: 0xc000_1000, pages: [START], isVmapped: false },
  };
  const bench = new DebugBench({}, areas);
  bench.map();
  bench.mapList(listOf([[START + 1024, 64]]));
  t.deepEqual(bench.checks(), [11, 13, 11, 13]);
});

test('what comes from a pool of the device, and what has no address in the kernel, is nobody told', t => {
  const bench = new DebugBench();
  const own = { ...memoryOf(START, 4096), ofDevicePool: true };
  bench.debug.memoryAllocated(own, HERE);
  bench.debug.memoryFreed({ ...own, size: 1 }, HERE);
  const cookie = { ...memoryOf(START, 4096), virtualAddress: 0x8000 };
  bench.debug.memoryAllocated(cookie, HERE);
  bench.debug.memoryFreed({ ...cookie, busAddress: BUS_OFFSET }, HERE);
  t.deepEqual([bench.checks(), bench.debug.store.all.length], [[], 0]);
});
