import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Random } from '../../drivers/base/types/random';

/*
 * Real boards' DTBs, which are not part of the project: the folder that DMABENCH_CORPUS names, one
 * beside the checkout, or what `npm run corpus` has fetched. In each, armhf/ and arm64/ hold the
 * blobs. Tests that need them are skipped by name where there are none.
 */

const ROOT = join(__dirname, '../..');

/** Where `npm run corpus` puts what it fetches; git ignores it. */
export const FETCHED_CORPUS = join(ROOT, '.cache/corpus');

const ARCHITECTURES = ['armhf', 'arm64'];

const named = process.env['DMABENCH_CORPUS'] ?? '';
const places = named === '' ? [join(ROOT, '../shared/corpus'), FETCHED_CORPUS] : [named];

/** The corpus, or undefined where there is none. */
export const CORPUS: string | undefined = places.find(place =>
  ARCHITECTURES.some(name => existsSync(join(place, name))),
);

export interface CorpusBoard {
  /** As `armhf/omap4-panda-es`. */
  readonly name: string;
  readonly path: string;
}

const boardsOf = (corpus: string, architecture: string): CorpusBoard[] => {
  const folder = join(corpus, architecture);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter(file => file.endsWith('.dtb'))
    .sort()
    .map(file => ({
      name: `${architecture}/${basename(file, '.dtb')}`,
      path: join(folder, file),
    }));
};

/** All boards of the corpus, or none. */
export const corpusBoards: readonly CorpusBoard[] =
  CORPUS === undefined ? [] : ARCHITECTURES.flatMap(name => boardsOf(CORPUS, name));

/** The path of a board by its name, if the corpus has it. */
export const corpusPath = (name: string): string | undefined =>
  corpusBoards.find(board => board.name === name)?.path;

/** At most `count` boards, drawn by chance of `seed`; all if there are no more. */
export const sampleBoards = (count: number, seed = 1): readonly CorpusBoard[] => {
  const random = new Random(seed);
  const rest = [...corpusBoards];
  const excess = Math.max(0, rest.length - count);
  for (let i = 0; i < excess; i++) rest.splice(random.below(rest.length), 1);
  return rest;
};

/** What `npm test` goes through where a test is about all boards. */
export const MOST_IN_TESTS = 100;
