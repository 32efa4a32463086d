import { invariant } from '../../../drivers/base/types/errors';
import { GLOBAL } from '../mmu/tlb';
import type { TlbEntry } from '../mmu/tlb';
/** The tables that some CPUs may walk. */
export interface WalkedTables {
  /** By number: those whose registers name it now. */
  readonly cpus: ReadonlySet<number>;
  /** How many Lingering name it. */
  lingering: number;
}

/**
 * A translation may be in the TLB of a CPU, tagged with an address space, though no walk of that
 * CPU in that address space finds it any more.
 */
export interface Lingering {
  readonly cpu: number;
  /** GLOBAL, or the address space that it is tagged with. */
  readonly asid: number;
  /** The tables that still hold it and are not in force; null: it was taken out of its table. */
  tree: WalkedTables | null;
  /** The moment since when no walk finds it: maintenance that was issued before does not end it. */
  since: number;
}

/** One translation, however many entries of however many tables give it. */
export interface Translation {
  /** Its ASID says only whether it is GLOBAL. */
  readonly entry: TlbEntry;
  readonly isGlobal: boolean;
  /** The tables that hold it: a tree for each entry. */
  readonly trees: WalkedTables[];
  lingering: Lingering[];
}

const NOT_GLOBAL = 0;

/** By virtual address: few tables are so odd that several start at one. */
type Bucket = Map<number, Translation[]>;
/** What leads to one place: most often one translation. */
type Place = Translation | Bucket;

/** All translations of a machine that some walk finds or some TLB may hold, by where they lead. */
export class TranslationIndex {
  /** By span, then by physical address in units of the span, to which a translation is aligned. */
  readonly #bySpan = new Map<number, Map<number, Place>>();

  /** The translation of an entry, the same one for equal entries. */
  intern(entry: TlbEntry): Translation {
    const { va, span, pa } = entry;
    const isGlobal = entry.asid === GLOBAL;
    const places = this.#placesOf(span, pa);
    const place = places.get(pa / span);
    const there = place === undefined ? NONE : startingAt(place, va);
    for (const known of there) if (isSame(known, entry, isGlobal)) return known;
    const made: Translation = {
      entry: isGlobal ? entry : { ...entry, asid: NOT_GLOBAL },
      isGlobal,
      trees: [],
      lingering: [],
    };
    places.set(pa / span, place === undefined ? made : withAnother(place, made));
    return made;
  }

  /** Forgets a translation that nothing holds any more. */
  release(translation: Translation): void {
    if (translation.trees.length > 0 || translation.lingering.length > 0) return;
    const { va, span, pa } = translation.entry;
    const places = this.#bySpan.get(span);
    const place = places?.get(pa / span);
    if (place === translation) places?.delete(pa / span);
    if (!(place instanceof Map)) return;
    const there = place.get(va);
    const n = there?.indexOf(translation) ?? -1;
    if (there === undefined || n < 0) return;
    there.splice(n, 1);
    if (there.length === 0) place.delete(va);
    if (place.size === 0) places?.delete(pa / span);
  }

  /** Calls back for each translation that leads to the page of a physical address. */
  eachAt(pa: number, visit: (translation: Translation) => void): void {
    for (const [span, places] of this.#bySpan) {
      const place = places.get(Math.floor(pa / span));
      if (!(place instanceof Map)) {
        if (place !== undefined) visit(place);
        continue;
      }
      for (const there of place.values()) there.forEach(visit);
    }
  }

  /** By physical address in units of the span. */
  #placesOf(span: number, pa: number): Map<number, Place> {
    invariant(pa % span === 0, `a translation of ${span} bytes to ${pa}`);
    let places = this.#bySpan.get(span);
    if (places === undefined) {
      places = new Map();
      this.#bySpan.set(span, places);
    }
    return places;
  }
}

const NONE: readonly Translation[] = [];

/** Those of a place that start at a virtual address. */
const startingAt = (place: Place, va: number): readonly Translation[] => {
  if (place instanceof Map) return place.get(va) ?? NONE;
  return place.entry.va === va ? [place] : NONE;
};

const withAnother = (place: Place, made: Translation): Bucket => {
  const bucket = place instanceof Map ? place : new Map([[place.entry.va, [place]]]);
  const there = bucket.get(made.entry.va);
  if (there === undefined) bucket.set(made.entry.va, [made]);
  else there.push(made);
  return bucket;
};

const isSame = (known: Translation, { attributes, domain }: TlbEntry, isGlobal: boolean): boolean =>
  known.entry.attributes === attributes &&
  known.entry.domain === domain &&
  known.isGlobal === isGlobal;

/** It is in the tables that a CPU walks now. */
export const isWalked = ({ trees }: Translation, cpu: number): boolean => {
  for (const tree of trees) if (tree.cpus.has(cpu)) return true;
  return false;
};
