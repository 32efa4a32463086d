import type { RuleId } from '../../drivers/base/types/rules';
import type { RenderBug } from './bugs';

/** What the checker says of the frame, over everything that caches may do. */
export interface RenderFinding {
  readonly rule: RuleId;
  readonly access: string;
  readonly at: string | null;
  readonly missing: string | null;
  readonly count: number;
}

export interface RenderReport {
  readonly board: string;
  readonly scene: string;
  /** The mistake that was made; null: none. */
  readonly bug: RenderBug | null;
  readonly out: string;
  /** By which what caches did was drawn. */
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  /** Of the pixels, three bytes each. */
  readonly sha256: string;
  /** Pixels that are other than without the mistake; null: none was made. */
  readonly differing: number | null;
  /** What went wrong on the way. */
  readonly notes: readonly string[];
  readonly findings: readonly RenderFinding[];
}
