import type { InputProblem } from '../base/types/errors';

/** What can be wrong with a tree that can be read all the same. */
export type DiagnosticRule =
  | 'blob-layout'
  | 'trailing-data'
  | 'root-name'
  | 'name-characters'
  | 'name-property'
  | 'duplicate-node'
  | 'duplicate-property'
  | 'duplicate-phandle'
  | 'invalid-phandle'
  | 'phandle-disagreement'
  | 'broken-reference'
  | 'missing-cells'
  | 'incomplete-entry'
  | 'cell-counts'
  | 'too-many';

/** A warning about a tree: where, what was expected and what is there instead. */
export interface Diagnostic extends InputProblem {
  readonly rule: DiagnosticRule;
}

/** A warning in one line: place, expected, found, and the rule in brackets. */
export const showDiagnostic = ({ rule, place, property, expected, found }: Diagnostic): string => {
  const where = property === undefined ? place : `${place}: property '${property}'`;
  return `${where}: expected ${expected}, found ${found} [${rule}]`;
};

/** More than this many say nothing new, and a hostile tree could cause millions. */
export const MAX_DIAGNOSTICS = 200;

/** Collects the warnings about one tree. */
export class DiagnosticList {
  readonly #list: Diagnostic[] = [];
  #dropped = 0;

  /** The problem is worked out only while there is room for it. */
  add(rule: DiagnosticRule, problem: () => InputProblem): void {
    if (this.#list.length < MAX_DIAGNOSTICS) this.#list.push({ rule, ...problem() });
    else this.#dropped += 1;
  }

  take(): readonly Diagnostic[] {
    if (this.#dropped === 0) return this.#list;
    const tooMany: Diagnostic = {
      rule: 'too-many',
      place: '/',
      expected: `at most ${MAX_DIAGNOSTICS} warnings`,
      found: `${this.#dropped} more`,
    };
    return [...this.#list, tooMany];
  }
}
