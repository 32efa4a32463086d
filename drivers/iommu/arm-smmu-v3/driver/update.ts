import type { Words } from '../regs/words';

/** How an entry that the hardware may fetch at any time is changed. */
export interface EntryWriter {
  /** The bits that the hardware looks at in an entry that holds this. */
  used(entry: Words): Words;
  /** Stores one 64-bit word, by its number, single-copy atomically. */
  store(dword: number, low: number, high: number): void;
  /** The hardware uses nothing that it fetched before. */
  sync(): void;
}

/** 64-bit words. */
const dwordsOf = (words: Words): number => words.length / 2;

const low = (words: Words, dword: number): number => words[2 * dword] ?? 0;
const high = (words: Words, dword: number): number => words[2 * dword + 1] ?? 0;

/**
 * Changes an entry in memory from `current`, which is kept up to date, to `target`, such that whatever
 * the hardware fetches meanwhile is the one or the other as far as it looks at it (hitless), or, where
 * that cannot be, is not valid for a moment. Between two syncs it may see the words that were stored
 * in any order. As arm_smmu_write_entry().
 */
export const writeEntry = (current: Words, target: Words, writer: EntryWriter): void => {
  const update = new EntryUpdate(current, target, writer);
  const prepared = update.prepared();
  const differing = update.differingFrom(prepared);
  const [critical, ...others] = differing;
  if (critical === undefined) {
    update.set(target, 0, dwordsOf(target));
  } else if (others.length === 0) {
    // Of the word that changes it all, nothing is stored before it is stored whole.
    prepared[2 * critical] = low(current, critical);
    prepared[2 * critical + 1] = high(current, critical);
    update.set(prepared, 0, dwordsOf(target));
    update.set(target, critical, 1);
    update.set(target, 0, dwordsOf(target));
  } else {
    update.set(new Uint32Array(target.length), 0, 1);
    update.set(target, 1, dwordsOf(target) - 1);
    update.set(target, 0, 1);
  }
};

class EntryUpdate {
  readonly #current: Words;
  readonly #target: Words;
  readonly #writer: EntryWriter;

  constructor(current: Words, target: Words, writer: EntryWriter) {
    this.#current = current;
    this.#target = target;
    this.#writer = writer;
  }

  /** What is looked at, as it is; the rest as it will be. */
  prepared(): Words {
    const used = this.#writer.used(this.#current);
    return this.#current.map((word, i) => {
      const mask = used[i] ?? 0;
      return (word & mask) | ((this.#target[i] ?? 0) & ~mask);
    });
  }

  /** 64-bit words that still lack something that will be looked at. */
  differingFrom(prepared: Words): number[] {
    const used = this.#writer.used(this.#target);
    const lacks = (i: number): boolean =>
      ((prepared[i] ?? 0) & (used[i] ?? 0)) >>> 0 !== (this.#target[i] ?? 0);
    const dwords = Array.from({ length: dwordsOf(prepared) }, (_, dword) => dword);
    return dwords.filter(dword => lacks(2 * dword) || lacks(2 * dword + 1));
  }

  /** Stores what differs of some 64-bit words, with a sync if anything did. */
  set(to: Words, first: number, count: number): void {
    let hasChanged = false;
    for (let dword = first; dword < first + count; dword++) {
      const isSame =
        low(this.#current, dword) === low(to, dword) &&
        high(this.#current, dword) === high(to, dword);
      if (isSame) continue;
      this.#writer.store(dword, low(to, dword), high(to, dword));
      this.#current[2 * dword] = low(to, dword);
      this.#current[2 * dword + 1] = high(to, dword);
      hasChanged = true;
    }
    if (hasChanged) this.#writer.sync();
  }
}
