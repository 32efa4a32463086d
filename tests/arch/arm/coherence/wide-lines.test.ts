import test from 'ava';
import { LineStates } from '../../../../arch/arm/coherence/line-states';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import { RULES, StateSets } from '../../../../arch/arm/coherence/sets';
import type { SemanticRules } from '../../../../arch/arm/coherence/sets';
import { MAY_STALE, MUST_STALE } from '../../../../arch/arm/coherence/verdicts';
import { coreNamed } from '../../../../arch/arm/cores';
import { Random } from '../../../../drivers/base/types/random';
import { WITH_NEIGHBOUR } from './mutations';
import { freshWide, keyOfWide, wideLoad, wideMaintain, wideSteps, wideStore } from './wide-lines';
import type { WideLine, WideMachine, WideOperation } from './wide-lines';

/*
 * Lines of 64 bytes in wider ones of a second level: what reads may find, by every schedule of all
 * lines together, is what the tables say of each line by itself and of its neighbours' dirtiness.
 */

const OPERATIONS: readonly WideOperation[] = ['clean', 'invalidate', 'clean+invalidate'];
const BOTH_LIVE = 3;

/** By the key of a world, what it may become by one step. */
type Steps = Map<string, readonly (readonly [string, WideLine])[]>;

/** One history, on both. */
class Both {
  difference: string | null = null;
  stale = 0;
  readonly #machine: WideMachine;
  readonly #lines: LineStates;
  readonly #latest: number[];
  readonly #done: string[] = [];
  readonly #steps: Steps;
  #worlds: readonly WideLine[];

  constructor(machine: WideMachine, sets: StateSets, steps: Steps) {
    const { lines } = machine;
    this.#machine = machine;
    this.#steps = steps;
    this.#lines = new LineStates(sets, 64, 1, BOTH_LIVE);
    this.#latest = Array.from({ length: lines }, () => 0);
    this.#worlds = this.#closed([freshWide(machine)]);
  }

  step(choice: number): void {
    const line = choice % this.#machine.lines;
    const what = Math.floor(choice / this.#machine.lines) % 7;
    this.#done.push(`${String(what)} of ${String(line)}`);
    const version = (this.#latest[line] ?? 0) + (what < 2 ? 1 : 0);
    this.#latest[line] = version;
    const states = this.#lines;
    if (what === 0) {
      states.store(line, 15, 0, 0, 0);
      this.#become(world => [wideStore(this.#machine, world, line, version)]);
    } else if (what === 1) {
      states.deviceWrite(line, 15, 0, false);
      this.#become(world => {
        const memory = world.memory.map((old, n) => (n === line ? version : old));
        return [{ ...world, memory }];
      });
    } else if (what === 2) {
      const said = states.load(line, 15, 0, 0, 0);
      const found = this.#worlds.map(world => wideLoad(this.#machine, world, line));
      this.#compare(
        said,
        found.map(each => each.version),
        version,
      );
      this.#become(world => [wideLoad(this.#machine, world, line).line]);
    } else if (what === 3) {
      const said = states.deviceRead(line, 15, 0, false);
      this.#compare(
        said,
        this.#worlds.map(({ memory }) => memory[line] ?? -1),
        version,
      );
    } else {
      states.maintain(line, what - 3, 0, 0);
      const operation = OPERATIONS[what - 4] ?? 'clean';
      this.#become(world => wideMaintain(this.#machine, world, line, operation));
    }
    states.barriers.dsb(0);
  }

  #compare(said: number, versions: readonly number[], latest: number): void {
    const stale = versions.some(version => version !== latest);
    const late = versions.every(version => version !== latest);
    const found = (stale ? MAY_STALE : 0) | (late ? MUST_STALE : 0);
    if (stale) this.stale++;
    if ((said & (MAY_STALE | MUST_STALE)) === found) return;
    this.difference ??= `${this.#done.join(', ')}: ${String(said)}, by brute force ${String(found)}`;
  }

  #become(of: (world: WideLine) => readonly WideLine[]): void {
    this.#worlds = this.#closed(this.#worlds.flatMap(of));
  }

  #closed(from: readonly WideLine[]): readonly WideLine[] {
    const met = new Map(from.map(world => [keyOfWide(world), world]));
    for (const [key, world] of met) {
      for (const [nextKey, next] of this.#stepsOf(key, world)) met.set(nextKey, next);
    }
    return [...met.values()];
  }

  #stepsOf(key: string, world: WideLine): readonly (readonly [string, WideLine])[] {
    const known = this.#steps.get(key);
    if (known !== undefined) return known;
    const steps = wideSteps(this.#machine, world).map(next => [keyOfWide(next), next] as const);
    this.#steps.set(key, steps);
    return steps;
  }
}

const setsOf = (machine: WideMachine, rules?: SemanticRules): StateSets => {
  const neighbours = machine.sectored ? 1 : machine.lines;
  return new StateSets(checkerProfile(coreNamed('apple-m1'), { neighbours }), rules);
};

interface Compared {
  readonly difference: string | null;
  readonly stale: number;
}

/**
 * Of two lines: 0 is loaded, 1 is stored to and cleaned, a device writes 0, which is invalidated and loaded:
 * what has been cleaned takes nothing along.
 */
const CLEANED = [4, 1, 9, 2, 10, 4];

/** The first difference in so many histories, and in one that is known. */
const compare = (machine: WideMachine, histories: number, rules?: SemanticRules): Compared => {
  const sets = setsOf(machine, rules);
  const random = new Random(5);
  const known: Steps = new Map();
  let stale = 0;
  for (let n = 0; n <= histories; n++) {
    const both = new Both(machine, sets, known);
    const any = (): number => random.below(7 * machine.lines);
    const steps = n === 0 ? CLEANED : Array.from({ length: 12 }, any);
    for (const step of steps) both.step(step);
    stale += both.stale;
    if (both.difference !== null) return { difference: both.difference, stale };
  }
  return { difference: null, stale };
};

const INCLUSIONS = ['inclusive', 'neither', 'exclusive'] as const;

for (const inclusion of INCLUSIONS) {
  for (const sectored of [false, true]) {
    const name = `${inclusion}${sectored ? ', with dirty bits for each' : ''}`;
    test(`two lines in one of a second level, ${name}: what may be read is what the tables say`, t => {
      const { difference, stale } = compare({ inclusion, sectored, lines: 2 }, 16);
      t.is(difference, null);
      t.true(stale > 10, 'there was something to compare');
    });
  }
}

test('four lines in one of a second level are as the tables say of two', t => {
  const { difference } = compare({ inclusion: 'neither', sectored: false, lines: 4 }, 2);
  t.is(difference, null);
});

test('without their step the tables miss what a wider line takes along', t => {
  const machine: WideMachine = { inclusion: 'neither', sectored: false, lines: 2 };
  const spontaneous = RULES.spontaneous.filter(({ name }) => name !== WITH_NEIGHBOUR);
  t.true(spontaneous.length < RULES.spontaneous.length);
  t.not(compare(machine, 120, { ...RULES, spontaneous }).difference, null);
});
