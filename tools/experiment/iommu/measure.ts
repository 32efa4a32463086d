import type { Device } from '../../../drivers/base/kernel/device';
import { DMA_MAPPING_ERROR, DmaDirection } from '../../../drivers/base/kernel/dma-mapping';
import type { Page } from '../../../drivers/base/kernel/dma-mapping';
import { SgEntry } from '../../../drivers/base/kernel/scatterlist';
import { dmaAddr } from '../../../drivers/base/types/address';
import type { DmaAddr } from '../../../drivers/base/types/address';
import { KIB, MIB, PAGE_SIZE } from '../../../drivers/base/types/bits';
import { iommuMatch, streamsOf } from '../../../machines/iommus';
import type { BoundMaster, Machine } from '../../../machines/machine';
import type { MachinePlan } from '../../../machines/plan';
import {
  DmaIovaState,
  dmaIovaDestroy,
  dmaIovaLink,
  dmaIovaSync,
  dmaIovaTryAlloc,
} from '../../../mm/dma-iova';
import { dmaBitMask, dmaSetMaskAndCoherent } from '../../../mm/dma-limits';
import { dmaMapPage, dmaMapSg, dmaUnmapPage, dmaUnmapSg } from '../../../mm/dma-mapping-common';
import { countedOps, newCounts } from '../../../mm/iommu/counted';
import { QUEUE_TIMEOUT } from '../../../mm/iommu/flush-queue';
import { newGather } from '../../../mm/iommu/gather';
import { iommuMap, iommuUnmapFast } from '../../../mm/iommu/map';
import { granuleOf } from '../../../mm/iommu/page-sizes';
import { IommuProt } from '../../../mm/iommu/types';
import { pageToPhys, pfnToPage } from '../../../mm/page-alloc';
import { getOrder } from '../../../mm/zone';
import { bootWay, translated } from './boot';
import type { IommuRow, IommuWay, PageSizeRow } from './report';

const { Bidirectional } = DmaDirection;

/** A buffer by what it lies in. */
interface Shape {
  readonly name: string;
  readonly size: number;
  /** How many pieces, none next to another. */
  readonly pieces: number;
  /** Mappings and unmappings that a count is the mean of. */
  readonly pairs: number;
}

const SHAPES: readonly Shape[] = [
  { name: '4 KiB', size: 4 * KIB, pieces: 1, pairs: 256 },
  { name: '64 KiB', size: 64 * KIB, pieces: 1, pairs: 64 },
  { name: '64 KiB in 16 pieces', size: 64 * KIB, pieces: 16, pairs: 16 },
  { name: '2 MiB', size: 2 * MIB, pieces: 1, pairs: 2 },
  { name: '2 MiB in 512 pieces', size: 2 * MIB, pieces: 512, pairs: 2 },
];

/** True for a board on which there is something to measure. */
export const hasIommus = ({ devices }: MachinePlan): boolean =>
  devices.some(({ effective, function: pci }) =>
    [effective, pci].some(facts => facts?.iommu.kind === 'iommu' && streamsOf(facts).length > 0),
  );

/** What each buffer takes one way, behind each IOMMU of the board that is unlike the others. */
export const measureWay = (board: string, plan: MachinePlan, way: IommuWay): IommuRow[] => {
  const machine = bootWay(board, plan, way);
  return translated(machine).flatMap(master => {
    const iommu = nameOf(master);
    // As a driver does whose device is good: else direct DMA of some memory would be bounced.
    dmaSetMaskAndCoherent(master.device.dev, dmaBitMask(64));
    return SHAPES.flatMap(shape => {
      const row = measure(machine, master.device.dev, way, shape);
      return row === null ? [] : [{ master: master.plan.label, iommu, way, ...row }];
    });
  });
};

const nameOf = ({ plan }: BoundMaster): string =>
  iommuMatch(streamsOf(plan.facts)[0]?.node.compatible ?? []) ?? '';

type Measured = Omit<IommuRow, 'master' | 'iommu' | 'way'>;

/** A buffer that is mapped: what the device is given, and how it ends. */
interface MappedBuffer {
  readonly segments: number;
  /** Where each run of addresses begins. */
  readonly addresses: readonly DmaAddr[];
  end(): void;
}

/** Null: the board has no room for such a buffer. */
const measure = (
  { kernel }: Machine,
  dev: Device,
  way: IommuWay,
  { name, size, pieces, pairs }: Shape,
): Measured | null => {
  const { counts } = kernel.iommus;
  const memory = takePieces(kernel.mm.pages, size, pieces);
  if (memory === null) return null;
  const map = (): MappedBuffer | null => MAPPERS[way](dev, memory.entries, size);
  // What waits for its invalidation may be all the addresses that there are.
  const mapPatiently = (): MappedBuffer | null => {
    const mapped = map();
    if (mapped !== null || way !== 'lazy') return mapped;
    kernel.services.waitUntil(() => false, 2 * QUEUE_TIMEOUT);
    return map();
  };
  // The first may need tables that stay.
  const first = mapPatiently();
  const seen = first && { segments: first.segments, iova: iovaOf(kernel, dev, first) };
  first?.end();
  const before = { ...counts };
  for (let pair = 0; pair < pairs && first !== null; pair++) mapPatiently()?.end();
  const mean = (key: keyof typeof counts): number => (counts[key] - before[key]) / pairs;
  memory.release();
  return (
    seen && {
      ...{ buffer: name, ...seen },
      ...{ entries: mean('entries'), tableWrites: mean('tableWrites'), flushes: mean('flushes') },
    }
  );
};

/** Bytes of addresses that a buffer has. */
const iovaOf = (kernel: Machine['kernel'], dev: Device, { addresses }: MappedBuffer): number => {
  const { iova } = kernel.iommus.dmaDomain(dev) ?? {};
  if (iova === undefined) return 0;
  const frames = addresses.map(at => iova.sizeAt(Math.floor(at / iova.granule)) ?? 0);
  return frames.reduce((sum, count) => sum + count * iova.granule, 0);
};

type Mapper = (dev: Device, entries: readonly SgEntry[], size: number) => MappedBuffer | null;

/** Each piece for itself. */
const mapEach: Mapper = (dev, entries) => {
  const addresses: DmaAddr[] = [];
  const end = (): void => {
    for (const [i, address] of addresses.entries()) {
      dmaUnmapPage(dev, address, entries[i]?.length ?? 0, Bidirectional);
    }
  };
  for (const { page, length } of entries) {
    const address = dmaMapPage(dev, page, 0, length, Bidirectional);
    if (address === DMA_MAPPING_ERROR) {
      end();
      return null;
    }
    addresses.push(address);
  }
  return { segments: addresses.length, addresses, end };
};

const mapList: Mapper = (dev, entries) => {
  const segments = dmaMapSg(dev, entries, entries.length, Bidirectional);
  const [first] = entries;
  if (segments <= 0 || first === undefined) return null;
  return {
    ...{ segments, addresses: [first.dmaAddress] },
    end: () => {
      dmaUnmapSg(dev, entries, entries.length, Bidirectional);
    },
  };
};

/** All pieces in one go: addresses once, each piece linked, one sync, one end. */
const linkAll: Mapper = (dev, entries, size) => {
  const state = new DmaIovaState();
  const [first] = entries;
  if (first === undefined || !dmaIovaTryAlloc(dev, state, pageToPhys(first.page), size))
    return null;
  let done = 0;
  for (const { page, length } of entries) {
    if (dmaIovaLink(dev, state, pageToPhys(page), done, length, Bidirectional) !== 0) return null;
    done += length;
  }
  dmaIovaSync(dev, state, 0, size);
  return {
    ...{ segments: 1, addresses: [state.addr] },
    end: () => {
      dmaIovaDestroy(dev, state, size, Bidirectional);
    },
  };
};

const MAPPERS: Readonly<Record<IommuWay, Mapper>> = {
  direct: mapEach,
  strict: mapEach,
  lazy: mapEach,
  list: mapList,
  batched: linkAll,
};

type Pages = Machine['kernel']['mm']['pages'];

/** Pieces of a buffer, with a page between two of them that is not of it. */
const takePieces = (
  pages: Pages,
  size: number,
  pieces: number,
): { readonly entries: readonly SgEntry[]; release(): void } | null => {
  const order = getOrder(pieces === 1 ? size : 2 * size);
  const first = pages.allocKernelPages({ zero: false }, order);
  if (first === null) return null;
  const length = size / pieces;
  const step = pieces === 1 ? 0 : (2 * length) / PAGE_SIZE;
  const at = (i: number): Page => pfnToPage(first + i * step);
  return {
    entries: Array.from({ length: pieces }, (_, i) => new SgEntry(at(i), 0, length)),
    release: () => {
      pages.freePagesAt(first, order);
    },
  };
};

/** The largest buffer in one piece in a domain of its own, with all page sizes and with one. */
export const measurePageSizes = (board: string, plan: MachinePlan): PageSizeRow[] => {
  const machine = bootWay(board, plan, 'strict');
  const { kernel } = machine;
  const size = 2 * MIB;
  const masters = translated(machine);
  const kinds = [...new Set(masters.map(nameOf))];
  return kinds.flatMap(kind => {
    const master = masters.find(other => nameOf(other) === kind);
    if (master === undefined) return [];
    const { dev } = master.device;
    const domain = kernel.iommus.domainAlloc(dev);
    const memory = takePieces(kernel.mm.pages, size, 1);
    const page = memory?.entries[0]?.page;
    const ops = domain?.ops ?? null;
    if (domain === null || ops === null || page === undefined) return [];
    const rows = [ops.pageSizes, granuleOf(ops.pageSizes)].flatMap(
      (pageSizes, i): PageSizeRow[] => {
        const counts = newCounts();
        const counted = { ...countedOps(ops, counts, null), pageSizes };
        const iova = dmaAddr(Math.ceil(ops.apertureStart / size) * size);
        const mapAndEnd = (): boolean => {
          if (
            iommuMap(counted, iova, pageToPhys(page), size, IommuProt.Read + IommuProt.Write) !== 0
          )
            return false;
          const gather = newGather();
          iommuUnmapFast(counted, iova, size, gather);
          counted.sync(gather);
          return true;
        };
        if (!mapAndEnd()) return [];
        const before = kernel.iommus.counts.tableWrites;
        counts.entries = 0;
        mapAndEnd();
        const tableWrites = kernel.iommus.counts.tableWrites - before;
        const named = i === 0 ? 'all sizes' : 'the smallest';
        const { entries } = counts;
        return [{ iommu: kind, buffer: '2 MiB', pages: named, entries, tableWrites }];
      },
    );
    memory?.release();
    kernel.iommus.domainFree(domain);
    return rows;
  });
};
