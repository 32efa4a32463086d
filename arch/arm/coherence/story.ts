import { at } from '../../../drivers/base/types/arrays';
import { BenchError } from '../../../drivers/base/types/errors';
import { callSite } from '../../../drivers/base/types/call-site';
import type { CallSite } from '../../../drivers/base/types/call-site';
import type { ByteRange } from '../../../drivers/base/types/finding';
import type { AccessKind, Accessor } from '../../../drivers/base/types/observer';
import { MAPPING } from './event-list';
import type { StateSets } from './sets';
import { BESIDE_DIRTY } from './spontaneous';

/** What an entry of a story is about; barriers are told of where they meant something. */
export type StoryAccess =
  | AccessKind
  | 'set/way maintenance'
  | 'outer maintenance'
  | 'device cache maintenance'
  | 'dsb'
  | 'barrier'
  | 'outer sync'
  | 'forget'
  | 'map'
  | 'neighbour';

/** One thing that happened to a line, or a barrier that meant something for it. */
export interface StoryEntry {
  /** The number of the event of the machine at which it happened. */
  readonly event: number;
  /** The bytes that `own` is about, 0 to 31 and 32 to 63; `others` is about the rest. */
  readonly low: number;
  readonly high: number;
  /** Events of the sets, -1 where there is none. */
  readonly own: number;
  readonly others: number;
  readonly by: Accessor;
  readonly access: StoryAccess;
  /** file:line of the driver, null if nothing of it was under way. */
  readonly at: string | null;
}

/** The history of one line, in order: all that a witness is made from. */
export interface LineStory {
  /** Physical address of its first byte. */
  readonly address: number;
  readonly bytes: number;
  /** Per byte, its set of states when the recording began; of a fresh machine the initial one. */
  readonly start: readonly number[];
  readonly events: readonly StoryEntry[];
  /** Of the lines that are in a wider one with it; they have none beside them. */
  readonly beside: readonly LineStory[];
}

/** What happens to one byte. */
export interface ByteEvent {
  /** Its place in the story. */
  readonly index: number;
  /** Of the sets. */
  readonly event: number;
}

/** Whether an entry's own event is about a byte, by its number in the line. */
export const isOwn = ({ low, high }: StoryEntry, byte: number): boolean =>
  byte < 32 ? ((low >>> byte) & 1) !== 0 : ((high >>> (byte - 32)) & 1) !== 0;

/** The entries that mean something for one byte. */
export const eventsOfByte = (story: LineStory, byte: number): readonly ByteEvent[] =>
  story.events.flatMap((entry, index) => {
    const event = isOwn(entry, byte) ? entry.own : entry.others;
    return event < 0 ? [] : [{ index, event }];
  });

/** The bytes of a line that an entry's own event is about, as the range from first to last. */
export const rangeOf = (story: LineStory, entry: StoryEntry): ByteRange => {
  const own: number[] = [];
  for (let byte = 0; byte < story.bytes; byte++) if (isOwn(entry, byte)) own.push(byte);
  const first = own[0] ?? 0;
  const last = own.at(-1) ?? story.bytes - 1;
  return { start: story.address + first, size: last - first + 1 };
};

/** What an event of the sets is, for people. */
const ACCESSES: Readonly<Record<string, StoryAccess>> = {
  load: 'load',
  'load by another CPU': 'load',
  'load of another byte': 'load',
  seen: 'poll',
  'seen another byte': 'poll',
  store: 'store',
  'store of another byte': 'store',
  'the store has drained': 'barrier',
  'stores of the line have drained': 'barrier',
  'the store has reached memory': 'barrier',
  dsb: 'dsb',
  'maintenance has completed': 'dsb',
  'an access follows maintenance of its line': 'barrier',
  'outer sync': 'outer sync',
  'maintain the inner line by set and way': 'set/way maintenance',
  'maintain the outer line': 'outer maintenance',
  'table walk': 'table walk',
  'table walk of another byte': 'table walk',
  'device saw': 'device poll',
  'device saw, snooping': 'device poll',
  'device write': 'device write',
  'snooped device write': 'device write',
  'snooped device write of another byte': 'device write',
  'write into the cache of the device': 'device write',
  'write another byte into the cache of the device': 'device write',
  'device read': 'device read',
  'snooped device read': 'device read',
  'read through the cache of the device': 'device read',
  'read another byte through the cache of the device': 'device read',
  'maintain the cache of the device': 'device cache maintenance',
  forget: 'forget',
  [MAPPING]: 'map',
};

const ISSUES = ['maintain the inner line', 'maintain the inner line from another CPU'];
const OPERATIONS: readonly AccessKind[] = ['clean', 'invalidate', 'clean+invalidate'];

/** What an event of the sets is as an access. */
export const accessOf = (sets: StateSets, event: number): StoryAccess => {
  const { rule, variant } = at(sets.events, event);
  if (ISSUES.includes(rule)) return OPERATIONS[variant.operation - 1] ?? 'clean';
  if (rule === MAPPING && (variant.operation & BESIDE_DIRTY) !== 0) return 'neighbour';
  const access = ACCESSES[rule];
  if (access === undefined) throw new BenchError(`no access of the event ${rule}`);
  return access;
};

interface Draft {
  readonly event: number;
  readonly low: number;
  readonly high: number;
  readonly own: number;
  readonly others: number;
  readonly site: CallSite;
  by: Accessor | null;
}

interface Recording {
  readonly address: number;
  readonly start: readonly number[];
  readonly drafts: Draft[];
}

export interface RecorderParts {
  readonly sets: StateSets;
  /** Bytes of a line. */
  readonly bytes: number;
  /** The number of the event under way. */
  readonly now: () => number;
}

/**
 * Writes down what LineStates tells of the recorded lines. Who it was comes from those who know,
 * in the same event: the CPU side and the DMA ports call `told` as they tell an observer.
 */
export class StoryRecorder {
  readonly #parts: RecorderParts;
  readonly #lines = new Map<number, Recording>();
  /** Who is known to act, and in which event. */
  #acting: { readonly event: number; readonly by: Accessor } | null = null;

  constructor(parts: RecorderParts) {
    this.#parts = parts;
  }

  /** From now on this line is written down; `start`: the set of each of its bytes. */
  begin(line: number, address: number, start: readonly number[]): void {
    this.#lines.set(line, { address, start, drafts: [] });
  }

  /** LineRecorder: an event was applied to a line. */
  applied(line: number, low: number, high: number, own: number, others: number): void {
    const recording = this.#lines.get(line);
    if (recording === undefined) return;
    const event = this.#parts.now();
    const by = this.#acting?.event === event ? this.#acting.by : null;
    recording.drafts.push({ event, low, high, own, others, site: callSite(), by });
  }

  /** Someone made the access of this event, before or after it was applied. */
  told(event: number, by: Accessor): void {
    this.#acting = { event, by };
    for (const { drafts } of this.#lines.values()) {
      for (let n = drafts.length - 1; n >= 0 && drafts[n]?.event === event; n--) {
        const draft = drafts[n];
        if (draft !== undefined) draft.by ??= by;
      }
    }
  }

  /** What was written down of a line; null if it was not recorded. */
  storyOf(line: number): LineStory | null {
    const { neighbours } = this.#parts.sets.profile;
    const first = line - (line % neighbours);
    const beside = Array.from({ length: neighbours }, (_, n) => first + n)
      .filter(other => other !== line)
      .map(other => this.#storyOf(other))
      .filter(story => story !== null);
    const story = this.#storyOf(line);
    return story === null ? null : { ...story, beside };
  }

  #storyOf(line: number): LineStory | null {
    const recording = this.#lines.get(line);
    if (recording === undefined) return null;
    const { sets, bytes } = this.#parts;
    const events = recording.drafts.map(({ site, by, ...draft }): StoryEntry => {
      const access = accessOf(sets, Math.max(draft.own, draft.others));
      return { ...draft, by: actorOf(access, by), access, at: site.at };
    });
    return { address: recording.address, bytes, start: recording.start, events, beside: [] };
  }
}

/** Who it was, where nobody has told it too; a CPU whose access needs a walk is told as such. */
const actorOf = (access: StoryAccess, by: Accessor | null): Accessor => {
  const cpu = by === null || by.kind === 'device' ? 0 : by.cpu;
  if (access === 'table walk') return { kind: 'walker', cpu };
  if (by !== null) return by;
  return access.startsWith('device')
    ? { kind: 'device', name: 'a device', snoops: false }
    : { kind: 'cpu', cpu };
};
