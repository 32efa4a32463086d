import { initialWord } from './traces';

/*
 * What dmabench is compared with, in the same run: a flat memory, which no simulator can beat,
 * and the same caches written as one inlined loop, which no design with layers quite reaches.
 */

export interface BaselineResult {
  readonly sum: number;
  readonly misses: number;
}

/** All pages of the trace, laid out and initialised beforehand: page number to first word. */
interface Memory {
  readonly base: Int32Array;
  readonly words: Int32Array;
}

const layOut = (pages: readonly number[]): Memory => {
  const base = new Int32Array(1 << 20);
  const words = new Int32Array(pages.length * 1024);
  pages.forEach((page, n) => {
    base[page] = n * 1024;
  });
  for (let i = 0; i < words.length; i++) words[i] = initialWord(i);
  return { base, words };
};

/** Memory without caches or translation, behind one table of pages. */
export const flatMemory = (pages: readonly number[]): ((trace: Uint32Array) => BaselineResult) => {
  const { base, words } = layOut(pages);
  return trace => {
    let sum = 0;
    for (let i = 0; i < trace.length; i++) {
      const reference = trace[i] as number;
      const at = (base[reference >>> 12] as number) + ((reference >>> 2) & 1023);
      if ((reference & 1) !== 0) words[at] = i;
      else sum = (Math.imul(sum, 31) + (words[at] as number)) | 0;
    }
    return { sum, misses: 0 };
  };
};

const L1_SETS = 256;
const L1_WAYS = 4;
const L2_SETS = 2048;
const L2_WAYS = 8;
const TLB = 1024;

/** 32 KiB 4-way L1, 512 KiB 8-way L2, 32-byte lines, LRU, a TLB: one loop, no calls but for misses. */
export const inlinedLoop = (pages: readonly number[]): ((trace: Uint32Array) => BaselineResult) => {
  const { base, words } = layOut(pages);
  const tags1 = new Int32Array(L1_SETS * L1_WAYS).fill(-1);
  const age1 = new Int32Array(L1_SETS * L1_WAYS);
  const dirty1 = new Uint8Array(L1_SETS * L1_WAYS);
  const data1 = new Int32Array(L1_SETS * L1_WAYS * 8);
  const tags2 = new Int32Array(L2_SETS * L2_WAYS).fill(-1);
  const age2 = new Int32Array(L2_SETS * L2_WAYS);
  const dirty2 = new Uint8Array(L2_SETS * L2_WAYS);
  const data2 = new Int32Array(L2_SETS * L2_WAYS * 8);
  const tlb = new Int32Array(TLB).fill(-1);
  let clock1 = 0;
  let clock2 = 0;

  /** The second-level slot of a line, brought in if need be. */
  const second = (key: number): number => {
    const first = (key & (L2_SETS - 1)) * L2_WAYS;
    let oldest = first;
    for (let slot = first; slot < first + L2_WAYS; slot++) {
      if (tags2[slot] === key) {
        age2[slot] = ++clock2;
        return slot;
      }
      if ((age2[slot] as number) < (age2[oldest] as number)) oldest = slot;
    }
    const at = oldest * 8;
    if (dirty2[oldest] === 1) {
      const word = (tags2[oldest] as number) << 3;
      const to = (base[word >>> 10] as number) + (word & 1023);
      for (let i = 0; i < 8; i++) words[to + i] = data2[at + i] as number;
    }
    const word = key << 3;
    const from = (base[word >>> 10] as number) + (word & 1023);
    for (let i = 0; i < 8; i++) data2[at + i] = words[from + i] as number;
    tags2[oldest] = key;
    dirty2[oldest] = 0;
    age2[oldest] = ++clock2;
    return oldest;
  };

  return trace => {
    let sum = 0;
    let misses = 0;
    for (let i = 0; i < trace.length; i++) {
      const reference = trace[i] as number;
      const page = reference >>> 12;
      const entry = Math.imul(page, 0x9e37_79b1) >>> 22;
      if (tlb[entry] !== page) tlb[entry] = page;
      const word = reference >>> 2;
      const key = word >>> 3;
      const first = (key & (L1_SETS - 1)) * L1_WAYS;
      let slot = -1;
      let oldest = first;
      for (let way = first; way < first + L1_WAYS; way++) {
        if (tags1[way] === key) {
          slot = way;
          break;
        }
        if ((age1[way] as number) < (age1[oldest] as number)) oldest = way;
      }
      if (slot < 0) {
        misses++;
        slot = oldest;
        if (dirty1[slot] === 1) {
          const to = second(tags1[slot] as number);
          for (let k = 0; k < 8; k++) data2[to * 8 + k] = data1[slot * 8 + k] as number;
          dirty2[to] = 1;
        }
        const from = second(key);
        for (let k = 0; k < 8; k++) data1[slot * 8 + k] = data2[from * 8 + k] as number;
        tags1[slot] = key;
        dirty1[slot] = 0;
      }
      age1[slot] = ++clock1;
      const at = slot * 8 + (word & 7);
      if ((reference & 1) !== 0) {
        data1[at] = i;
        dirty1[slot] = 1;
      } else {
        sum = (Math.imul(sum, 31) + (data1[at] as number)) | 0;
      }
    }
    return { sum, misses };
  };
};
