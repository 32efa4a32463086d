import { at } from '../../../drivers/base/types/arrays';
import type { CheckerEvent } from './event-list';
import type { StateSets } from './sets';
import { spontaneousRules } from './spontaneous';
import type { SpontaneousRule } from './spontaneous';
import { Buffered, Copy, INVALIDATE, NO_STORE, copyState } from './state';
import type { ByteState, Packed } from './state';

/*
 * What can become of one state of a byte, by a single unasked step or by an event, and what is
 * remarkable about it. The rules are those of the sets; here each of their outcomes has a cost.
 */

/**
 * `unasked`: the machine did it on its own. `waits`: what the rule would let go stays where it is.
 * `chosen`: of what an operation may do, the unusual. `prompt`: what waits for nothing goes at
 * once. `forced`: a barrier, or maintenance that follows a store, lets it go.
 */
export type StepNature = 'unasked' | 'waits' | 'chosen' | 'prompt' | 'forced';

export interface TakenStep {
  readonly nature: StepNature;
  /** The rule of spontaneous.ts, or one of the CHOICES. */
  readonly rule: string;
  /** The alias of the inner copy, the store or the maintenance that it is about; else 0. */
  readonly alias: number;
}

/** What an operation may do that a quiet machine does not. */
export const CHOICES = {
  writeBackFirst: 'an invalidation writes a dirty line back first',
  passedBy: 'an operation by set and way does not reach the line',
} as const;

/** Rules by the names of spontaneous.ts that this file reasons about. */
export const DRAIN_OWN = 'drain a store of this byte';
export const DRAIN_OTHER = 'drain a store of another byte';
export const DRAIN_OUTER = 'drain the outer buffer';
export const COMPLETE = 'complete pending maintenance';

export interface Move {
  readonly state: Packed;
  readonly cost: number;
  readonly steps: readonly TakenStep[];
  /** False if what was read was not the latest. */
  readonly latest: boolean;
}

const STORES = [DRAIN_OWN, DRAIN_OTHER];

/** Events that let waiting things go, and which. */
const FORCES: ReadonlyMap<string, readonly string[]> = new Map([
  ['the store has drained', STORES],
  ['stores of the line have drained', STORES],
  ['maintain the inner line', STORES],
  ['dsb', [...STORES, COMPLETE]],
  ['maintenance has completed', [COMPLETE]],
  ['an access follows maintenance of its line', [COMPLETE]],
  ['outer sync', [DRAIN_OUTER]],
  ['the store has reached memory', [DRAIN_OUTER]],
]);

/** Events that only say what barriers have brought about, told when next it matters. */
export const isBarrier = ({ rule }: CheckerEvent): boolean =>
  FORCES.has(rule) && rule !== 'maintain the inner line';

/** What an event or a step has just let wait. */
interface Waiting {
  readonly store: boolean;
  /** Bits of StoreTarget.dirties, and those of them that waited before. */
  readonly others: number;
  readonly retained: number;
  /** Of the maintenance, -1 for none. */
  readonly alias: number;
  readonly buffer: boolean;
}

const NOTHING: Waiting = { store: false, others: 0, retained: 0, alias: -1, buffer: false };

type EmitMove = (state: ByteState, cost: number, steps: readonly TakenStep[]) => void;

/** The moves of a profile, made when first asked for and kept. */
export class StepMoves {
  readonly #sets: StateSets;
  readonly #rules: readonly SpontaneousRule[];
  readonly #unasked = new Map<number, Map<Packed, readonly Move[]>>();
  readonly #events = new Map<number, Map<Packed, readonly Move[]>>();

  constructor(sets: StateSets) {
    this.#sets = sets;
    this.#rules = spontaneousRules(sets.profile);
  }

  /** What the machine may do on its own where translations reach these levels. */
  unasked(state: Packed, live: number): readonly Move[] {
    return this.#kept(this.#unasked, live, state, emit => {
      for (const rule of this.#rules) this.#unaskedBy(rule, state, live, emit);
    });
  }

  /** What an event leads to; nothing if it shows the state impossible. */
  events(state: Packed, event: number): readonly Move[] {
    return this.#kept(this.#events, event, state, emit => {
      this.#happen(this.#sets.layout.unpack(state), event, [], 0, emit);
    });
  }

  #kept(
    all: Map<number, Map<Packed, readonly Move[]>>,
    key: number,
    state: Packed,
    make: (emit: EmitOutcome) => void,
  ): readonly Move[] {
    const known = all.get(key) ?? new Map<Packed, readonly Move[]>();
    all.set(key, known);
    let moves = known.get(state);
    if (moves === undefined) {
      const made: Move[] = [];
      make((after, cost, steps, latest) => {
        made.push({ state: this.#sets.layout.pack(after), cost, steps, latest });
      });
      moves = made;
      known.set(state, moves);
    }
    return moves;
  }

  #unaskedBy(rule: SpontaneousRule, state: Packed, live: number, emit: EmitOutcome): void {
    const before = this.#sets.layout.unpack(state);
    for (const after of this.#successors(rule, before, live)) {
      const alias = changedAlias(this.#sets, before, after);
      const step: TakenStep = { nature: 'unasked', rule: rule.name, alias };
      const chosen = this.#choiceOf(rule.name, before, after, alias);
      const steps = chosen === null ? [step] : [chosen, step];
      const waiting: Waiting = {
        ...NOTHING,
        others: after.others & ~before.others,
        buffer: startsToWait(before, after),
      };
      this.#promptly(after, waiting, steps, (last, cost, all) => {
        emit(last, steps.length + cost, all, true);
      });
    }
  }

  /** An event, after what it forces out if it has no other way. */
  #happen(
    state: ByteState,
    event: number,
    steps: readonly TakenStep[],
    cost: number,
    emit: EmitOutcome,
  ): void {
    const { layout } = this.#sets;
    const happened = at(this.#sets.events, event);
    const outcomes = this.#sets.outcomes(layout.pack(state), event);
    for (const outcome of outcomes) {
      const after = layout.unpack(outcome.state);
      const chosen = this.#choiceOf(happened.rule, state, after, happened.variant.alias);
      const taken = chosen === null ? steps : [...steps, chosen];
      const waiting = this.#waitingAfter(happened, state, after);
      this.#promptly(after, waiting, taken, (last, more, all) => {
        emit(last, cost + more + (chosen === null ? 0 : 1), all, outcome.latest);
      });
    }
    if (outcomes.length > 0) return;
    for (const name of FORCES.get(happened.rule) ?? []) {
      this.#force(name, state, (after, more, forced) => {
        this.#happen(after, event, [...steps, ...forced], cost + more, emit);
      });
    }
  }

  /** One waiting thing goes, because something that happens needs it gone. */
  #force(name: string, state: ByteState, emit: EmitMove): void {
    const rule = this.#rules.find(each => each.name === name);
    if (rule === undefined) return;
    for (const after of this.#successors(rule, state, 0)) {
      if (waitingCount(after) >= waitingCount(state)) continue;
      const alias = changedAlias(this.#sets, state, after);
      const step: TakenStep = { nature: 'forced', rule: name, alias };
      const chosen = this.#choiceOf(name, state, after, alias);
      const steps = chosen === null ? [step] : [chosen, step];
      const waiting = { ...NOTHING, buffer: startsToWait(state, after) };
      this.#promptly(after, waiting, steps, (last, cost, all) => {
        emit(last, cost + (chosen === null ? 0 : 1), all);
      });
    }
  }

  #waitingAfter({ rule, variant }: CheckerEvent, before: ByteState, after: ByteState): Waiting {
    const target = this.#sets.profile.targets.find(
      ({ kind, alias }) =>
        kind === this.#sets.profile.kinds[variant.kind] && alias === variant.alias,
    );
    const isOther = rule === 'store of another byte';
    const others = isOther ? after.others & (target?.dirties ?? 0) : 0;
    const isIssued = isIssue(rule) && at(after.pending, variant.alias) !== 0;
    return {
      store: rule === 'store' && after.store !== NO_STORE && before.store === NO_STORE,
      others,
      retained: before.others & others,
      alias: isIssued ? variant.alias : -1,
      buffer: startsToWait(before, after),
    };
  }

  /** What may wait either does, which is remarkable, or goes at once. */
  #promptly(state: ByteState, waiting: Waiting, steps: readonly TakenStep[], emit: EmitMove): void {
    const waits = waitsOf(waiting, this.#sets, state);
    emit(state, waits.length, [...steps, ...waits]);
    const go = (rule: string, from: ByteState, rest: Waiting, restore = keep): void => {
      this.#go(rule, from, state, rest, restore, steps, emit);
    };
    if (waiting.store) go(DRAIN_OWN, state, { ...waiting, store: false });
    if (waiting.others !== 0) {
      const alone = { ...copyState(state), others: waiting.others };
      const older = (state.others & ~waiting.others) | waiting.retained;
      go(DRAIN_OTHER, alone, { ...waiting, others: 0, retained: 0 }, after => {
        after.others |= older;
      });
    }
    if (waiting.alias >= 0) {
      const alone = copyState(state);
      alone.pending.fill(0);
      alone.pending[waiting.alias] = at(state.pending, waiting.alias);
      go(COMPLETE, alone, { ...waiting, alias: -1 }, after => {
        after.pending = state.pending.map((other, n) => (n === waiting.alias ? 0 : other));
      });
    }
    if (waiting.buffer) go(DRAIN_OUTER, state, { ...waiting, buffer: false });
  }

  /** Lets one thing go that has just begun to wait; `from` is the state with nothing beside it. */
  #go(
    name: string,
    from: ByteState,
    whole: ByteState,
    rest: Waiting,
    restore: Restore,
    steps: readonly TakenStep[],
    emit: EmitMove,
  ): void {
    const rule = this.#rules.find(each => each.name === name);
    if (rule === undefined) return;
    for (const after of this.#successors(rule, from, 0)) {
      // What arrives in parts waits in part: not promptly.
      const isInParts = (after.others & ~from.others) !== 0;
      if (isInParts || waitingCount(after) >= waitingCount(from)) continue;
      const alias = changedAlias(this.#sets, from, after);
      const chosen = this.#choiceOf(name, from, after, alias);
      restore(after);
      const step: TakenStep = { nature: 'prompt', rule: name, alias };
      const taken = chosen === null ? [...steps, step] : [...steps, chosen, step];
      const left = { ...rest, buffer: rest.buffer || startsToWait(whole, after) };
      this.#promptly(after, left, taken, (last, cost, all) => {
        emit(last, cost + (chosen === null ? 0 : 1), all);
      });
    }
  }

  #successors(rule: SpontaneousRule, state: ByteState, live: number): readonly ByteState[] {
    const found: ByteState[] = [];
    rule.step(copyState(state), this.#sets.profile, live, after => {
      found.push(copyState(after));
    });
    return found;
  }

  /** Whether an operation did what it may and seldom does. */
  #choiceOf(rule: string, before: ByteState, after: ByteState, alias: number): TakenStep | null {
    const { layout, profile } = this.#sets;
    const chosen = (choice: string): TakenStep => ({ nature: 'chosen', rule: choice, alias });
    const isSame = layout.pack(before) === layout.pack(after);
    if (rule === 'maintain the inner line by set and way') {
      const hadAny = before.inner.some(copy => copy !== Copy.absent);
      return !profile.setWayCounts && isSame && hadAny ? chosen(CHOICES.passedBy) : null;
    }
    const isCompleted = rule === COMPLETE;
    if (!isCompleted && (!isIssue(rule) || profile.pendingMaintenance)) {
      return null;
    }
    if (isCompleted && at(before.pending, alias) !== INVALIDATE) return null;
    const isLeft = before.memory === after.memory && before.outer === after.outer;
    const wroteBack = at(before.inner, alias) >= Copy.dirty && !isLeft;
    return wroteBack && profile.invalidateMayWriteBack ? chosen(CHOICES.writeBackFirst) : null;
  }
}

/** What is set aside while something goes comes back. */
type Restore = (after: ByteState) => void;
const keep: Restore = () => undefined;

/** Maintenance by address, of any CPU. */
const isIssue = (rule: string): boolean =>
  rule === 'maintain the inner line' || rule === 'maintain the inner line from another CPU';

type EmitOutcome = (
  state: ByteState,
  cost: number,
  steps: readonly TakenStep[],
  latest: boolean,
) => void;

const startsToWait = (before: ByteState, after: ByteState): boolean =>
  before.buffer === Buffered.none && after.buffer !== Buffered.none;

/** How much waits that time brings to an end; what a forced step must lower. */
const waitingCount = ({ store, others, pending, buffer }: ByteState): number =>
  (store === NO_STORE ? 0 : 1000) +
  others * 10 +
  pending.filter(operation => operation !== 0).length * 3 +
  (buffer === Buffered.none ? 0 : 1);

const waitsOf = (waiting: Waiting, sets: StateSets, state: ByteState): readonly TakenStep[] => {
  const waits = (rule: string, alias: number): TakenStep => ({ nature: 'waits', rule, alias });
  const steps: TakenStep[] = [];
  if (waiting.store) {
    steps.push(waits(DRAIN_OWN, sets.profile.targets[state.store]?.alias ?? 0));
  }
  if ((waiting.others & ~waiting.retained) !== 0) steps.push(waits(DRAIN_OTHER, 0));
  if (waiting.alias >= 0) steps.push(waits(COMPLETE, waiting.alias));
  if (waiting.buffer) steps.push(waits(DRAIN_OUTER, 0));
  return steps;
};

/** The alias whose copy, store or maintenance a step changed. */
const changedAlias = (sets: StateSets, before: ByteState, after: ByteState): number => {
  const completed = before.pending.findIndex((operation, n) => operation !== after.pending[n]);
  if (completed >= 0) return completed;
  const moved = before.inner.findIndex((copy, n) => copy !== after.inner[n]);
  if (moved >= 0) return moved;
  return before.store === after.store ? 0 : (sets.profile.targets[before.store]?.alias ?? 0);
};
