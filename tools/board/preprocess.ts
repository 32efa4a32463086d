import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { MIB } from '../../drivers/base/types/bits';
import type { InputProblem } from '../../drivers/base/types/errors';
import { InputError } from '../../drivers/base/types/errors';
import { DEFAULT_LIMITS } from '../../drivers/of/limits';

/** A source that includes itself twice would never end. */
const TIMEOUT_MS = 5_000;
/** Ten times what the largest sources of the kernel need. */
const MOST_MEMORY = 512 * MIB;
/** Beside what a reader accepts, room for the line markers. */
const MOST_BYTES = 2 * DEFAULT_LIMITS.bytes;

/**
 * cpp with bounds that its own child, the compiler, inherits: bytes of memory, which a source
 * that includes an endless device would use up, and seconds. Where a shell cannot bound them,
 * the time it may take is still left.
 */
const BOUNDED_CPP = [
  `ulimit -v ${MOST_MEMORY / 1024} 2>/dev/null`,
  `ulimit -t ${TIMEOUT_MS / 1000} 2>/dev/null`,
  'exec cpp "$@"',
].join('\n');

/**
 * A source file as the C preprocessor leaves it, run as kernel builds run it, with the file's own
 * folder to include from. InputError where cpp finds something wrong, takes too much memory or
 * time, or is not there.
 */
export const preprocess = (file: string): string => {
  const options = ['-nostdinc', '-undef', '-D__DTS__', '-x', 'assembler-with-cpp'];
  const path = file.startsWith('-') ? `./${file}` : file;
  const how = {
    maxBuffer: MOST_BYTES,
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    encoding: 'utf8',
    // A group of its own, so that its child can be ended with it.
    detached: true,
    // Messages in English, and none in colour.
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  } as const;
  const args = ['-c', BOUNDED_CPP, 'cpp', ...options, '-I', dirname(path), path];
  const { error, pid, status, stdout, stderr } = spawnSync('/bin/sh', args, how);
  if (error !== undefined) {
    endGroup(pid);
    throw cannotRun(file, error);
  }
  if (status === 0) return stdout;
  throw new InputError(problemOf(file, status, stderr));
};

/** cpp is dead by now, but a child of it that waits for a pipe, say, is not. */
const endGroup = (pid: number): void => {
  if (pid === 0) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
};

/** `file:line:column: fatal error: what is wrong` */
const MESSAGE = /^(.+?): (?:fatal )?error: (.*)$/m;

/** How cc1 and the C library say that there is no more memory. */
const NO_MEMORY = /out of memory|memory exhausted|[Cc]annot allocate memory/;
/** cpp says this of a child that was killed, as it is after its seconds. */
const KILLED = /[Kk]illed|CPU time limit/;

/** What the shell answers for a command that it does not find. */
const NOT_FOUND = 127;

const NO_CPP = {
  expected: 'the C preprocessor, which this source needs',
  found: "no program 'cpp' (Debian: apt-get install cpp)",
};
const TOO_SLOW = {
  expected: `source that cpp reads within ${TIMEOUT_MS / 1000} s`,
  found: 'it takes longer',
};

const problemOf = (file: string, status: number | null, stderr: string): InputProblem => {
  if (status === NOT_FOUND) return { place: file, ...NO_CPP };
  if (NO_MEMORY.test(stderr)) {
    const expected = `source that cpp reads within ${MOST_MEMORY / MIB} MiB of memory`;
    return { place: file, expected, found: 'it takes more' };
  }
  const [, place = file, found = 'an error without a message'] = MESSAGE.exec(stderr) ?? [];
  if (status === null || KILLED.test(found)) return { place: file, ...TOO_SLOW };
  return { place, expected: 'source that cpp accepts', found };
};

const cannotRun = (file: string, error: Error): Error => {
  const code = 'code' in error ? error.code : undefined;
  const problems: Readonly<Record<string, Omit<InputProblem, 'place'>>> = {
    ENOENT: NO_CPP,
    ETIMEDOUT: TOO_SLOW,
    ENOBUFS: { expected: `at most ${MOST_BYTES} bytes of source after cpp`, found: 'more' },
  };
  const problem = typeof code === 'string' ? problems[code] : undefined;
  return problem === undefined ? error : new InputError({ place: file, ...problem });
};
