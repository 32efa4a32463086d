import { parseArgs } from 'node:util';
import { Random } from '../../drivers/base/types/random';
import { compareAll, compareSequence } from '../arch/arm/coherence/brute-compare';
import { BruteForce } from '../arch/arm/coherence/brute-force';
import { isNoticed, mutations } from '../arch/arm/coherence/mutations';
import { ALIASES, distinctProfiles } from '../arch/arm/coherence/profiles';
import type { NamedProfile } from '../arch/arm/coherence/profiles';

/*
 * `npm run prove -- LENGTH [--profile PART] [--bytes N] [--aliases N] [--most N] [--queues N]`: the
 * coherence checker's tables against brute force, for every sequence of events up to a length; then
 * N random sequences on a machine that merges nothing, and every row of the tables broken once.
 */

const usage = (): never => {
  console.error('usage: npm run prove -- LENGTH [--profile PART] [--bytes N] [--aliases N]');
  process.exit(2);
};

const mostStates = ({ sets }: BruteForce): number => {
  let most = 0;
  for (let set = 0; set < sets.size; set++) most = Math.max(most, sets.states(set).length);
  return most;
};

const number = (text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text);
  return Number.isInteger(value) && value >= 1 ? value : usage();
};

interface Figures {
  readonly isProved: boolean;
  readonly sets: number;
  readonly most: number;
  readonly sequences: number;
  readonly compared: number;
}

/** One profile. */
const prove = (
  { name, profile }: NamedProfile,
  { length, bytes, most, queues }: Readonly<Record<'length' | 'bytes' | 'most' | 'queues', number>>,
): Figures => {
  const start = Date.now();
  const brute = new BruteForce(profile, bytes);
  const { sequences, nodes, difference } = compareAll(brute, length, most);
  const queued = new BruteForce(profile, bytes, undefined, false);
  const random = new Random(1);
  let unsound: string | null = null;
  for (let n = 0; n < queues && unsound === null; n++) {
    unsound = compareSequence(
      queued,
      Array.from({ length: 5 }, () => random.below(2 ** 16)),
    );
  }
  const figures = [
    `${brute.events.length} events`,
    `${brute.sets.size} sets`,
    `at most ${mostStates(brute)} states`,
    `${sequences} sequences (${nodes} distinct)`,
    `${queued.compared} verdicts with queues, ${queued.unconfirmed} wider`,
    `${Date.now() - start} ms`,
  ];
  console.log(`${name.padEnd(32)} ${figures.join(', ')}`);
  for (const found of [difference, unsound]) if (found !== null) console.log(`  DIFFERS: ${found}`);
  return {
    isProved: difference === null && unsound === null,
    sets: brute.sets.size,
    most: mostStates(brute),
    sequences,
    compared: brute.compared,
  };
};

const total = (proofs: readonly Figures[], of: (figures: Figures) => number): number =>
  proofs.reduce((sum, figures) => sum + of(figures), 0);

const main = (): boolean => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      profile: { type: 'string' },
      bytes: { type: 'string' },
      aliases: { type: 'string' },
      most: { type: 'string' },
      queues: { type: 'string' },
    },
  });
  const limits = {
    length: number(positionals[0], 2),
    bytes: number(values.bytes, 2),
    most: number(values.most, Number.MAX_SAFE_INTEGER),
    queues: number(values.queues, 5),
  };
  const all = distinctProfiles(number(values.aliases, ALIASES));
  const chosen = all.filter(({ name }) => name.includes(values.profile ?? ''));
  const proofs = chosen.map(profile => prove(profile, limits));
  console.log(
    [
      `${proofs.length} profiles`,
      `${total(proofs, ({ sets }) => sets)} sets`,
      `at most ${Math.max(0, ...proofs.map(({ most }) => most))} states in one`,
      `${total(proofs, ({ sequences }) => sequences)} sequences`,
      `${total(proofs, ({ compared }) => compared)} comparisons of a byte`,
    ].join(', '),
  );
  const random = new Random(3);
  const unnoticed = mutations().filter(
    mutation => !isNoticed(mutation, all, 20, bound => random.below(bound)),
  );
  console.log(`${mutations().length} rows broken, ${unnoticed.length} unnoticed`);
  for (const { label } of unnoticed) console.log(`  UNNOTICED: ${label}`);
  return proofs.every(({ isProved }) => isProved) && unnoticed.length === 0;
};

if (!main()) process.exitCode = 1;
