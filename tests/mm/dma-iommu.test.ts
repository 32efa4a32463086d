import test from 'ava';
import fc from 'fast-check';
import { ENOMEM } from '../../drivers/base/kernel/errno';
import { SgEntry, SgTable } from '../../drivers/base/kernel/scatterlist';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import type { Device } from '../../drivers/base/kernel/device';
import type { DmaAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { dmaInfoToProt } from '../../mm/dma-iommu';
import {
  DMA_MAPPING_ERROR,
  DmaAttr,
  DmaDirection,
  dmaGetMergeBoundary,
  dmaMapPage,
  dmaMapResource,
  dmaMapSg,
  dmaMapSgtable,
  dmaMaxMappingSize,
  dmaOptMappingSize,
  dmaSyncSingleForCpu,
  dmaUnmapPage,
  dmaUnmapResource,
  dmaUnmapSg,
} from '../../mm/dma-mapping-common';
import { IommuProt } from '../../mm/iommu/types';
import { pfnToPage } from '../../mm/page-alloc';
import { boot } from '../support/booted';
import { FakeIommuBench } from '../support/fake-iommu';

const { Bidirectional, ToDevice, FromDevice } = DmaDirection;
const { services } = boot('versatile-pb').kernel;

const bench = (pages?: number) => {
  const made = new FakeIommuBench(services, pages === undefined ? {} : { pages });
  const dev = made.device(0);
  return { made, dev, table: made.tableOf(dev), free: made.freeFrames(dev) };
};

const PFN = 0x100;

test('a mapping keeps its place in the page, and covers each page it has a byte of', t => {
  const { dev, table } = bench();
  const address = dmaMapPage(dev, pfnToPage(PFN), 100, PAGE_SIZE, ToDevice);
  t.is(address % PAGE_SIZE, 100);
  t.is(table.iovaToPhys(address), physAddr(PFN * PAGE_SIZE + 100));
  t.is(table.iovaToPhys(dmaAddr(address + PAGE_SIZE - 1)), physAddr((PFN + 1) * PAGE_SIZE + 99));
  t.is(table.entries.size, 2);
  t.not(address, DMA_MAPPING_ERROR);
});

test('rule 35: a device may do no more than the direction says', t => {
  const { dev, table } = bench();
  const rights = [ToDevice, FromDevice, Bidirectional].map(direction => {
    const address = dmaMapPage(dev, pfnToPage(PFN), 0, 8, direction);
    return [false, true].map(write => table.permits(address, 8, write));
  });
  t.deepEqual(rights, [
    [true, false],
    [false, true],
    [true, true],
  ]);
  const { Read, Write, Cache, Priv } = IommuProt;
  t.is(dmaInfoToProt(Bidirectional, true, DmaAttr.Privileged), Read + Write + Cache + Priv);
  t.is(dmaInfoToProt(DmaDirection.None, false, 0), 0);
});

test('rule 49: an unmap takes the entries, then the TLB, then gives the addresses back', t => {
  const { made, dev, table, free } = bench();
  const address = dmaMapPage(dev, pfnToPage(PFN), 8, PAGE_SIZE, ToDevice);
  table.calls.length = 0;
  dmaUnmapPage(dev, address, PAGE_SIZE, ToDevice);
  const at = `0x${(address - 8).toString(16)}`;
  t.deepEqual(table.calls, [`unmap 2 pages at ${at}`, `flush 2 pages at ${at}`]);
  t.is(table.entries.size, 0);
  t.is(made.freeFrames(dev), free);
});

test('the translation ends before the caches are invalidated', t => {
  const made = new FakeIommuBench(services);
  const order: string[] = [];
  const cache = {
    syncForDevice: () => order.push('for device'),
    syncForCpu: (at: number) => order.push(`for CPU ${at}, ${table.entries.size} mapped`),
  };
  const dev = made.device(0, {}, { cache });
  const table = made.tableOf(dev);
  const address = dmaMapPage(dev, pfnToPage(PFN), 0, 8, FromDevice);
  dmaSyncSingleForCpu(dev, address, 8, FromDevice);
  dmaUnmapPage(dev, address, 8, FromDevice);
  const physical = PFN * PAGE_SIZE;
  t.deepEqual(order, [
    'for device',
    `for CPU ${physical}, 1 mapped`,
    `for CPU ${physical}, 0 mapped`,
  ]);
});

test('rule 41: addresses run out, an error is what is answered, and unmapping cures it', t => {
  const { made, dev, table } = bench(8);
  const held: DmaAddr[] = [];
  for (;;) {
    const address = dmaMapPage(dev, pfnToPage(PFN + held.length), 0, PAGE_SIZE, ToDevice);
    if (address === DMA_MAPPING_ERROR) break;
    held.push(address);
  }
  t.is(held.length, 7, 'all but the first, which is nobody’s');
  t.is(dmaMapSg(dev, [new SgEntry(pfnToPage(PFN), 0, 4)], 1, ToDevice), 0);
  for (const address of held) dmaUnmapPage(dev, address, PAGE_SIZE, ToDevice);
  t.is(table.entries.size, 0);
  t.is(made.freeFrames(dev), 7);
});

test('what the device cannot put on the wire it does not get', t => {
  const made = new FakeIommuBench(services, { pages: 256 });
  const narrow = made.device(0, { mask: 16 * PAGE_SIZE - 1 });
  const onBus = made.device(1, { busLimit: 8 * PAGE_SIZE - 1 });
  t.true(dmaMapPage(narrow, pfnToPage(PFN), 0, 8, ToDevice) < 16 * PAGE_SIZE);
  t.true(dmaMapPage(onBus, pfnToPage(PFN), 0, 8, ToDevice) < 8 * PAGE_SIZE);
});

test('a mapping that the IOMMU refuses leaves nothing behind', t => {
  const { made, dev, table, free } = bench();
  table.mapsLeft = 0;
  t.is(dmaMapPage(dev, pfnToPage(PFN), 0, 8, ToDevice), DMA_MAPPING_ERROR);
  t.is(made.freeFrames(dev), free);
});

test('an unmap of another size is warned of, and its addresses are not given to anybody', t => {
  const { made, dev, free } = bench();
  const before = services.log.lines.length;
  const address = dmaMapPage(dev, pfnToPage(PFN), 0, 2 * PAGE_SIZE, ToDevice);
  dmaUnmapPage(dev, address, 0, ToDevice);
  dmaUnmapPage(dev, address, PAGE_SIZE, ToDevice);
  t.is(services.log.lines.length, before + 2);
  t.is(made.freeFrames(dev), free - 2);
});

test('registers are mapped as such', t => {
  const { dev, table, made, free } = bench();
  const address = dmaMapResource(dev, physAddr(0x1000_0010), 16, Bidirectional, 0);
  t.is(address % PAGE_SIZE, 0x10);
  const entry = table.entries.get(Math.floor(address / PAGE_SIZE));
  t.is(entry?.prot, IommuProt.Read + IommuProt.Write + IommuProt.Mmio);
  dmaUnmapResource(dev, address, 16, Bidirectional, 0);
  t.is(made.freeFrames(dev), free);
});

test('rules 21, 23: any size can be mapped, whole pages merge, caches of addresses set the pace', t => {
  const { dev } = bench();
  t.is(dmaMaxMappingSize(dev), Infinity);
  t.is(dmaOptMappingSize(dev), 32 * PAGE_SIZE);
  t.is(dmaGetMergeBoundary(dev), PAGE_SIZE - 1);
});

test('masters of one group have one table, those of another group another', t => {
  const { made, dev, table } = bench();
  const same = made.device(0);
  const other = made.device(1);
  t.is(made.tableOf(same), table);
  t.not(made.tableOf(other), table);
  const [one, two] = [dev, same].map(each => dmaMapPage(each, pfnToPage(PFN), 0, 8, ToDevice));
  t.not(one, two);
});

const entry = (pfn: number, offset: number, length: number): SgEntry =>
  new SgEntry(pfnToPage(pfn), offset, length);

const segments = (entries: readonly SgEntry[], base: number): number[][] =>
  entries.map(({ dmaAddress, dmaLength }) =>
    dmaLength === 0 ? [] : [dmaAddress - base, dmaLength],
  );

test('rules 52, 54: pieces of whole pages are one segment; the list ends with length 0', t => {
  const { dev, table } = bench();
  const list = [entry(7, 512, PAGE_SIZE - 512), entry(3, 0, PAGE_SIZE), entry(9, 0, 100)];
  t.is(dmaMapSg(dev, list, list.length, ToDevice), 1);
  const base = (list[0]?.dmaAddress ?? 0) - 512;
  t.deepEqual(segments(list, base), [[512, 2 * PAGE_SIZE - 512 + 100], [], []]);
  t.deepEqual(
    [0, 1, 2].map(page => table.iovaToPhys(dmaAddr(base + page * PAGE_SIZE))),
    [7, 3, 9].map(pfn => physAddr(pfn * PAGE_SIZE)),
  );
  t.is(list[1]?.dmaAddress, DMA_MAPPING_ERROR);
  t.deepEqual(
    list.map(({ page, offset, length }) => [page, offset, length]),
    [
      [7, 512, PAGE_SIZE - 512],
      [3, 0, PAGE_SIZE],
      [9, 0, 100],
    ],
    'what the driver wrote stays as it was',
  );
});

test('pieces that do not meet at a page begin segments of their own', t => {
  const { dev } = bench();
  const list = [entry(7, 0, 100), entry(3, 8, 100), entry(9, 0, 100)];
  t.is(dmaMapSg(dev, list, list.length, ToDevice), 3);
  const base = list[0]?.dmaAddress ?? 0;
  t.deepEqual(segments(list, base), [
    [0, 100],
    [PAGE_SIZE + 8, 100],
    [2 * PAGE_SIZE, 100],
  ]);
});

test('rule 55: no segment is longer than the device takes, none crosses its boundary', t => {
  const made = new FakeIommuBench(services);
  const pages = [0, 1, 2, 3].map(n => () => entry(20 + 2 * n, 0, PAGE_SIZE));
  const short = made.device(0, { maxSegSize: 2 * PAGE_SIZE });
  const list = pages.map(make => make());
  t.is(dmaMapSg(short, list, list.length, ToDevice), 2);
  const base = list[0]?.dmaAddress ?? 0;
  t.deepEqual(segments(list, base).slice(0, 2), [
    [0, 2 * PAGE_SIZE],
    [2 * PAGE_SIZE, 2 * PAGE_SIZE],
  ]);
  const fenced = made.device(1, { segBoundary: 2 * PAGE_SIZE - 1 });
  const odd = [entry(1, 0, PAGE_SIZE), entry(3, 0, 2 * PAGE_SIZE)];
  t.is(dmaMapSg(fenced, odd, odd.length, ToDevice), 2);
  const start = odd[0]?.dmaAddress ?? 0;
  t.is(start % (2 * PAGE_SIZE), 0);
  t.deepEqual(segments(odd, start), [
    [0, PAGE_SIZE],
    [2 * PAGE_SIZE, 2 * PAGE_SIZE],
  ]);
  t.is(made.tableOf(fenced).entries.size, 4, 'with what follows the first in memory');
  dmaUnmapSg(fenced, odd, odd.length, ToDevice);
  t.is(made.tableOf(fenced).entries.size, 0);
});

test('rule 55: pieces that meet at a boundary are not one segment', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(0, { segBoundary: 2 * PAGE_SIZE - 1 });
  const list = [entry(1, 0, 2 * PAGE_SIZE), entry(7, 0, PAGE_SIZE), entry(9, 0, PAGE_SIZE)];
  t.is(dmaMapSg(dev, list, 3, ToDevice), 2);
  const base = list[0]?.dmaAddress ?? 0;
  t.deepEqual(segments(list, base).slice(0, 2), [
    [0, 2 * PAGE_SIZE],
    [2 * PAGE_SIZE, 2 * PAGE_SIZE],
  ]);
});

test('neighbours in memory are mapped in one go; what fails behind a gap undoes what is before it', t => {
  const { dev, table } = bench();
  dmaMapSg(dev, [entry(4, 0, PAGE_SIZE), entry(5, 0, PAGE_SIZE)], 2, ToDevice);
  t.is(table.calls.length, 1);
  const made = new FakeIommuBench(services);
  const fenced = made.device(0, { segBoundary: 2 * PAGE_SIZE - 1 });
  made.tableOf(fenced).mapsLeft = 1;
  const odd = [entry(1, 0, PAGE_SIZE), entry(5, 0, 2 * PAGE_SIZE)];
  t.is(dmaMapSg(fenced, odd, 2, ToDevice), 0);
  t.is(made.tableOf(fenced).entries.size, 0);
});

test('rule 51: a list without room or memory is 0 or -ENOMEM, and none of it stays mapped', t => {
  const { made, dev, table, free } = bench(16);
  const list = [1, 3, 5, 7].map(pfn => entry(pfn, 0, PAGE_SIZE));
  for (let maps = 0; maps < 4; maps++) {
    table.mapsLeft = maps;
    const sgt = new SgTable(list);
    t.is(dmaMapSgtable(dev, sgt, ToDevice, 0), -ENOMEM, `the map after ${maps}`);
    t.is(table.entries.size, 0);
    t.is(table.unflushed.size, 0);
    t.deepEqual([...new Set(list.map(({ dmaLength }) => dmaLength))], [0]);
    t.is(made.freeFrames(dev), free);
  }
  table.mapsLeft = -1;
  t.is(dmaMapSg(dev, [entry(1, 0, 16 * PAGE_SIZE)], 1, ToDevice), 0);
  t.is(made.freeFrames(dev), free);
});

test('property: every byte leads where it should, no more is mapped, and all is given back', t => {
  const piece = fc.record({
    pfn: fc.integer({ min: 0, max: 60 }),
    offset: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: PAGE_SIZE - 1 })),
    length: fc.oneof(
      fc.constantFrom(PAGE_SIZE, 2 * PAGE_SIZE),
      fc.integer({ min: 1, max: 3 * PAGE_SIZE }),
    ),
  });
  const limits = fc.record({
    maxSegSize: fc.constantFrom(PAGE_SIZE, 3 * PAGE_SIZE, 65536),
    segBoundary: fc.constantFrom(2 ** 32 - 1, 16 * PAGE_SIZE - 1, 4 * PAGE_SIZE - 1),
  });
  const step = fc.oneof(
    fc.record({
      do: fc.constant('map' as const),
      list: fc.array(piece, { minLength: 1, maxLength: 5 }),
    }),
    fc.record({ do: fc.constant('unmap' as const), which: fc.nat(20) }),
  );
  fc.assert(
    fc.property(limits, fc.array(step, { maxLength: 25 }), (limit, steps) => {
      const made = new FakeIommuBench(services, { pages: 64 });
      const dev = made.device(0, limit);
      const table = made.tableOf(dev);
      const live: (readonly SgEntry[])[] = [];
      for (const each of steps) {
        if (each.do === 'map') {
          const list = each.list.map(({ pfn, offset, length }) => entry(pfn, offset, length));
          const count = dmaMapSg(dev, list, list.length, Bidirectional);
          if (count > 0) {
            checkSegments(list, count, table.iovaToPhys.bind(table), limit);
            live.push(list);
          }
        } else {
          const [list] = live.splice(each.which % Math.max(1, live.length), 1);
          if (list !== undefined) dmaUnmapSg(dev, list, list.length, Bidirectional);
        }
        const mapped = live.reduce((sum, list) => sum + framesOf(list), 0);
        if (table.entries.size !== mapped || table.unflushed.size !== 0) return false;
      }
      for (const list of live) dmaUnmapSg(dev, list, list.length, Bidirectional);
      return table.entries.size === 0 && made.freeFrames(dev) === 63;
    }),
    { numRuns: 60 },
  );
  t.pass();
});

/** Frames from the first segment of a list to its last. */
const framesOf = (list: readonly SgEntry[]): number => {
  const told = list.filter(({ dmaLength }) => dmaLength > 0);
  const [first, last] = [told[0], told.at(-1)];
  if (first === undefined || last === undefined) throw new Error('no segments');
  const end = Math.ceil((last.dmaAddress + last.dmaLength) / PAGE_SIZE);
  return end - Math.floor(first.dmaAddress / PAGE_SIZE);
};

/** Where the nth byte of some runs is. */
const byteOf = (runs: readonly { start: number; size: number }[], nth: number): number => {
  let left = nth;
  for (const { start, size } of runs) {
    if (left < size) return start + left;
    left -= size;
  }
  throw new Error('beyond the runs');
};

/** The bytes of the segments, in their order, are those of the pieces, in theirs. */
const checkSegments = (
  list: readonly SgEntry[],
  count: number,
  toPhys: (address: DmaAddr) => number | null,
  { maxSegSize, segBoundary }: { maxSegSize: number; segBoundary: number },
): void => {
  const told = list.slice(0, count);
  const seen = told.map(({ dmaAddress, dmaLength }) => ({ start: dmaAddress, size: dmaLength }));
  const memory = list.map(({ page, offset, length }) => ({
    start: page * PAGE_SIZE + offset,
    size: length,
  }));
  const total = memory.reduce((sum, { size }) => sum + size, 0);
  if (seen.reduce((sum, { size }) => sum + size, 0) !== total) throw new Error('bytes are lost');
  for (let nth = 0; nth < total; nth += 61) {
    const physical = toPhys(dmaAddr(byteOf(seen, nth)));
    if (physical !== byteOf(memory, nth)) throw new Error(`byte ${nth} is elsewhere`);
  }
  if (list.slice(count).some(({ dmaLength }) => dmaLength !== 0)) throw new Error('no end');
  const longest = Math.max(...list.map(({ length }) => length));
  for (const { dmaAddress, dmaLength } of told) {
    if (dmaLength > Math.max(maxSegSize, longest)) throw new Error('a segment is too long');
    const first = Math.floor(dmaAddress / (segBoundary + 1));
    const last = Math.floor((dmaAddress + dmaLength - 1) / (segBoundary + 1));
    if (first !== last && dmaLength <= segBoundary + 1 && dmaLength > longest) {
      throw new Error('a segment crosses a boundary');
    }
  }
};

test('an unmap of what leads nowhere is warned of, also where caches are to be maintained', t => {
  const made = new FakeIommuBench(services);
  const dev = made.device(0, {}, { cache: { syncForCpu: fail, syncForDevice: () => undefined } });
  const before = services.log.lines.length;
  dmaUnmapPage(dev, dmaAddr(0x5000), 8, FromDevice);
  t.deepEqual(
    services.log.lines.slice(before).map(({ text }) => text),
    ['platform dev: WARNING: unmap of 0x5000, which leads nowhere'],
  );
});

const fail = (): never => {
  throw new Error('no memory is there');
};

test('a PCI function has addresses below 4 GiB until there are none', t => {
  const pages = 2 ** 20 + 8;
  const made = new FakeIommuBench(services, { pages });
  const mask = 2 ** 40 - 1;
  const dev = made.device(0, { mask, prefers32Bit: { only32: true } });
  const other = made.device(1, { mask });
  const map = (of: Device): number => dmaMapPage(of, pfnToPage(1), 0, 8, ToDevice);
  t.is(map(other), (pages - 1) * PAGE_SIZE);
  t.is(map(dev), 2 ** 32 - PAGE_SIZE);
});
