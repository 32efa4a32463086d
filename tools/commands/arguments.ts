/* What the commands are given, once their command line is read. */

/** Arguments that change what a machine is. */
export interface MachineOptions {
  readonly memory: string | undefined;
  readonly quirk: readonly string[] | undefined;
  readonly overlay: readonly string[] | undefined;
  /** Modules of the user. */
  readonly load: readonly string[] | undefined;
  /** A strategy of making coherent memory. */
  readonly coherent?: string | undefined;
  /** What takes data round where a device does not reach it. */
  readonly bounce?: string | undefined;
  /** Words of the kernel's command line. */
  readonly cmdline?: string | undefined;
}

/** Arguments that say what the machine is. */
export interface MachineArguments extends MachineOptions {
  readonly board: string;
}

export const LIST_FORMATS = ['human', 'json'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** Arguments of what only tells. */
export interface ListArguments {
  readonly format: ListFormat;
}

/** Arguments of `suites`. */
export type SuitesArguments = ListArguments & Pick<MachineOptions, 'load'>;

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
  /** Settings of dma-debug: `off`, `entries=N`, `driver=NAME`, `version=V`. */
  readonly 'dma-debug'?: readonly string[] | undefined;
  /** Places whose calls of the kernel's interfaces are left out: file:line. */
  readonly drop: readonly string[] | undefined;
  /** A file for the findings; undefined: they are not kept. */
  readonly save: string | undefined;
}

/** Arguments of `mutate`. */
export interface MutateArguments extends MachineOptions, ListArguments {
  readonly boards: readonly string[];
  readonly suite: readonly string[] | undefined;
  readonly seed: string;
}

export const BENCH_DIRECTIONS = ['BIDIRECTIONAL', 'TO_DEVICE', 'FROM_DEVICE'] as const;

/** Arguments of `bench map`; numbers are still text. */
export interface BenchArguments extends DescribeArguments {
  readonly threads: string;
  readonly iterations: string;
  readonly 'dma-trans-ns': string;
  readonly 'dma-bits': string;
  readonly granule: string;
  readonly dir: (typeof BENCH_DIRECTIONS)[number];
  readonly node: string;
}

/** Arguments of `experiment`. */
export interface ExperimentArguments extends MachineArguments, ListArguments {
  readonly name: string;
  readonly seed: string;
  /** Figures of the cost table: NAME=NS. */
  readonly cost?: readonly string[] | undefined;
  /** A file for the plot of `livelock`; undefined: none is drawn. */
  readonly plot?: string | undefined;
}

/** Arguments of `render`; numbers are still text. */
export interface RenderArguments extends MachineArguments, ListArguments {
  readonly scene: string;
  /** A mistake by its name; undefined: none is made. */
  readonly bug: string | undefined;
  /** The file for the picture. */
  readonly out: string;
  readonly seed: string;
}

/** Arguments of `explore`; numbers are still text. */
export interface ExploreArguments extends ListArguments {
  readonly name: string;
  readonly slots: string | undefined;
  readonly clients: string | undefined;
  readonly policy: string | undefined;
  readonly states: string;
}

/** Arguments of `explain`. */
export interface ExplainArguments extends ListArguments {
  /** `FILE`, or `FILE#N`. */
  readonly finding: string;
}

/** Arguments of `rules`. */
export interface RulesArguments extends ListArguments {
  readonly rule: string | undefined;
}
