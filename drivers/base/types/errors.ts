/*
 * The third channel. A fault is a value, a finding is a record; a throw means that the bench
 * or its input is wrong, and these are the ways in which that can be.
 */

/** What is wrong with somebody's input: where, what it should have been and what it is. */
export interface InputProblem {
  /** `file:line:column`, or the path of a device tree node. */
  readonly place: string;
  readonly property?: string;
  readonly expected: string;
  readonly found: string;
}

/** Somebody's input is wrong: exit status 2, the place and what was expected, no stack. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly problem: InputProblem;

  constructor(problem: InputProblem) {
    const where =
      problem.property === undefined
        ? problem.place
        : `${problem.place}: property '${problem.property}'`;
    super(`${where}: expected ${problem.expected}, found ${problem.found}`);
    this.problem = problem;
  }
}

/** The software under test did what the bench does not model: loud, named, never ignored. */
export class UnmodelledError extends Error {
  override readonly name = 'UnmodelledError';
  readonly feature: string;

  constructor(feature: string, detail: string) {
    super(`not modelled: ${feature}: ${detail}`);
    this.feature = feature;
  }
}

/** A promise of the bench's own code was broken: exit status 3, a defect of dmabench. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
}

/** Throws a BenchError unless the invariant holds. */
export function invariant(condition: boolean, broken: string): asserts condition {
  if (!condition) throw new BenchError(broken);
}
