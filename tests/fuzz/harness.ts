import { Random } from '../../drivers/base/types/random';

/* What all targets of fuzzing share: numbered mutants, a time for each, a report. */

export interface FuzzReport {
  /** Mutants that were accepted. */
  readonly accepted: number;
  /** Mutants that were refused as they should be. */
  readonly rejected: number;
  readonly slowest: { readonly ms: number; readonly mutant: number; readonly bytes: number };
}

/** A mutant that was answered with anything else; `mutant + 1` mutants of the seed repeat it. */
export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure';

  constructor(seed: number, mutant: number, kind: string, what: string, cause?: unknown) {
    super(`seed ${seed}, mutant ${mutant} (${kind}): ${what}`, { cause });
  }
}

export type Fail = (what: string, cause?: unknown) => FuzzFailure;

export interface Outcome {
  readonly isAccepted: boolean;
  /** What else has to hold, however long it takes to find out. */
  readonly check?: () => void;
}

export interface Mutant {
  readonly kind: string;
  readonly bytes: number;
  /** Milliseconds of processor time that `run` may take. */
  readonly limit: number;
  readonly run: (fail: Fail) => Outcome;
}

export interface FuzzOptions {
  readonly count: number;
  readonly seed: number;
  readonly onProgress: ((done: number) => void) | undefined;
}

/** The collector of garbage runs on the same account: only what is slow three times is slow. */
const ATTEMPTS = 3;

/** Runs `count` mutants of a seed; mutant n is always the same. Throws the first FuzzFailure. */
export const fuzz = (
  { count, seed, onProgress }: FuzzOptions,
  mutantOf: (random: Random) => Mutant,
): FuzzReport => {
  const random = new Random(seed);
  let accepted = 0;
  let slowest = { ms: 0, mutant: 0, bytes: 0 };
  for (let mutant = 0; mutant < count; mutant++) {
    const one = mutantOf(random.fork(`mutant ${mutant}`));
    const fail: Fail = (what, cause) => new FuzzFailure(seed, mutant, one.kind, what, cause);
    const { ms, outcome } = timed(one, fail);
    outcome.check?.();
    if (outcome.isAccepted) accepted += 1;
    if (ms > slowest.ms) slowest = { ms, mutant, bytes: one.bytes };
    onProgress?.(mutant + 1);
  }
  return { accepted, rejected: count - accepted, slowest };
};

const timed = ({ run, limit, bytes }: Mutant, fail: Fail): { ms: number; outcome: Outcome } => {
  for (let attempt = 1; ; attempt++) {
    const started = processorTime();
    const outcome = run(fail);
    const ms = processorTime() - started;
    if (ms <= limit) return { ms, outcome };
    if (attempt === ATTEMPTS) throw fail(`${ms.toFixed(0)} ms for ${bytes} bytes`);
  }
};

/** Milliseconds that this process has worked: what others do on the machine does not count. */
const processorTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

export const pick = <T>(random: Random, list: readonly T[], otherwise: T): T =>
  list[random.below(list.length)] ?? otherwise;
