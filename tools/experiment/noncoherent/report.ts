import type { CostName, CostTable } from '../costs';

/** A way to memory that CPU and device share. */
export type WayName = 'write-combined' | 'uncached' | 'cached + sync';

/** What a workload takes by one way, at one size. */
export interface Measured {
  readonly way: WayName;
  readonly size: number;
  /** Null: there is no such memory of this size. */
  readonly counts: Readonly<Partial<Record<CostName, number>>> | null;
  /** By the cost table, in ns; null without counts. */
  readonly nanoseconds: number | null;
}

/** A workload, by every way and at every size. */
export interface WorkloadReport {
  readonly name: string;
  readonly summary: string;
  readonly measured: readonly Measured[];
  /** The least size from which on cached memory is the fastest; null: it never is to the end. */
  readonly cachedFrom: number | null;
}

/** The whole experiment. */
export interface NoncoherentReport {
  readonly board: string;
  readonly model: string;
  readonly device: string;
  readonly workloads: readonly WorkloadReport[];
  /** The size that counts are shown of. */
  readonly shownSize: number;
  readonly costs: CostTable;
  readonly notes: readonly string[];
}
