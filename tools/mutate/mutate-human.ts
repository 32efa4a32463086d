import { painted, table } from '../report/table';
import { paragraph, plural, printable } from '../report/text';
import type { Paint } from '../report/text';
import { splitPlace } from './mutation-run';
import type { Effect, FailingBaseline, MutatedSite } from './mutation-run';
import type { Site } from './site-gate';

/** What a table of mutations is made from. */
export interface MutationReport {
  readonly boards: readonly string[];
  readonly suites: readonly string[];
  readonly sites: readonly MutatedSite[];
  readonly failing: readonly FailingBaseline[];
  readonly isComplete: boolean;
}

const markOf = (effect: Effect): string => {
  switch (effect.kind) {
    case 'needed':
      return 'needed';
    case 'not needed':
      return effect.because === 'nothing depends on it' ? '–' : effect.because;
    case 'not exercised':
      return '';
    case 'not modelled':
      return '?';
  }
};

/** With so many boards, their names take columns that the calls need. */
const ROOM_FOR_NAMES = 36;

/** Which calls matter on which board, for a person: files, their lines, a column for each board. */
export const mutateHuman = (report: MutationReport, paint: Paint, width: number): string => {
  const { boards, suites, sites, isComplete } = report;
  const isShort = boards.join('  ').length > ROOM_FOR_NAMES;
  const names = boards.map((board, i) => (isShort ? `[${i + 1}]` : printable(board)));
  const title = `${suites.join(', ')} on ${boards.join(', ')}`;
  const sections = [
    [
      ...paragraph('', printable(title), width).map(line => paint('bold', line)),
      ...(isShort ? boards.map((board, i) => `  [${i + 1}] ${printable(board)}`) : []),
    ],
    ...tablesOf(sites, names, paint, width),
    legend(sites, width).map(line => paint('dim', line)),
    ...report.failing.map(({ board, cases }) =>
      paragraph(
        '',
        `${printable(board)} fails even with all calls in place: ${cases.join(', ')}. What is said of it counts only what is worse.`,
        width,
      ).map(line => paint('red', line)),
    ),
    [totals(sites) + (isComplete ? '' : '  (interrupted: not all calls were tried)')],
  ];
  return sections
    .filter(lines => lines.length > 0)
    .map(lines => `${lines.join('\n')}\n`)
    .join('\n');
};

/** A table for each file. */
const tablesOf = (
  sites: readonly MutatedSite[],
  names: readonly string[],
  paint: Paint,
  width: number,
): string[][] => {
  const files = new Map<string, MutatedSite[]>();
  for (const one of sites) {
    const [file] = splitPlace(one.site.at);
    files.set(file, [...(files.get(file) ?? []), one]);
  }
  const rows = sites.map(({ site, effects }) => [
    String(splitPlace(site.at)[1]),
    site.call,
    ...effects.map(markOf),
    evidence(site, effects),
  ]);
  const blank = rows[0]?.map(() => '') ?? [];
  // Columns line up across files: each row of the one table is made with all others beside it.
  const layout = { width, indent: 2, right: [0] };
  const widest = blank.map((_, column) =>
    column === blank.length - 1
      ? ''
      : ' '.repeat(Math.max(...[['', '', ...names], ...rows].map(row => row[column]?.length ?? 0))),
  );
  const linesOf = (row: readonly string[]): string[] => table([row, widest], layout).slice(0, -1);
  const head = linesOf(['', '', ...names, '']).map(line => paint('dim', line));
  return [...files].map(([file, ofFile], i) => [
    ...(i === 0 ? head : []),
    paint('bold', printable(file)),
    ...painted(
      ofFile.flatMap(one => linesOf(rows[sites.indexOf(one)] ?? blank)),
      'needed',
      paint,
    ),
  ]);
};

/** What was found without the call, on any board, or what else does as much. */
const evidence = (site: Site, effects: readonly Effect[]): string => {
  const texts = effects.flatMap(effect => {
    switch (effect.kind) {
      case 'needed':
        return [effect.rule ?? `${effect.inCase} fails: ${effect.text}`];
      case 'not modelled':
        return [effect.text];
      case 'not needed':
        return effect.because === 'spare' ? [`beside ${shownFrom(site, effect.beside)}`] : [];
      default:
        return [];
    }
  });
  return printable([...new Set(texts)].join(', '));
};

/** A place by its line for who is in the same file. */
const shownFrom = (from: Site, { at, call }: Site): string => {
  const [file, line] = splitPlace(at);
  return `${file === splitPlace(from.at)[0] ? line : at} ${call}`;
};

const legend = (sites: readonly MutatedSite[], width: number): string[] => {
  const marks = new Set(sites.flatMap(({ effects }) => effects.map(markOf)));
  return LEGEND.flatMap(([mark, text]) =>
    marks.has(mark) ? paragraph(`  ${mark === '' ? 'blank' : mark}: `, text, width) : [],
  );
};

/** All but the first and the last two: not needed, whatever caches do and whenever devices move data. */
const LEGEND: readonly (readonly [mark: string, text: string])[] = [
  ['needed', 'without it the finding at the end of the line is made'],
  ['spare', 'not needed, as the call at the end of the line does as much; one of the two is'],
  ['idle', 'not needed, as it does nothing there: without it the machine does just the same'],
  [
    '–',
    'not needed: nothing depends on it there, whatever caches do and whenever devices move data, not even without all others marked so',
  ],
  ['', 'the suite does not come there on this board'],
  ['?', 'without it the software does what is not modelled'],
];

const totals = (sites: readonly MutatedSite[]): string => {
  const needed = sites.filter(({ effects }) => effects.some(({ kind }) => kind === 'needed'));
  return `${plural(sites.length, 'call')}, ${needed.length} needed somewhere`;
};
