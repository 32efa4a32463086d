import { at } from '../../../drivers/base/types/arrays';
import { IS_EMPTY } from './sets';
import type { StateSets } from './sets';
import { atRest, isLost } from './state';
import type { ByteState, Packed } from './state';
import { MAY_LOSE, MAY_OVERWRITE, MAY_STALE } from './verdicts';
import { StepMoves, isBarrier } from './witness-steps';
import type { Move, TakenStep } from './witness-steps';
import { eventsOfByte } from './story';
import type { ByteEvent, LineStory } from './story';

/*
 * The shortest schedule that leads to what a verdict says is possible: a search over the states of
 * one byte along its history. What happened costs nothing; each thing that the machine does unasked
 * costs 1, and so does each wait in a buffer or of maintenance. What a quiet machine does by itself
 * (a store goes out at once, a barrier drains what waits) costs nothing.
 */

export interface WitnessGoal {
  /**
   * `stale`: the access answers what is not the latest. `lost`: after it, and if it is no write not
   * before, no copy holds the latest. `overwritten`: older bytes replace what it has written.
   */
  readonly kind: 'stale' | 'lost' | 'overwritten';
  /** The entry of the story. */
  readonly index: number;
}

/** A step of the schedule. */
export interface WitnessStep extends TakenStep {
  /** It comes after the entries of the story below this index, and before this one. */
  readonly position: number;
  /** The event of the machine before which it is taken. */
  readonly before: number;
  /** The entry of the story that it is a part of; -1 if it is taken between two. */
  readonly during: number;
}

/** The state of the byte after an entry of the story; -1: before the first. */
export interface WitnessMoment {
  readonly index: number;
  readonly state: ByteState;
}

/** A move of the schedule: an entry of the story, or what the machine does between two. */
export interface WitnessMove {
  /** The entry of the story; -1 for what nobody asked for. */
  readonly index: number;
  /** As in WitnessStep. */
  readonly before: number;
  readonly steps: readonly TakenStep[];
  /** The state of the byte after it. */
  readonly state: ByteState;
}

export interface Witness {
  readonly goal: WitnessGoal;
  readonly byte: number;
  /** How many of the steps are not what a quiet machine does. */
  readonly cost: number;
  readonly steps: readonly WitnessStep[];
  /** The state of the byte before the first move. */
  readonly start: ByteState;
  /** Everything that happens to the byte, in order. */
  readonly moves: readonly WitnessMove[];
  /** One for each entry that means something for the byte, in order. */
  readonly moments: readonly WitnessMoment[];
  /** After the last step. */
  readonly final: ByteState;
}

/** States that are looked at before the search is given up: some hundred megabytes. */
const MAX_NODES = 1_000_000;
/** Entries before the goal that are searched at first; before those the machine is quiet. */
const FIRST_WINDOW = 128;

interface Node {
  readonly state: Packed;
  readonly cost: number;
  readonly from: Node | null;
  /** Taken between `from` and here. */
  readonly steps: readonly TakenStep[];
  /** Events of the byte before here. */
  readonly layer: number;
}

/**
 * The shortest schedule of steps that leads to the goal at this byte (its number in the line);
 * null if there is none, or the history is too long to search.
 */
export const findWitness = (
  sets: StateSets,
  story: LineStory,
  byte: number,
  goal: WitnessGoal,
): Witness | null => {
  const events = eventsOfByte(story, byte);
  const last = events.findIndex(({ index }) => index === goal.index);
  if (last < 0 || !isPossible(sets, story.start[byte] ?? sets.initial, events, last, goal)) {
    return null;
  }
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const search = new Search(sets, story, byte, goal, events, last, last - window);
    const found = search.run();
    if (found !== null) return describe(sets, story, byte, goal, events, found);
    if (window >= last || search.isExhausted) return null;
  }
};

const BITS = { stale: MAY_STALE, lost: MAY_LOSE, overwritten: MAY_OVERWRITE } as const;

/** Whether the sets say so of this byte at this entry. */
const isPossible = (
  sets: StateSets,
  start: number,
  events: readonly ByteEvent[],
  last: number,
  { kind }: WitnessGoal,
): boolean => {
  let set = start;
  for (const { event } of events.slice(0, last)) {
    const after = sets.next(set, event);
    if ((sets.properties(after) & IS_EMPTY) === 0) set = after;
  }
  return (sets.verdict(set, at(events, last).event) & BITS[kind]) !== 0;
};

class Search {
  isExhausted = false;
  readonly #sets: StateSets;
  readonly #moves: StepMoves;
  readonly #goal: WitnessGoal;
  readonly #events: readonly ByteEvent[];
  readonly #last: number;
  /** Before this layer only what costs nothing is looked at. */
  readonly #quietUntil: number;
  #set: number;
  #nodes = 0;
  #layer = new Map<Packed, Node>();

  constructor(
    sets: StateSets,
    story: LineStory,
    byte: number,
    goal: WitnessGoal,
    events: readonly ByteEvent[],
    last: number,
    quietUntil: number,
  ) {
    this.#sets = sets;
    this.#moves = new StepMoves(sets);
    this.#goal = goal;
    this.#events = events;
    this.#last = last;
    this.#quietUntil = quietUntil;
    this.#set = story.start[byte] ?? sets.initial;
    const rest = sets.layout.pack(atRest(sets.profile));
    const states = [...sets.states(this.#set)];
    for (const state of states.includes(rest) ? [rest] : states) {
      this.#relax(this.#layer, { state, cost: 0, from: null, steps: [], layer: 0 });
    }
  }

  run(): Node | null {
    for (let layer = 0; layer <= this.#last; layer++) {
      const settled = this.#settle(layer);
      const { event } = at(this.#events, layer);
      if (layer === this.#last && this.#goal.kind === 'stale') return this.#stale(settled, event);
      const after = this.#sets.next(this.#set, event);
      // What contradicts all states was passed over when it happened.
      const isPassedOver = (this.#sets.properties(after) & IS_EMPTY) !== 0;
      this.#layer = new Map();
      for (const node of settled) {
        if (isPassedOver) {
          this.#relax(this.#layer, { ...node, from: node, steps: [], layer: layer + 1 });
        } else this.#happen(node, event);
      }
      if (!isPassedOver) this.#set = after;
      if (this.#nodes > MAX_NODES) {
        this.isExhausted = true;
        return null;
      }
    }
    return this.#settle(this.#last + 1).find(node => this.#isReached(node)) ?? null;
  }

  /** All states of a layer by what they cost, in the order in which they are met. */
  #settle(layer: number): readonly Node[] {
    const live = this.#sets.liveOf(this.#set);
    const isQuiet = layer < this.#quietUntil;
    const settled: Node[] = [];
    const buckets: Node[][] = [];
    const push = (node: Node): void => {
      (buckets[node.cost] ??= []).push(node);
    };
    for (const node of this.#layer.values()) push(node);
    for (let cost = 0; cost < buckets.length; cost++) {
      // A bucket grows while it is emptied.
      for (const node of buckets[cost] ?? []) {
        if (this.#layer.get(node.state) !== node) continue;
        settled.push(node);
        if (isQuiet) continue;
        for (const move of this.#moves.unasked(node.state, live)) {
          const next = this.#after(node, move, layer);
          if (this.#relax(this.#layer, next)) push(next);
        }
      }
    }
    return settled;
  }

  #happen(node: Node, event: number): void {
    const isQuiet = node.layer + 1 < this.#quietUntil;
    for (const move of this.#moves.events(node.state, event)) {
      const next = this.#after(node, move, node.layer + 1);
      if (!isQuiet || next.cost === 0) this.#relax(this.#layer, next);
    }
  }

  #after(from: Node, { state, cost, steps }: Move, layer: number): Node {
    return { state, cost: from.cost + cost, from, steps, layer };
  }

  #stale(settled: readonly Node[], event: number): Node | null {
    let best: Node | null = null;
    for (const node of settled) {
      for (const move of this.#moves.events(node.state, event)) {
        const next = this.#after(node, move, node.layer + 1);
        if (!move.latest && (best === null || next.cost < best.cost)) best = next;
      }
    }
    return best;
  }

  #isReached({ state, from, layer }: Node): boolean {
    const { layout } = this.#sets;
    const after = layout.unpack(state);
    if (isLost(after)) return true;
    if (this.#goal.kind !== 'overwritten' || from?.layer !== layer) return false;
    return layout.unpack(from.state).memory && !after.memory;
  }

  #relax(layer: Map<Packed, Node>, node: Node): boolean {
    const known = layer.get(node.state);
    if (known !== undefined && known.cost <= node.cost) return false;
    layer.set(node.state, node);
    this.#nodes++;
    return true;
  }
}

const describe = (
  sets: StateSets,
  story: LineStory,
  byte: number,
  goal: WitnessGoal,
  events: readonly ByteEvent[],
  last: Node,
): Witness => {
  const path: Node[] = [];
  for (let node: Node | null = last; node !== null; node = node.from) path.unshift(node);
  const steps: WitnessStep[] = [];
  const moments: WitnessMoment[] = [];
  const moves: WitnessMove[] = [];
  const indexOf = (layer: number): number => events[layer]?.index ?? story.events.length;
  let isLate = false;
  path.forEach((node, n) => {
    const before = path[n - 1];
    const isEvent = before !== undefined && before.layer !== node.layer;
    const wasLate = isLate;
    if (isEvent) isLate = isBarrier(at(sets.events, at(events, before.layer).event));
    const forced = node.steps.findLastIndex(({ nature }) => nature === 'forced');
    node.steps.forEach((step, i) => {
      // What a barrier forces out comes before it, what a store or an operation does after it.
      const isBefore = isEvent && i <= forced;
      const layer = isBefore ? before.layer : node.layer;
      steps.push({
        ...step,
        position: indexOf(layer),
        before: eventBefore(story, events, layer, isBefore ? wasLate : isLate),
        during: isEvent && !isBefore ? indexOf(before.layer) : -1,
      });
    });
    if (before !== undefined) {
      moves.push({
        index: isEvent ? indexOf(before.layer) : -1,
        before: eventBefore(story, events, node.layer, isLate),
        steps: node.steps,
        state: sets.layout.unpack(node.state),
      });
    }
    const next = path[n + 1];
    if (next === undefined || next.layer !== node.layer) {
      const index = node.layer === 0 ? -1 : indexOf(node.layer - 1);
      moments.push({ index, state: sets.layout.unpack(node.state) });
    }
  });
  return {
    goal,
    byte,
    cost: last.cost,
    steps,
    start: sets.layout.unpack(at(path, 0).state),
    moves,
    moments,
    final: sets.layout.unpack(last.state),
  };
};

/**
 * The number of the machine's event before which a step is taken that comes between two events of
 * the byte: as early as can be, right after the first. What barriers brought about is written down
 * late: what comes after it is taken as late as can be.
 */
const eventBefore = (
  story: LineStory,
  events: readonly ByteEvent[],
  layer: number,
  isLate: boolean,
): number => {
  const next = events[layer];
  const previous = events[layer - 1];
  if (isLate && next !== undefined) return at(story.events, next.index).event;
  if (previous === undefined) return next === undefined ? 1 : at(story.events, next.index).event;
  return at(story.events, previous.index).event + 1;
};
