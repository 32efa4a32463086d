/* What the commands are given, once their command line is read. */

/** Arguments that say what the machine is. */
export interface MachineArguments {
  readonly board: string;
  readonly memory: string | undefined;
  readonly quirk: readonly string[] | undefined;
  readonly overlay: readonly string[] | undefined;
}

export const LIST_FORMATS = ['human', 'json'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** Arguments of what only tells. */
export interface ListArguments {
  readonly format: ListFormat;
}

export type DescribeArguments = MachineArguments & ListArguments;

export const TIMING_CHOICES = ['earliest', 'latest', 'both'] as const;
export type TimingChoice = (typeof TIMING_CHOICES)[number];

export const RUN_FORMATS = ['human', 'ktap', 'json'] as const;
export type RunFormat = (typeof RUN_FORMATS)[number];

/** Arguments of `run`; numbers are still text. */
export interface RunArguments extends MachineArguments {
  readonly suite: readonly string[] | undefined;
  readonly adversary: string;
  readonly seed: string;
  readonly 'dma-timing': TimingChoice;
  readonly format: RunFormat;
}
