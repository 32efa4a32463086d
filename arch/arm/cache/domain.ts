import { i32 } from '../../../drivers/base/types/arrays';
import type { CoreProfile } from '../profile';
import type { Cluster } from './cluster';
import type { DataCache, Snooper } from './data-cache';
import { DIRTY, NONE, SHARED } from './line-cache';
import type { LineCache } from './line-cache';
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
  snoops = 0;

  readonly #snoopedWrite: SnoopedWrite;

  constructor(memory: SystemMemory, snoopedWrite: SnoopedWrite) {
    this.memory = memory;
    this.#snoopedWrite = snoopedWrite;
  }

  join(cache: DataCache): void {
    this.caches.push(cache);
    if (!this.clusters.includes(cache.cluster)) this.clusters.push(cache.cluster);
    cache.cluster.members.push(cache);
    this.isShared = this.caches.length > 1;
  }

  /**
   * A core is about to fill or to own the line at `base`: the others write it back if it is
   * dirty, then keep it shared, or drop it if it is to be owned. Answers the flags of the new
   * line.
   */
  snoop(requester: DataCache, base: number, own: boolean): number {
    this.snoops++;
    let shared = 0;
    const { lineWords } = requester.lines;
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
    for (const cache of this.caches) {
      const slot = cache.used ? cache.findPhysical(word) : NONE;
      if (slot !== NONE) return lineWord(cache.lines, slot, word);
    }
    for (const cluster of this.clusters) {
      const slot = cluster.find(word);
      if (cluster.l2 !== null && slot !== NONE) return lineWord(cluster.l2, slot, word);
    }
    return this.memory.snoopRead(word);
  }

  /** A coherent master writes some bits of a word. */
  coherentWrite(word: number, value: number, mask: number): void {
    for (const cache of this.caches) {
      if (!cache.used) continue;
      const slot = cache.findPhysical(word);
      if (slot === NONE) continue;
      if (this.#snoopedWrite === 'updates') {
        cache.own(slot);
        mergeLineWord(cache.lines, slot, word, value, mask);
        return;
      }
      // Bytes of a dirty line that this write does not replace must survive: it is cleaned first.
      cache.evict(slot);
    }
    for (const cluster of this.clusters) {
      const slot = cluster.find(word);
      if (cluster.l2 === null || slot === NONE) continue;
      if (this.#snoopedWrite === 'updates') {
        mergeLineWord(cluster.l2, slot, word, value, mask);
        return;
      }
      cluster.evict(slot);
    }
    this.memory.snoopWrite(word, value, mask);
  }
}

const lineWord = (lines: LineCache, slot: number, word: number): number =>
  i32(lines.data, lines.dataIndex(slot, word));

const mergeLineWord = (
  lines: LineCache,
  slot: number,
  word: number,
  value: number,
  mask: number,
): void => {
  const index = lines.dataIndex(slot, word);
  lines.data[index] = (i32(lines.data, index) & ~mask) | (value & mask);
  lines.setFlag(slot, DIRTY);
};
