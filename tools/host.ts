/** Where text goes: standard output, standard error, or a test. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** False on a terminal whose user does not want colours. */
  readonly hasColour: boolean;
  /** Columns of the terminal; undefined where there is none. */
  readonly columns: number | undefined;
}

/** What the command line touches of the process it runs in. */
export interface Host {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since some moment: for progress only, no result depends on it. */
  now(): number;
  /**
   * Calls `step` until it answers false. True if the user interrupted (SIGINT), which ends even a
   * step that would never return.
   */
  untilInterrupted(step: () => boolean): boolean;
}
