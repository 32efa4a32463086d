import type { LineStory, StoryEntry } from '../../../../arch/arm/coherence/story';
import { accessOf } from '../../../../arch/arm/coherence/story';
import { MAPPING } from '../../../../arch/arm/coherence/event-list';
import type { StateSets } from '../../../../arch/arm/coherence/sets';

export const LINE = 0x8000_1000;
export const LINE_BYTES = 4;
/** Events of the machine between two of the line. */
export const APART = 10;

/** All bytes of the line but byte 0. */
const OTHER_BYTES = 0xe;

/** One thing that happens to byte 0 of a line, by the names of the sets' events. */
export interface Happening {
  readonly own: string;
  /** file:line. */
  readonly at?: string;
  /** Bytes: 1 is byte 0; all of them unless given. */
  readonly mask?: number;
}

/** A story of a line from power-on on, one entry per happening, APART events from each other. */
export const storyOf = (sets: StateSets, happenings: readonly Happening[], live = 0): LineStory => {
  const mapped = sets.eventOf(MAPPING, 0, 0, live);
  const numbered = happenings.map(({ own, at = null, mask = -1 }, n): StoryEntry => {
    const event = sets.eventNamed(own);
    if (event < 0) throw new Error(`no event ${own}`);
    const access = accessOf(sets, event);
    const by =
      access === 'table walk'
        ? { kind: 'walker' as const, cpu: 0 }
        : access.startsWith('device')
          ? { kind: 'device' as const, name: 'test-master', snoops: own.startsWith('snooped') }
          : { kind: 'cpu' as const, cpu: 0 };
    const isOther = own.includes('another byte');
    return {
      event: (n + 1) * APART,
      low: isOther ? OTHER_BYTES : mask,
      high: mask === -1 && !isOther ? -1 : 0,
      own: isOther ? -1 : event,
      others: isOther ? event : -1,
      by,
      access,
      at,
    };
  });
  const start = sets.next(sets.initial, mapped);
  return {
    address: LINE,
    bytes: LINE_BYTES,
    start: Array.from({ length: LINE_BYTES }, () => start),
    events: numbered,
    beside: [],
  };
};
