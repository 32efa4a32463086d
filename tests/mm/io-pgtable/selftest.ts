import { dmaAddr, physAddr } from '../../../drivers/base/types/address';
import type { IoPgtable, IoPgtableConfig } from '../../../mm/io-pgtable/types';
import { newGather } from '../../../mm/iommu/gather';
import { pageSizesIn } from '../../../mm/iommu/page-sizes';
import { IommuProt } from '../../../mm/iommu/types';
import { PgtableBench } from '../../support/pgtable-bench';

/*
 * Linux's own tests of io-pgtable, point by point, on one table: what is asserted is counted, as the
 * numbers are known.
 */

const K = 2 ** 10;
const G = 2 ** 30;

/** Page sizes of the configurations, and their address bits. */
export const PAGE_SIZES: readonly number[] = [
  4 * K + 2 ** 21 + G,
  16 * K + 2 ** 25,
  64 * K + 2 ** 29,
];
export const ADDRESS_BITS: readonly number[] = [32, 36, 40, 42, 44, 48];

export const { Read, Write, NoExec, Cache } = IommuProt;

/** Counts what is asserted of one table; what does not hold is noted. */
export class Points {
  asserted = 0;
  readonly failed: string[] = [];

  is(found: unknown, expected: unknown, what: string): void {
    this.asserted++;
    if (found !== expected) this.failed.push(`${what}: ${String(found)}, not ${String(expected)}`);
  }
}

/** One table of a configuration, and the calls that the tests make. */
export class Selftest {
  readonly points: Points;
  readonly table: IoPgtable;
  readonly sizes: readonly number[];
  readonly bench: PgtableBench;

  /** The flush calls must be of page sizes that the configuration has. */
  constructor(
    points: Points,
    fields: Pick<IoPgtableConfig, 'pageSizes' | 'ias' | 'oas'> & Partial<IoPgtableConfig>,
    make: (config: IoPgtableConfig) => IoPgtable | null,
  ) {
    this.points = points;
    this.bench = new PgtableBench(true);
    const { flush } = this.bench;
    const isSize = (size: number): void => {
      if (!pageSizesIn(fields.pageSizes).includes(size)) points.failed.push(`flush of ${size}`);
    };
    const checked = {
      flushAll: () => {
        flush.flushAll();
      },
      flushWalk: (iova: number, size: number, granule: number) => {
        isSize(size);
        flush.flushWalk(iova, size, granule);
      },
      addPage: (gather: Parameters<typeof flush.addPage>[0], iova: number, granule: number) => {
        isSize(granule);
        flush.addPage(gather, iova, granule);
      },
    };
    const table = make(this.bench.config({ flush: checked, ...fields }));
    if (table === null) throw new Error('no table');
    this.table = table;
    this.sizes = pageSizesIn(table.pageSizes);
  }

  phys(iova: number): number {
    return this.table.iovaToPhys(dmaAddr(iova)) ?? 0;
  }

  map(iova: number, address: number, size: number, prot: number): number {
    const mapped = { bytes: 0 };
    const result = this.table.map(dmaAddr(iova), physAddr(address), size, 1, prot, mapped);
    return result === 0 && mapped.bytes !== size ? mapped.bytes : result;
  }

  unmap(iova: number, size: number): number {
    return this.table.unmap(dmaAddr(iova), size, 1, newGather());
  }

  /** Nothing is mapped: 3 points. */
  empty(): void {
    for (const iova of [42, G + 42, 2 * G + 42]) this.points.is(this.phys(iova), 0, 'empty');
  }

  /** One page of each size, `step` apart, over which nothing is mapped: 3 points a size. */
  distinct(step: number, prot: number): void {
    this.sizes.forEach((size, i) => {
      const iova = i * step;
      this.points.is(this.map(iova, iova, size, prot), 0, 'map');
      const over = this.map(iova, iova + size, size, Read + NoExec);
      this.points.is(over !== 0, true, 'map over it');
      this.points.is(this.phys(iova + 42), iova + 42, 'iovaToPhys');
    });
  }

  /** Part of the page at `start` goes, and leads elsewhere then: 3 points. */
  partial(start: number): void {
    const [size = 0] = this.sizes;
    this.points.is(this.unmap(start + size, size), size, 'unmap of a part');
    this.points.is(this.map(start + size, size, size, Read), 0, 'map of a part');
    this.points.is(this.phys(start + size + 42), size + 42, 'iovaToPhys of a part');
  }

  /** Each page goes, and comes again: 4 points a size. */
  full(step: number): void {
    this.sizes.forEach((size, i) => {
      const iova = i * step;
      this.points.is(this.unmap(iova, size), size, 'unmap');
      this.points.is(this.phys(iova + 42), 0, 'iovaToPhys after unmap');
      this.points.is(this.map(iova, iova, size, Write), 0, 'map again');
      this.points.is(this.phys(iova + 42), iova + 42, 'iovaToPhys again');
    });
  }

  /** The last page of the largest size: 3 points. */
  last(): void {
    const size = this.sizes.at(-1) ?? 0;
    const iova = 2 ** this.table.ias - size;
    const mapped = { bytes: 0 };
    const result = this.table.map(dmaAddr(iova), physAddr(iova), size, 1, Read + Write, mapped);
    this.points.is(result, 0, 'map of the last page');
    this.points.is(mapped.bytes, size, 'its size');
    this.points.is(this.table.unmap(dmaAddr(iova), size, 1, null), size, 'unmap of the last page');
  }
}
