import { cpuAddr } from '../../../drivers/base/types/address';
import type { CpuAddr } from '../../../drivers/base/types/address';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { RULES } from '../../../drivers/base/types/rules';
import { Prep } from '../../../drivers/gpu/vivante/driver/gem';
import { coreOf } from '../driver-bench';
import { AbortCase } from '../suite';
import type { Case, CaseContext } from '../suite';
import { anywhere } from '../rules/conditions';
import type { Condition } from '../rules/conditions';
import { GpuBench, withoutUncached } from './bench';
import type { Placed } from './bench';
import { blit, poke } from './streams';
import type { Poke } from './streams';

/*
 * igt_gem_coherency of i915's selftests: an object is overwritten with stale values by one way, written by
 * another and read by a third, at offsets of as many lines as primes say. What is read is what was written. On
 * ARM one page cannot be mapped in two ways at once: an object changes how it is cached in between. `gtt`, the
 * CPU's way through the GPU's own window, is an uncached mapping here; the GPU reads, too.
 */

const WAYS = ['cpu', 'uncached', 'wc', 'gpu'] as const;
type Way = (typeof WAYS)[number];

/** Syncs of this driver that one access has: without them it is wrong. */
type Sync = 'prep' | 'fini';
type Phase = 'over' | 'write' | 'read';

/** A sync that is left out. */
interface Dropped {
  readonly phase: Phase;
  readonly sync: Sync;
}

/** Of the primes below 64, some: the others lead to no other lines. One will do to show a mistake. */
const COUNTS = [2, 23];
const COUNTS_WITHOUT_SYNC = [5];
const LINE = 64;

/** Word `line % 16` of a line, as there. */
const offsetOf = (line: number): number => line * LINE + 4 * (line % 16);

/** One object, and what is done to it. */
class Subject {
  readonly #bench: GpuBench;
  readonly #placed: Placed;
  readonly #result: Placed;
  readonly #dropped: Dropped | null;

  constructor(bench: GpuBench, placed: Placed, result: Placed, dropped: Dropped | null) {
    this.#bench = bench;
    this.#placed = placed;
    this.#result = result;
    this.#dropped = dropped;
  }

  write(way: Way, phase: Phase, words: readonly Poke[]): void {
    if (way === 'gpu') {
      if (this.#bench.run(poke(this.#placed.va, words)) !== 0) throw new AbortCase('a job');
      return;
    }
    this.#access(this.#placed, way, phase, Prep.Write, address => {
      for (const { offset, value } of words) this.#bench.store(address, offset, value);
    });
  }

  /** What is read that is not as it was written. */
  wrong(way: Way, words: readonly Poke[]): number {
    let wrong = 0;
    const compare = (address: CpuAddr): void => {
      for (const { offset, value } of words) {
        if (this.#bench.load(address, offset) !== value) wrong++;
      }
    };
    if (way === 'gpu') {
      const job = blit(this.#result.va, this.#placed.va, PAGE_SIZE);
      if (this.#bench.run(job) !== 0) throw new AbortCase('a job');
      this.#access(this.#result, 'cpu', 'over', Prep.Read, compare);
    } else {
      this.#access(this.#placed, way, 'read', Prep.Read, compare);
    }
    return wrong;
  }

  /** The object as the way needs it, mapped for the CPU, between prep and fini. */
  #access(
    placed: Placed,
    way: Exclude<Way, 'gpu'>,
    phase: Phase,
    op: number,
    body: (address: CpuAddr) => void,
  ): void {
    const { object } = placed;
    this.#bench.recache(placed, way === 'cpu' ? 'cached' : way);
    const address = object.vmap();
    if (address < 0) throw new AbortCase('a mapping of an object');
    // A line is read and written as a whole: both directions are needed.
    const both = op === Prep.Write ? Prep.Write + Prep.Read : op;
    if (!this.#drops(placed, phase, 'prep')) object.beginCpuAccess(both);
    body(cpuAddr(address));
    this.#bench.kernel.mm.barriers.wmb();
    if (!this.#drops(placed, phase, 'fini')) object.endCpuAccess();
    object.vunmap();
  }

  #drops(placed: Placed, phase: Phase, sync: Sync): boolean {
    return placed === this.#placed && this.#dropped?.phase === phase && this.#dropped.sync === sync;
  }
}

/** A way for each phase. */
interface Combination {
  readonly over: Way;
  readonly write: Way;
  readonly read: Way;
}

/** Words that are wrong in the end, of all counts. */
const exchange = (
  t: CaseContext,
  bench: GpuBench,
  { over, write, read }: Combination,
  dropped: Dropped | null,
): number => {
  const result = bench.place(PAGE_SIZE, 'cached');
  const placed = bench.place(PAGE_SIZE, 'cached');
  const subject = new Subject(bench, placed, result, dropped);
  let wrong = 0;
  for (const count of dropped === null ? COUNTS : COUNTS_WITHOUT_SYNC) {
    const lines = shuffled(t, count);
    const words = lines.map(line => ({ offset: offsetOf(line), value: t.random.next() >>> 0 }));
    subject.write(
      over,
      'over',
      words.map(({ offset, value }) => ({ offset, value: ~value >>> 0 })),
    );
    subject.write(write, 'write', words);
    wrong += subject.wrong(read, shuffledOf(t, words));
  }
  bench.release();
  return wrong;
};

const shuffledOf = <One>(t: CaseContext, list: readonly One[]): readonly One[] => {
  const left = [...list];
  return list.flatMap(() => left.splice(t.random.below(left.length), 1));
};

const shuffled = (t: CaseContext, count: number): readonly number[] =>
  shuffledOf(t, [...Array(count).keys()]);

const findingsOf = (t: CaseContext): readonly string[] =>
  t.takeFindings().filter(rule => RULES[rule].severity !== 'note');

/** Who has the object after a phase. */
const nextWay = ({ write, read }: Combination, phase: Phase): Way =>
  phase === 'over' ? write : read;

/**
 * Syncs without which a combination is wrong on every core. A missing prep is an access to what is the
 * GPU's; a missing fini counts where the GPU is next: what else maps the object maintains it first.
 */
const neededIn = (combination: Combination): readonly Dropped[] =>
  (['over', 'write', 'read'] as const).flatMap(phase => {
    if (combination[phase] !== 'cpu') return [];
    const prep: Dropped = { phase, sync: 'prep' };
    const isForGpu = phase !== 'read' && nextWay(combination, phase) === 'gpu';
    return isForGpu ? [prep, { phase, sync: 'fini' }] : [prep];
  });

const nameOf = ({ over, write, read }: Combination): string =>
  `over ${over}, write ${write}, read ${read}`;

const checkGreen = (t: CaseContext, bench: GpuBench, combination: Combination): void => {
  const name = nameOf(combination);
  t.equal(exchange(t, bench, combination, null), 0, `the wrong words of ${name}`);
  const found = findingsOf(t);
  t.ok(found.length === 0, `no finding of ${name}: ${found.join(', ')}`);
};

/** Returns how many syncs were left out, one at a time. */
const checkRed = (t: CaseContext, bench: GpuBench, combination: Combination): number => {
  const needed = neededIn(combination);
  for (const dropped of needed) {
    const wrong = exchange(t, bench, combination, dropped);
    const found = findingsOf(t);
    const what = `${nameOf(combination)} without the ${dropped.sync} of ${dropped.phase}`;
    t.ok(found.length > 0, `${what} to be found; ${wrong} words were wrong`);
  }
  return needed.length;
};

/** Syncs do something: the caches are there, the GPU does not snoop them, and somebody looks. */
const syncsMatter = ({ machine, dev }: GpuBench): boolean =>
  machine.findings !== null && !dev.dma.coherent && coreOf(machine).l1d !== null;

/** Ways that go past the caches need memory of which nothing cacheable is harmful. */
const unfitFor = (...ways: readonly Way[]): Condition =>
  ways.some(way => way === 'uncached' || way === 'wc') ? withoutUncached : anywhere;

const caseOf = (write: Way, read: Way): Case => ({
  name: `igt_gem_coherency_write_${write}_read_${read}`,
  unfit: unfitFor(write, read),
  run: t => {
    const bench = GpuBench.on(t.machine);
    t.takeFindings();
    let dropped = 0;
    for (const over of WAYS) {
      if (unfitFor(over)(t.machine) !== null) continue;
      const combination = { over, write, read };
      checkGreen(t, bench, combination);
      if (syncsMatter(bench)) dropped += checkRed(t, bench, combination);
    }
    bench.close();
    t.row = { write, read, 'syncs left out, each found': `${dropped}` };
  },
});

/** Every way of writing with every way of reading, over every way. */
export const COHERENCY: readonly Case[] = WAYS.flatMap(write =>
  WAYS.map(read => caseOf(write, read)),
);
