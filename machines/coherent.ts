import { COHERENT_KINDS, coherentKind } from '../arch/arm/mm/coherent';
import type { CoherentChoice } from '../arch/arm/mm/coherent';
import { IN_ORDER } from '../arch/arm/mm/coherent/steps';
import type { StepOrder } from '../arch/arm/mm/coherent/steps';
import type { RamRange } from '../arch/arm/mm/layout';
import type { CoherentBoard, CoherentBoot } from '../arch/arm/mm/coherent/strategy';
import type { SetAside } from '../arch/arm/mm/init';
import { GIB, MIB, alignUp } from '../drivers/base/types/bits';
import { InputError } from '../drivers/base/types/errors';
import type { Arch } from '../drivers/of/linux';
import type { MemRange } from '../drivers/of/memblock';
import type { DeviceTree } from '../drivers/of/tree';
import type { CoherentName } from '../mm/arch-dma';
import type { CmaParameter, DmaMemoryOptions } from './kernel-parameters';
import type { CpuPlan } from './plan-cpus';
import type { MemoryPlan } from './plan-memory';
import type { MachineFacts } from './quirks';

/** What of a machine's plan decides about coherent memory. */
export interface CoherentPlan {
  readonly coherent: CoherentName;
  readonly arch: Arch;
  readonly memory: MemoryPlan;
  readonly facts: MachineFacts;
  readonly dmaMemory: DmaMemoryOptions;
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
 * How a machine makes coherent memory that nobody chooses for: as its tree says, else as a kernel of
 * its architecture may without harm. InputError for a strategy that there is none of.
 *
 * The default is what Linux does, where that is right: legacy-remap on arm64, whose cores do not
 * look up uncached accesses, and up to ARMv6, whose cores fill nothing unasked. ARMv7 cores do both;
 * today's kernel remaps there all the same, and relies on luck. The default is what 3.5 to 5.19 did
 * with CMA: cma-remap, in the tree's pool, or in one of its own as `cma=` sets aside.
 */
export const coherentNameOf = (tree: DeviceTree, [first]: readonly CpuPlan[]): CoherentName => {
  const text = tree.at('/chosen')?.string(PROPERTY);
  if (text !== undefined) return parseCoherent(text, '/chosen', PROPERTY);
  return first?.core.architecture === 'v7' ? 'cma-remap' : 'legacy-remap';
};

/** What a kernel is told of it. InputError if the linear map would have more pages than are built. */
export const coherentChoice = (plan: CoherentPlan, order: StepOrder = IN_ORDER): CoherentChoice => {
  const board = boardOf(plan);
  if (coherentKind(plan.coherent).boot(board).inPages === 'all') checkSize(plan);
  return { name: plan.coherent, board, order };
};

/** Whether a machine has so much RAM that its linear map is not built in pages. */
export const isTooLargeForPages = ({
  arch,
  memory,
}: Pick<CoherentPlan, 'arch' | 'memory'>): boolean =>
  // Of arm, lowmem is always less; of arm64, all RAM is in the linear map.
  arch === 'arm64' && sizeOf(memory) > MOST_IN_PAGES;

const sizeOf = ({ banks }: MemoryPlan): number =>
  banks.reduce((sum, { size }) => sum + Number(size), 0);

const boardOf = ({ arch, memory, facts, dmaMemory }: CoherentPlan): CoherentBoard => {
  const areas = memory.reserved.regions.filter(({ kind }) => kind === 'cma');
  const own = [
    ...areas.filter(({ cmaDefault }) => !cmaDefault),
    ...memory.reserved.regions.filter(({ kind }) => kind === 'restricted'),
  ];
  const pool = areas.find(({ cmaDefault }) => cmaDefault);
  const dmaEnd = facts.dmaZoneLimit === null ? null : facts.dmaZoneLimit + 1;
  const { cma } = dmaMemory;
  return {
    cma: pool === undefined || cma !== undefined ? null : rangeOf(pool),
    cmaWish: cma === undefined || cma.size === 0 ? null : cmaWish(cma, arch, dmaEnd),
    ownCma: own.map(rangeOf),
    dmaEnd,
  };
};

/** CMA_MIN_ALIGNMENT_BYTES: a block of pages that all move or all do not. */
const CMA_ALIGNMENT = { arm32: 4 * MIB, arm64: 2 * MIB } as const;

/** In lowmem always, where Linux may choose highmem (dma_contiguous_reserve). */
const cmaWish = (
  { size, start, end }: CmaParameter,
  arch: Arch,
  dmaEnd: number | null,
): SetAside => {
  const align = CMA_ALIGNMENT[arch];
  const limit = Math.min(end ?? Infinity, dmaEnd ?? Infinity);
  const whole = alignUp(size, align);
  return {
    size: whole,
    align,
    start,
    end: Number.isFinite(limit) ? limit : null,
    linearMap: 'any',
  };
};

/**
 * How memory is laid out at boot: what the strategy of a choice asks for, then the area that the
 * command line asks for.
 */
export const coherentBoot = ({ name, board }: CoherentChoice): CoherentBoot => {
  const boot = coherentKind(name).boot(board);
  const wish = name === 'cma-remap' ? null : (board.cmaWish ?? null);
  return wish === null ? boot : { ...boot, setAside: [...(boot.setAside ?? []), wish] };
};

/** Of what was set aside, the strategy's, and the area for everybody's contiguous memory. */
export const placesOf = (
  { name, board }: CoherentChoice,
  placed: readonly (RamRange | null)[],
): { readonly own: RamRange | null; readonly cma: RamRange | null } => {
  const first = placed[0] ?? null;
  if (name === 'cma-remap') return { own: null, cma: first ?? board.cma };
  const wished = board.cmaWish ? (placed.at(-1) ?? null) : null;
  const isAsked = (coherentKind(name).boot(board).setAside ?? []).length > 0;
  return { own: isAsked ? first : null, cma: wished ?? board.cma };
};

const rangeOf = ({ base, size }: MemRange): RamRange => ({
  base: Number(base),
  size: Number(size),
});

const checkSize = (plan: CoherentPlan): void => {
  if (!isTooLargeForPages(plan)) return;
  throw new InputError({
    place: plan.coherent,
    expected: `at most ${MOST_IN_PAGES} bytes of RAM, all mapped in pages (see --memory)`,
    found: `${sizeOf(plan.memory)}`,
  });
};
