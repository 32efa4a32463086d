import type { MachineOptions, MutateArguments, RunArguments } from '../commands/arguments';
import type { SavedMachine } from '../explain/saved-shape';
import type { Replay } from './findings';

/** A command line, for a POSIX shell, that does the same run: the seed is always in it. */
export const repeatLine = (args: RunArguments): string => {
  const words = ['dmabench', 'run', args.board, ...machineWords(args), ...suiteWords(args.suite)];
  words.push('--adversary', args.adversary, '--seed', args.seed);
  if (args['dma-timing'] !== 'both') words.push('--dma-timing', args['dma-timing']);
  words.push(...(args['dma-debug'] ?? []).flatMap(text => ['--dma-debug', text]));
  words.push(...dropWords(args.drop));
  return words.map(quoted).join(' ');
};

/** A command line that does the same mutations. */
export const mutateLine = (args: MutateArguments): string => {
  const words = ['dmabench', 'mutate', ...args.boards, ...machineWords(args)];
  return [...words, ...suiteWords(args.suite), '--seed', args.seed].map(quoted).join(' ');
};

const machineWords = ({
  overlay = [],
  quirk = [],
  memory,
  load = [],
  coherent,
  bounce,
  cmdline,
}: MachineOptions): string[] => [
  ...overlay.flatMap(file => ['--overlay', file]),
  ...quirk.map(name => `--quirk=${name}`),
  ...(memory === undefined ? [] : ['--memory', memory]),
  ...load.flatMap(file => ['--load', file]),
  ...(coherent === undefined ? [] : ['--coherent', coherent]),
  ...(bounce === undefined ? [] : ['--bounce', bounce]),
  ...(cmdline === undefined ? [] : ['--cmdline', cmdline]),
];

const savedWords = ({
  memory,
  coherent,
  bounce,
  cmdline,
  ...others
}: Omit<SavedMachine, 'board' | 'drop' | 'seed'>): string[] =>
  machineWords({
    ...others,
    memory: memory ?? undefined,
    coherent: coherent ?? undefined,
    bounce: bounce ?? undefined,
    cmdline: cmdline ?? undefined,
  });

const suiteWords = (patterns: readonly string[] = []): string[] =>
  patterns.flatMap(pattern => ['--suite', pattern]);

const dropWords = (places: readonly string[] = []): string[] =>
  places.flatMap(place => ['--drop', place]);

/** A command line that replays a witness: the cases that led there, on one machine, under its script. */
export const replayLine = (
  { board, drop, seed, ...machine }: SavedMachine,
  { suite, cases, isWhole, timing }: Replay,
  script: string,
): string => {
  const patterns = isWhole ? [suite] : cases.map(name => `${suite}.${name}`);
  const words = ['dmabench', 'run', board, ...savedWords(machine), ...suiteWords(patterns)];
  words.push(
    '--adversary',
    `script:${script}`,
    '--seed',
    seed,
    '--dma-timing',
    timing,
    ...dropWords(drop),
  );
  return words.map(quoted).join(' ');
};

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A word that a shell reads as it stands. */
const quoted = (word: string): string =>
  PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
