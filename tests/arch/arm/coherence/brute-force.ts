import type { CheckerProfile } from '../../../../arch/arm/coherence/profile';
import {
  HAS_LOST,
  HAS_OVERWRITER,
  IS_UNWRITTEN,
  StateSets,
} from '../../../../arch/arm/coherence/sets';
import type { SemanticRules } from '../../../../arch/arm/coherence/sets';
import { Buffered, Copy, NO_STORE } from '../../../../arch/arm/coherence/state';
import type { ByteState } from '../../../../arch/arm/coherence/state';
import {
  MAY_LOSE,
  MAY_OVERWRITE,
  MAY_STALE,
  MUST_STALE,
  STUCK,
  UNWRITTEN,
} from '../../../../arch/arm/coherence/verdicts';
import { lineEvents } from './brute-events';
import type { LineEvent, Outcome, World } from './brute-event';
import { freshLine, keyOf } from './brute-line';
import type { BruteMachine, CachedLine, Line, Operation } from './brute-line';
import { isDirtying, steps } from './brute-steps';
import { isGone, isQuiet, isReplaced } from './brute-verdicts';

/** Where a sequence of events has led: all that the line can be, and what the tables say. */
export interface Node {
  readonly world: World;
  readonly live: number;
  readonly lines: ReadonlySet<number>;
  /** Per byte: the set of the tables, and whether it must be equal or may be wider. */
  readonly sets: readonly number[];
  readonly exact: readonly boolean[];
}

const OPERATION: Readonly<Record<Operation, number>> = {
  clean: 1,
  invalidate: 2,
  'clean+invalidate': 3,
};

/** Holds every schedule of a line against the tables. */
export class BruteForce {
  readonly sets: StateSets;
  readonly events: readonly LineEvent[];
  readonly bytes: number;
  readonly machine: BruteMachine;
  /** The first difference, for people; null while there is none. */
  difference: string | null = null;
  compared = 0;
  /** Verdicts of the tables that the machine without merging does not confirm. */
  unconfirmed = 0;

  readonly #lines: Line[] = [];
  readonly #ids = new Map<string, number>();
  readonly #successors: (readonly number[])[][] = [[], [], [], []];

  constructor(profile: CheckerProfile, bytes: number, rules?: SemanticRules, merging = true) {
    this.machine = { profile, merging };
    this.bytes = bytes;
    this.sets = new StateSets(profile, rules);
    this.events = lineEvents(this.machine, this.sets, bytes);
  }

  start(): Node {
    const { profile } = this.machine;
    return {
      world: {
        latest: Array.from({ length: this.bytes }, () => 0),
        isWritten: Array.from({ length: this.bytes }, () => true),
        byDevice: -1,
        epoch: 0,
      },
      live: 0,
      lines: this.#closed([this.#idOf(freshLine(profile, this.bytes))], 0),
      sets: Array.from({ length: this.bytes }, () => this.sets.initial),
      exact: Array.from({ length: this.bytes }, () => true),
    };
  }

  /** One event further; null if it cannot happen. Differences are noted in `difference`. */
  step(node: Node, event: LineEvent): Node | null {
    if (event.followsDevice === true && node.world.byDevice !== event.byte) return null;
    const world = worldAfter(node.world, event);
    const { latest } = world;
    const outcomes: Outcome[] = [];
    const ids: number[] = [];
    let stale = false;
    let late = true;
    let stuck = false;
    for (const id of node.lines) {
      const line = this.#line(id);
      for (const outcome of event.apply(line, world)) {
        outcomes.push(outcome);
        ids.push(this.#idOf(outcome.line));
        if (outcome.version < 0 || outcome.version === latest[event.byte]) {
          late = false;
        } else {
          stale = true;
          if (isQuiet(line, event.byte)) stuck = true;
        }
      }
    }
    if (outcomes.length === 0) return null;
    // The tables do not know of which other byte a waiting store is: it might be a third one.
    const isExactForOthers =
      event.exactForOthers &&
      ![...node.lines].some(id => event.displaces?.(this.#line(id)) === true);
    const live = event.live ?? node.live;
    const lines = this.#closed(ids, live);
    const read = (stale ? MAY_STALE : 0) | (stale && late ? MUST_STALE : 0) | (stuck ? STUCK : 0);
    const after: Node = {
      world,
      live,
      lines,
      sets: node.sets.map((set, byte) => {
        const number = event.eventFor(byte);
        return number < 0 ? set : this.sets.next(set, number);
      }),
      exact: node.exact.map((exact, byte) => exact && (byte === event.byte || isExactForOthers)),
    };
    this.#compareVerdicts(node, after, event, read);
    this.#compareSets(after, event);
    return after;
  }

  #compareVerdicts(before: Node, after: Node, event: LineEvent, read: number): void {
    for (let byte = 0; byte < this.bytes; byte++) {
      const number = event.eventFor(byte);
      const set = before.sets[byte] ?? 0;
      const said = number < 0 ? 0 : this.sets.verdict(set, number);
      const isSubject = event.byte === byte;
      const found = (isSubject ? read : 0) | this.#danger(before, after, event, byte);
      this.compared++;
      const isExact = after.exact[byte] === true;
      if (
        isExact && this.machine.merging ? found === said : this.#covers(after, byte, found, said)
      ) {
        if (isExact && found !== said) this.unconfirmed++;
        continue;
      }
      this.#note(`${event.name}, byte ${byte}: tables say ${said}, brute force ${found}`);
    }
  }

  /** What is lost or overwritten: of a write, what it wrote; of anything else, what was safe. */
  #danger(before: Node, after: Node, event: LineEvent, byte: number): number {
    const effect = event.byte === byte ? event.effect : null;
    const isWrite = effect === 'stores' || effect === 'writes as a device';
    const loses = this.#some(after, byte, isGone) && (isWrite || !this.#some(before, byte, isGone));
    const overwrites = effect === 'writes as a device' && this.#someIsReplaced(after, byte);
    const isUnwritten = effect === 'reads' && before.world.isWritten[byte] === false;
    return (
      (loses ? MAY_LOSE : 0) | (overwrites ? MAY_OVERWRITE : 0) | (isUnwritten ? UNWRITTEN : 0)
    );
  }

  /** Tables that may be wider miss nothing; what they see coming earlier they do not say again. */
  #covers(after: Node, byte: number, found: number, said: number): boolean {
    const properties = this.sets.properties(after.sets[byte] ?? 0);
    const known =
      said |
      ((properties & HAS_LOST) === 0 ? 0 : MAY_LOSE) |
      ((properties & HAS_OVERWRITER) === 0 ? 0 : MAY_OVERWRITE);
    return (found & ~MUST_STALE & ~known) === 0;
  }

  #compareSets(node: Node, event: LineEvent): void {
    for (let byte = 0; this.machine.merging && byte < this.bytes; byte++) {
      const projected = new Set<number>();
      for (const id of node.lines) projected.add(this.#project(this.#line(id), byte, node.world));
      const states = this.sets.states(node.sets[byte] ?? 0);
      const known = new Set(states);
      const isEqual = node.exact[byte] !== true || projected.size === known.size;
      const isUnwritten = (this.sets.properties(node.sets[byte] ?? 0) & IS_UNWRITTEN) !== 0;
      if (isUnwritten === node.world.isWritten[byte])
        this.#note(`${event.name}: who wrote ${byte}?`);
      if (isEqual && [...projected].every(state => known.has(state))) continue;
      this.#note(
        `${event.name}, byte ${byte}: ${projected.size} states by brute force, ${known.size} in the tables`,
      );
    }
  }

  #note(text: string): void {
    this.difference ??= text;
  }

  #some(
    node: Node,
    byte: number,
    has: (line: Line, byte: number, latest: number) => boolean,
  ): boolean {
    for (const id of node.lines) {
      if (has(this.#line(id), byte, node.world.latest[byte] ?? 0)) return true;
    }
    return false;
  }

  /** A step that the line may take by itself replaces the last version of a byte. */
  #someIsReplaced({ lines, live, world }: Node, byte: number): boolean {
    for (const id of lines) {
      const line = this.#line(id);
      for (const next of this.#successorsOf(id, live)) {
        if (isReplaced(line, this.#line(next), byte, world.latest[byte] ?? 0)) return true;
      }
    }
    return false;
  }

  #project(line: Line, byte: number, world: World): number {
    const { profile } = this.machine;
    const latest = world.latest[byte] ?? 0;
    const copyOf = (copy: CachedLine | null): Copy => {
      if (copy === null) return Copy.absent;
      const isLatest = copy.bytes[byte] === latest;
      if (copy.dirty) return isLatest ? Copy.dirty : Copy.dirtyStale;
      return isLatest ? Copy.clean : Copy.cleanStale;
    };
    const own = line.stores.find(store => store.byte === byte && !store.isRest);
    const others = line.stores.filter(store => store !== own && isDirtying(profile, store));
    const targetOf = ({ kind, alias }: { kind: object; alias: number }): number =>
      profile.targets.findIndex(target => target.kind === kind && target.alias === alias);
    const write = line.buffer.find(waiting => waiting.byte === byte);
    const state: ByteState = {
      memory: line.memory[byte] === latest,
      inner: line.inner.map(copyOf),
      outer: copyOf(line.outer),
      store: own === undefined ? NO_STORE : targetOf(own),
      storeLatest: own?.version === latest,
      others: others.reduce(
        (bits, store) => bits | (profile.targets[targetOf(store)]?.dirties ?? 0),
        0,
      ),
      buffer: Buffered.none,
      bufferKeepsOrder: write?.isStore === true,
      pending: line.pending.map(([first]) => (first === undefined ? 0 : OPERATION[first])),
      device: copyOf(line.device),
    };
    if (write !== undefined) {
      state.buffer = write.version === latest ? Buffered.latest : Buffered.stale;
    }
    return this.sets.layout.pack(state);
  }

  #line(id: number): Line {
    const line = this.#lines[id];
    if (line === undefined) throw new Error(`no line ${id}`);
    return line;
  }

  #idOf(line: Line): number {
    const key = keyOf(line);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#lines.length;
    this.#ids.set(key, id);
    this.#lines.push(line);
    return id;
  }

  #closed(from: readonly number[], live: number): ReadonlySet<number> {
    const met = new Set(from);
    for (const id of met) for (const next of this.#successorsOf(id, live)) met.add(next);
    return met;
  }

  #successorsOf(id: number, live: number): readonly number[] {
    const known = this.#successors[live] ?? [];
    const reached = (): readonly Line[] =>
      steps(this.machine, this.#line(id), (live & 1) !== 0, (live & 2) !== 0);
    return (known[id] ??= reached().map(line => this.#idOf(line)));
  }
}

/** A byte that is written has a new last version; one that is forgotten has been written by nobody. */
const worldAfter = (world: World, { effect, byte }: LineEvent): World => {
  const isWrite = effect === 'stores' || effect === 'writes as a device';
  const isChanged = isWrite || effect === 'forgets';
  return {
    latest: world.latest.map((version, n) => (isWrite && n === byte ? version + 1 : version)),
    isWritten: world.isWritten.map((is, n) => (isChanged && n === byte ? isWrite : is)),
    byDevice: isWrite ? (effect === 'stores' ? -1 : byte) : world.byDevice,
    epoch: world.epoch,
  };
};
