import { wrap } from './text';
import type { Paint } from './text';

/** How a table is laid out; widths in characters. */
export interface TableOptions {
  readonly width: number;
  readonly indent: number;
  /** Columns, counted from 0, whose cells stand to the right. */
  readonly right?: readonly number[];
}

/** Between columns. */
const GAP = 2;
/** The last column gets at least so many characters, even if lines become too long by it. */
const NARROWEST_LAST = 24;

/** Lines of rows whose columns line up. The last column is broken over several lines to fit. */
export const table = (rows: readonly (readonly string[])[], options: TableOptions): string[] => {
  const count = Math.max(0, ...rows.map(row => row.length));
  const widths = Array.from({ length: count - 1 }, (_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0)),
  );
  const start = widths.reduce((sum, width) => sum + width + GAP, options.indent);
  const room = Math.max(NARROWEST_LAST, options.width - start);
  return rows.flatMap(row => {
    const head = widths.map((width, column) => {
      const cell = row[column] ?? '';
      const isRight = options.right?.includes(column) === true;
      return isRight ? cell.padStart(width) : cell.padEnd(width);
    });
    const first = `${' '.repeat(options.indent)}${head.map(cell => cell + ' '.repeat(GAP)).join('')}`;
    return wrap(row[count - 1] ?? '', room).map((line, i) =>
      ((i === 0 ? first : ' '.repeat(start)) + line).trimEnd(),
    );
  });
};

/** Lines of which those with this word stand out. */
export const painted = (lines: readonly string[], word: string, paint: Paint): string[] =>
  lines.map(line =>
    line.replaceAll(new RegExp(`\\b${word}\\b`, 'g'), found => paint('red', found)),
  );
