import { CpuComplex } from '../../arch/arm/complex';
import { NONE } from '../../arch/arm/cache/line-cache';
import type { CpuAddr } from '../../drivers/base/types/address';
import { invariant } from '../../drivers/base/types/errors';
import type { Machine } from '../../machines/machine';
import type { CostName, GpuCostName } from './costs';

/** What a machine with caches has done, by what it costs. */
export type WorkCounts = Readonly<Record<Exclude<CostName, ByAccess | GpuCostName>, number>>;

/** What only whoever makes an access can count: see CountedMemory. */
export type ByAccess = 'access' | 'uncached-load' | 'uncached-store' | 'burst';

/** Counts what the caches and the kernel of a machine do; one under `lru`, all CPUs together. */
export class Meter {
  readonly #machine: Machine;
  readonly #complex: CpuComplex;

  constructor(machine: Machine) {
    const { complex } = machine.hardware;
    invariant(complex instanceof CpuComplex, 'a meter for a machine without caches');
    this.#machine = machine;
    this.#complex = complex;
  }

  /** What is done because of the body. */
  measure(body: () => void): WorkCounts {
    const before = this.#counts();
    body();
    const after = this.#counts();
    const since = (name: keyof WorkCounts): number => after[name] - before[name];
    return {
      // A line that the next level takes in for a write-back is none of the first's.
      'fill-near': Math.max(0, since('fill-near')),
      'fill-memory': since('fill-memory'),
      line: since('line'),
      'dirty-line': since('dirty-line'),
      'outer-line': since('outer-line'),
      barrier: since('barrier'),
      'table-write': since('table-write'),
      tlb: since('tlb'),
    };
  }

  /** True if the first level of the CPU that runs has the line of an address of the linear map. */
  isPresent(address: CpuAddr): boolean {
    const { mm, cpu } = this.#machine.kernel;
    const physical = mm.layout.virtToPhys(address);
    const cache = this.#complex.domain.caches[cpu.number];
    if (physical === null || cache?.used !== true) return false;
    return cache.findPhysical(this.#complex.memory.ram.wordOf(physical)) !== NONE;
  }

  /** A fill of the first level that the last level did not bring in, the next one had. */
  #counts(): WorkCounts {
    const { mm } = this.#machine.kernel;
    const { caches, clusters } = this.#complex.domain;
    const { outer } = this.#complex;
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    const first = sum(caches.map(({ fills }) => fills));
    const last = outer?.enabled === true ? [outer] : clusters.filter(({ l2 }) => l2 !== null);
    const fromMemory = last.length === 0 ? first : sum(last.map(({ fills }) => fills));
    const written = [...caches, ...clusters, ...(outer === null ? [] : [outer])];
    return {
      'fill-near': first - fromMemory,
      'fill-memory': fromMemory,
      line: mm.cpu.cacheOps,
      'dirty-line': sum(written.map(({ writeBacks }) => writeBacks)),
      'outer-line': mm.outer.lines,
      barrier: mm.cpu.barriers,
      'table-write': mm.tables.writes,
      tlb: mm.cpu.tlbOps,
    };
  }
}
