import type { RuleId, Severity } from './rules';

/** Bytes of physical memory. */
export interface ByteRange {
  readonly start: number;
  readonly size: number;
}

/** The DMA buffer that a finding is about, by the places that made it. */
export interface FindingBuffer {
  /** file:line of the allocation, null if it was never seen. */
  readonly allocatedAt: string | null;
  /** file:line of the mapping call, null if it is not mapped. */
  readonly mappedAt: string | null;
  /** file:line of the call that ended the mapping, null while it lives. */
  readonly unmappedAt: string | null;
  readonly range: ByteRange;
}

/** What was done: `CPU load`, `device write`, `invalidate` …, and the line of the driver. */
export interface FindingAccess {
  readonly kind: string;
  readonly at: string | null;
}

/** The call that would have made it right: due after the first place and before the second. */
export interface MissingCall {
  readonly call: string;
  readonly range: ByteRange;
  readonly between: readonly [string | null, string | null];
}

/** A rule that the software broke, as reports and saved runs carry it. */
export interface Finding {
  /** 1, 2, 3 … within a run. */
  readonly id: number;
  readonly rule: RuleId;
  readonly severity: Severity;
  readonly device: string | null;
  readonly buffer: FindingBuffer | null;
  readonly bytes: ByteRange;
  readonly access: FindingAccess;
  readonly missing: MissingCall | null;
  /** The file of a script that leads there on the concrete machine. */
  readonly witness: string | null;
  /** The witness was replayed, and the wrong bytes appeared; true for what needs no witness. */
  readonly confirmed: boolean;
  readonly count: number;
}

/**
 * What an IOMMU does in the schedule that shows a finding: it goes by what it kept for a transaction,
 * or walks on, unasked, in a table that it kept the way to.
 */
export interface KeptUse {
  readonly step: 'use-kept' | 'walk-kept';
  readonly iommu: string;
  /** Where what was kept leads; null: nowhere. */
  readonly leads: number | null;
  /** The transaction that goes there; null if none does. */
  readonly access: { readonly master: string; readonly address: number } | null;
}

/**
 * A finding as it is made, on the machine it was made on. One of values is about a line whose
 * history is looked at in a second run, which then gives the final rule, what is missing, and a
 * witness.
 */
export interface RawFinding {
  readonly rule: RuleId;
  readonly device: string | null;
  readonly buffer: FindingBuffer | null;
  readonly bytes: ByteRange;
  readonly access: FindingAccess;
  readonly missing: MissingCall | null;
  /** The number of the event at which it was seen. */
  readonly event: number;
  /** What the state sets said (arch/arm/coherence/sets.ts); null for a rule with own evidence. */
  readonly verdict: number | null;
  /** Of an IOMMU's; absent: it does nothing. */
  readonly kept?: KeptUse;
}

/** Where findings go. */
export interface FindingSink {
  report(finding: RawFinding): void;
}
