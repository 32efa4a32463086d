/*
 * Scripts that one runs by hand (fuzzing, the corpus, benchmarks) take wrong use as the command
 * line does: a line on standard error and status 2.
 */

/** What a script was asked for wrongly. */
export class WrongUse extends Error {
  override readonly name = 'WrongUse';
}

/** A whole number of at least `least`, as an option or argument has it. Throws WrongUse. */
export const countOf = (what: string, text: string, least: number): number => {
  const count = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(count) && count >= least) return count;
  throw new WrongUse(`${what}: expected a whole number from ${least} on, found '${text}'`);
};

/**
 * What `read` makes of the arguments; null, with the reason and the usage told, if they are wrong:
 * parseArgs() of node:util throws a TypeError for options that there are not.
 */
export const readArguments = <T>(usage: string, read: () => T): T | null => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof WrongUse) && !(error instanceof TypeError)) throw error;
    console.error(`${error.message}\nusage: ${usage}`);
    process.exitCode = 2;
    return null;
  }
};
