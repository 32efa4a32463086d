import { StateReader } from '../../base/types/state';
import type { Stateful, StateValue } from '../../base/types/state';
import { WalkFault } from '../walk/types';
import type { TableWalk, TableWalker, WalkStep, WalkedEntry } from '../walk/types';
import type { Kept, KeptCondition, KeptEntry } from './kept';

/** What the walker of an IOMMU keeps: translations, and steps on the way to them by level. */
export interface KeptWalks {
  readonly translations: Kept;
  /** Tables that an entry of this level leads to; as many as a walk has levels. */
  readonly steps: readonly Kept[];
}

/**
 * Told of what might have been used instead of what memory has; `now` is null for nothing. True: it
 * is used.
 */
export type StaleSink = (
  what: 'translation' | 'walk',
  older: KeptEntry,
  now: WalkedEntry | null,
) => boolean;

/**
 * Walks for an address of a context as the hardware may do unasked, leaving no trace: no event of the
 * machine, no fault, no verdict. Null: the context is not there any more, or does not translate.
 */
export type Refetch = (context: number, address: number) => TableWalk | null;

/**
 * How an IOMMU comes by a translation: one that it kept, or a walk from the deepest step that it kept;
 * and what it keeps of that.
 */
export class Lookup implements Stateful {
  readonly #kept: KeptWalks;
  readonly #onStale: StaleSink;
  readonly #refetch: Refetch;
  /** What the last lookup found; meaningless after a fault. */
  entry: WalkedEntry = { start: 0, size: 1, leads: 0, attributes: 0 };
  /** Of the last lookup that faulted. */
  level = 0;

  constructor(kept: KeptWalks, onStale: StaleSink, refetch: Refetch) {
    this.#kept = kept;
    this.#onStale = onStale;
    this.#refetch = refetch;
  }

  /**
   * Looks an address up, and leaves the outcome in `entry`, or in `level` if it faults. `context` is
   * what kept entries are told apart by. A hit allocates nothing.
   */
  find<Regime>(
    walker: TableWalker<Regime>,
    regime: Regime,
    context: number,
    address: number,
  ): WalkFault {
    const kept = this.#kept.translations.find(context, address);
    if (kept !== null) {
      this.entry = kept;
      return WalkFault.None;
    }
    const fault = walker.translate(regime, address, this.#deepestStep(context, address));
    const step = this.#keepSteps(walker.walk, context, address);
    const older = this.#keepTranslation(walker.walk, context, address);
    if (older !== null) {
      this.entry = older;
      return WalkFault.None;
    }
    const last = step === null ? fault : walker.translate(regime, address, step);
    this.entry = walker.walk;
    this.level = walker.walk.level;
    return last;
  }

  /**
   * A step of a walk that is kept, and from which walks may go on in a table that begins in these
   * bytes; null: there is none.
   */
  stepInto(start: number, size: number): KeptEntry | null {
    for (const kept of this.#kept.steps) {
      for (const step of kept.leadingInto(start, size)) {
        if (this.#refetch(step.context, step.start) !== null) return step;
      }
    }
    return null;
  }

  /**
   * Forgets what satisfies the condition, null for all; steps too unless only last levels have
   * changed. On a checked machine what is still in memory is fetched again at once: whoever
   * invalidates before the table has changed has invalidated nothing.
   */
  invalidate(condition: KeptCondition | null, isLeaf = false): void {
    const { translations, steps } = this.#kept;
    const ended = [...translations.invalidate(condition)];
    if (!isLeaf) for (const kept of steps) ended.push(...kept.invalidate(condition));
    for (const { context, start } of ended) {
      const walk = this.#refetch(context, start);
      if (walk === null) continue;
      for (const step of stepsOf(walk)) steps[step.level]?.keep(entryOf(step, context));
      if (walk.fault === WalkFault.None) translations.keep(entryOf(walk, context));
    }
  }

  /** Forgets everything, as on reset. */
  clear(): void {
    this.#kept.translations.invalidate(null);
    for (const kept of this.#kept.steps) kept.invalidate(null);
  }

  saveState(): StateValue {
    const { translations, steps } = this.#kept;
    return { translations: translations.saveState(), steps: steps.map(kept => kept.saveState()) };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'IOMMU caches');
    const { translations, steps } = this.#kept;
    translations.restoreState(reader.value('translations'));
    const states = reader.list('steps', steps.length);
    steps.forEach((kept, level) => {
      kept.restoreState(states[level] ?? null);
    });
  }

  #deepestStep(context: number, address: number): KeptEntry | null {
    const { steps } = this.#kept;
    for (let level = steps.length - 1; level >= 0; level--) {
      const step = steps[level]?.find(context, address) ?? null;
      if (step !== null) return step;
    }
    return null;
  }

  /** The step that is used instead of what memory has, or null. */
  #keepSteps(walk: TableWalk, context: number, address: number): KeptEntry | null {
    let used: KeptEntry | null = null;
    this.#kept.steps.forEach((kept, level) => {
      const step = stepsOf(walk).find(other => other.level === level);
      const now = step === undefined ? null : entryOf(step, context);
      for (const older of kept.others(context, address, now)) {
        if (this.#onStale('walk', older, now)) used = older;
      }
      if (now !== null && !isKept(kept, now, address)) kept.keep(now);
    });
    return used;
  }

  /** The translation that is used instead of what memory has, or null. */
  #keepTranslation(walk: TableWalk, context: number, address: number): KeptEntry | null {
    const { translations } = this.#kept;
    const now = walk.fault === WalkFault.None ? entryOf(walk, context) : null;
    let used: KeptEntry | null = null;
    for (const older of translations.others(context, address, now)) {
      if (this.#onStale('translation', older, now)) used = older;
    }
    if (now !== null) translations.keep(now);
    return used;
  }
}

/** All words that a walk read but the last lead to tables. */
const stepsOf = (walk: TableWalk): readonly WalkStep[] =>
  walk.steps.slice(0, Math.max(0, walk.count - 1));

/** A copy that may be kept. */
const entryOf = (entry: WalkedEntry, context: number): KeptEntry => ({
  context,
  start: entry.start,
  size: entry.size,
  leads: entry.leads,
  attributes: entry.attributes,
});

const isKept = (kept: Kept, now: KeptEntry, address: number): boolean =>
  kept.find(now.context, address) !== null;
