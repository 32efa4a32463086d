import { table } from '../../report/table';
import { bytes, grouped, paragraph, printable } from '../../report/text';
import type { Paint } from '../../report/text';
import type { ExhaustionRow, IommuReport, IommuRow, PageSizeRow } from './report';

/** Tables for a person: the last column of each is empty, as it would be broken over lines. */
export const iommuHuman = (report: IommuReport, paint: Paint, width: number): string => {
  const { board, model, rows, pageSizes, exhaustion, notes } = report;
  const masters = [...new Set(rows.map(({ master, iommu }) => `${master} (${iommu})`))];
  const title = (text: string): string => paint('bold', text);
  const sections = [
    [title(`${printable(board)}: ${printable(model)}: DMA through IOMMUs`)],
    ...masters.map(master => [
      title(printable(master)),
      ...waysTable(
        rows.filter(row => `${row.master} (${row.iommu})` === master),
        width,
      ),
    ]),
    [title('Page sizes: a buffer in one piece'), ...pageSizeTable(pageSizes, width)],
    [title('Two devices in an aperture of 512 pages'), ...exhaustionTable(exhaustion, width)],
    [title('Notes'), ...notes.flatMap(note => paragraph('  - ', note, width))],
  ];
  return sections.map(section => `${section.join('\n')}\n`).join('\n');
};

/** A mean, with as many digits as say something. */
const mean = (value: number): string =>
  Number.isInteger(value) || value >= 10 ? grouped(Math.round(value)) : value.toPrecision(2);

const waysTable = (rows: readonly IommuRow[], width: number): string[] => {
  const head = ['buffer', 'way', 'segments', 'entries', 'table writes', 'flushes', 'addresses', ''];
  const cells = rows.map(row => [
    ...[row.buffer, row.way, grouped(row.segments), mean(row.entries)],
    ...[mean(row.tableWrites), mean(row.flushes), bytes(BigInt(row.iova)), ''],
  ]);
  return table([head, ...cells], { width, indent: 2, right: [2, 3, 4, 5, 6] });
};

const pageSizeTable = (rows: readonly PageSizeRow[], width: number): string[] => {
  const head = ['IOMMU', 'buffer', 'pages', 'entries', 'table writes', ''];
  const cells = rows.map(({ iommu, buffer, pages, entries, tableWrites }) => [
    ...[printable(iommu), buffer, pages, grouped(entries), grouped(tableWrites), ''],
  ]);
  return table([head, ...cells], { width, indent: 2, right: [3, 4] });
};

const exhaustionTable = (rows: readonly ExhaustionRow[], width: number): string[] => {
  const head = ['policy', 'device', 'asked', 'refused', 'in a row', 'flushes', 'mapped idle', ''];
  const cells = rows.map(row => [
    ...[row.policy, row.device, grouped(row.asked), grouped(row.refused)],
    ...[grouped(row.longest), grouped(row.flushes), grouped(row.idle), ''],
  ]);
  return table([head, ...cells], { width, indent: 2, right: [2, 3, 4, 5, 6] });
};
