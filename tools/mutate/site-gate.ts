import type { CallGate, CallLayer } from '../../drivers/base/kernel/call-gate';
import { InputError } from '../../drivers/base/types/errors';
import { Plumbing, callSite } from '../../drivers/base/types/call-site';

/** A place from which one of the kernel's interfaces is called. */
export interface Site {
  readonly layer: CallLayer;
  readonly call: string;
  /** file:line: in the driver for what drivers call, in the kernel for the maintenance within. */
  readonly at: string;
}

/** Equal for equal sites. */
export const siteKey = ({ layer, call, at }: Site): string => `${at} ${layer} ${call}`;

/** What maintenance is made of: who called it is what matters. */
const UNDER_MAINTENANCE = new Plumbing([
  /^\/drivers\/base\//,
  /^\/arch\/[^/]+\/mm\/(?:cache|tlb|barrier|init)/,
  /^\/mm\/iommu\/(?:counted|cookie)\./,
  /^\/mm\/io-pgtable\/gated-flush\./,
  /\/node_modules\//,
  /^\/tools\//,
  /^\/node:/,
]);

const NAMES: Readonly<Record<string, string>> = {
  afterRead: 'barrier in readl',
  beforeWrite: 'barrier in writel',
  map: 'maintenance in dmaMap',
  unmap: 'maintenance in dmaUnmap',
  'sync for the CPU': 'dmaSyncForCpu',
  'sync for the device': 'dmaSyncForDevice',
  alloc: 'dmaAllocCoherent',
  sync: 'outer sync',
};

/** Notes every call of a run by its place, and leaves out those of some places. */
export class SiteGate implements CallGate {
  /** While a machine boots nothing is noted or left out. */
  isSuspended = false;
  /** The keys of the places whose calls are left out. */
  dropped: ReadonlySet<string> = new Set();
  #called = new Map<string, Site>();

  isCarriedOut(layer: CallLayer, name: string): boolean {
    if (this.isSuspended) return true;
    const site = siteOf(layer, name);
    if (site === null) return true;
    const key = siteKey(site);
    this.#called.set(key, site);
    return !this.dropped.has(key);
  }

  /** The places called since it was last asked. */
  take(): readonly Site[] {
    const called = [...this.#called.values()];
    this.#called = new Map();
    return called;
  }
}

/** Leaves out every call of some places, and knows to which of them the run came. */
export class PlaceGate implements CallGate {
  isSuspended = false;
  readonly #places: ReadonlySet<string>;
  readonly #missed: Set<string>;

  constructor(places: readonly string[]) {
    this.#places = new Set(places);
    this.#missed = new Set(places);
  }

  isCarriedOut(layer: CallLayer, name: string): boolean {
    if (this.isSuspended) return true;
    const at = siteOf(layer, name)?.at ?? null;
    if (at === null || !this.#places.has(at)) return true;
    this.#missed.delete(at);
    return false;
  }

  /** After the run: InputError for the first place that nothing was called from. */
  checkCalled(): void {
    const [first] = this.#missed;
    if (first === undefined) return;
    const expected = "file:line of a call that the run makes, as 'dmabench mutate' lists them";
    throw new InputError({ place: '--drop', expected, found: `'${first}', where none is made` });
  }
}

/** Null where nobody of the software called: at the outermost level of the bench. */
const siteOf = (layer: CallLayer, name: string): Site | null => {
  const isDrivers = layer === 'dma' || layer === 'barrier';
  const { at } = isDrivers ? callSite() : callSite(UNDER_MAINTENANCE);
  return at === null ? null : { layer, call: NAMES[name] ?? name, at };
};
