import { table } from '../../report/table';
import { bytes, grouped, paragraph, printable } from '../../report/text';
import type { Paint } from '../../report/text';
import { costLines, shownTime } from '../costs';
import type { CostName } from '../costs';
import type { Measured, NoncoherentReport, WayName, WorkloadReport } from './report';

/** The columns of the table of counts. */
const COUNTED: readonly (readonly [name: CostName, head: string])[] = [
  ['access', 'cached'],
  ['uncached-load', 'loads'],
  ['uncached-store', 'stores'],
  ['burst', 'bursts'],
  ['fill-near', 'near'],
  ['fill-memory', 'memory'],
  ['dirty-line', 'dirty'],
  ['line', 'lines'],
  ['outer-line', 'outer'],
  ['barrier', 'dsb'],
];

const sizeOf = (size: number): string => bytes(BigInt(size));

/** Times by size for each workload, then what they are made of at one size, and by which figures. */
export const noncoherentHuman = (
  report: NoncoherentReport,
  paint: Paint,
  width: number,
): string => {
  const { board, model, workloads, costs, notes } = report;
  const sections = [
    [
      paint('bold', `${printable(board)}: ${printable(model)}: memory for CPU and device`),
      `  by ${printable(report.device)}`,
    ],
    ...workloads.map(workload => timesOf(workload, paint, width)),
    countsOf(report, paint, width),
    [
      paint('bold', 'Cost table'),
      ...costLines(
        costs,
        [...COUNTED].map(([name]) => name),
        width,
      ),
    ],
    [paint('bold', 'Notes'), ...notes.flatMap(note => paragraph('  - ', note, width))],
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

/** Of equal times, no way is the fastest. */
const fastestOf = (measured: readonly Measured[]): readonly WayName[] => {
  const times = measured.flatMap(({ nanoseconds }) => nanoseconds ?? []);
  const least = Math.min(...times);
  return measured.filter(({ nanoseconds }) => nanoseconds === least).map(({ way }) => way);
};

const timesOf = (
  { name, summary, measured, cachedFrom }: WorkloadReport,
  paint: Paint,
  width: number,
): string[] => {
  const sizes = [...new Set(measured.map(({ size }) => size))];
  const ways = [...new Set(measured.map(({ way }) => way))];
  const rows = sizes.map(size => {
    const ofSize = measured.filter(one => one.size === size);
    const times = ofSize.map(({ nanoseconds }) =>
      nanoseconds === null ? '-' : shownTime(nanoseconds),
    );
    return [sizeOf(size), ...times, fastestOf(ofSize).join(', ')];
  });
  const cells = [['size', ...ways, 'fastest'], ...rows];
  const [head = '', ...lines] = table(cells, { width, indent: 2, right: [0, 1, 2, 3] });
  const last =
    cachedFrom === null
      ? 'Cached memory with syncs is not the fastest, not even of the largest size.'
      : `Cached memory with syncs is the fastest from ${sizeOf(cachedFrom)} on.`;
  return [`${paint('bold', name)}: ${summary}`, paint('bold', head), ...lines, `  ${last}`];
};

const countsOf = (
  { workloads, shownSize }: NoncoherentReport,
  paint: Paint,
  width: number,
): string[] => {
  const used = COUNTED.filter(([name]) =>
    workloads.some(({ measured }) => measured.some(({ counts }) => (counts?.[name] ?? 0) > 0)),
  );
  const rows = workloads.flatMap(({ name, measured }) =>
    measured
      .filter(({ size }) => size === shownSize)
      .map(({ way, counts, nanoseconds }) => [
        ...[name, way],
        ...used.map(([cost]) => (counts === null ? '-' : grouped(counts[cost] ?? 0))),
        ...[nanoseconds === null ? '-' : shownTime(nanoseconds), ''],
      ]),
  );
  const cells = [['', '', ...used.map(([, head]) => head), 'time', ''], ...rows];
  const right = Array.from({ length: used.length + 1 }, (_, i) => i + 2);
  const [head = '', ...lines] = table(cells, { width, indent: 2, right });
  return [
    paint('bold', `Counts of ${sizeOf(shownSize)}`),
    paint('bold', head),
    ...lines,
    ...paragraph('  ', LEGEND, width),
  ];
};

const LEGEND =
  'cached: accesses through the first level; loads, stores, bursts: uncached, a burst being the stores of one line; near, memory: lines that the next level had, and that memory had; dirty: lines written back; lines, outer: maintenance inside and outside the cores; dsb: barriers.';
