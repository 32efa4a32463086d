import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scenario } from './scenario';

/** What SPIN says of one scenario. */
export interface SpinVerdict {
  /** An assertion is violated on some schedule. */
  readonly canFail: boolean;
  readonly states: number;
  readonly transitions: number;
  /** Seconds of CPU time. */
  readonly seconds: number;
  /** Megabytes that were in use at most. */
  readonly megabytes: number;
}

const isThere = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;

/** Why SPIN cannot judge here, null if it can. */
export const missingProgram = (): string | null => {
  if (!isThere('spin')) return 'spin is not installed';
  return isThere('gcc') ? null : 'gcc is not installed';
};

/** Steps of the longest path; the second is tried where the first does not suffice. */
const DEPTHS = [50_000, 10_000_000] as const;

/** A model, compiled to a verifier that is run as often as there are scenarios. */
export class SpinModel {
  readonly #folder: string;

  /** `optimise`: the verifier is to be fast, and may take longer to compile. */
  constructor(model: string, optimise = false) {
    this.#folder = mkdtempSync(join(tmpdir(), 'dmabench-spin-'));
    const options = { cwd: this.#folder, stdio: 'pipe' } as const;
    writeFileSync(join(this.#folder, 'model.pml'), model);
    execFileSync('spin', ['-a', 'model.pml'], options);
    const level = optimise ? '-O3' : '-O0';
    const flags = ['-DSAFETY', '-DNOCLAIM', '-DMEMLIM=16384', '-w'];
    execFileSync('gcc', [level, ...flags, '-o', 'pan', 'pan.c'], options);
  }

  /** Looks at every schedule of a scenario, or to the first that fails. `hashBits`: 2^n slots. */
  judge({ program, dropped }: Scenario, hashBits = 16): SpinVerdict {
    const mask = dropped.reduce((sum, step) => sum + 2 ** step, 0);
    for (const depth of DEPTHS) {
      const command = `./pan -m${depth} -w${hashBits} -E -n; times`;
      const ran = spawnSync('sh', ['-c', command], {
        cwd: this.#folder,
        env: { ...process.env, PROGRAM: `${program}`, DROPPED: `${mask}` },
        encoding: 'utf8',
        maxBuffer: 2 ** 24,
      });
      if (!ran.stdout.includes('max search depth too small')) return verdictOf(ran.stdout);
    }
    throw new Error(`a path of more than ${DEPTHS[1]} steps`);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const verdictOf = (output: string): SpinVerdict => {
  const errors = numberIn(output, /errors: (\d+)/);
  if (Number.isNaN(errors) || /aborting|out of memory/.test(output)) {
    throw new Error(`pan gave no verdict:\n${output}`);
  }
  return {
    canFail: errors > 0,
    states: numberIn(output, /([\d.e+]+) states, stored/),
    transitions: numberIn(output, /([\d.e+]+) transitions/),
    seconds: childSeconds(output),
    megabytes: numberIn(output, /([\d.]+)\s+total actual memory usage/),
  };
};

const numberIn = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? NaN);

/** CPU time of the shell's children: the last line of `times`, `0m1.230s 0m0.040s`. */
const childSeconds = (output: string): number => {
  const [, ...parts] = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(output) ?? [];
  const [minutes = NaN, seconds = NaN, systemMinutes = NaN, system = NaN] = parts.map(Number);
  return 60 * (minutes + systemMinutes) + seconds + system;
};
