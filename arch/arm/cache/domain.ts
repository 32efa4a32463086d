import type { CoreProfile } from '../profile';
import { Cacheability } from '../mmu/attributes';
import type { Cluster } from './cluster';
import type { DataCache, Snooper } from './data-cache';
import { DIRTY, NONE, SHARED } from './line-cache';
import type { SystemMemory } from './system-memory';

/** What a snooped write leaves of a line: see CoreProfile.snoopedWrite. */
type SnoopedWrite = CoreProfile['snoopedWrite'];

/**
 * The inner-shareable domain: all data caches of the cores that are online, kept coherent with
 * each other (an invalidation protocol: one dirty copy, or several clean ones marked SHARED), and
 * the port through which a master that snoops reads and writes.
 */
export class Domain implements Snooper {
  readonly caches: DataCache[] = [];
  readonly clusters: Cluster[] = [];
  readonly memory: SystemMemory;
  /** More than one core is online: lines can be shared. */
  isShared = false;

  readonly #snoopedWrite: SnoopedWrite;

  constructor(memory: SystemMemory, snoopedWrite: SnoopedWrite) {
    this.memory = memory;
    this.#snoopedWrite = snoopedWrite;
  }

  /** All leave: power-on, before the state of a saved machine is taken up. */
  clear(): void {
    for (const cluster of this.clusters) cluster.members.length = 0;
    this.caches.length = 0;
    this.clusters.length = 0;
    this.isShared = false;
  }

  join(cache: DataCache): void {
    this.caches.push(cache);
    if (!this.clusters.includes(cache.cluster)) this.clusters.push(cache.cluster);
    cache.cluster.members.push(cache);
    this.isShared = this.caches.length > 1;
  }

  /**
   * A core is about to fill or to own the line of a word: the others write it back if it is
   * dirty, then keep it shared, or drop it if it is to be owned. Answers the flags of the new
   * line. What a wider line of the second level brings in beside it, the others keep shared: they
   * come first, for what they write back may bring the line itself into their second level.
   */
  snoop(requester: DataCache, word: number, own: boolean): number {
    const { lineWords } = requester.lines;
    const base = word & ~(lineWords - 1);
    const wideWords = requester.cluster.l2?.lineWords ?? lineWords;
    const wideBase = word & ~(wideWords - 1);
    for (let part = wideBase; part < wideBase + wideWords; part += lineWords) {
      if (part !== base) this.#snoopLine(requester, part, lineWords, false);
    }
    return this.#snoopLine(requester, base, lineWords, own);
  }

  #snoopLine(requester: DataCache, base: number, lineWords: number, own: boolean): number {
    let shared = 0;
    for (const cache of this.caches) {
      if (cache === requester || !cache.used) continue;
      for (let word = base; word < base + lineWords; word += cache.lines.lineWords) {
        const slot = cache.findPhysical(word);
        if (slot === NONE) continue;
        if (own) {
          cache.evict(slot);
        } else {
          cache.clean(slot);
          cache.lines.setFlag(slot, SHARED);
          shared = SHARED;
        }
      }
    }
    for (const cluster of this.clusters) {
      if (cluster === requester.cluster) continue;
      const slot = cluster.find(base);
      if (slot === NONE) continue;
      if (own) {
        cluster.evict(slot);
      } else {
        cluster.clean(slot);
        shared = SHARED;
      }
    }
    return shared;
  }

  /** A word as a coherent master reads it: the first-level copy, else the second, else outside. */
  coherentRead(word: number): number {
    const cache = this.holderOf(word);
    if (cache !== null) return cache.lines.word(cache.findPhysical(word), word);
    const cluster = this.clusterOf(word);
    return cluster === null
      ? this.memory.snoopRead(word)
      : cluster.readWord(word, Cacheability.writeBack, true);
  }

  /** A first-level cache that holds a physical word; any, as their copies agree. */
  holderOf(word: number): DataCache | null {
    for (const cache of this.caches) {
      if (cache.used && cache.findPhysical(word) !== NONE) return cache;
    }
    return null;
  }

  /** A second level that holds a physical word. */
  clusterOf(word: number): Cluster | null {
    for (const cluster of this.clusters) {
      if (cluster.find(word) !== NONE) return cluster;
    }
    return null;
  }

  /** A coherent master writes some bits of a word. */
  coherentWrite(word: number, value: number, mask: number): void {
    for (const cache of this.caches) {
      if (!cache.used) continue;
      const slot = cache.findPhysical(word);
      if (slot === NONE) continue;
      if (this.#snoopedWrite === 'updates') {
        cache.own(slot);
        cache.lines.merge(slot, word, value, mask);
        cache.lines.setFlag(slot, DIRTY);
        return;
      }
      // Bytes of a dirty line that this write does not replace must survive: it is cleaned first.
      cache.evict(slot);
    }
    let isTaken = false;
    for (const cluster of this.clusters) {
      const slot = cluster.find(word);
      if (cluster.l2 === null || slot === NONE) continue;
      if (this.#snoopedWrite === 'updates' && !isTaken) {
        cluster.l2.merge(slot, word, value, mask);
        cluster.markDirty(slot, word);
        isTaken = true;
      } else {
        // One second level keeps the line, dirty; a copy of it elsewhere would be an old one.
        cluster.evict(slot);
      }
    }
    if (!isTaken) this.memory.snoopWrite(word, value, mask);
  }
}
