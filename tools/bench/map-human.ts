import { table } from '../report/table';
import { grouped, paragraph, printable } from '../report/text';
import type { Paint } from '../report/text';
import type { MapParameters, MapResult, MeasuredCall } from './map';
import { directionName } from './parameters';

/** What was measured, and on what. */
export interface MapReport {
  readonly board: string;
  readonly parameters: MapParameters;
  /** A way to memory each, as `non-coherent`. */
  readonly results: readonly { readonly label: string; readonly result: MapResult }[];
}

/** `dmabench bench map` for a person: the kernel's lines where it has some. */
export const mapHuman = (
  { board, parameters, results }: MapReport,
  paint: Paint,
  width: number,
): string => {
  const { threads, iterations, dir, granule } = parameters;
  const head =
    `dma mapping benchmark: threads:${threads} iterations:${iterations} node:-1 ` +
    `dir:${directionName(dir)} granule: ${granule}`;
  const sections = [
    [paint('bold', printable(board)), ...paragraph('', head, width)],
    ...results.map(({ label, result }) => [
      paint('bold', `${result.device}: ${printable(label)}`),
      ...(result.failed === null ? measured(result, width) : [`  ${result.failed}`]),
    ]),
    paragraph(
      '',
      'Host time is that of this computer: how fast dmabench is, not how fast the board would be. Calls take no simulated time but where they wait.',
      width,
    ).map(line => paint('dim', line)),
  ];
  return `${sections.map(lines => lines.join('\n')).join('\n\n')}\n`;
};

const ROWS: readonly (readonly [what: string, of: keyof MeasuredCall['counts']])[] = [
  ['line operations', 'innerLines'],
  ['of the outer cache', 'outerLines'],
  ['table writes', 'tableWrites'],
  ['TLB invalidations', 'tlbInvalidations'],
  ['loads, stores, barriers', 'accesses'],
];

const measured = ({ calls, map, unmap }: MapResult, width: number): string[] => {
  const each = (sum: number): string => perCall(sum, calls);
  const rows = [
    ['per call', 'map', 'unmap', ''],
    ...ROWS.map(([what, of]) => [what, each(map.counts[of]), each(unmap.counts[of]), '']),
    ['simulated ns', each(map.simulated), each(unmap.simulated), ''],
  ];
  return [
    ...table(rows, { width, indent: 2, right: [1, 2] }),
    latency('map', map),
    latency('unmap', unmap),
  ];
};

const perCall = (sum: number, calls: number): string => {
  const value = calls === 0 ? 0 : sum / calls;
  return Number.isInteger(value) ? grouped(value) : value.toFixed(1);
};

/** Microseconds, in the kernel's words. */
const latency = (call: string, { host: { mean, deviation } }: MeasuredCall): string =>
  `  host time: average ${call} latency(us):${(1000 * mean).toFixed(1)} ` +
  `standard deviation:${(1000 * deviation).toFixed(1)}`;
