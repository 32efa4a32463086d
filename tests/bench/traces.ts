/*
 * The two memory traces that cache simulators are compared on, generated: 20 million references
 * each, `mixed` miss-heavy, `hot` local. Bits 31:2 of a reference are its address, bit 1 says
 * that it came from a DMA burst, bit 0 that it is a store.
 */

export type TraceName = 'mixed' | 'hot';

/** What every right simulator gets for 20,000,000 references (32 KiB, 4-way, 32-byte, LRU L1). */
export const EXPECTED: Readonly<
  Record<TraceName, { readonly fnv: string; readonly misses: number; readonly sum: number }>
> = {
  mixed: { fnv: 'd8bd8951', misses: 11_123_459, sum: 542_012_039 },
  hot: { fnv: 'fc966264', misses: 1_458_780, sum: -2_000_445_954 },
};

export const REFERENCES = 20_000_000;

const STREAM = 0x1000_0000;
const SCATTERED = 0x2000_0000;
const CHASE = 0x3000_0000;
const RING = 0x4000_0000;
const NODES = 16384;

/** xorshift32, unsigned. */
class XorShift {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }
}

/** One cycle through all nodes, in a random order (Sattolo). */
const cycle = (random: XorShift): Uint32Array => {
  const next = Uint32Array.from({ length: NODES }, (_, i) => i);
  for (let i = NODES - 1; i > 0; i--) {
    const j = random.next() % i;
    [next[i], next[j]] = [next[j] ?? 0, next[i] ?? 0];
  }
  return next;
};

/** Streams, scattered accesses, a pointer chase and bursts, a chunk of each at a time. */
const mixed = (references: number): Uint32Array => {
  const random = new XorShift(0x9e37_79b9 | 0);
  const next = cycle(random);
  const trace = new Uint32Array(references);
  const position = [0, 0];
  let [at, node, ring, write] = [0, 0, 0, 1];
  const put = (reference: number): void => {
    if (at < references) trace[at++] = reference;
  };
  while (at < references) {
    const choice = random.next() % 1504;
    if (choice < 694) {
      const stream = random.next() & 1;
      const source = STREAM + stream * 0x20_0000;
      for (let i = 0; i < 32 && at < references; i++) {
        const offset = position[stream] ?? 0;
        put(source + offset);
        put((source + 0x10_0000 + offset) | 1);
        position[stream] = (offset + 4) & 0xf_ffff;
      }
    } else if (choice < 1214) {
      for (let i = 0; i < 64 && at < references; i++) {
        const x = random.next();
        put((SCATTERED + (x & 0xf_fffc)) | (x >>> 24 < 64 ? 1 : 0));
      }
    } else if (choice < 1494) {
      for (let i = 0; i < 76 && at < references; i++) {
        put(CHASE + node * 32);
        node = next[node] ?? 0;
      }
    } else {
      const isWrite = write;
      write ^= 1;
      for (let i = 0; i < 1024 && at < references; i++) put((RING + ring + i * 4) | 2 | isWrite);
      if (write === 0) ring = (ring + 4096) & 0xff_ffff;
    }
  }
  return trace;
};

/** Skewed accesses in 12 KiB, with some streams and a few scattered ones. */
const hot = (references: number): Uint32Array => {
  const random = new XorShift(0x123_4567);
  const trace = new Uint32Array(references);
  let position = 0;
  let at = 0;
  const put = (reference: number): void => {
    if (at < references) trace[at++] = reference;
  };
  while (at < references) {
    const choice = random.next() % 100;
    if (choice < 80) {
      for (let i = 0; i < 64 && at < references; i++) {
        const x = random.next();
        const skew = (x >>> 27) % 4;
        const offset = (random.next() % (12288 >>> (skew * 2))) & ~3;
        put((SCATTERED + offset) | ((x & 0xff) < 77 ? 1 : 0));
      }
    } else if (choice < 95) {
      for (let i = 0; i < 32 && at < references; i++) {
        put(STREAM + position);
        put((STREAM + 0x10_0000 + position) | 1);
        position = (position + 4) & 0xf_ffff;
      }
    } else {
      for (let i = 0; i < 64 && at < references; i++) {
        const x = random.next();
        put((SCATTERED + (x & 0xf_fffc)) | (x >>> 24 < 64 ? 1 : 0));
      }
    }
  }
  return trace;
};

export const makeTrace = (name: TraceName, references = REFERENCES): Uint32Array =>
  name === 'mixed' ? mixed(references) : hot(references);

/** FNV-1a over the references, as the traces are named by. */
export const fnv = (trace: Uint32Array): string => {
  let hash = 0x811c_9dc5;
  for (const reference of trace) hash = Math.imul(hash ^ reference, 0x0100_0193);
  return (hash >>> 0).toString(16).padStart(8, '0');
};

/** The pages of a trace in the order of their first touch. */
export const pagesOf = (trace: Uint32Array): number[] => {
  const pages = new Set<number>();
  for (const reference of trace) pages.add(reference >>> 12);
  return [...pages];
};

/** What word `i` of memory holds at first, pages numbered in the order of their first touch. */
export const initialWord = (i: number): number => Math.imul(i, 0x9e37_79b1) ^ 0x5bd1_e995;
