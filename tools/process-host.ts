import { isatty } from 'node:tty';
import { Script, createContext } from 'node:vm';
import { OutputError } from './exit';
import type { Host, Output } from './host';

/** The process as a Host. A reader of its output that goes away (`| head`) is no error. */
export const processHost = (): Host => ({
  out: outputOf(process.stdout, process.env),
  err: outputOf(process.stderr, process.env),
  env: process.env,
  now: () => performance.now(),
  untilInterrupted,
});

const outputOf = (
  stream: NodeJS.WriteStream & { readonly fd: number },
  env: NodeJS.ProcessEnv,
): Output => {
  let isOpen = true;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw new OutputError(error);
    isOpen = false;
  });
  const isTerminal = isatty(stream.fd);
  const wantsColour = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  return {
    write: text => {
      if (isOpen) stream.write(text);
    },
    isTerminal,
    hasColour: isTerminal && wantsColour,
    get columns() {
      return isTerminal ? stream.columns : undefined;
    },
  };
};

/**
 * A handler of signals would be called after the job only: V8 itself watches for SIGINT. What was
 * being done is given up where it stood, so nothing the step worked on may be used afterwards.
 */
const untilInterrupted = (step: () => boolean): boolean => {
  const script = new Script('run()');
  const run = (): void => {
    while (step());
  };
  try {
    script.runInContext(createContext({ run }), { breakOnSigint: true });
    return false;
  } catch (error) {
    if (isInterruption(error)) return true;
    throw error;
  }
};

/** Thrown in the script's own context: no instance of this one's Error. */
const isInterruption = (error: unknown): boolean =>
  typeof error === 'object' &&
  error !== null &&
  'code' in error &&
  error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
