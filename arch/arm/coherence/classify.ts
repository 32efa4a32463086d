import { at } from '../../../drivers/base/types/arrays';
import { BenchError } from '../../../drivers/base/types/errors';
import type { ByteRange, MissingCall } from '../../../drivers/base/types/finding';
import type { RuleId } from '../../../drivers/base/types/rules';
import { Cacheability } from '../mmu/attributes';
import { MOVE_SHIFT } from './sets';
import type { StateSets } from './sets';
import { Buffered, CLEAN, Copy, INVALIDATE, NO_STORE } from './state';
import type { ByteState } from './state';
import { eventsOfByte, isOwn, rangeOf } from './story';
import type { LineStory, StoryEntry } from './story';
import { MAY_STALE } from './verdicts';
import type { Witness } from './witness';

/*
 * Which rule a value finding breaks, and which call of the driver was missing: decided from where
 * the latest bytes are in the witness at the moment of the access, and from what came before it.
 */

/** What the software side knows of the bytes at the access. */
export interface ClassifyContext {
  /** The buffer has a streaming mapping at the access. */
  readonly isMapped: boolean;
  /** The device found its work by polling memory, not by a doorbell. */
  readonly isPolled: boolean;
  /** The bytes that the maintenance call was asked to maintain, if the access is one. */
  readonly callRange: ByteRange | null;
}

export const NO_CONTEXT: ClassifyContext = { isMapped: false, isPolled: false, callRange: null };

export interface Classified {
  readonly rule: RuleId;
  /** Why it is this one: a sentence of the table. */
  readonly because: string;
  readonly missing: MissingCall | null;
}

/** What the table decides from. */
interface Facts extends ClassifyContext {
  readonly goal: Witness['goal']['kind'];
  readonly access: StoryEntry;
  /** Just before the access, or after it where it is what comes of it that is wrong. */
  readonly state: ByteState;
  /** The last write of the byte before the access, or the access itself. */
  readonly write: StoryEntry | null;
  /** The last maintenance of the line before the access. */
  readonly maintenance: StoryEntry | null;
  readonly isWrittenByDevice: boolean;
  readonly holdsLatest: (copy: keyof typeof HOLDERS) => boolean;
  readonly isCachedStore: boolean;
  readonly isPending: (operation: number) => boolean;
  /** Invalidated before the device wrote, and since then neither that nor touched by a CPU. */
  readonly isOnlyInvalidatedBefore: boolean;
  /** The access drops what is dirty: an invalidation, at once or when it completes. */
  readonly drops: boolean;
  readonly isOutsideCall: boolean;
}

interface Due {
  readonly call: string;
  /** After which the call was due; the access ends where it was due. */
  readonly after: StoryEntry | null;
}

interface Row {
  readonly rule: RuleId;
  readonly because: string;
  readonly when: (facts: Facts) => boolean;
  /** The call that would have helped; null where none would. */
  readonly due: (facts: Facts) => Due | null;
}

const HOLDERS = {
  store: ({ store, storeLatest }: ByteState) => store !== NO_STORE && storeLatest,
  buffer: ({ buffer }: ByteState) => buffer === Buffered.latest,
  dirty: ({ inner, outer }: ByteState) => inner.includes(Copy.dirty) || outer === Copy.dirty,
  innerDirty: ({ inner }: ByteState) => inner.includes(Copy.dirty),
  memory: ({ memory }: ByteState) => memory,
} as const;

const none = (): null => null;
const afterWrite =
  (call: (facts: Facts) => string) =>
  (facts: Facts): Due => ({ call: call(facts), after: facts.write });
const afterMaintenance =
  (call: string) =>
  ({ maintenance, write }: Facts): Due => ({ call, after: maintenance ?? write });

const forDevice = ({ isMapped }: Facts): string =>
  isMapped ? 'dmaSyncSingleForDevice' : 'dmaMapSingle';
const forCpu = ({ isMapped }: Facts): string =>
  isMapped ? 'dmaSyncSingleForCpu' : 'dmaUnmapSingle';

const isStale = ({ goal }: Facts): boolean => goal === 'stale';
const isDevice = (facts: Facts): boolean => isStale(facts) && facts.access.by.kind === 'device';
const isWalker = (facts: Facts): boolean => isStale(facts) && facts.access.by.kind === 'walker';
const isCpu = (facts: Facts): boolean => isStale(facts) && facts.access.by.kind === 'cpu';

/** The first row that applies decides. */
const ROWS: readonly Row[] = [
  {
    rule: 'stale-table-word',
    because: 'the entry is still in the store buffer',
    when: facts => isWalker(facts) && facts.holdsLatest('store'),
    due: afterWrite(() => 'dsb'),
  },
  {
    rule: 'stale-table-word',
    because: 'the entry was cleaned, and nothing waited for that to complete',
    when: facts => isWalker(facts) && facts.holdsLatest('dirty') && facts.isPending(CLEAN),
    due: afterMaintenance('dsb'),
  },
  {
    rule: 'stale-table-word',
    because: 'the walker does not look where the latest entry is',
    when: isWalker,
    due: afterWrite(() => 'clean'),
  },
  {
    rule: 'missing-write-barrier',
    because: 'the latest bytes are in the store buffer, bound for memory',
    when: facts => isDevice(facts) && facts.holdsLatest('store') && !facts.isCachedStore,
    due: afterWrite(({ isPolled }) => (isPolled ? 'dmaWmb' : 'wmb')),
  },
  {
    rule: 'missing-completion',
    because: 'the line is dirty with the latest bytes, and its clean has not completed',
    when: facts => isDevice(facts) && facts.holdsLatest('innerDirty') && facts.isPending(CLEAN),
    due: afterMaintenance('dsb'),
  },
  {
    rule: 'missing-outer-sync',
    because: 'the latest bytes are in the buffer of the outer cache',
    when: facts => isDevice(facts) && facts.holdsLatest('buffer'),
    due: facts => ({ call: 'outer sync', after: laterOf(facts.maintenance, facts.write) }),
  },
  {
    rule: 'stale-device-read',
    because: 'the latest bytes are in a dirty line, or on their way to one',
    when: facts => isDevice(facts) && (facts.holdsLatest('dirty') || facts.holdsLatest('store')),
    due: afterWrite(forDevice),
  },
  {
    rule: 'stale-device-read',
    because: 'the device does not look where the latest bytes are',
    when: isDevice,
    due: none,
  },
  {
    rule: 'missing-completion',
    because: 'the line holds older bytes, and its invalidation has not completed',
    when: facts => isCpu(facts) && facts.isWrittenByDevice && facts.isPending(INVALIDATE),
    due: afterMaintenance('dsb'),
  },
  {
    rule: 'refill-after-invalidate',
    because: 'the line was invalidated before the device wrote, and fetched again before that',
    when: facts => isCpu(facts) && facts.isOnlyInvalidatedBefore,
    due: afterWrite(forCpu),
  },
  {
    rule: 'stale-cpu-read',
    because: 'a cache has held the line since before the device wrote',
    when: facts => isCpu(facts) && facts.isWrittenByDevice,
    due: afterWrite(forCpu),
  },
  {
    rule: 'missing-write-barrier',
    because: 'the latest bytes are in the store buffer of another CPU',
    when: facts => isCpu(facts) && facts.holdsLatest('store'),
    due: afterWrite(() => 'wmb'),
  },
  {
    rule: 'stale-cpu-read',
    because: 'the latest bytes are in a copy that this mapping does not reach',
    when: isCpu,
    due: afterWrite(() => 'clean+invalidate'),
  },
  {
    rule: 'dirty-line-over-device-data',
    because: 'the line was dirty when the device wrote, and is written back over it',
    when: facts => facts.access.access === 'device write',
    due: facts => ({ call: forDevice(facts), after: facts.maintenance }),
  },
  {
    rule: 'invalidate-of-dirty-bytes',
    because: 'the line is dropped for the sake of other bytes of it',
    when: facts => facts.drops && !facts.isWrittenByDevice && facts.isOutsideCall,
    due: none,
  },
  {
    rule: 'lost-device-write',
    because: 'what the device wrote is overwritten or dropped, and nobody has read it',
    when: facts => facts.isWrittenByDevice,
    due: afterWrite(forCpu),
  },
  {
    rule: 'lost-cpu-write',
    because: 'what the CPU wrote is dropped with its line, or overwritten by an older copy',
    when: () => true,
    due: none,
  },
];

/** The rule that a witness shows broken, why, and the call that was due. */
export const classify = (
  sets: StateSets,
  story: LineStory,
  witness: Witness,
  context: ClassifyContext = NO_CONTEXT,
): Classified => {
  const facts = factsOf(sets, story, witness, context);
  const row = ROWS.find(({ when }) => when(facts));
  if (row === undefined) throw new BenchError('no rule for a witness');
  const due = row.due(facts);
  // An access to other bytes of the line is wrong for what it does to those of the last write.
  const isAbout = isOwn(facts.access, witness.byte) || facts.write === null;
  const range = rangeOf(story, isAbout ? facts.access : facts.write);
  const between = [due?.after?.at ?? null, facts.access.at] as const;
  return {
    rule: row.rule,
    because: row.because,
    missing: due === null ? null : { call: due.call, range, between },
  };
};

/**
 * A load that nothing orders after what it should have seen (verdict EARLY) and that the caches
 * answer rightly: what is missing is a read barrier.
 */
export const classifyEarly = (
  sets: StateSets,
  story: LineStory,
  byte: number,
  index: number,
): Classified => {
  const access = at(story.events, index);
  const passed = passedByLoad(sets, story, byte, index);
  const isMaintained = passed !== null && isMaintenance(passed);
  const what = isMaintained ? 'the outer cache has been maintained' : 'the device has written';
  return {
    rule: 'missing-read-barrier',
    because: `nothing keeps the load from being performed before ${what}`,
    missing: {
      call: isMaintained ? 'rmb' : 'dmaRmb',
      range: rangeOf(story, access),
      between: [passed?.at ?? null, access.at],
    },
  };
};

const factsOf = (
  sets: StateSets,
  story: LineStory,
  witness: Witness,
  context: ClassifyContext,
): Facts => {
  const { byte, goal } = witness;
  const access = at(story.events, goal.index);
  const state = goal.kind === 'stale' ? stateBefore(witness) : witness.final;
  const write = lastWrite(story, byte, goal.index + (isWriteTo(access, byte) ? 1 : 0));
  const maintenance = lastOf(story, goal.index, isMaintenance);
  const address = story.address + byte;
  const { callRange } = context;
  return {
    ...context,
    goal: goal.kind,
    access,
    state,
    write,
    maintenance,
    isWrittenByDevice: write?.by.kind === 'device',
    holdsLatest: holder => HOLDERS[holder](state),
    isCachedStore: isCachedStore(sets, state),
    isPending: operation => state.pending.some(pending => (pending & operation) !== 0),
    isOnlyInvalidatedBefore: isOnlyInvalidatedBefore(sets, story, write, goal.index),
    drops: isDrop(sets, access) || witness.steps.some(step => isDropStep(step, goal.index)),
    isOutsideCall:
      callRange !== null &&
      (address < callRange.start || address >= callRange.start + callRange.size),
  };
};

/** The state that the access of a stale read meets. */
const stateBefore = (witness: Witness): ByteState =>
  witness.moments.findLast(({ index }) => index < witness.goal.index)?.state ?? witness.final;

const isWriteTo = (entry: StoryEntry, byte: number): boolean =>
  (entry.access === 'store' || entry.access === 'device write') && isOwn(entry, byte);

const isTouch = ({ access }: StoryEntry): boolean =>
  access === 'load' || access === 'poll' || access === 'store';

const isMaintenance = ({ access }: StoryEntry): boolean =>
  access === 'clean' ||
  access === 'invalidate' ||
  access === 'clean+invalidate' ||
  access === 'outer maintenance' ||
  access === 'set/way maintenance';

const lastOf = (
  story: LineStory,
  before: number,
  is: (entry: StoryEntry) => boolean,
): StoryEntry | null => story.events.slice(0, before).findLast(is) ?? null;

const lastWrite = (story: LineStory, byte: number, before: number): StoryEntry | null =>
  lastOf(story, before, entry => isWriteTo(entry, byte));

/**
 * What a load may have been performed before, if no barrier was between: maintenance of the outer
 * cache before which it would have answered wrongly, or else the last write, if a device made it.
 */
export const passedByLoad = (
  sets: StateSets,
  story: LineStory,
  byte: number,
  load: number,
): StoryEntry | null => {
  const write = lastWrite(story, byte, load);
  const { own } = at(story.events, load);
  let set = story.start[byte] ?? sets.initial;
  let passed = write?.by.kind === 'device' ? write : null;
  for (const { index, event } of eventsOfByte(story, byte)) {
    if (index >= load) break;
    const entry = at(story.events, index);
    const wasStale = (sets.verdict(set, own) & MAY_STALE) !== 0;
    const isAfter = write === null || index > story.events.indexOf(write);
    if (entry.access === 'outer maintenance' && wasStale && isAfter) passed = entry;
    set = sets.move(set, event) >>> MOVE_SHIFT;
  }
  return passed;
};

const laterOf = (a: StoryEntry | null, b: StoryEntry | null): StoryEntry | null =>
  a !== null && (b === null || a.event > b.event) ? a : b;

/** What waits is bound for a cache that only maintenance would write back. */
const isCachedStore = ({ profile }: StateSets, { store }: ByteState): boolean =>
  (profile.targets[store]?.kind.inner ?? Cacheability.none) >= Cacheability.writeBack;

const dropsLine = (sets: StateSets, { own }: StoryEntry): boolean =>
  ((sets.events[own]?.variant.operation ?? 0) & INVALIDATE) !== 0;

const isDrop = (sets: StateSets, entry: StoryEntry): boolean =>
  isMaintenance(entry) && dropsLine(sets, entry);

/** An invalidation that completes after its issue drops what it drops only then. */
const isDropStep = (step: Witness['steps'][number], index: number): boolean =>
  step.rule === 'complete pending maintenance' && step.position > index;

const isOnlyInvalidatedBefore = (
  sets: StateSets,
  story: LineStory,
  write: StoryEntry | null,
  index: number,
): boolean => {
  if (write?.by.kind !== 'device') return false;
  const written = story.events.indexOf(write);
  const isInvalidated = (entry: StoryEntry): boolean => isDrop(sets, entry);
  const before = story.events.slice(0, written).findLastIndex(isInvalidated);
  const touched = story.events.slice(0, written).findLastIndex(isTouch);
  const since = story.events.slice(written, index).some(isInvalidated);
  return before >= 0 && before > touched && !since;
};
