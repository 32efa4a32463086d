import type { RunArguments } from '../commands/arguments';

/** A command line, for a POSIX shell, that does the same run: the seed is always in it. */
export const repeatLine = (args: RunArguments): string => {
  const words = ['dmabench', 'run', args.board];
  for (const overlay of args.overlay ?? []) words.push('--overlay', overlay);
  for (const quirk of args.quirk ?? []) words.push(`--quirk=${quirk}`);
  if (args.memory !== undefined) words.push('--memory', args.memory);
  for (const suite of args.suite ?? []) words.push('--suite', suite);
  words.push('--adversary', args.adversary, '--seed', args.seed);
  if (args['dma-timing'] !== 'both') words.push('--dma-timing', args['dma-timing']);
  return words.map(quoted).join(' ');
};

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A word that a shell reads as it stands. */
const quoted = (word: string): string =>
  PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
