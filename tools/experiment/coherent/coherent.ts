import { COHERENT_KINDS, coherentKind } from '../../../arch/arm/mm/coherent';
import { MIB } from '../../../drivers/base/types/bits';
import { isTooLargeForPages } from '../../../machines/coherent';
import type { MachinePlan, PlanOptions } from '../../../machines/plan';
import type { CoherentName } from '../../../mm/arch-dma';
import { openBoard, planRun } from '../../board/open';
import type { Board } from '../../board/open';
import type { ExperimentArguments } from '../../commands/arguments';
import { Exit } from '../../exit';
import type { ExitStatus } from '../../exit';
import type { Host } from '../../host';
import { parseSeed, planOptions } from '../../options';
import { withPlugins } from '../../plugin/load';
import { Progress } from '../../progress';
import { toJson } from '../../report/json';
import { painter, widthOf } from '../../report/text';
import { costTable } from '../costs';
import type { CostTable } from '../costs';
import { coherentHuman } from './human';
import { judgeCoherent } from './judge';
import { managedBytes, measureCoherent } from './measure';
import type { CoherentRow } from './report';

/** RAM for strategies that map all of it in pages, on a machine that has more than is built. */
const LESS_MEMORY = 512 * MIB;

const NOTES = [
  'table writes to time: one buffer of 16 KiB, allocated and freed by one CPU; the stores that zero it are left out.',
  'lost: memory that nobody else can have, not even for a while, once the first buffer was there.',
  'IOMMUs let everything pass, as with iommu.passthrough=1: a strategy is of memory that devices reach directly.',
  'TLB entries: as many as cover the linear map of all lowmem.',
  'cache ops, outer ops: maintenance of a line, inside and outside the cores.',
];

/** `dmabench experiment coherent BOARD`: every strategy, or the one that `--coherent` names. */
export const coherentExperiment = (args: ExperimentArguments, host: Host): ExitStatus =>
  withPlugins(args.load, ({ modules }) => {
    const { coherent: chosen, ...options } = untranslated(planOptions(args, modules));
    const costs = costTable(args.cost);
    const board = openBoard(args.board, args.overlay ?? []);
    const own = planRun(board, options);
    const names = COHERENT_KINDS.map(({ name }) => name).filter(
      name => chosen === undefined || name === chosen,
    );
    const rows: CoherentRow[] = [];
    const progress = new Progress(host);
    const isInterrupted = host.untilInterrupted(() => {
      const name = names[rows.length];
      if (name === undefined) return false;
      progress.show(name, rows.length, names.length);
      rows.push(rowOf(board, options, name, parseSeed(args.seed), costs));
      return true;
    });
    progress.clear();
    const report = { board: board.source, model: own.model, rows, costs, notes: NOTES };
    const human = (): string => coherentHuman(report, painter(host.out), widthOf(host.out));
    host.out.write(args.format === 'json' ? toJson(report) : human());
    if (isInterrupted) return Exit.Interrupted;
    return rows.some(({ isDefect }) => isDefect) ? Exit.Defect : Exit.Passed;
  });

/** Strategies are of memory that devices reach directly: no IOMMU is in the way. */
export const untranslated = (options: PlanOptions): PlanOptions => ({
  ...options,
  dmaMemory: { ...options.dmaMemory, iommuPassthrough: true },
});

const rowOf = (
  board: Board,
  options: PlanOptions,
  strategy: CoherentName,
  seed: number,
  costs: CostTable,
): CoherentRow => {
  const { plan, memory } = planFor(board, options, strategy);
  const plain = { ...plan, coherent: 'legacy-remap' } as const;
  const judged = judgeCoherent(board.source, plan, seed);
  const measured = measureCoherent(board.source, plan, managedBytes(board.source, plain), costs);
  const isDefault = planRun(board, options).coherent === strategy;
  return {
    ...{ strategy, summary: coherentKind(strategy).summary, isDefault, memory },
    ...judged,
    ...measured,
  };
};

/** The board with this strategy, with less RAM where all of it would be mapped in too many pages. */
const planFor = (
  board: Board,
  options: PlanOptions,
  coherent: CoherentName,
): { readonly plan: MachinePlan; readonly memory: number | null } => {
  const plan = planRun(board, { ...options, coherent });
  const needsPages = coherentKind(coherent).boot({ cma: null, dmaEnd: null }).inPages === 'all';
  if (!needsPages || !isTooLargeForPages(plan)) return { plan, memory: null };
  const smaller = planRun(board, { ...options, coherent, memory: LESS_MEMORY });
  return { plan: smaller, memory: LESS_MEMORY };
};
