/*
 * The history of one byte as a witness runs it: what the machine's driver, kernel and devices did
 * to its line, what caches and buffers did unasked in between, and where its copies were after
 * each. A document: it is saved with a run, and all that `explain` shows is made from it.
 */

/** A copy of the byte: what has been overtaken by a later write elsewhere is stale. */
export type CopyState = 'absent' | 'clean' | 'clean-stale' | 'dirty' | 'dirty-stale';

/** A write on its way. */
export type WaitingState = 'none' | 'latest' | 'stale';

/** Where copies of the byte are. */
export interface Places {
  /** In a store buffer of a CPU. */
  readonly store: WaitingState;
  /** One for each alias that a virtual cache tells apart; one elsewhere. */
  readonly inner: readonly CopyState[];
  readonly outer: CopyState;
  /** On the way from the outer cache to memory. */
  readonly buffer: WaitingState;
  readonly memory: 'latest' | 'stale';
  /** In a cache of the device's own. */
  readonly device: CopyState;
  /** Maintenance that was issued and has not completed, per alias: `clean`, `invalidate` …. */
  readonly pending: readonly (string | null)[];
}

/** Who takes a step of the story. */
export type Actor = 'cpu' | 'kernel' | 'device' | 'unasked';

/** One step, and the state of the byte after it. */
export interface StoryRow {
  /** The number of the event; of an unasked step, that before which it is taken. */
  readonly event: number;
  readonly actor: Actor;
  /** `CPU0`, or the name of a device; empty for an unasked step. */
  readonly by: string;
  /** `stores`, `cleans the line`, `the inner cache fetches the line`. */
  readonly what: string;
  /** file:line in the driver. */
  readonly at: string | null;
  /**
   * What it does to this byte: gives it a new value, takes the value it finds, makes its contents
   * undefined, or none of these.
   */
  readonly effect: 'write' | 'read' | 'forget' | 'other';
  readonly places: Places;
}

/** The components that a machine has, in the order in which they are shown. */
export const LANES = ['cpu', 'inner', 'outer', 'memory', 'device'] as const;
export type Lane = (typeof LANES)[number];

/** A story from its first step to the one at which it is found wrong. */
export interface Story {
  /** Physical address of the line, its bytes, and the byte that is followed. */
  readonly line: number;
  readonly lineSize: number;
  readonly byte: number;
  /** Only those that this machine has. */
  readonly lanes: readonly Lane[];
  /** Where the copies were before the first step. */
  readonly before: Places;
  readonly rows: readonly StoryRow[];
  /** The row at which it goes wrong. */
  readonly goal: number;
  /** What goes wrong: it reads what is stale; or after it, or a step that follows, all copies are. */
  readonly kind: 'stale' | 'lost';
}
