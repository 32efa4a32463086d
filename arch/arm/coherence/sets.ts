import { at, i32 } from '../../../drivers/base/types/arrays';
import { BenchError } from '../../../drivers/base/types/errors';
import { EventList } from './event-list';
import type { CheckerEvent } from './event-list';
import { EVENTS } from './events';
import type { EventRule, ValueEffect } from './event-rule';
import type { CheckerProfile } from './profile';
import { MAPPABILITIES, SPONTANEOUS, spontaneousRules } from './spontaneous';
import type { SpontaneousRule } from './spontaneous';
import { Buffered, NO_STORE, StateLayout, atRest } from './state';
import { isDirty, isLost, isOverwritten, isSettled } from './state';
import type { ByteState, Packed } from './state';
import { MAY_LOSE, MAY_OVERWRITE, MAY_STALE, MUST_STALE, STUCK, UNWRITTEN } from './verdicts';

/** Properties of a set: some state of it has this. A store of this byte waits. */
export const HAS_STORE = 1;
/** A store of another byte waits. */
export const HAS_OTHERS = 2;
/** Either: stores of some CPU wait. */
export const WAITS = HAS_STORE | HAS_OTHERS;
export const HAS_PENDING = 4;
/** The outer buffer holds a write. */
export const HAS_BUFFERED = 8;
/** No copy holds the latest. */
export const HAS_LOST = 16;
/** By itself, what is not the latest is written over what is. */
export const HAS_OVERWRITER = 32;
/** No state: what was observed cannot be. */
export const IS_EMPTY = 64;
/** Nobody has written the byte since its contents became undefined. */
export const IS_UNWRITTEN = 128;
/** What the outer buffer holds is a store, which has its place among those of its CPU. */
export const HAS_ORDERED = 256;

/** The line is dirty, or a store waits that can make it so. */
export const MAY_BE_DIRTY = 512;

/** A move: the set above, the verdict below. */
export const MOVE_SHIFT = 8;
export const MOVE_VERDICT = 2 ** MOVE_SHIFT - 1;
const MAX_SETS = 2 ** (31 - MOVE_SHIFT);

const UNKNOWN = -1;
/** States of all sets together: beyond, a profile is at fault, not a driver. */
const MAX_STATES = 2 ** 25;

const isWrite = (effect: ValueEffect | undefined): boolean =>
  effect === 'stored' || effect === 'written by a device';

/** The tables that a test may replace to see the proof fail. */
export interface SemanticRules {
  readonly spontaneous: readonly SpontaneousRule[];
  readonly events: readonly EventRule[];
}

export const RULES: SemanticRules = { spontaneous: SPONTANEOUS, events: EVENTS };

/** What an event can make of one state, and whether what was read then is the latest. */
export interface Outcome {
  readonly state: Packed;
  readonly latest: boolean;
}

/** By the profile they are of. */
const KNOWN = new Map<string, StateSets>();

/**
 * Sets of states that a byte may be in, closed under spontaneous steps, and how events change
 * them. A set is a small number and includes which levels translations reach and whether anybody
 * has written the byte; all tables are built as they are needed and never change afterwards.
 */
export class StateSets {
  readonly profile: CheckerProfile;
  readonly layout: StateLayout;
  readonly events: readonly CheckerEvent[];
  /** Nothing cached, nothing waiting, nothing mapped. */
  readonly initial: number;

  #next = new Int32Array(1024).fill(UNKNOWN);
  #moves = new Int32Array(1024);
  readonly #states: Int32Array[] = [];
  readonly #live: number[] = [];
  readonly #flags: number[] = [];
  readonly #ids = new Map<string, number>();
  readonly #list: EventList;
  readonly #steps: readonly SpontaneousRule[];
  /** Packed state to its successors by one step, per mappability. */
  readonly #successors = Array.from({ length: MAPPABILITIES }, () => new Map<Packed, Packed[]>());
  readonly #outcomes: readonly Map<Packed, readonly Outcome[]>[];
  #total = 0;

  constructor(profile: CheckerProfile, rules: SemanticRules = RULES) {
    this.profile = profile;
    this.layout = new StateLayout(profile);
    this.#steps = spontaneousRules(profile, rules.spontaneous);
    this.#list = new EventList(profile, rules.events);
    this.events = this.#list.events;
    this.#outcomes = this.events.map(() => new Map<Packed, Outcome[]>());
    this.initial = this.#intern([this.layout.pack(atRest(profile))], 0, false);
  }

  /** The tables of a profile: one for all machines, as what is learnt of one is true of the next. */
  static of(profile: CheckerProfile): StateSets {
    const key = JSON.stringify(profile);
    const known = KNOWN.get(key);
    if (known !== undefined) return known;
    const sets = new StateSets(profile);
    KNOWN.set(key, sets);
    return sets;
  }

  /** How many sets were met so far. */
  get size(): number {
    return this.#states.length;
  }

  /** The number of an event, -1 if the profile has none of that name. */
  eventNamed(name: string): number {
    return this.#list.named(name);
  }

  /** The number of an event of a rule by its kind, alias and operation; -1 if there is none. */
  eventOf(rule: string, kind = 0, alias = 0, operation = 0): number {
    return this.#list.numberOf(rule, kind, alias, operation);
  }

  /** The set after an event. */
  next(set: number, event: number): number {
    const index = set * this.events.length + event;
    if (index < this.#next.length) {
      const known = i32(this.#next, index);
      if (known !== UNKNOWN) return known;
    }
    this.#expand(set, event, index);
    return i32(this.#next, index);
  }

  /** What the event means in this set: bits of verdicts.ts, 0 if nothing can be wrong. */
  verdict(set: number, event: number): number {
    return this.move(set, event) & MOVE_VERDICT;
  }

  /**
   * Both in one: the verdict, and above MOVE_SHIFT the set after the event. An observation that
   * cannot be true leaves the set as it is: a finding was reported, and the run went on.
   */
  move(set: number, event: number): number {
    const index = set * this.events.length + event;
    if (index >= this.#next.length || i32(this.#next, index) === UNKNOWN) {
      this.#expand(set, event, index);
    }
    return i32(this.#moves, index);
  }

  /** The states of a set, ascending. */
  states(set: number): Int32Array {
    return at(this.#states, set);
  }

  /** Which levels translations reach in a set. */
  liveOf(set: number): number {
    return at(this.#live, set);
  }

  /** What some state of a set has: a sum of the bits above. */
  properties(set: number): number {
    return at(this.#flags, set);
  }

  /** What an event can make of one state; none if the event shows the state impossible. */
  outcomes(state: Packed, event: number): readonly Outcome[] {
    const rule = this.#list.ruleOf(event);
    return rule === undefined ? [{ state, latest: true }] : this.#outcomesOf(state, event, rule);
  }

  #expand(set: number, event: number, index: number): void {
    const rule = this.#list.ruleOf(event);
    if (rule === undefined) {
      const live = this.profile.speculativeFill ? this.#list.variantOf(event).operation : 0;
      const next = this.#intern(this.states(set), live, this.#isUnwritten(set));
      this.#learn(index, next, next, this.#danger(set, next, undefined));
      return;
    }
    const after = new Set<Packed>();
    let stale = 0;
    let latest = 0;
    let stuck = false;
    for (const state of this.states(set)) {
      for (const outcome of this.#outcomesOf(state, event, rule)) {
        after.add(outcome.state);
        if (outcome.latest) latest++;
        else stale++;
        if (!outcome.latest && isSettled(this.layout.unpack(state))) stuck = true;
      }
    }
    const { effect } = rule;
    const isUnwritten = effect === 'undefined' || (this.#isUnwritten(set) && !isWrite(effect));
    const next = this.#intern(after, this.liveOf(set), isUnwritten);
    const read =
      (stale > 0 ? MAY_STALE : 0) |
      (stale > 0 && latest === 0 ? MUST_STALE : 0) |
      (stuck ? STUCK : 0) |
      (effect === 'read' && isUnwritten ? UNWRITTEN : 0);
    const isEmpty = (this.properties(next) & IS_EMPTY) !== 0;
    this.#learn(index, next, isEmpty ? set : next, read | this.#danger(set, next, effect));
  }

  /** What may be lost or overwritten from now on. */
  #danger(before: number, after: number, effect: ValueEffect | undefined): number {
    const has = this.properties(after);
    const isNew = isWrite(effect) || (this.properties(before) & HAS_LOST) === 0;
    const overwrites = effect === 'written by a device' && (has & HAS_OVERWRITER) !== 0;
    return ((has & HAS_LOST) !== 0 && isNew ? MAY_LOSE : 0) | (overwrites ? MAY_OVERWRITE : 0);
  }

  #isUnwritten(set: number): boolean {
    return (this.properties(set) & IS_UNWRITTEN) !== 0;
  }

  #learn(index: number, next: number, kept: number, verdict: number): void {
    while (index >= this.#next.length) {
      const larger = new Int32Array(this.#next.length * 2).fill(UNKNOWN);
      larger.set(this.#next);
      this.#next = larger;
      const moves = new Int32Array(larger.length);
      moves.set(this.#moves);
      this.#moves = moves;
    }
    this.#next[index] = next;
    this.#moves[index] = (kept << MOVE_SHIFT) | verdict;
  }

  #outcomesOf(state: Packed, event: number, rule: EventRule): readonly Outcome[] {
    const known = at(this.#outcomes, event);
    const found = known.get(state);
    if (found !== undefined) return found;
    const outcomes: Outcome[] = [];
    const emit = (after: ByteState, latest = true): void => {
      outcomes.push({ state: this.layout.pack(after), latest });
    };
    rule.apply(this.layout.unpack(state), this.profile, this.#list.variantOf(event), emit);
    known.set(state, outcomes);
    return outcomes;
  }

  #closure(from: Iterable<Packed>, live: number): Int32Array {
    const met = new Set(from);
    // A Set is iterated in order of insertion, with what is inserted on the way.
    for (const state of met) {
      for (const successor of this.#successorsOf(state, live)) met.add(successor);
    }
    return Int32Array.from(met).sort();
  }

  #successorsOf(state: Packed, live: number): readonly Packed[] {
    const known = at(this.#successors, live);
    let successors = known.get(state);
    if (successors === undefined) {
      const found: Packed[] = [];
      const emit = (after: ByteState): void => {
        found.push(this.layout.pack(after));
      };
      for (const rule of this.#steps) {
        rule.step(this.layout.unpack(state), this.profile, live, emit);
      }
      successors = found;
      known.set(state, found);
    }
    return successors;
  }

  #isOverwriter(packed: Packed, state: ByteState, live: number): boolean {
    return this.#successorsOf(packed, live).some(successor =>
      isOverwritten(state, this.layout.unpack(successor)),
    );
  }

  #mayBeDirty({ inner, store, others }: ByteState): boolean {
    const waits = others !== 0 || (this.profile.targets[store]?.dirties ?? 0) !== 0;
    return waits || inner.some(isDirty);
  }

  /** The set of what can come of some states by themselves. */
  #intern(from: Iterable<Packed>, live: number, isUnwritten: boolean): number {
    const states = this.#closure(from, live);
    const key = `${live}${isUnwritten ? '?' : ''}:${states.join()}`;
    let id = this.#ids.get(key);
    if (id !== undefined) return id;
    this.#total += states.length;
    if (this.#total > MAX_STATES || this.size >= MAX_SETS) {
      throw new BenchError(`the checker met more than ${MAX_STATES} states in its sets`);
    }
    id = this.#states.length;
    this.#ids.set(key, id);
    this.#states.push(states);
    this.#live.push(live);
    let flags = (states.length === 0 ? IS_EMPTY : 0) | (isUnwritten ? IS_UNWRITTEN : 0);
    for (const packed of states) {
      const state = this.layout.unpack(packed);
      if (state.store !== NO_STORE) flags |= HAS_STORE;
      if (state.others !== 0) flags |= HAS_OTHERS;
      if (state.pending.some(operation => operation !== 0)) flags |= HAS_PENDING;
      if (state.buffer !== Buffered.none) flags |= HAS_BUFFERED;
      if (state.bufferKeepsOrder) flags |= HAS_ORDERED;
      if (this.#mayBeDirty(state)) flags |= MAY_BE_DIRTY;
      if (isLost(state)) flags |= HAS_LOST;
      if (this.#isOverwriter(packed, state, live)) flags |= HAS_OVERWRITER;
    }
    this.#flags.push(flags);
    return id;
  }
}
