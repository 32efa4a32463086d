import { CurrentCpu } from '../../drivers/base/kernel/current-cpu';
import { Device, deviceDmaOf } from '../../drivers/base/kernel/device';
import type { DmaMapOps } from '../../drivers/base/kernel/device';
import { ENODEV } from '../../drivers/base/kernel/errno';
import { KernelIo } from '../../drivers/base/kernel/io';
import { KernelLog } from '../../drivers/base/kernel/kernel-log';
import { cpuAddr, dmaAddr, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { CacheOp } from '../../drivers/base/types/isa';
import { armLpae64S1, armLpae64S2 } from '../../mm/io-pgtable/arm-lpae-config';
import { ArmV7sTable } from '../../mm/io-pgtable/arm-v7s';
import { EXYNOS_TABLES } from '../../mm/io-pgtable/exynos';
import { OMAP_TABLES } from '../../mm/io-pgtable/omap';
import { ROCKCHIP_TABLES } from '../../mm/io-pgtable/rockchip';
import { TwoLevelTable } from '../../mm/io-pgtable/two-level';
import type { TwoLevelFormat } from '../../mm/io-pgtable/two-level';
import type { IoPgtable, IoPgtableConfig } from '../../mm/io-pgtable/types';
import { newGather, resetGather } from '../../mm/iommu/gather';
import { IommuProt } from '../../mm/iommu/types';
import type { TableMemory } from '../../mm/iommu/types';
import { dmaBitMask } from '../../mm/dma-limits';
import { NO_PAGES } from '../support/no-pages';
import { makeBenchMachine } from './bench-machine';
import { ROUNDS, millionsPerSecond, printTable, ratio } from './measure';

const nothing = (): void => undefined;
/** Where memory for tables begins; it is used up, never reused. */
const MEMORY = 0x1000_0000;
const LINE = 32;
const PAIRS = 20_000;

/** What a table is made with, its memory written by a simulated CPU through its caches. */
const benchConfig = (coherentWalk: boolean, pageSizes: number, bits: number): IoPgtableConfig => {
  const { cpu } = makeBenchMachine([]);
  let next = MEMORY;
  const memory: TableMemory = {
    alloc: order => {
      const size = PAGE_SIZE * 2 ** order;
      next = Math.ceil(next / size) * size + size;
      return cpuAddr(next - size);
    },
    free: nothing,
    load: address => cpu.load32(address) >>> 0,
    store: (address, value) => {
      cpu.store32(address, value);
    },
    load64: address => cpu.load64(address) >>> 0,
    get high() {
      return cpu.high >>> 0;
    },
    store64: (address, low, high) => {
      cpu.store64(address, low, high);
    },
  };
  const clean = (address: number, size: number): void => {
    for (let at = address - (address % LINE); at < address + size; at += LINE) {
      cpu.cacheOp(CacheOp.CVAC, at);
    }
    cpu.dsb();
  };
  const ops: DmaMapOps = {
    mapPage: (_dev, page, offset) => dmaAddr(page * PAGE_SIZE + offset),
    unmapPage: nothing,
    syncSingleForCpu: nothing,
    syncSingleForDevice: (_dev, address, size) => {
      clean(address, size);
    },
    dmaSupported: () => true,
    getRequiredMask: () => dmaBitMask(32),
  };
  const wmb = (): void => {
    cpu.dsb();
  };
  const dev = new Device({
    ...{ name: 'iommu', ofPath: null, dma: deviceDmaOf({ ops }), registers: [], irqs: [] },
    services: {
      io: new KernelIo(new CurrentCpu(cpu), { afterRead: nothing, beforeWrite: nothing }),
      barriers: { mb: wmb, rmb: wmb, wmb, dmaRmb: wmb, dmaWmb: wmb },
      memory: { virtToPhys: physAddr, physToVirt: cpuAddr },
      pages: NO_PAGES,
      log: new KernelLog(),
      observer: null,
      ioremap: () => null,
      iounmap: nothing,
      dmaMinAlign: 64,
      irqsDisabled: () => false,
      flushKernelVmapRange: nothing,
      invalidateKernelVmapRange: nothing,
      reservedMemDeviceInit: () => -ENODEV,
      waitUntil: () => false,
    },
  });
  const flush = { flushAll: nothing, flushWalk: nothing, addPage: nothing };
  return { pageSizes, ias: bits, oas: bits, coherentWalk, flush, dev, memory };
};

const K = 2 ** 10;
const M = 2 ** 20;
const LPAE_SIZES = 4 * K + 2 * M + 2 ** 30;
const V7S_SIZES = 4 * K + 64 * K + M + 16 * M;

interface TableRow {
  readonly name: string;
  readonly pageSize: number;
  readonly make: () => IoPgtable | null;
}

const twoLevel = (format: TwoLevelFormat): IoPgtable | null =>
  TwoLevelTable.make(format, benchConfig(false, format.pageSizes, 32));

const ROWS: readonly TableRow[] = [
  ...[true, false].map(isCoherent => ({
    name: `LPAE stage 1, 48 bits, ${isCoherent ? 'coherent walks' : 'cleaned'}`,
    pageSize: 4 * K,
    make: () => armLpae64S1(benchConfig(isCoherent, LPAE_SIZES, 48))?.table ?? null,
  })),
  {
    name: 'LPAE stage 1, 48 bits, cleaned',
    pageSize: 2 * M,
    make: () => armLpae64S1(benchConfig(false, LPAE_SIZES, 48))?.table ?? null,
  },
  {
    name: 'LPAE stage 2, 40 bits, cleaned',
    pageSize: 4 * K,
    make: () => armLpae64S2(benchConfig(false, LPAE_SIZES, 40))?.table ?? null,
  },
  ...[4 * K, 64 * K].map(pageSize => ({
    name: 'v7s, cleaned',
    pageSize,
    make: () => ArmV7sTable.make(benchConfig(false, V7S_SIZES, 32)),
  })),
  { name: 'Exynos, cleaned', pageSize: 4 * K, make: () => twoLevel(EXYNOS_TABLES) },
  { name: 'OMAP, cleaned', pageSize: 4 * K, make: () => twoLevel(OMAP_TABLES) },
  { name: 'Rockchip, cleaned', pageSize: 4 * K, make: () => twoLevel(ROCKCHIP_TABLES) },
];

/** Pairs of map and unmap of one page after the other; words that were stored for one. */
const measure = ({ make, pageSize }: TableRow): { rate: number; stores: number } => {
  const table = make();
  if (table === null) throw new Error('no table');
  const gather = newGather();
  const mapped = { bytes: 0 };
  const places = Math.min(512, (table.apertureEnd + 1) / 2 / pageSize);
  const before = table.writes;
  const rate = millionsPerSecond(PAIRS, () => {
    for (let i = 0; i < PAIRS; i++) {
      const iova = dmaAddr((i % places) * pageSize);
      table.map(iova, physAddr(pageSize), pageSize, 1, IommuProt.Read, mapped);
      table.unmap(iova, pageSize, 1, gather);
      resetGather(gather);
    }
  });
  if (mapped.bytes !== PAIRS * pageSize) throw new Error('a page was not mapped');
  return { rate, stores: (table.writes - before) / PAIRS };
};

/** Map and unmap of single pages in each format. */
export const benchTables = (): void => {
  for (const row of ROWS) measure(row);
  const rounds = Array.from({ length: ROUNDS }, () => ROWS.map(measure));
  const best = ROWS.map((_, i) => Math.max(...rounds.map(round => round[i]?.rate ?? 0)));
  const [first = 0] = best;
  printTable(
    ['table', 'page', 'thousand pairs/s', 'words stored a pair', 'of the first row'],
    ROWS.map(({ name, pageSize }, i) => [
      ...[name, `${pageSize / K} KiB`, ((best[i] ?? 0) * 1000).toFixed(0)],
      ...[(rounds[0]?.[i]?.stores ?? 0).toFixed(1), ratio(best[i] ?? 0, first)],
    ]),
  );
};
