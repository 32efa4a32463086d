import type { Line, Operation } from './brute-line';

/** What is true of every schedule: the last version of each byte, the barrier epoch. */
export interface World {
  readonly latest: readonly number[];
  /** Somebody has written the byte since its contents became undefined. */
  readonly isWritten: readonly boolean[];
  /** The byte that the last write of the line was about if a device made it, else -1. */
  readonly byDevice: number;
  readonly epoch: number;
}

export interface Outcome {
  readonly line: Line;
  /** The version that was read, -1 if nothing was. */
  readonly version: number;
}

/** What happens to the value of its byte. */
export type Effect = 'reads' | 'stores' | 'writes as a device' | 'forgets' | null;

/** An event of a whole line. */
export interface LineEvent {
  readonly name: string;
  /** The byte that is written or read, -1 if it is all of the line. */
  readonly byte: number;
  readonly effect: Effect;
  readonly opensEpoch?: boolean;
  /** For the tables: the rule's event, by byte; -1 for none. */
  eventFor(byte: number): number;
  /** The table event says for this byte all that the event of the line says. */
  readonly exactForOthers: boolean;
  readonly live?: number;
  /** A store that another of its byte through another mapping makes drain, in this line. */
  displaces?(line: Line): boolean;
  /** It can only be if a device made the last write of the line, and to this byte. */
  readonly followsDevice?: boolean;
  apply(line: Line, world: World): Outcome[];
}

export const OPERATIONS: readonly Operation[] = ['clean', 'invalidate', 'clean+invalidate'];

export const done = (line: Line): Outcome => ({ line, version: -1 });

export const ofLine = (
  name: string,
  event: number,
  apply: (line: Line) => readonly Line[],
): LineEvent => ({
  name,
  byte: -1,
  effect: null,
  exactForOthers: true,
  eventFor: () => event,
  apply: line => apply(line).map(done),
});
