import type { Machine } from '../../machines/machine';
import type { RuleId } from '../../drivers/base/types/rules';
import { hex } from '../../drivers/base/types/address';
import type { Random } from '../../drivers/base/types/random';

/** Ends a case at once: what it needs is not there. */
export class SkipCase extends Error {
  override readonly name = 'SkipCase';
}

/** Ends a case at once: nothing after this would make sense. */
export class AbortCase extends Error {
  override readonly name = 'AbortCase';
}

/** Failures that are kept of one case; the rest are counted. */
const MAX_FAILURES = 8;

/**
 * What a case is run with. Expectations are recorded and the case goes on; assertions end it.
 * A case passes if nothing was recorded.
 */
export class CaseContext {
  readonly machine: Machine;
  /** A stream of its own for every case. */
  readonly random: Random;
  readonly failures: string[] = [];
  /** Failures beyond those that are kept. */
  dropped = 0;
  expectations = 0;
  /** What the case tells beside pass or fail: a text for each column of its suite's table. */
  row: Readonly<Record<string, string>> | null = null;

  constructor(machine: Machine, random: Random) {
    this.machine = machine;
    this.random = random;
  }

  /** Expects two numbers to be equal. `what` completes the sentence "expected … to be". */
  equal(actual: number, expected: number, what: string): void {
    this.expectations++;
    if (actual === expected) return;
    this.fail(`expected ${what} to be ${show(expected)}, but it is ${show(actual)}`);
  }

  ok(condition: boolean, what: string): void {
    this.expectations++;
    if (!condition) this.fail(`expected ${what}`);
  }

  fail(text: string): void {
    if (this.failures.length < MAX_FAILURES) this.failures.push(text);
    else this.dropped++;
  }

  /** The rules of the findings made so far; the caller judges them, and nobody else will. */
  takeFindings(): readonly RuleId[] {
    return (this.machine.findings?.take() ?? []).map(({ rule }) => rule);
  }

  /** Ends the case if the value is missing. */
  need<Value>(value: Value | null | undefined, what: string): Value {
    if (value !== null && value !== undefined) return value;
    this.fail(`needed ${what}`);
    throw new AbortCase(what);
  }

  skip(reason: string): never {
    throw new SkipCase(reason);
  }
}

/** -12, 0x1234: numbers as the kernel would print them. */
const show = (value: number): string =>
  value < 0 || !Number.isInteger(value) ? `${value}` : value < 10 ? `${value}` : hex(value);

export interface Case {
  readonly name: string;
  /** Why this machine cannot run it, or null. */
  readonly unfit?: (machine: Machine) => string | null;
  readonly run: (t: CaseContext) => void;
}

/**
 * A group of cases of the regression suite. A name is lower case with dashes, that of a case with
 * underscores (KUnit). Each suite runs on a freshly booted machine.
 */
export interface Suite {
  readonly name: string;
  readonly summary: string;
  readonly unfit?: (machine: Machine) => string | null;
  readonly cases: readonly Case[];
}
