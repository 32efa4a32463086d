import { i32 } from '../../../drivers/base/types/arrays';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { LineStates } from '../coherence/line-states';
import { kindOf } from '../coherence/profile';
import { Cacheability, innerOf, isNormal, isShareable, outerOf } from '../mmu/attributes';
import type { CoreProfile } from '../profile';

const UNKNOWN = -2;
/** Two cacheabilities of two bits each and shareability. */
const COMBINATIONS = 32;

/**
 * The access of LineStates that memory of some attributes is reached by, for a core. Looked up
 * once per page, when it goes into the micro-TLB.
 */
export class Accesses {
  readonly #core: CoreProfile;
  readonly #lines: LineStates;
  readonly #kinds = new Int32Array(COMBINATIONS).fill(UNKNOWN);
  #ncHits = true;

  constructor(core: CoreProfile, lines: LineStates) {
    this.#core = core;
    this.#lines = lines;
  }

  /** The outer cache treats non-cacheable shared accesses otherwise from now on. */
  set ncHits(hits: boolean) {
    this.#ncHits = hits;
    this.#kinds.fill(UNKNOWN);
  }

  /** By the attributes that the core makes of a translation: Mmu.effectiveAttributes. */
  ofPage(attributes: number, alias: number): number {
    if (!isNormal(attributes)) return this.#access(Cacheability.none, Cacheability.none, false, 0);
    const inner = innerOf(attributes);
    return this.#access(inner, outerOf(attributes), isShareable(attributes), alias);
  }

  /** By the cacheability of a table walk, of which the core makes what it makes of an access. */
  ofWalk(inner: Cacheability, outer: Cacheability): number {
    const { multiprocessor, l2, walker, writeAllocate, writeThrough } = this.#core;
    if (walker === 'memory') return this.#access(Cacheability.none, Cacheability.none, false, 0);
    const isNarrowed = multiprocessor && l2 !== null && (inner === 0 || outer === 0);
    if (isNarrowed) return this.#access(Cacheability.none, Cacheability.none, true, 0);
    if (inner === Cacheability.writeThrough && writeThrough === 'non-cacheable') {
      return this.#access(Cacheability.none, outer, true, 0);
    }
    const isDowngraded = inner === Cacheability.writeBackAllocate && writeAllocate === 'never';
    return this.#access(isDowngraded ? Cacheability.writeBack : inner, outer, true, 0);
  }

  /** True if memory of these attributes can be in the first level. */
  isCached(attributes: number): boolean {
    return (
      this.#core.l1d !== null && isNormal(attributes) && innerOf(attributes) !== Cacheability.none
    );
  }

  #access(wanted: Cacheability, outer: Cacheability, shareable: boolean, alias: number): number {
    const inner = this.#core.l1d === null ? Cacheability.none : wanted;
    const index = inner | (outer << 2) | (shareable ? 16 : 0);
    let kind = i32(this.#kinds, index);
    if (kind === UNKNOWN) {
      kind = kindOf(this.#lines.sets.profile, inner, outer, shareable && this.#ncHits);
      this.#kinds[index] = kind;
    }
    const access = this.#lines.accessOf(kind, inner === Cacheability.none ? 0 : alias);
    if (kind >= 0 && access >= 0) return access;
    const what = `inner ${nameOf(inner)}, outer ${nameOf(outer)} on a ${this.#core.name}`;
    throw new UnmodelledError('memory attributes', what);
  }
}

const nameOf = (cacheability: Cacheability): string =>
  Object.entries(Cacheability).find(([, value]) => value === cacheability)?.[0] ?? '';
