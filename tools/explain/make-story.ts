import type { StateSets } from '../../arch/arm/coherence/sets';
import { Buffered, CLEAN, Copy, INVALIDATE, NO_STORE } from '../../arch/arm/coherence/state';
import type { ByteState } from '../../arch/arm/coherence/state';
import { isOwn } from '../../arch/arm/coherence/story';
import type { LineStory, StoryEntry } from '../../arch/arm/coherence/story';
import type { Witness, WitnessMove } from '../../arch/arm/coherence/witness';
import type { CheckerProfile } from '../../arch/arm/coherence/profile';
import type { CopyState, Lane, Places, Story, StoryRow } from './story';

/** Rows that a story may have; of a longer history the end is told. */
const MOST_ROWS = 5000;

/**
 * The story of a byte, from the history of its line and the witness that runs through it; null
 * without a witness, for then nothing is known of where the copies were.
 */
export const storyOf = (
  sets: StateSets,
  history: LineStory,
  byte: number,
  entry: number,
  witness: Witness | null,
): Story | null => {
  if (witness === null) return null;
  const { profile } = sets;
  const all = witness.moves.map(move => ({ move, row: rowOf(sets, history, byte, move) }));
  const from = Math.max(0, all.length - MOST_ROWS);
  const told = all.slice(from);
  const rows = told.map(({ row }) => row);
  const goal = told.findLastIndex(({ move }) => move.index === entry);
  const before = all[from - 1]?.row.places ?? placesOf(witness.start);
  const address = history.address;
  return {
    line: address,
    lineSize: history.bytes,
    byte: address + byte,
    lanes: lanesOf(profile),
    before,
    rows,
    goal: Math.max(0, goal),
    kind: witness.goal.kind === 'stale' ? 'stale' : 'lost',
  };
};

const lanesOf = (profile: CheckerProfile): Lane[] => [
  'cpu',
  ...(profile.hasCache ? (['inner'] as const) : []),
  ...(profile.outer === 'none' ? [] : (['outer'] as const)),
  'memory',
  'device',
];

const rowOf = (
  sets: StateSets,
  history: LineStory,
  byte: number,
  { index, before, steps, state }: WitnessMove,
): StoryRow => {
  const entry = history.events[index];
  const places = placesOf(state);
  if (entry !== undefined) return { ...entryRow(sets, entry, byte), places };
  const what = steps
    .filter(({ nature }) => nature === 'unasked' || nature === 'chosen')
    .map(({ rule, alias }) => unaskedText(rule, sets.profile.aliases > 1 ? alias : null))
    .join('; ');
  return { event: before, actor: 'unasked', by: '', what, at: null, effect: 'other', places };
};

const entryRow = (sets: StateSets, entry: StoryEntry, byte: number): Omit<StoryRow, 'places'> => {
  const { event, by, access, at } = entry;
  const actor = by.kind === 'device' ? 'device' : isMaintenance(entry) ? 'kernel' : 'cpu';
  const name = access === 'forget' ? '' : by.kind === 'device' ? by.name : `CPU${by.cpu}`;
  const isBeside = !isOwn(entry, byte) && (WRITES.has(access) || READS.has(access));
  const text = maintenanceText(sets, entry) ?? TEXTS[access];
  const what = isBeside ? `${text} beside it` : text;
  return { event, actor, by: name, what, at, effect: isBeside ? 'other' : effectOf(access) };
};

const effectOf = (access: StoryEntry['access']): StoryRow['effect'] => {
  if (WRITES.has(access)) return 'write';
  if (READS.has(access)) return 'read';
  return access === 'forget' ? 'forget' : 'other';
};

/** What of several operations it was, where the access alone does not say. */
const maintenanceText = (sets: StateSets, { access, own, others }: StoryEntry): string | null => {
  const whose: Partial<Record<StoryEntry['access'], string>> = {
    'outer maintenance': 'the outer line',
    'set/way maintenance': 'by set and way',
  };
  const what = whose[access];
  const operation = sets.events[Math.max(own, others)]?.variant.operation ?? 0;
  const verb = VERBS[operation];
  return what === undefined || verb === undefined ? null : `${verb} ${what}`;
};

const VERBS: Readonly<Record<number, string>> = {
  [CLEAN]: 'cleans',
  [INVALIDATE]: 'invalidates',
  [CLEAN + INVALIDATE]: 'cleans and invalidates',
};

const WRITES: ReadonlySet<StoryEntry['access']> = new Set(['store', 'device write']);
const READS: ReadonlySet<StoryEntry['access']> = new Set([
  ...(['load', 'poll', 'table walk', 'device read', 'device poll'] as const),
]);

/** Maintenance: what it is for is told even where it changes nothing. */
const isMaintenance = ({ access }: StoryEntry): boolean =>
  /clean|invalidate|maintenance/.test(access);

const TEXTS: Readonly<Record<StoryEntry['access'], string>> = {
  load: 'loads',
  poll: 'polls',
  store: 'stores',
  clean: 'cleans the line',
  invalidate: 'invalidates the line',
  'clean+invalidate': 'cleans and invalidates the line',
  'table walk': 'walks the tables',
  'device read': 'reads',
  'device poll': 'polls',
  'device write': 'writes',
  'set/way maintenance': 'maintains by set and way',
  'outer maintenance': 'maintains the outer line',
  'device cache maintenance': 'maintains its cache',
  dsb: 'waits (dsb)',
  barrier: 'orders (dmb)',
  'outer sync': 'syncs the outer cache',
  forget: 'the memory has a new owner: its contents are undefined',
  map: 'changes the mapping of the page',
  neighbour: 'a neighbour in a wider line of the second level may be dirty from now on',
};

/** What the rules of spontaneous.ts do, as sentences. */
const UNASKED: Readonly<Record<string, string>> = {
  'drain a store of this byte': 'the store leaves the store buffer',
  'drain a store of another byte': 'a store beside it leaves the store buffer',
  'drain the outer buffer': 'the outer buffer drains to memory',
  'complete pending maintenance': 'the maintenance takes place',
  'drop a clean inner copy': 'the inner cache drops the line',
  'write a dirty inner copy back': 'the inner cache writes the line back',
  'fill the inner cache': 'the inner cache fetches the line',
  'be written back with a neighbour':
    'a wider line of the second level is written back with this one',
  'drop a clean outer copy': 'the outer cache drops the line',
  'write a dirty outer copy back': 'the outer cache writes the line back',
  'fill the outer cache': 'the outer cache fetches the line',
  'drop a clean line of the device': 'the device drops the line',
  'write a dirty line of the device back': 'the device writes the line back',
};

const unaskedText = (rule: string, alias: number | null): string => {
  const text = UNASKED[rule] ?? rule;
  return alias === null ? text : `${text} (alias ${alias})`;
};

const COPIES: Readonly<Record<Copy, CopyState>> = {
  [Copy.absent]: 'absent',
  [Copy.clean]: 'clean',
  [Copy.cleanStale]: 'clean-stale',
  [Copy.dirty]: 'dirty',
  [Copy.dirtyStale]: 'dirty-stale',
};

const WAITING = {
  [Buffered.none]: 'none',
  [Buffered.latest]: 'latest',
  [Buffered.stale]: 'stale',
} as const;

const PENDING: Readonly<Record<number, string>> = {
  [CLEAN]: 'clean',
  [INVALIDATE]: 'invalidate',
  [CLEAN + INVALIDATE]: 'clean+invalidate',
};

const placesOf = (state: ByteState): Places => ({
  store: state.store === NO_STORE ? 'none' : state.storeLatest ? 'latest' : 'stale',
  inner: state.inner.map(copy => COPIES[copy]),
  outer: COPIES[state.outer],
  buffer: WAITING[state.buffer],
  memory: state.memory ? 'latest' : 'stale',
  device: COPIES[state.device],
  pending: state.pending.map(operation => PENDING[operation] ?? null),
});
