import { hex } from '../../drivers/base/types/address';
import type { Finding } from '../../drivers/base/types/finding';
import { callText } from '../report/findings-human';
import { grouped, paragraph, plural, printable, wrap } from '../report/text';
import type { Paint, Style } from '../report/text';
import { copiesIn, selectRows } from './select';
import type { Shown } from './select';
import type { Lane, Story, StoryRow } from './story';
import { withVersions } from './versions';
import type { Held, HeldPlaces, HeldRow, HeldStory } from './versions';

/** `✗`, and the number of an event; then the lanes. */
const GUTTER = 2 + 9 + 2;
const LANE = 8;

const TITLES: Readonly<Record<Lane, string>> = {
  cpu: 'CPU',
  inner: 'inner',
  outer: 'outer',
  memory: 'memory',
  device: 'device',
};

/** What a lane shows: a short text, and how it stands out. */
interface Cell {
  readonly text: string;
  readonly style: Style | null;
}

const NOTHING: Cell = { text: '·', style: 'dim' };

/** All that the lines of one story have in common. */
interface Sheet {
  readonly story: Story;
  readonly finding: Finding;
  /** What each version is called: by letters, in the order in which they were written. */
  readonly names: ReadonlyMap<number, string>;
  readonly paint: Paint;
  readonly width: number;
}

/** The story, a row for each step: what was done, where, and what each place holds after it. */
export const storyLines = (
  story: Story,
  finding: Finding,
  paint: Paint,
  width: number,
): string[] => {
  const held = withVersions(story);
  const shown = selectRows(story, held, finding);
  const rows = shown.flatMap(one => (one.kind === 'row' ? [one] : []));
  const start = held.rows[(rows[0]?.index ?? 0) - 1]?.places ?? held.before;
  const places = [start, ...rows.map(({ row }) => row.places)];
  const versions = places.flatMap(copiesIn).flatMap(({ version }) => version ?? []);
  const sheet = { story, finding, names: namesOf(versions, held), paint, width };
  const title = `What happened to the byte at ${hex(story.byte)}`;
  return [
    paint('bold', title),
    '',
    headLine(sheet),
    placesLine(sheet, start),
    ...shown.flatMap(one => shownLines(sheet, one)),
    '',
    ...legend(sheet, rows),
  ];
};

const headLine = ({ story, paint }: Sheet): string => {
  const lanes = story.lanes.map(lane => TITLES[lane].padEnd(LANE)).join('');
  return paint('dim', `${'event'.padStart(GUTTER - 2)}  ${lanes}`.trimEnd());
};

/** What there was before the first row. */
const placesLine = (sheet: Sheet, places: HeldPlaces): string => {
  const cells = sheet.story.lanes.map(lane => laneCell(sheet, lane, places));
  return `${' '.repeat(GUTTER)}${paintCells(cells, sheet.paint)}${sheet.paint('dim', 'before')}`;
};

const shownLines = (sheet: Sheet, one: Shown): string[] => {
  if (one.kind === 'row') return [...missingLines(sheet, one.index), ...rowLines(sheet, one)];
  const what = one.isStart ? 'before this' : 'that changed nothing here';
  const text = `⋮ ${plural(one.count, 'event')} of this line ${what}`;
  return [sheet.paint('dim', `${' '.repeat(GUTTER)}${text}`)];
};

/** Right before the step that went wrong without it. */
const missingLines = ({ story, finding, paint, width }: Sheet, index: number): string[] => {
  if (index !== story.goal || finding.missing === null) return [];
  const text = `${callText(finding.missing)} is missing here`;
  return paragraph(`${'+'.padStart(GUTTER - 2)}  `, printable(text), width).map(line =>
    paint('green', line),
  );
};

const rowLines = (
  sheet: Sheet,
  { row, index }: { readonly row: HeldRow; readonly index: number },
): string[] => {
  const { story, paint, width } = sheet;
  const { event, actor, at } = row.row;
  const isUnasked = actor === 'unasked';
  const isWrong = index === story.goal;
  const mark = isWrong ? '✗ ' : '  ';
  const number = isUnasked ? '~' : grouped(event);
  const gutter = `${mark}${number.padStart(GUTTER - 4)}  `;
  const cells = story.lanes.map(lane => rowCell(sheet, lane, row));
  const indent = GUTTER + LANE * cells.length;
  const style = isWrong ? 'red' : isUnasked ? 'yellow' : null;
  const [first = '', ...more] = wrap(printable(rowText(sheet, row, index)), width - indent);
  const painted = (text: string): string => (style === null ? text : paint(style, text));
  const place = at === null ? [] : [paint('dim', placeLine(printable(at), indent, width))];
  return [
    `${isWrong ? paint('red', gutter) : paint('dim', gutter)}${paintCells(cells, paint)}${painted(first)}`,
    ...more.map(line => `${' '.repeat(indent)}${painted(line)}`),
    ...place,
  ];
};

/** Under the text if it fits there, else as far to the right as it goes. */
const placeLine = (place: string, indent: number, width: number): string =>
  ' '.repeat(Math.max(0, Math.min(indent, width - place.length))) + place;

const rowText = (sheet: Sheet, row: HeldRow, index: number): string => {
  const { by, what } = row.row;
  const subject = [by.split('/').at(-1) ?? by, what].filter(text => text !== '').join(' ');
  const name = (held: Held | null): string => nameOf(sheet, held?.version ?? null);
  const latest = nameOf(sheet, row.latest);
  const { goal, kind } = sheet.story;
  const isLost = kind === 'lost' && index >= goal && isAllStale(row.places);
  const loss = isLost ? `: ${latest} is lost, no copy is left of it` : '';
  if (row.row.effect === 'write') return `${subject}: ${latest}${isLost ? loss.slice(1) : ''}`;
  if (row.row.effect !== 'read') return `${subject}${loss}`;
  if (index !== goal || kind === 'lost') return `${subject}: ${name(row.read)}`;
  return `${subject}, and may get ${name(row.read)}: ${latest} is the latest`;
};

const isAllStale = (places: HeldPlaces): boolean =>
  copiesIn(places).every(({ isStale }) => isStale);

const rowCell = (sheet: Sheet, lane: Lane, row: HeldRow): Cell => {
  const { actor, effect } = row.row;
  const acts = (lane === 'cpu' && actor === 'cpu') || (lane === 'device' && actor === 'device');
  if (acts && effect === 'read' && row.read !== null) {
    return heldCell(sheet, { ...row.read, isDirty: false }, false);
  }
  const cell = laneCell(sheet, lane, row.places);
  if (!acts || effect !== 'write' || cell !== NOTHING) return cell;
  return { text: nameOf(sheet, row.latest), style: 'bold' };
};

/** What a component holds: a copy, or what is on its way from there. */
const laneCell = (sheet: Sheet, lane: Lane, places: HeldPlaces): Cell => {
  switch (lane) {
    case 'cpu':
      return heldCell(sheet, places.store, true);
    case 'inner':
      return joined(places.inner.map(copy => heldCell(sheet, copy, false)));
    case 'outer':
      return joined(
        [places.outer, ...(places.buffer === null ? [] : [places.buffer])].map((copy, i) =>
          heldCell(sheet, copy, i === 1),
        ),
      );
    case 'memory':
      return heldCell(sheet, places.memory, false);
    case 'device':
      return heldCell(sheet, places.device, false);
  }
};

const heldCell = (sheet: Sheet, held: Held | null, isWaiting: boolean): Cell => {
  if (held === null) return NOTHING;
  const { version, isStale, isDirty } = held;
  const mark = isWaiting ? '…' : isDirty ? '*' : '';
  const text = `${nameOf(sheet, version)}${mark}${isStale ? '!' : ''}`;
  return { text, style: isStale ? 'red' : isDirty ? 'yellow' : 'green' };
};

const joined = (cells: readonly Cell[]): Cell => {
  const present = cells.filter(cell => cell !== NOTHING);
  const [first = NOTHING] = present;
  const isStale = present.some(({ style }) => style === 'red');
  const text = present.map(cell => cell.text).join(' ');
  return present.length < 2 ? first : { text, style: isStale ? 'red' : first.style };
};

const paintCells = (cells: readonly Cell[], paint: Paint): string =>
  cells
    .map(({ text, style }) => {
      const room = ' '.repeat(Math.max(1, LANE - text.length));
      return (style === null ? text : paint(style, text)) + room;
    })
    .join('');

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

const namesOf = (versions: readonly number[], { rows }: HeldStory): ReadonlyMap<number, string> => {
  const undefinedOnes = new Set(
    rows.flatMap(({ row, latest }) => (row.effect === 'forget' ? [latest] : [])),
  );
  const written = [...new Set(versions)]
    .filter(version => !undefinedOnes.has(version))
    .sort((a, b) => a - b);
  return new Map([
    ...[...undefinedOnes].map(version => [version, '?'] as const),
    ...written.map((version, i) => [version, LETTERS[i] ?? `v${i}`] as const),
  ]);
};

/** `A`, `B`; `?` for what is undefined, `old` for what nobody can tell. */
const nameOf = ({ names }: Sheet, version: number | null): string =>
  version === null ? 'old' : (names.get(version) ?? 'old');

/** What the signs mean, of those that were used. */
const legend = (
  { paint, width, names: all }: Sheet,
  rows: readonly { readonly row: HeldRow }[],
): string[] => {
  const copies = rows.flatMap(({ row }) => copiesIn(row.places));
  const names = copies.map(({ version }) => (version === null ? '' : (all.get(version) ?? '')));
  const has = (predicate: (row: StoryRow) => boolean): boolean =>
    rows.some(({ row }) => predicate(row.row));
  const waits = rows.some(({ row: { places } }) => places.store !== null || places.buffer !== null);
  const signs = [
    'A, B: what was written, in this order',
    names.includes('?') ? '? undefined' : '',
    copies.some(({ isDirty }) => isDirty) ? '* dirty' : '',
    waits ? '… on its way' : '',
    copies.some(({ isStale }) => isStale) ? '! overtaken by a later write' : '',
    has(({ actor }) => actor === 'unasked') ? '~ done unasked, as this machine may' : '',
    '✗ where it goes wrong',
  ];
  const used = signs.filter(sign => sign !== '').join('; ');
  return paragraph('  ', used, width).map(line => paint('dim', line));
};
