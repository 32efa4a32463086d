import type { RuleId } from '../../../drivers/base/types/rules';
import type { Machine } from '../../../machines/machine';
import type { DriverBench } from '../driver-bench';

/** Whether a bug must be found on a kind of board, must not, or depends on more than the kind. */
export type Visibility = 'must' | 'never' | 'may';

/** A bug that was in a kernel, as a small driver, and what cured it. */
export interface Bug {
  /** As the name of its case: lower case with underscores. */
  readonly name: string;
  /** What went wrong, in a few words. */
  readonly title: string;
  /** The commit that fixed it, or where it is told of. */
  readonly source: string;
  /** The rules that it breaks: one of them at least is found. */
  readonly rules: readonly RuleId[];
  /** What stands in their place before a finding has been investigated. */
  readonly provisional?: readonly RuleId[];
  /** What else the same mistake leads to. */
  readonly consequences?: readonly RuleId[];
  /** Drivers that would do otherwise for a device that snoops are not run with one. */
  readonly masters?: 'non-coherent';
  /** Why a machine cannot run it at all, or null. */
  readonly unfit: (machine: Machine) => string | null;
  readonly shows: (bench: DriverBench) => Visibility;
  /** Whether it takes too long here to be tried with many seeds; none does unless it says so. */
  readonly isLong?: (machine: Machine) => boolean;
  /** The driver as it was; how many bytes it found wrong itself, or its device did. */
  readonly buggy: (bench: DriverBench) => number;
  /** The driver as it is since: no byte is wrong. */
  readonly fixed: (bench: DriverBench) => number;
}

/** A bug that a suite other than this shows, wrong and right. */
export interface ShownElsewhere {
  readonly source: string;
  readonly title: string;
  /** `suite.case`. */
  readonly where: string;
}

/** A bug of part 8 of the list that needs what is not there yet. */
export interface LeftOut {
  readonly source: string;
  readonly title: string;
  readonly needs: string;
}
