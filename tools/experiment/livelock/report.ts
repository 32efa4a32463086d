import type { PolicyName } from '../../../drivers/gpu/drm/policies';

/** What becomes of clients that go in turn, under one policy with so many pages. */
export interface LivelockRow {
  readonly policy: PolicyName;
  readonly slots: number;
  /** Jobs that each client got done. */
  readonly jobs: readonly number[];
  /** Places where a client went on; the limit, if not all got their jobs done. */
  readonly steps: number;
  /** Nobody could go on. */
  readonly isDeadlock: boolean;
  readonly binds: number;
  readonly evictions: number;
  /** The most steps between two jobs of one client, or since its last. */
  readonly longestWait: number;
  /** Jain's index of the jobs done when the first client has all of its own: 1 is fair. */
  readonly fairness: number;
}

/** What `experiment livelock --format json` prints. */
export interface LivelockExperimentReport {
  readonly board: string;
  /** Objects that a job of each client needs at once. */
  readonly clients: readonly number[];
  /** Jobs that each client has. */
  readonly wanted: number;
  readonly rows: readonly LivelockRow[];
  readonly notes: readonly string[];
}
