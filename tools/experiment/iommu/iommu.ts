import { InputError } from '../../../drivers/base/types/errors';
import { openBoard, planRun } from '../../board/open';
import type { ExperimentArguments } from '../../commands/arguments';
import { Exit } from '../../exit';
import type { ExitStatus } from '../../exit';
import type { Host } from '../../host';
import { parseSeed, planOptions } from '../../options';
import { withPlugins } from '../../plugin/load';
import { Progress } from '../../progress';
import { toJson } from '../../report/json';
import { painter, widthOf } from '../../report/text';
import { exhaustionRows } from './exhaustion';
import { iommuHuman } from './human';
import { hasIommus, measurePageSizes, measureWay } from './measure';
import type { IommuReport, IommuRow, IommuWay } from './report';

const WAYS: readonly IommuWay[] = ['direct', 'strict', 'lazy', 'list', 'batched'];

const NOTES = [
  'Counts are the mean of one mapping and its end, tables that stay being there already: stores to page tables, invalidations that the kernel waits for, entries that a TLB needs. A time follows from them by a cost table, which no board has yet.',
  'Each piece is mapped for itself: direct (iommu.passthrough=1), strict (iommu.strict=1), lazy (iommu.strict=0), which invalidates everything at once, for 255 unmaps or after 10 ms. In one go, strict: list (dma_map_sg), batched (dma_iova_link: addresses once, each piece linked, one sync and one end).',
  'Where an IOMMU cannot be lazy, lazy is strict.',
  'The two devices, of one group and with a mask of 21 bits: a camera maps 256 KiB for a short time, a network device 4 to 12 KiB for up to 220 steps. Refused is -ENOSPC; in a row is how long one starves. Delayed unmap keeps what is unmapped until it is freed or, evicting, until there is no room.',
];

/** `dmabench experiment iommu BOARD`: what mapping costs, and who gets addresses when there are few. */
export const iommuExperiment = (args: ExperimentArguments, host: Host): ExitStatus =>
  withPlugins(args.load, ({ modules }) => {
    const board = openBoard(args.board, args.overlay ?? []);
    const plan = planRun(board, planOptions(args, modules));
    if (!hasIommus(plan)) {
      const expected = 'a board with a device behind an IOMMU that is modelled';
      throw new InputError({ place: board.source, expected, found: 'none' });
    }
    const rows: IommuRow[] = [];
    const progress = new Progress(host);
    let next = 0;
    const isInterrupted = host.untilInterrupted(() => {
      const way = WAYS[next];
      if (way === undefined) return false;
      progress.show(way, next, WAYS.length);
      rows.push(...measureWay(board.source, plan, way));
      next++;
      return true;
    });
    progress.clear();
    const report: IommuReport = {
      ...{ board: board.source, model: plan.model, rows: byBuffer(rows) },
      pageSizes: isInterrupted ? [] : measurePageSizes(board.source, plan),
      exhaustion: isInterrupted ? [] : exhaustionRows(board.source, plan, parseSeed(args.seed)),
      notes: NOTES,
    };
    const human = (): string => iommuHuman(report, painter(host.out), widthOf(host.out));
    host.out.write(args.format === 'json' ? toJson(report) : human());
    return isInterrupted ? Exit.Interrupted : Exit.Passed;
  });

/** The ways of each buffer one below the other. */
const byBuffer = (rows: readonly IommuRow[]): readonly IommuRow[] => {
  const keyOf = ({ master, buffer }: IommuRow): string => `${master}\n${buffer}`;
  const keys = [...new Set(rows.map(keyOf))];
  return keys.flatMap(key => rows.filter(row => keyOf(row) === key));
};
