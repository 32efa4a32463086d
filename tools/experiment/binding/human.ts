import { table } from '../../report/table';
import { grouped, paragraph, printable } from '../../report/text';
import type { Paint } from '../../report/text';
import { costLines, shownTime } from '../costs';
import type { CostName } from '../costs';
import type { BindingReport, BindingRow, CrossoverPoint, WorkloadReport } from './report';

const HEAD = ['', 'entries', 'flushes', 'faults', 'batches', 'waits', 'irqs', 'time', ''];
const COST_NAMES: readonly CostName[] = [
  ...(['table-write', 'line', 'outer-line', 'barrier', 'gpu-flush'] as const),
  ...(['gpu-wait', 'gpu-fault', 'gpu-batch', 'irq'] as const),
];

const LEGEND =
  'entries: words written to page tables; flushes: of the GPU’s TLB; batches: of faults that one replay ended; waits: for the GPU, beside those for the jobs.';

/** A table for each workload, and where binding at once becomes the cheaper. */
export const bindingHuman = (report: BindingReport, paint: Paint, width: number): string => {
  const { board, model, workloads, crossover, costs, notes } = report;
  const sections = [
    [paint('bold', `${printable(board)}: ${printable(model)}: when the GPU gets its addresses`)],
    ...workloads.map(workload => workloadLines(workload, paint, width)),
    paragraph('  ', LEGEND, width),
    crossoverLines(crossover, paint, width),
    [paint('bold', 'Cost table'), ...costLines(costs, COST_NAMES, width)],
    [paint('bold', 'Notes'), ...notes.flatMap(note => paragraph('  - ', note, width))],
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

const cellsOf = ({ mode, entries, flushes, faults, counts, nanoseconds }: BindingRow): string[] => [
  mode,
  ...[entries, flushes, faults].map(grouped),
  ...(['gpu-batch', 'gpu-wait', 'irq'] as const).map(name => grouped(counts[name] ?? 0)),
  shownTime(nanoseconds),
  '',
];

const workloadLines = (
  { name, summary, rows }: WorkloadReport,
  paint: Paint,
  width: number,
): string[] => {
  const cells = [HEAD, ...rows.map(cellsOf)];
  const [head = '', ...lines] = table(cells, { width, indent: 2, right: [1, 2, 3, 4, 5, 6, 7] });
  return [`${paint('bold', name)}: ${summary}`, paint('bold', head), ...lines];
};

const timeOfMode = ({ rows }: CrossoverPoint, mode: BindingRow['mode']): number =>
  rows.find(row => row.mode === mode)?.nanoseconds ?? Infinity;

const LAZY = ['fault, page', 'fault, object', 'fault, set'] as const;

/** From so many touched objects on, binding all at once is the cheapest; null: it never is. */
export const batchedFrom = (points: readonly CrossoverPoint[]): number | null => {
  const lazy = (point: CrossoverPoint): number =>
    Math.min(...LAZY.map(mode => timeOfMode(point, mode)));
  return points.find(point => timeOfMode(point, 'batched') <= lazy(point))?.touched ?? null;
};

const crossoverLines = (
  points: readonly CrossoverPoint[],
  paint: Paint,
  width: number,
): string[] => {
  const [first] = points;
  if (first === undefined) return [];
  const modes = first.rows.map(({ mode }) => mode);
  const rows = points.map(point => [
    `${point.touched} of ${point.of}`,
    ...modes.map(mode => shownTime(timeOfMode(point, mode))),
    '',
  ]);
  const cells = [['touched', ...modes, ''], ...rows];
  const [head = '', ...lines] = table(cells, { width, indent: 2, right: [0, 1, 2, 3, 4, 5] });
  const from = batchedFrom(points);
  const last =
    from === null
      ? 'To bind on fault is the cheaper, however many are touched.'
      : `To bind all at once is the cheapest from ${from} of ${first.of} touched on.`;
  return [paint('bold', 'The crossover'), paint('bold', head), ...lines, `  ${last}`];
};
