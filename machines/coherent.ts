import { COHERENT_KINDS, coherentKind } from '../arch/arm/mm/coherent';
import type { CoherentChoice } from '../arch/arm/mm/coherent';
import { IN_ORDER } from '../arch/arm/mm/coherent/steps';
import type { StepOrder } from '../arch/arm/mm/coherent/steps';
import type { CoherentBoard } from '../arch/arm/mm/coherent/strategy';
import { GIB } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import type { CoherentName } from '../mm/arch-dma';
import type { MachinePlan } from './plan';

/** What may be said of coherent memory beside a board's tree. */
export interface CoherentOptions {
  /** In place of the tree's choice and of the default. */
  readonly name?: CoherentName;
  readonly order?: StepOrder;
}

/** Where a tree chooses: a property of /chosen. */
const PROPERTY = 'dmabench,coherent';
/** Most of a linear map that is built in pages: an entry for each is stored, and looked at. */
const MOST_IN_PAGES = GIB;

/** A strategy by the name that somebody has written; InputError at `place` for any other word. */
export const parseCoherent = (text: string, place: string, property?: string): CoherentName => {
  const kind = COHERENT_KINDS.find(({ name }) => name === text);
  if (kind !== undefined) return kind.name;
  const expected = COHERENT_KINDS.map(({ name }) => name).join(', ');
  const problem = { place, expected, found: `'${text}'` };
  throw new InputError(property === undefined ? problem : { ...problem, property });
};

/**
 * How a machine makes coherent memory: as it is told to, as its tree says, else as a kernel of its
 * architecture may without harm.
 *
 * The default is what Linux does, where that is right: legacy-remap on arm64, whose cores do not
 * look up uncached accesses, and up to ARMv6, whose cores fill nothing unasked. ARMv7 cores do both;
 * today's kernel remaps there all the same and relies on luck. The default is what 3.5 to 5.19 did
 * with CMA: cma-remap, in the tree's pool, or in one of its own as `cma=` sets aside.
 *
 * InputError if the linear map would have more pages than are built.
 */
export const coherentChoice = (plan: MachinePlan, options: CoherentOptions): CoherentChoice => {
  const name = options.name ?? chosen(plan) ?? defaultOf(plan);
  const board = boardOf(plan);
  if (coherentKind(name).boot(board).inPages === 'all') checkSize(plan, name);
  return { name, board, order: options.order ?? IN_ORDER };
};

/** What a board gets that nobody chooses for. */
export const defaultOf = ({ cpus }: MachinePlan): CoherentName =>
  cpus[0]?.core.architecture === 'v7' ? 'cma-remap' : 'legacy-remap';

const chosen = ({ tree }: MachinePlan): CoherentName | null => {
  const text = tree.at('/chosen')?.string(PROPERTY);
  return text === undefined ? null : parseCoherent(text, '/chosen', PROPERTY);
};

const boardOf = ({ memory, facts }: MachinePlan): CoherentBoard => {
  const pool = memory.reserved.regions.find(({ cmaDefault }) => cmaDefault);
  return {
    cma: pool === undefined ? null : { base: Number(pool.base), size: Number(pool.size) },
    dmaEnd: facts.dmaZoneLimit === null ? null : facts.dmaZoneLimit + 1,
  };
};

/** Of arm, lowmem is always less; of arm64, all RAM is in the linear map. */
const checkSize = ({ arch, memory }: MachinePlan, name: CoherentName): void => {
  const size = memory.banks.reduce((sum, bank) => sum + Number(bank.size), 0);
  if (arch !== 'arm64' || size <= MOST_IN_PAGES) return;
  throw new InputError({
    place: name,
    expected: `at most ${MOST_IN_PAGES} bytes of RAM, all in pages (see --memory)`,
    found: `${size}`,
  });
};
