import { i32 } from '../../../drivers/base/types/arrays';
import type { Accessor, AccessKind } from '../../../drivers/base/types/observer';
import type { TransferWatch } from '../../../drivers/base/hw/dma-memory';
import type { Pulse } from '../../../drivers/base/hw/pulse';
import { PAGE_WORDS, PAGE_WORDS_SHIFT } from '../../../drivers/base/hw/ram';
import { Shadow } from '../../../drivers/base/hw/shadow';
import type { DataCache } from '../cache/data-cache';
import type { Domain } from '../cache/domain';
import type { LineCache } from '../cache/line-cache';
import { NONE } from '../cache/line-cache';
import type { StoreBuffer } from './store-buffer';

/** An access that got bytes which were not of the latest version. */
export interface StaleAccess {
  /** The number of the event: what Pulse.now says while it happens. */
  readonly event: number;
  readonly by: Accessor;
  readonly access: AccessKind;
  /** Physical address of the first stale byte, and how many from there to the last of the word. */
  readonly address: number;
  readonly size: number;
  /** False: an older version that happens to have the same value. */
  readonly valuesDiffer: boolean;
}

/** The memory of a CPU, as far as check mode goes: its store buffer and its early reads. */
export interface CheckedMemory {
  readonly stores: StoreBuffer;
  /** Check mode begins. */
  attachVersions(versions: Versions, shadow: Shadow): void;
  /** Bits of what was read early are the latest, or are so no more. */
  markEarly(word: number, mask: number, fresh: number): void;
}

export interface VersionsParts {
  readonly pulse: Pulse;
  readonly domain: Domain;
  readonly caches: readonly DataCache[];
  /** The second levels of all clusters. */
  readonly second: readonly LineCache[];
  readonly memories: readonly CheckedMemory[];
}

/** Stale accesses that are kept; what comes after is counted. */
const MAX_STALE = 4096;

/** Told where in an array of data a copy of a word lies, and which of its bytes are there. */
type CopyVisitor = (data: Int32Array, index: number, mask: number) => void;

/**
 * Check mode of the concrete machine: which bytes of every copy, in memory, in a cache or in a
 * buffer, are of the latest version. A store counts when its CPU issues it (program order), a
 * device's write when it happens. Copies carry what is known of them (Shadow); a writer takes it
 * from all others.
 *
 * Every access of a CPU takes the slow path meanwhile, which does the same as the fast one.
 */
export class Versions {
  readonly stale: StaleAccess[] = [];
  /** Stale accesses beyond those kept. */
  dropped = 0;
  /** Told of each stale access, kept or not. */
  onStale: ((access: StaleAccess) => void) | null = null;

  readonly #parts: VersionsParts;
  readonly #shadow = new Shadow();
  /** Pool index of each word that was written, to its last value. */
  readonly #latest = new Map<number, number>();
  /** First pool word of a page to the frames that it is. */
  readonly #framesOf = new Map<number, readonly number[]>();
  #framesMet = 0;

  /** From here on everything is shadowed; what there is now is the latest. */
  constructor(parts: VersionsParts) {
    this.#parts = parts;
    const shadow = this.#shadow;
    const { ram, outer } = parts.domain.memory;
    ram.shadow = shadow;
    shadow.add(ram.words);
    const arrays = [...parts.caches.map(({ lines }) => lines), ...parts.second];
    for (const lines of outer === null ? arrays : [...arrays, outer.lines]) {
      lines.shadow = shadow;
      shadow.add(lines.data);
    }
    for (const memory of parts.memories) {
      memory.stores.shadow = shadow;
      shadow.add(memory.stores.value);
      memory.attachVersions(this, shadow);
    }
  }

  /** No copy of the byte at a physical address, anywhere, is of the latest version. */
  isLost(address: number): boolean {
    const word = this.#parts.domain.memory.ram.wordOf(address);
    return word >= 0 && (this.#held(word) & (0xff << (8 * (address % 4)))) === 0;
  }

  /** The contents of these bytes become undefined: every copy is as good as the other. */
  forget(address: number, size: number): void {
    for (const [word, mask] of this.#wordsOf(address, size)) this.#mark(word, mask, -1);
  }

  /** A CPU issues a store to a word; it is not yet anywhere. */
  stored(word: number, value: number, mask: number): void {
    this.#mark(word, mask, 0);
    this.#setLatest(word, value, mask);
  }

  /** A CPU or its walker read a word; the shadow of what it got is the last that was read. */
  read(kind: 'cpu' | 'walker', cpu: number, word: number, value: number, mask: number): void {
    const stale = ~this.#shadow.last & mask;
    if (stale === 0) return;
    const access = kind === 'cpu' ? 'load' : 'table walk';
    this.#note({ kind, cpu }, access, word, value, stale);
  }

  /** What a master's way to memory is to be told through. */
  portOf(name: string, snoops: boolean): TransferWatch {
    const by: Accessor = { kind: 'device', name, snoops };
    return {
      beforeRead: (word, offset, length) => {
        for (const [each, mask] of masksOf(word, offset, length)) this.#deviceRead(by, each, mask);
      },
      beforeWrite: (word, offset, length, from, at) => {
        for (const [each, mask] of masksOf(word, offset, length)) {
          this.stored(each, wordIn(from, at - offset + 4 * (each - word)), mask);
          const { ram } = this.#parts.domain.memory;
          if (!snoops) this.#shadow.write(ram.words, ram.poolIndex(each), mask, -1);
        }
      },
    };
  }

  #deviceRead(by: Extract<Accessor, { kind: 'device' }>, word: number, mask: number): void {
    const { domain } = this.#parts;
    const value = by.snoops ? domain.coherentRead(word) : domain.memory.ram.readWord(word);
    const stale = ~this.#shadow.last & mask;
    if (stale !== 0) this.#note(by, 'device read', word, value, stale);
  }

  #note(by: Accessor, access: AccessKind, word: number, value: number, stale: number): void {
    const { ram } = this.#parts.domain.memory;
    const first = Math.floor((31 - Math.clz32(stale & -stale)) / 8);
    const last = Math.floor((31 - Math.clz32(stale)) / 8);
    const latest = this.#latest.get(ram.poolIndex(word)) ?? value;
    const found: StaleAccess = {
      event: this.#parts.pulse.now,
      by,
      access,
      address: ram.addressOf(word) + first,
      size: last - first + 1,
      valuesDiffer: ((value ^ latest) & stale) !== 0,
    };
    if (this.stale.length < MAX_STALE) this.stale.push(found);
    else this.dropped++;
    this.onStale?.(found);
  }

  #setLatest(word: number, value: number, mask: number): void {
    const index = this.#parts.domain.memory.ram.poolIndex(word);
    const before = this.#latest.get(index) ?? 0;
    this.#latest.set(index, (before & ~mask) | (value & mask));
  }

  /** Which bytes of a word some copy holds the latest of. */
  #held(word: number): number {
    let held = 0;
    this.#eachCopy(word, (data, index, mask) => {
      held |= this.#shadow.read(data, index) & mask;
    });
    for (const write of this.#parts.domain.memory.outer?.waiting ?? []) {
      if (this.#isSame(write.word, word)) held |= write.fresh & write.mask;
    }
    return held;
  }

  /** Bytes of a word are, or are not, of the latest version in all copies. */
  #mark(word: number, mask: number, fresh: number): void {
    this.#eachCopy(word, (data, index) => {
      this.#shadow.write(data, index, mask, fresh);
    });
    for (const write of this.#parts.domain.memory.outer?.waiting ?? []) {
      if (this.#isSame(write.word, word)) write.fresh = (write.fresh & ~mask) | (fresh & mask);
    }
    for (const each of this.#sameRam(word)) {
      for (const memory of this.#parts.memories) memory.markEarly(each, mask, fresh);
    }
  }

  /** Two words of one place in RAM. */
  #isSame(a: number, b: number): boolean {
    const { ram } = this.#parts.domain.memory;
    return ram.poolIndex(a) === ram.poolIndex(b);
  }

  /** The word under every number it has: RAM may be seen at several physical addresses. */
  #sameRam(word: number): readonly number[] {
    const { ram } = this.#parts.domain.memory;
    for (let frame = this.#framesMet; frame < ram.frames; frame++) {
      const base = i32(ram.frameBase, frame);
      this.#framesOf.set(base, [...(this.#framesOf.get(base) ?? []), frame]);
    }
    this.#framesMet = ram.frames;
    const frames = this.#framesOf.get(i32(ram.frameBase, word >>> PAGE_WORDS_SHIFT)) ?? [];
    const inPage = word & (PAGE_WORDS - 1);
    return frames.map(frame => frame * PAGE_WORDS + inPage);
  }

  /** Each copy of a word, in memory, in caches, switched on or not, and in store buffers. */
  #eachCopy(word: number, visit: CopyVisitor): void {
    const { ram } = this.#parts.domain.memory;
    visit(ram.words, ram.poolIndex(word), -1);
    for (const each of this.#sameRam(word)) this.#eachCached(each, visit);
  }

  #eachCached(word: number, visit: CopyVisitor): void {
    const { caches, domain, memories } = this.#parts;
    const { outer } = domain.memory;
    for (const cache of caches) {
      const { lines } = cache;
      for (const slot of cache.slotsOf(word)) visit(lines.data, lines.dataIndex(slot, word), -1);
    }
    for (const cluster of domain.clusters) {
      const slot = cluster.find(word);
      if (cluster.l2 === null || slot === NONE) continue;
      visit(cluster.l2.data, cluster.l2.dataIndex(slot, word), -1);
    }
    const slot = outer === null ? NONE : outer.find(word);
    if (outer !== null && slot !== NONE) {
      visit(outer.lines.data, outer.lines.dataIndex(slot, word), -1);
    }
    // A word that nobody has written waits nowhere; a schedule may let thousands of others wait.
    if (!this.#latest.has(domain.memory.ram.poolIndex(word))) return;
    for (const { stores } of memories) {
      for (let n = 0; n < stores.count; n++) {
        const kept = stores.slotOf(n);
        if (i32(stores.word, kept) === word) visit(stores.value, kept, i32(stores.mask, kept));
      }
    }
  }

  *#wordsOf(address: number, size: number): Generator<readonly [word: number, mask: number]> {
    const { ram } = this.#parts.domain.memory;
    for (let at = address; at < address + size; at += 4 - (at % 4)) {
      const word = ram.wordOf(at);
      const length = Math.min(4 - (at % 4), address + size - at);
      if (word >= 0) yield* masksOf(word, at % 4, length);
    }
  }
}

/** Words and masks of `length` bytes from byte `offset` of a word on. */
function* masksOf(
  word: number,
  offset: number,
  length: number,
): Generator<readonly [word: number, mask: number]> {
  for (let done = 0; done < length;) {
    const first = (offset + done) % 4;
    const count = Math.min(4 - first, length - done);
    const bytes = count === 4 ? -1 : ((1 << (8 * count)) - 1) << (8 * first);
    yield [word + (offset + done - first) / 4, bytes];
    done += count;
  }
}

/** Four bytes as a word; those before and after the array are 0. */
const wordIn = (bytes: Uint8Array, at: number): number => {
  let word = 0;
  for (let i = 0; i < 4; i++) word |= (bytes[at + i] ?? 0) << (8 * i);
  return word;
};
