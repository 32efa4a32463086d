import type { RuleId } from '../../../drivers/base/types/rules';
import type { Machine } from '../../../machines/machine';
import type { DriverBench } from '../driver-bench';

/** A rule, shown: a driver that breaks it, and the same driver as it should be. */
export interface RuleExample {
  readonly rule: RuleId;
  /** The device that is driven; one that does not snoop and is not translated unless this says so. */
  readonly master?: 'coherent' | 'lazy' | 'translated';
  /** What a board needs for it beside its own tree: an overlay that is shipped. */
  readonly overlay?: (board: string) => string;
  /** Why the mistake is none on this machine, or null. */
  readonly applies: (machine: Machine) => string | null;
  readonly wrong: (bench: DriverBench) => void;
  readonly right: (bench: DriverBench) => void;
  /**
   * What stands in its place before a finding has been investigated, or under the other timing of
   * DMA.
   */
  readonly provisional?: readonly RuleId[];
  /** What else the same mistake leads to. */
  readonly consequences?: readonly RuleId[];
}
