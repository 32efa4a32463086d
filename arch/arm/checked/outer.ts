import { PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { CacheGeometry } from '../cache/line-cache';
import type { LineMaintenance, OuterLevel } from '../cache/outer-level';
import { CLEAN, CLEAN_INVALIDATE, INVALIDATE } from '../coherence/state';
import type { Checker } from './checker';

const OPERATIONS: Readonly<Record<LineMaintenance, number>> = {
  invalidate: INVALIDATE,
  clean: CLEAN,
  'clean-invalidate': CLEAN_INVALIDATE,
};

const ACCESS = {
  invalidate: 'invalidate',
  clean: 'clean',
  'clean-invalidate': 'clean+invalidate',
} as const;

/** The outer cache of a checked machine: what its controller does to the states of lines. */
export class CheckedOuter implements OuterLevel {
  readonly geometry: CacheGeometry;
  readonly #checker: Checker;
  readonly #onChange: (ncHits: boolean) => void;
  #enabled = false;
  #ncHits = true;

  /** `onChange`: how accesses reach it has changed, and what they make of non-cacheable ones. */
  constructor(geometry: CacheGeometry, checker: Checker, onChange: (ncHits: boolean) => void) {
    this.geometry = geometry;
    this.#checker = checker;
    this.#onChange = onChange;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** Off once it was on: what it then still holds, and shows again later, is not modelled. */
  set enabled(enabled: boolean) {
    if (enabled === this.#enabled) return;
    if (!enabled) throw new UnmodelledError('outer cache', 'switched off on a checked machine');
    this.#enabled = enabled;
    this.#checker.setOuter(enabled);
    this.#onChange(this.#ncHits);
  }

  get ncHits(): boolean {
    return this.#ncHits;
  }

  set ncHits(hits: boolean) {
    if (hits === this.#ncHits) return;
    this.#ncHits = hits;
    this.#onChange(hits);
  }

  maintainLine(operation: LineMaintenance, word: number): void {
    if (!this.#enabled) return;
    const checker = this.#checker;
    checker.touch(word >>> PAGE_WORDS_SHIFT);
    const line = checker.lineOf(word);
    checker.maintained(line);
    const verdict = checker.lines.maintainOuter(line, OPERATIONS[operation]);
    if (verdict !== 0) this.#tell(operation, line, verdict);
  }

  /** Some of the ways: cleaning them is nothing that the cache might not do by itself. */
  maintainWays(operation: LineMaintenance, ways: number): void {
    if (!this.#enabled) return;
    const all = 2 ** this.geometry.ways - 1;
    if ((ways & all) === all) {
      this.#checker.eachLine(line => {
        this.#checker.maintained(line);
        const verdict = this.#checker.lines.maintainOuter(line, OPERATIONS[operation]);
        if (verdict !== 0) this.#tell(operation, line, verdict);
      });
    } else if (operation === 'invalidate' && ways !== 0) {
      const what = 'a checked machine has no ways: which lines they hold is not known';
      throw new UnmodelledError('invalidation of some ways of the outer cache', what);
    }
  }

  drainAll(): void {
    this.#checker.lines.barriers.outerSync();
  }

  #tell(operation: LineMaintenance, line: number, verdict: number): void {
    const { accessingCpu: cpu, lineShift, lineBytes } = this.#checker;
    this.#checker.told(verdict, cpu, ACCESS[operation], line << lineShift, 0, lineBytes);
  }
}
