import type { Finding } from '../../drivers/base/types/finding';
import type { Held, HeldPlaces, HeldRow, HeldStory } from './versions';
import type { Story } from './story';

/** A row that is shown, or so many that are not. */
export type Shown =
  | { readonly kind: 'row'; readonly row: HeldRow; readonly index: number }
  | { readonly kind: 'skipped'; readonly count: number; readonly isStart: boolean };

/** Of fewer events that changed nothing, nothing is said. */
const WORTH_A_LINE = 10;

/**
 * The part of a story that explains its end. It begins where the oldest write that still plays a
 * part was made; after that, what changed nothing is left out, unless it is maintenance or stands
 * where the missing call belongs.
 */
export const selectRows = (story: Story, held: HeldStory, finding: Finding): readonly Shown[] => {
  const first = firstRow(story, held);
  const places = new Set(finding.missing?.between ?? []);
  const shown: Shown[] = [];
  let skipped = 0;
  const flush = (isStart: boolean): void => {
    if (skipped >= WORTH_A_LINE) shown.push({ kind: 'skipped', count: skipped, isStart });
    skipped = 0;
  };
  held.rows.forEach((row, index) => {
    const { at, actor } = row.row;
    const before = held.rows[index - 1]?.places ?? held.before;
    const isTold =
      index === story.goal ||
      actor === 'unasked' ||
      actor === 'kernel' ||
      (at !== null && places.has(at) && row.row.effect !== 'other') ||
      !isSame(before, row.places);
    if (index < first || !isTold) {
      skipped += 1;
      return;
    }
    flush(index === first || shown.length === 0);
    shown.push({ kind: 'row', row, index });
  });
  flush(false);
  return shown;
};

/** Where the oldest version that is anywhere at the end was written; not before the memory was new. */
const firstRow = ({ goal }: Story, { rows, before }: HeldStory): number => {
  const end = rows[goal];
  if (end === undefined) return 0;
  const fresh = rows.findLastIndex(({ row }, i) => i <= goal && row.effect === 'forget');
  const previous = rows[goal - 1]?.places ?? before;
  const versions = [...copiesIn(previous), ...copiesIn(end.places)].map(({ version }) => version);
  // Of what is stale and nobody knows since when, the story is told from its beginning.
  if (versions.includes(null)) return Math.max(0, fresh);
  const oldest = Math.min(...versions.map(version => version ?? 0));
  const written = oldest === 0 ? 0 : rows.findIndex(({ latest }) => latest === oldest);
  return Math.max(0, fresh, written);
};

/** Every copy there is. */
export const copiesIn = ({ store, inner, outer, buffer, memory, device }: HeldPlaces): Held[] =>
  [store, ...inner, outer, buffer, memory, device].filter(held => held !== null);

const isSame = (a: HeldPlaces, b: HeldPlaces): boolean => JSON.stringify(a) === JSON.stringify(b);
