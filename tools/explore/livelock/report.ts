import type { Finding } from '../search';
import type { Scope } from './world';

/** One cell of the table: a policy in a scope. */
export interface LivelockCell extends Omit<Finding, 'lasso'> {
  readonly scope: Scope;
  /** Who goes, one after another, to where it ends or to the cycle; null: all make progress. */
  readonly schedule: readonly ScheduleStep[] | null;
  /** How many of the last steps are the cycle. */
  readonly cycle: number;
}

/** A step of one client, and what it did. */
export interface ScheduleStep {
  readonly client: number;
  readonly did: readonly string[];
}

/** What `explore livelock --format json` prints. */
export interface LivelockReport {
  readonly cells: readonly LivelockCell[];
  readonly notes: readonly string[];
}
