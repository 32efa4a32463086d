import type { CostName, CostTable } from '../costs';

/** When objects get their addresses; on fault, so much at a time. */
export type ModeName = 'incremental' | 'batched' | 'fault, page' | 'fault, object' | 'fault, set';

/** What a workload takes in one mode. */
export interface BindingRow {
  readonly mode: ModeName;
  readonly counts: Readonly<Partial<Record<CostName, number>>>;
  /** Page-table entries that were written, flushes of the TLB, and faults. */
  readonly entries: number;
  readonly flushes: number;
  readonly faults: number;
  /** By the cost table, in ns. */
  readonly nanoseconds: number;
}

export interface WorkloadReport {
  readonly name: string;
  readonly summary: string;
  readonly rows: readonly BindingRow[];
}

/** A job that refers to many objects and touches some: its time in each mode. */
export interface CrossoverPoint {
  readonly touched: number;
  readonly of: number;
  readonly rows: readonly BindingRow[];
}

export interface BindingReport {
  readonly board: string;
  readonly model: string;
  readonly workloads: readonly WorkloadReport[];
  readonly crossover: readonly CrossoverPoint[];
  readonly costs: CostTable;
  readonly notes: readonly string[];
}
