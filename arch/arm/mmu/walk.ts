import type { FaultKind } from '../../../drivers/base/types/isa';
import type { TlbEntry } from './tlb';

/** Reads one aligned word of a table as the walker does; null where nothing answers. */
export type ReadTableWord = (address: number) => number | null;

/** What a walk answers. */
export type WalkResult =
  | { readonly ok: true; readonly entry: TlbEntry }
  | { readonly ok: false; readonly kind: FaultKind; readonly level: number };

/** The answer of a walk that ended in a fault at a level; 0 where no level applies. */
export const walkFault = (kind: FaultKind, level: number): WalkResult => ({
  ok: false,
  kind,
  level,
});
