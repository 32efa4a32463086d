import type { FaultKind } from '../../../drivers/base/types/isa';
import type { TlbEntry } from './tlb';

/** Reads one aligned word of a table as the walker does; null where nothing answers. */
export type ReadTableWord = (address: number) => number | null;

/** What a walk answers. */
export type WalkResult =
  | { readonly ok: true; readonly entry: TlbEntry }
  | { readonly ok: false; readonly kind: FaultKind; readonly level: number };

export const walkFault = (kind: FaultKind, level: number): WalkResult => ({
  ok: false,
  kind,
  level,
});
