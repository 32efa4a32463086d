import type {
  CoherentAllocator,
  CoherentBlock,
  CoherentName,
  CoherentRefusal,
  CoherentRequest,
} from '../../../../mm/arch-dma';
import type { ArmMm } from '../init';
import type { CoherentStrategy } from './strategy';

/** What was done so far, on any CPU. */
interface Work {
  /** Words of translation tables that were stored. */
  readonly tableWrites: number;
  readonly tlbOperations: number;
  /** Operations on lines of the caches inside the cores, those for tables included. */
  readonly cacheOperations: number;
  /** The same of the cache outside. */
  readonly outerOperations: number;
}

/** What a strategy has cost so far. */
export interface CoherentCounts extends Work {
  readonly allocations: number;
  readonly refusals: number;
}

const NOTHING: CoherentCounts = {
  allocations: 0,
  refusals: 0,
  tableWrites: 0,
  tlbOperations: 0,
  cacheOperations: 0,
  outerOperations: 0,
};

/** A strategy, with a count of what its calls do. */
export class CountedCoherent implements CoherentAllocator {
  readonly strategy: CoherentStrategy;
  readonly #mm: ArmMm;
  #counts = NOTHING;
  /** Why the last call was refused; null if none was. */
  refused: string | null = null;

  constructor(strategy: CoherentStrategy, mm: ArmMm) {
    this.strategy = strategy;
    this.#mm = mm;
  }

  get name(): CoherentName {
    return this.strategy.name;
  }

  get keepsAlias(): boolean {
    return this.strategy.keepsAlias;
  }

  get counts(): CoherentCounts {
    return this.#counts;
  }

  alloc(request: CoherentRequest): CoherentBlock | CoherentRefusal {
    const answer = this.#counting(() => this.strategy.alloc(request));
    const { allocations, refusals } = this.#counts;
    if ('refused' in answer) {
      this.#counts = { ...this.#counts, refusals: refusals + 1 };
      this.refused = answer.refused;
    } else {
      this.#counts = { ...this.#counts, allocations: allocations + 1 };
      this.refused = null;
    }
    return answer;
  }

  free(block: CoherentBlock): void {
    this.#counting(() => {
      this.strategy.free(block);
    });
  }

  #counting<Value>(body: () => Value): Value {
    const before = this.#work();
    const value = body();
    const after = this.#work();
    const counts = this.#counts;
    this.#counts = {
      ...counts,
      tableWrites: counts.tableWrites + after.tableWrites - before.tableWrites,
      tlbOperations: counts.tlbOperations + after.tlbOperations - before.tlbOperations,
      cacheOperations: counts.cacheOperations + after.cacheOperations - before.cacheOperations,
      outerOperations: counts.outerOperations + after.outerOperations - before.outerOperations,
    };
    return value;
  }

  #work(): Work {
    const { tables, cpu, outer } = this.#mm;
    return {
      tableWrites: tables.writes,
      tlbOperations: cpu.tlbOps,
      cacheOperations: cpu.cacheOps,
      outerOperations: outer.lines,
    };
  }
}
