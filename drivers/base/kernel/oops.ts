/**
 * The software under test crashed: a bad dereference, a BUG_ON, a double free. It ends what the
 * kernel was doing, as an oops ends a task; whoever ran it (a suite, a command) reports it.
 */
export class KernelOops extends Error {
  override readonly name = 'KernelOops';
}

/** BUG_ON: the kernel stops here. */
export function bugOn(condition: boolean, what: string): asserts condition is false {
  if (condition) throw new KernelOops(`kernel BUG: ${what}`);
}
