import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { IommuHook } from '../../drivers/base/hw/dma-port';
import { TxResult } from '../../drivers/base/hw/mmio';
import { dmaAddr, physAddr } from '../../drivers/base/types/address';
import { PAGE_SIZE } from '../../drivers/base/types/bits';
import { Random } from '../../drivers/base/types/random';
import { boardNames, loadBoard } from '../../machines/boards';
import { bootMachine } from '../../machines/boot';
import { streamsOf } from '../../machines/iommus';
import type { Stream } from '../../machines/iommus';
import type { Machine } from '../../machines/machine';
import { planMachine } from '../../machines/plan';
import type { IommuGroup } from '../../mm/iommu/group';
import { iommuMap, iommuUnmap } from '../../mm/iommu/map';
import { IommuProt } from '../../mm/iommu/types';
import type { IommuOps } from '../../mm/iommu/types';
import { BOARD_FOLDER } from '../support/board-folder';
import { benchTables } from './iommu-tables';
import { ROUNDS, millionsPerSecond, printTable, ratio } from './measure';

/** More than any model keeps, and what one keeps. */
const MANY_PAGES = 512;
const FEW_PAGES = 4;
const TRANSLATIONS = 200_000;
const PAIRS = 2000;
/** The DMA API gives addresses away from the end: here it has given none. */
const FIRST = 16 * PAGE_SIZE;

/** An IOMMU of a booted machine, with a domain of its own and a master behind it. */
interface Specimen {
  readonly name: string;
  readonly hook: IommuHook;
  readonly ops: IommuOps;
}

/** For a group that the DMA API does not translate for, as OMAP's: what its driver would do. */
const ownDomain = ({ kernel }: Machine, { devices }: IommuGroup): IommuOps | null => {
  const [dev] = devices;
  const domain = dev === undefined ? null : kernel.iommus.domainAlloc(dev);
  if (dev === undefined || domain === null) return null;
  return kernel.iommus.attachDevice(domain, dev) === 0 ? domain.ops : null;
};

const specimenOf = (machine: Machine, board: string, { node, cells }: Stream): Specimen | null => {
  const { hardware, iommus, kernel } = machine;
  const model = hardware.iommus.find(({ plan }) => plan.device.node === node)?.model;
  const iommu = iommus.get(node);
  if (model === undefined || iommu === undefined) return null;
  const group = kernel.iommus.groupFor([{ iommu, cells }]);
  if (typeof group === 'number') return null;
  const ops = group.domain.domain.ops ?? ownDomain(machine, group);
  if (ops === null) return null;
  const name = `${node.compatible[0] ?? node.name}, on ${board}`;
  return { name, hook: model.stream(cells, 'bench'), ops };
};

/** One IOMMU of each kind that a board of dmabench has with a master behind it. */
const specimens = (): readonly Specimen[] => {
  const found = new Map<unknown, Specimen>();
  for (const board of boardNames(BOARD_FOLDER)) {
    const plan = planMachine(loadBoard(board, BOARD_FOLDER), { memory: null, quirks: [] });
    const streams = plan.devices
      .flatMap(({ effective }) => streamsOf(effective))
      .filter(({ kind }) => !found.has(kind));
    if (streams.length === 0) continue;
    const machine = bootMachine(plan, {
      adversary: new LruAdversary(),
      random: new Random(1),
      timing: 'latest',
      streaming: ALL_STEPS,
    });
    for (const stream of streams) {
      const specimen = found.has(stream.kind) ? null : specimenOf(machine, board, stream);
      if (specimen !== null) found.set(stream.kind, specimen);
    }
  }
  return [...found.values()];
};

/** Translations of an address after the other, of so many pages in turn. */
const translate = ({ hook }: Specimen, pages: number): number =>
  millionsPerSecond(TRANSLATIONS, () => {
    for (let i = 0; i < TRANSLATIONS; i++) {
      const answer = hook.translate(FIRST + (i % pages) * PAGE_SIZE, false);
      if (answer?.result !== TxResult.Ok) throw new Error('a translation was refused');
    }
  });

/** What a translation costs that is a look into a plain table of pages. */
const plain = (): number => {
  const table = new Map<number, number>();
  for (let page = 0; page < FEW_PAGES; page++)
    table.set(FIRST / PAGE_SIZE + page, page * PAGE_SIZE);
  let sum = 0;
  const rate = millionsPerSecond(TRANSLATIONS, () => {
    for (let i = 0; i < TRANSLATIONS; i++) {
      const address = FIRST + (i % FEW_PAGES) * PAGE_SIZE;
      sum += (table.get(Math.floor(address / PAGE_SIZE)) ?? 0) + (address % PAGE_SIZE);
    }
  });
  if (sum === 0) throw new Error('nothing was looked up');
  return rate;
};

/** Pages that are mapped, and unmapped with a wait for the invalidation. */
const pairs = ({ ops }: Specimen): number =>
  millionsPerSecond(PAIRS, () => {
    const iova = dmaAddr(FIRST - PAGE_SIZE);
    for (let i = 0; i < PAIRS; i++) {
      iommuMap(ops, iova, physAddr(0), PAGE_SIZE, IommuProt.Read);
      if (iommuUnmap(ops, iova, PAGE_SIZE) !== PAGE_SIZE) throw new Error('nothing was unmapped');
    }
  });

const mapPages = ({ name, ops }: Specimen): void => {
  for (let page = 0; page < MANY_PAGES; page++) {
    // Not next to each other, and in no page that is larger.
    const address = physAddr(2 * page * PAGE_SIZE);
    const iova = dmaAddr(FIRST + page * PAGE_SIZE);
    const result = iommuMap(ops, iova, address, PAGE_SIZE, IommuProt.Read);
    if (result !== 0) throw new Error(`${name}: map: ${result}`);
  }
};

/** `npm run bench -- iommu`: the best of some rounds each. */
export const benchIommu = (): void => {
  console.log('Page tables: a page is mapped and unmapped, through the caches of a Cortex-A9');
  benchTables();
  const all = specimens();
  for (const specimen of all) mapPages(specimen);
  const columns = [
    (one: Specimen) => translate(one, FEW_PAGES),
    (one: Specimen) => translate(one, MANY_PAGES),
    pairs,
  ] as const;
  const measure = (): number[][] => all.map(one => columns.map(column => column(one)));
  const rounds = Array.from({ length: ROUNDS + 1 }, measure).slice(1);
  const lookup = Math.max(...Array.from({ length: ROUNDS + 1 }, plain).slice(1));
  const rows = all.map(({ name }, i) => {
    const best = columns.map((_, c) => Math.max(...rounds.map(round => round[i]?.[c] ?? 0)));
    const [hits = 0, walks = 0, mapped = 0] = best;
    const rates = [hits.toFixed(2), ratio(hits, lookup), walks.toFixed(3), ratio(hits, walks)];
    return [name, ...rates, (mapped * 1000).toFixed(1)];
  });
  console.log(`Machines: a plain look-up is ${lookup.toFixed(0)} million/s`);
  printTable(
    ['IOMMU', 'hits, M/s', 'of look-up', 'walks, M/s', 'hits to walks', 'thousand pairs/s'],
    rows,
  );
};
