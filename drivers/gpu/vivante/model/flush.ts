import type { LineCache } from './line-cache';
import type { Progress, UnitWork } from './unit';

/** What the flush of a cache takes: assumed. */
const FLUSH_NANOSECONDS = 500;

/** The flush of some caches of one unit. */
export class FlushWork implements UnitWork {
  readonly nanoseconds: number;
  readonly #caches: readonly LineCache[];

  constructor(caches: readonly LineCache[]) {
    this.#caches = caches;
    this.nanoseconds = FLUSH_NANOSECONDS * caches.length;
  }

  run(): Progress {
    for (const cache of this.#caches) {
      const access = cache.flush();
      if (access !== 'ok') return access;
    }
    return 'done';
  }
}
