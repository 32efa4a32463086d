import { InputError, UnmodelledError } from '../drivers/base/types/errors';
import { printable } from './report/text';

/** Exit statuses: part of the interface. */
export const Exit = {
  Passed: 0,
  Failed: 1,
  /** Wrong use, wrong input, or input that asks for what is not modelled. */
  Usage: 2,
  /** A defect of dmabench. */
  Defect: 3,
  /** Ended by SIGINT, as a shell counts it. */
  Interrupted: 130,
} as const;
export type ExitStatus = (typeof Exit)[keyof typeof Exit];

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The command that was asked for, for the hint where help is; empty for none. */
  readonly command: string;

  constructor(command: string, message: string) {
    super(message);
    this.command = command;
  }
}

/** Something was thrown in the middle of a run: where, and how to come there again. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped';
  /** The case that was running, as `suite.case`. */
  readonly during: string;
  /** The command line that repeats it, its seed included. */
  readonly repeat: string;

  constructor(during: string, repeat: string, cause: unknown) {
    super(`in ${during}`, { cause });
    this.during = during;
    this.repeat = repeat;
  }
}

/** The output cannot be written: a full disk, say. */
export class OutputError extends Error {
  override readonly name = 'OutputError';

  constructor(cause: Error) {
    super(`cannot write the output: ${cause.message}`, { cause });
  }
}

/** How the program ends, and what it says last. */
export interface Explanation {
  readonly status: ExitStatus;
  /** For standard error; ends with a newline. */
  readonly text: string;
}

/** What to tell the user of something that was thrown. A stack only if `debug` asks for it. */
export const explain = (thrown: unknown, debug: boolean): Explanation => {
  if (thrown instanceof UsageError) {
    const help = ['dmabench', thrown.command, '--help'].filter(word => word !== '').join(' ');
    return { status: Exit.Usage, text: `dmabench: ${thrown.message}\n'${help}' says more.\n` };
  }
  if (thrown instanceof OutputError) {
    return { status: Exit.Usage, text: `dmabench: ${thrown.message}\n` };
  }
  const stopped = thrown instanceof RunStopped ? thrown : null;
  const cause = stopped === null ? thrown : stopped.cause;
  const place = stopped === null ? '' : `${stopped.during}: `;
  if (cause instanceof InputError || cause instanceof UnmodelledError) {
    return { status: Exit.Usage, text: `dmabench: ${place}${printable(cause.message)}\n` };
  }
  const error = cause instanceof Error ? cause : new Error(String(cause));
  const repeat = stopped === null ? '' : `; to repeat it: ${stopped.repeat}`;
  const more = debug ? `\n${error.stack ?? ''}\n` : ' (DMABENCH_DEBUG=1 shows the stack)\n';
  const what = printable(`${error.name}: ${error.message}`);
  return {
    status: Exit.Defect,
    text: `dmabench: a defect of dmabench: ${place}${what}${repeat}${more}`,
  };
};
