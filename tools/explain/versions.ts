import type { CopyState, Places, Story, StoryRow, WaitingState } from './story';

/*
 * The state sets know of each copy whether it is the latest, not what it holds. Along one story
 * that can be told: each write is a version, a copy that is overtaken keeps its own, and a copy
 * that is made has that of where it came from.
 */

/**
 * A copy: which write it holds, counted from 0 (before the story); null where nobody can tell. What
 * is undefined counts as written: then all copies hold that.
 */
export interface Held {
  readonly version: number | null;
  readonly isStale: boolean;
  readonly isDirty: boolean;
}

/** Where copies are, and what they hold; null for none. */
export interface HeldPlaces {
  readonly store: Held | null;
  readonly inner: readonly (Held | null)[];
  readonly outer: Held | null;
  readonly buffer: Held | null;
  readonly memory: Held;
  readonly device: Held | null;
}

/** A row of a story with versions. */
export interface HeldRow {
  readonly row: StoryRow;
  /** The latest version, this row's write included. */
  readonly latest: number;
  /** What a row that reads was answered; null for others and where nobody can tell. */
  readonly read: Held | null;
  readonly places: HeldPlaces;
}

/** A story with versions: before its first row, and after each. */
export interface HeldStory {
  readonly before: HeldPlaces;
  readonly rows: readonly HeldRow[];
}

/** Gives the copies of a story their versions. */
export const withVersions = (story: Story): HeldStory => {
  const before = initial(story.before);
  let places = before;
  let latest = 0;
  const rows = story.rows.map((row, i): HeldRow => {
    if (row.effect === 'write' || row.effect === 'forget') latest += 1;
    const previous = places;
    places = advance(previous, row.places, latest);
    const read = row.effect === 'read' ? answer(row, i === story.goal, previous, places) : null;
    return { row, latest, read, places };
  });
  return { before, rows };
};

interface Seen {
  readonly isStale: boolean;
  readonly isDirty: boolean;
}

const ofCopy = (copy: CopyState): Seen | null =>
  copy === 'absent'
    ? null
    : { isStale: copy.endsWith('-stale'), isDirty: copy.startsWith('dirty') };

const ofWaiting = (waiting: WaitingState): Seen | null =>
  waiting === 'none' ? null : { isStale: waiting === 'stale', isDirty: true };

const ofMemory = (memory: Places['memory']): Seen => ({
  isStale: memory === 'stale',
  isDirty: false,
});

/** What is stale before the story began was written nobody knows when. */
const initial = (places: Places): HeldPlaces => {
  const held = (seen: Seen | null): Held | null =>
    seen === null ? null : { ...seen, version: seen.isStale ? null : 0 };
  return {
    store: held(ofWaiting(places.store)),
    inner: places.inner.map(copy => held(ofCopy(copy))),
    outer: held(ofCopy(places.outer)),
    buffer: held(ofWaiting(places.buffer)),
    memory: { ...ofMemory(places.memory), version: places.memory === 'stale' ? null : 0 },
    device: held(ofCopy(places.device)),
  };
};

const advance = (was: HeldPlaces, places: Places, latest: number): HeldPlaces => {
  const inner = places.inner.map(copy => ofCopy(copy));
  const outer = ofCopy(places.outer);
  const store = ofWaiting(places.store);
  const device = ofCopy(places.device);
  /** What was on its way down and has left where it was. */
  const left = (before: Held | null, now: Seen | null): Held[] =>
    before !== null && before.isDirty && now?.isDirty !== true ? [before] : [];
  const fromStore = left(was.store, store);
  const fromInner = was.inner.flatMap((copy, i) => left(copy, inner[i] ?? null));
  const fromOuter = left(was.outer, outer);
  const fromDevice = left(was.device, device);
  const buffer = ofWaiting(places.buffer);
  const fromBuffer = left(was.buffer, buffer);
  const held = (
    seen: Seen,
    own: Held | null,
    arrived: readonly Held[],
    below: Held | null,
  ): Held => ({
    ...seen,
    version: seen.isStale ? staleVersion(own, arrived, below, latest) : latest,
  });
  const known = (
    seen: Seen | null,
    own: Held | null,
    arrived: readonly Held[],
    below: Held | null,
  ): Held | null => (seen === null ? null : held(seen, own, arrived, below));
  const written = [...fromStore, ...fromInner];
  const memory = held(
    ofMemory(places.memory),
    was.memory,
    [...fromBuffer, ...fromOuter, ...written, ...fromDevice],
    null,
  );
  const below = was.buffer ?? was.memory;
  return {
    store: known(store, was.store, [], null),
    inner: inner.map((seen, i) => known(seen, was.inner[i] ?? null, fromStore, was.outer ?? below)),
    outer: known(outer, was.outer, written, below),
    buffer: known(buffer, was.buffer, [...fromOuter, ...written], null),
    memory,
    device: known(device, was.device, [], was.memory),
  };
};

/**
 * The write that a stale copy holds: one that has just come to it, else its own, else that of
 * where it was fetched. A copy that was the latest until now is overtaken and keeps what it had.
 */
const staleVersion = (
  own: Held | null,
  arrived: readonly Held[],
  below: Held | null,
  latest: number,
): number | null => {
  if (own !== null && !own.isStale && own.version !== latest) return own.version;
  const stale = arrived.filter(({ version }) => version !== latest);
  if (stale.length > 0) return stale.length === 1 ? (stale[0]?.version ?? null) : null;
  const { version = null } = own ?? below ?? {};
  return version === latest ? null : version;
};

/** Where a reader finds the byte: the nearest copy; at the goal, the nearest stale one. */
const answer = (
  { actor }: StoryRow,
  isGoal: boolean,
  was: HeldPlaces,
  now: HeldPlaces,
): Held | null => {
  const order = ({ store, inner, outer, buffer, memory, device }: HeldPlaces): (Held | null)[] =>
    actor === 'device' ? [device, memory, buffer, outer] : [store, ...inner, outer, buffer, memory];
  const all = [...order(was), ...order(now)].filter(held => held !== null);
  return all.find(({ isStale }) => isStale === isGoal) ?? null;
};
