import { cpuAddr } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { Prep } from '../../../drivers/gpu/vivante/driver/gem';
import { coreOf } from '../driver-bench';
import { AbortCase } from '../suite';
import type { Case, CaseContext } from '../suite';
import { GpuBench } from './bench';
import type { Placed } from './bench';
import { findingsOf } from './render-bench';
import { copy, fill } from './streams';

/*
 * gem_caching of IGT: the GPU writes all of an object, the CPU reads or writes words of it that begin and end
 * amid lines, and the GPU copies it. What is beside those words is the GPU's and stays. Objects have pages of
 * their own: neighbours in a line are of one object.
 */

type Sync = 'prep' | 'fini';

/** What the CPU does in each round. */
interface Access {
  readonly reads: boolean;
  readonly writes: boolean;
}

const WORDS = PAGE_SIZE / 4;
const ROUNDS = 4;

/** What the CPU writes is never what the GPU does. */
const GPU_PATTERN = 0x6000_0000;
const CPU_PATTERN = 0xc000_0000;

class Rounds {
  readonly #t: CaseContext;
  readonly #bench: GpuBench;
  readonly #object: Placed;
  readonly #result: Placed;
  readonly #dropped: Sync | null;

  constructor(t: CaseContext, bench: GpuBench, dropped: Sync | null) {
    this.#t = t;
    this.#bench = bench;
    this.#dropped = dropped;
    this.#object = bench.place(PAGE_SIZE, 'cached');
    this.#result = bench.place(PAGE_SIZE, 'cached');
  }

  /** Words that are wrong in one round. */
  round(access: Access, n: number): number {
    const [first, last] = this.#part();
    const old = GPU_PATTERN + n;
    const expected = (i: number): number =>
      access.writes && i >= first && i <= last ? CPU_PATTERN + n * WORDS + i : old;
    let wrong = 0;
    this.#run(fill(this.#object.va, PAGE_SIZE, old));
    this.#access(this.#object, access, this.#dropped, address => {
      for (let i = first; i <= last; i++) {
        if (access.reads && this.#bench.load(address, 4 * i) !== old) wrong++;
        if (access.writes) this.#bench.store(address, 4 * i, expected(i));
      }
    });
    this.#run(copy(this.#result.va, this.#object.va, PAGE_SIZE));
    this.#access(this.#result, { reads: true, writes: false }, null, address => {
      for (let i = 0; i < WORDS; i++) {
        if (this.#bench.load(address, 4 * i) !== expected(i)) wrong++;
      }
    });
    return wrong;
  }

  /** First and last word: neither begins or ends a line, be it of 32 bytes or of 64. */
  #part(): readonly [number, number] {
    const { random } = this.#t;
    const first = 8 * random.below(64) + 1 + random.below(6);
    return [first, first + 8 * random.below(16) + random.below(7 - (first % 8))];
  }

  #run(words: readonly number[]): void {
    if (this.#bench.run(words) !== 0) throw new AbortCase('a job');
  }

  #access(
    { object }: Placed,
    { writes }: Access,
    dropped: Sync | null,
    body: (address: CpuAddr) => void,
  ): void {
    const address = object.vmap();
    if (address < 0) throw new AbortCase('a mapping of an object');
    // Of a line that is written in part the rest is read.
    if (dropped !== 'prep') object.beginCpuAccess(writes ? Prep.Read + Prep.Write : Prep.Read);
    body(cpuAddr(address));
    if (dropped !== 'fini') object.endCpuAccess();
    object.vunmap();
  }
}

const wrongOf = (t: CaseContext, bench: GpuBench, access: Access, dropped: Sync | null): number => {
  const rounds = new Rounds(t, bench, dropped);
  let wrong = 0;
  for (let n = 0; n < ROUNDS; n++) wrong += rounds.round(access, n);
  bench.release();
  return wrong;
};

/** Somebody looks, and there is something to see. */
const syncsMatter = ({ machine, dev }: GpuBench): boolean =>
  machine.findings !== null && !dev.dma.coherent && coreOf(machine).l1d !== null;

const caseOf = (name: string, access: Access): Case => ({
  name,
  run: t => {
    const bench = GpuBench.on(t.machine);
    findingsOf(t);
    t.equal(wrongOf(t, bench, access, null), 0, 'the wrong words');
    const found = findingsOf(t);
    t.ok(found.length === 0, `no finding: ${found.join(', ')}`);
    // Who has only read has nothing to finish.
    const needed: readonly Sync[] = access.writes ? ['prep', 'fini'] : ['prep'];
    for (const dropped of syncsMatter(bench) ? needed : []) {
      const wrong = wrongOf(t, bench, access, dropped);
      const rules = findingsOf(t);
      t.ok(rules.length > 0, `a finding without ${dropped}; ${wrong} words were wrong`);
    }
    bench.close();
  },
});

export const CACHING: readonly Case[] = [
  caseOf('gem_caching_reads', { reads: true, writes: false }),
  caseOf('gem_caching_writes', { reads: false, writes: true }),
  caseOf('gem_caching_read_writes', { reads: true, writes: true }),
];
