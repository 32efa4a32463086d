import { at } from '../../../drivers/base/types/arrays';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import type { AccessKind, HardwareObserver, Mismatch } from '../../../drivers/base/types/observer';
import type { Ram } from '../../../drivers/base/hw/ram';
import {
  ANY_RIGHT,
  Cacheability,
  MemoryType,
  innerOf,
  isNormal,
  outerOf,
  typeOf,
} from '../mmu/attributes';
import type { Mmu } from '../mmu/mmu';
import { GLOBAL } from '../mmu/tlb';
import type { TlbEntry } from '../mmu/tlb';
import type { CoreProfile } from '../profile';
import type { Translation } from './translations-index';

export interface MappingRulesParts {
  readonly cpus: readonly { readonly profile: CoreProfile; readonly mmu: Mmu }[];
  readonly ram: Ram;
  readonly observer: () => HardwareObserver | null;
  readonly now: () => number;
}

/** What the rules ask of the live translations. */
export interface LiveTranslations {
  /** Those of which something lingers that was taken out of its table. */
  readonly older: ReadonlySet<Translation>;
  /** What a walk of a CPU finds. */
  walk(cpu: number, va: number): TlbEntry | null;
  /** Each entry that leads to a page, with each MMU that may use it; `visit` may end the latter. */
  eachUse(pa: number, visit: (entry: TlbEntry, mmu: Mmu) => boolean): void;
}

/** An access that fetches, one that stores, and maintenance, which does neither. */
type Use = 'load' | 'store' | 'maintenance';

/**
 * What an access may meet because of how its page is mapped, or was.
 *
 * *Stale translation*: an older translation of the address lingers, and leads elsewhere, is other
 * memory, or permits more than the newer; with no newer one, any. Entries that become valid or
 * permit more need no maintenance. A valid entry that replaces another without invalidation
 * between them (break before make) is the same finding, at the access; on ARMv8, where a TLB that
 * holds both may do anything, at the store already (DDI 0487 D8.14).
 *
 * *Memory type*: RAM is reached as one type while another type is live. Never permitted from ARMv6
 * on (DDI 0406C A3.5.7, DDI 0487 B2.16); before, there are no types: what is neither cacheable nor
 * bufferable counts as non-cacheable.
 *
 * *Cacheability*: two of them on a page are a finding where this access is what they harm, and left
 * to the states of the lines elsewhere, which tell a stale or lost byte from a harmless alias:
 * - A non-cacheable load, while a cacheable mapping is live, on a core that fills unasked and that
 *   looks such loads up (`ncLookup`): what speculation brought in at any time may answer it. This
 *   is `dma_alloc_coherent` of 2011 with its cacheable alias in the linear map.
 * - A non-cacheable store on such a core, if stores are looked up as well. Where they are not, they
 *   reach memory past a clean line, as a device that reads memory needs it.
 * - A cacheable store, while a non-cacheable mapping is live, on any core: the line it makes
 *   dirty may be written back over what is stored beside it, whenever it likes.
 * - Not where `ncLookup` is `ignores` and only clean lines can be there: arm64 keeps a clean
 *   cacheable alias of all coherent memory by design, and a core that does not speculate has
 *   only the lines that somebody's accesses brought.
 */
export class MappingRules {
  readonly #parts: MappingRulesParts;
  readonly #live: LiveTranslations;

  constructor(parts: MappingRulesParts, live: LiveTranslations) {
    this.#parts = parts;
    this.#live = live;
  }

  /**
   * An access is about to use the translation of an address. True if another access to the same
   * page may have to be told although this one is fine.
   */
  check(cpu: number, va: number, access: AccessKind): boolean {
    const use = USES[access];
    if (use === null) return false;
    const newer = this.#live.walk(cpu, va);
    const isStale = this.#live.older.size > 0 && this.#checkOlder(cpu, va, access, newer);
    if (newer === null) return false;
    const address = newer.pa + (va - newer.va);
    if (this.#parts.ram.frameOf(Math.floor(address / PAGE_SIZE)) < 0) return isStale;
    return this.#checkAliases(cpu, newer, address, access, use) || isStale;
  }

  /**
   * An entry that a CPU walks has just been overwritten: true if that was told, because another valid
   * one stands in its place that leads elsewhere, is other memory, or covers more or less.
   */
  checkBroken(cpu: number, older: TlbEntry, writer: number): boolean {
    const { cpus, now, observer } = this.#parts;
    if (at(cpus, cpu).profile.architecture !== 'v8') return false;
    const newer = this.#live.walk(cpu, older.va);
    if (newer === null || !(isOther(older, newer) || older.span !== newer.span)) return false;
    observer()?.staleTranslation({
      event: now(),
      cpu: writer,
      access: 'store',
      virtualAddress: older.va,
      older: older.pa,
      newer: newer.pa + (older.va - newer.va),
    });
    return true;
  }

  #checkOlder(cpu: number, va: number, access: AccessKind, newer: TlbEntry | null): boolean {
    const { cpus, now, observer } = this.#parts;
    const { mmu } = at(cpus, cpu);
    for (const { entry, lingering } of this.#live.older) {
      if (va < entry.va || va >= entry.va + entry.span) continue;
      const mayBeUsed = lingering.some(
        each =>
          each.tree === null &&
          each.cpu === cpu &&
          (each.asid === GLOBAL || each.asid === mmu.asid),
      );
      if (!mayBeUsed || !isWorse(mmu, entry, newer)) continue;
      observer()?.staleTranslation({
        event: now(),
        cpu,
        access,
        virtualAddress: va,
        older: entry.pa + (va - entry.va),
        newer: newer === null ? null : newer.pa + (va - newer.va),
      });
      return true;
    }
    return false;
  }

  #checkAliases(
    cpu: number,
    newer: TlbEntry,
    address: number,
    access: AccessKind,
    use: Use,
  ): boolean {
    const { cpus, now, observer } = this.#parts;
    const { profile, mmu } = at(cpus, cpu);
    const mine = mmu.effectiveAttributes(newer);
    let mayHarm = false;
    const found: Mismatch[] = [];
    this.#live.eachUse(address, (entry, other) => {
      if (entry.attributes === newer.attributes) return false;
      const theirs = other.effectiveAttributes(entry);
      const kind = kindOf(profile, mine, theirs);
      if (kind === null) return true;
      mayHarm = true;
      const mappings = [describe(mine), describe(theirs)] as const;
      const isHarm = isHarmed(profile, kind, use, mine);
      if (isHarm) found.push({ kind, event: now(), cpu, access, address, mappings });
      return false;
    });
    const [first] = found;
    if (first !== undefined) observer()?.mismatch(first);
    return mayHarm;
  }
}

const USES: Readonly<Record<AccessKind, Use | null>> = {
  load: 'load',
  poll: 'load',
  store: 'store',
  clean: 'maintenance',
  invalidate: 'maintenance',
  'clean+invalidate': 'maintenance',
  'table walk': null,
  'device read': null,
  'device poll': null,
  'device write': null,
};

/** Whoever uses the older of two entries of one address gets something else, or may do more. */
const isWorse = (mmu: Mmu, older: TlbEntry, newer: TlbEntry | null): boolean => {
  const permitted = mmu.effectiveAttributes(older) & ANY_RIGHT;
  if (newer === null) return permitted !== 0;
  const isLess = (permitted & ~(mmu.effectiveAttributes(newer) & ANY_RIGHT)) !== 0;
  return isOther(older, newer) || isLess;
};

/** It leads elsewhere, or as other memory. */
const isOther = (older: TlbEntry, newer: TlbEntry): boolean =>
  older.pa - older.va !== newer.pa - newer.va ||
  ((older.attributes ^ newer.attributes) & ~ANY_RIGHT) !== 0;

const isCached = (attributes: number): boolean =>
  isNormal(attributes) && innerOf(attributes) !== Cacheability.none;

const hasTypes = ({ architecture }: CoreProfile): boolean =>
  architecture !== 'v4' && architecture !== 'v5';

/** How two mappings of a page differ, null if they may be together. */
const kindOf = (profile: CoreProfile, mine: number, theirs: number): Mismatch['kind'] | null => {
  if (hasTypes(profile) && typeOf(mine) !== typeOf(theirs)) return 'type';
  return isCached(mine) === isCached(theirs) ? null : 'cacheability';
};

const isHarmed = (
  { speculativeFill, ncLookup }: CoreProfile,
  kind: Mismatch['kind'],
  use: Use,
  mine: number,
): boolean => {
  if (use === 'maintenance') return false;
  if (kind === 'type') return true;
  if (isCached(mine)) return use === 'store';
  return speculativeFill && (use === 'load' ? ncLookup !== 'ignores' : ncLookup === 'hits');
};

const POLICY_NAMES = ['non-cacheable', 'write-through', 'write-back', 'write-back allocating'];

/** The memory of an attribute word, for people. */
const describe = (attributes: number): string => {
  switch (typeOf(attributes)) {
    case MemoryType.stronglyOrdered:
      return 'strongly ordered';
    case MemoryType.device:
      return 'device';
    default: {
      const inner = POLICY_NAMES[innerOf(attributes)] ?? '';
      const outer = POLICY_NAMES[outerOf(attributes)] ?? '';
      return inner === outer ? `normal ${inner}` : `normal inner ${inner}, outer ${outer}`;
    }
  }
};
