import { LruAdversary } from '../../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../../arch/arm/mm/dma';
import { KIB, MIB } from '../../../drivers/base/types/bits';
import { GFP_ATOMIC, GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import type { Gfp } from '../../../drivers/base/kernel/gfp';
import { Random } from '../../../drivers/base/types/random';
import { physAddr } from '../../../drivers/base/types/address';
import type { Kernel } from '../../../machines/kernel';
import type { Machine } from '../../../machines/machine';
import type { MachinePlan } from '../../../machines/plan';
import type { CoherentBlock, CoherentRefusal } from '../../../mm/arch-dma';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { bootPlan } from '../../run/job';
import { timeOf } from '../costs';
import type { CostTable } from '../costs';
import { Meter } from '../meter';

/** What one allocation and its end take, in counts. */
export interface CoherentCost {
  readonly tableWrites: number;
  readonly tlbOperations: number;
  readonly cacheOperations: number;
  readonly outerOperations: number;
  /** By the cost table, in ns: of these, of lines that are written back, and of barriers. */
  readonly nanoseconds: number;
}

/** What a strategy costs on a machine, beside being safe or not. */
export interface CoherentMeasure {
  /** Bytes that nobody else can have, not even movable pages, once the first buffers were there. */
  readonly bytesLost: number;
  /** Entries of the linear map: as many entries of a TLB cover all of it. */
  readonly linearEntries: number;
  /** Null: the strategy serves nothing here. */
  readonly cost: CoherentCost | null;
  /** Requests that are refused, and why. */
  readonly refusals: readonly Refused[];
}

/** What was asked for, for people, and the answer. */
export interface Refused {
  readonly what: string;
  readonly why: string;
}

/** Of the buffer that the cost is of. */
export const BUFFER = 16 * KIB;

const REQUESTS: readonly { readonly what: string; readonly size: number; readonly gfp: Gfp }[] = [
  { what: 'in atomic context', size: PAGE_SIZE, gfp: GFP_ATOMIC },
  { what: '1 MiB in one piece', size: MIB, gfp: GFP_KERNEL },
  { what: '8 MiB in one piece', size: 8 * MIB, gfp: GFP_KERNEL },
];

/** What of the cost table the time of a buffer is made of: that it is zeroed costs all the same. */
export const COHERENT_COSTS = [
  ...(['table-write', 'tlb', 'line', 'dirty-line', 'outer-line', 'barrier'] as const),
];

/** As a board with nothing but what it has for this: pages, counted before anything is asked. */
export const managedBytes = (board: string, plan: MachinePlan): number =>
  boot(board, plan).kernel.mm.pages.managedPages * PAGE_SIZE;

/** Boots a machine with caches that do nothing unasked, and counts what its strategy does. */
export const measureCoherent = (
  board: string,
  plan: MachinePlan,
  managedOtherwise: number,
  costs: CostTable,
): CoherentMeasure => {
  const machine = boot(board, plan);
  const { mm, coherent } = machine.kernel;
  const managed = mm.pages.managedPages * PAGE_SIZE;
  const ask = (size: number, gfp: Gfp): CoherentBlock | CoherentRefusal =>
    coherent.alloc({ size, memory: 'dmacoherent', gfp, limit: LIMIT });
  // The first buffer may need tables that stay; the second shows what each takes.
  const first = ask(BUFFER, GFP_KERNEL);
  if (!('refused' in first)) coherent.free(first);
  const done = new Meter(machine).measure(() => {
    const second = ask(BUFFER, GFP_KERNEL);
    if (!('refused' in second)) coherent.free(second);
  });
  const cost = {
    tableWrites: done['table-write'],
    tlbOperations: done.tlb,
    cacheOperations: done.line,
    outerOperations: done['outer-line'],
    nanoseconds: timeOf(costs, Object.fromEntries(COHERENT_COSTS.map(name => [name, done[name]]))),
  };
  return {
    bytesLost: mm.tablePages * PAGE_SIZE + managedOtherwise - managed,
    linearEntries: linearEntries(mm),
    cost: 'refused' in first ? null : cost,
    refusals: REQUESTS.flatMap(({ what, size, gfp }) => {
      const answer = ask(size, gfp);
      if ('refused' in answer) return { what, why: answer.refused };
      coherent.free(answer);
      return [];
    }),
  };
};

/** A device that reaches all there is. */
const LIMIT = physAddr(2 ** 48 - 1);

const boot = (board: string, plan: MachinePlan): Machine =>
  bootPlan(board, plan, {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
  });

const linearEntries = ({ layout, tables, root }: Kernel['mm']): number => {
  let entries = 0;
  for (const { base, size } of layout.ram) {
    const end = Math.min(base + size, layout.lowmemEnd);
    for (let at = base; at < end;) {
      const address = layout.physToVirt(physAddr(at)) ?? 0;
      const span = tables.spanAt(root, address);
      if (span > 0) entries++;
      const step = span === 0 ? PAGE_SIZE : span;
      at += step - (at % step);
    }
  }
  return entries;
};
