import { InputError } from '../../../drivers/base/types/errors';
import { STEPS } from '../concrete/whims';
import type { Step } from '../concrete/whims';

/*
 * A script says, line by line, what a machine does unasked:
 *
 *   {"event":12,"step":"evict-inner","line":"0x80001000"}
 *
 * `event` counts from 1. A step is taken before that event and after all that came before it: to
 * take one between events 11 and 12, say 12. Steps of one event are taken in the order of the file.
 * `cpu` is 0 unless given; `"optional":true` makes a step that the machine refuses no error.
 *
 * On a line (its physical address), of CPU `cpu` where it is in a cache or a buffer of a CPU's own:
 *   fill-inner, evict-inner, write-back-inner   the first-level data cache
 *   fill-l2, evict-l2, write-back-l2            the second level of its cluster
 *   fill-outer, evict-outer, write-back-outer   the cache outside the cores
 *   drain-store, complete-maintenance           what waits of this line; with `n` and no line, the
 *                                               n-th oldest of all that wait
 *   drain-outer                                 the buffer of the outer cache
 *   read-early                                  the word at `line`, before its load
 *   migrate-inner                               from the first level of another core of the cluster
 *                                               that has it, to that of `cpu`, dirty as it is
 *   fill-tlb, drop-tlb                          the TLB; the latter without a line, the n-th entry
 * `n` chooses where a page has several virtual addresses: a fill comes through the n-th of those
 * last met (through any that permits it, unless given); of several copies in a virtually tagged
 * cache the n-th leaves, in the order in which their pages were met (the first, unless given).
 *
 * Of an IOMMU, `iommu` by its name:
 *   walk-kept          it goes on with a walk in the table at `line`, by a step that it kept
 *
 * Beside these, what the machine is to do when it comes to a choice:
 *   hold               the store, or the operation of maintenance, of that very event waits; with a
 *                      line only if it is to that line. Younger stores of a later epoch then wait
 *                      behind the store, and go when it goes.
 *   hold-outer         from then on, what leaves the outer cache for the line waits in its buffer,
 *                      until drain-outer or a cache sync; without a line, all that leaves. Stores
 *                      of the same CPU and a later epoch then wait behind it, and go when it goes
 *   write-back-first   the next invalidate of that line, from that event on, that meets dirty bytes
 *                      writes them back first
 *   pass-by            operations by set and way of that CPU miss that line, for `n` events (one,
 *                      unless given): it was elsewhere when they came by
 *   use-kept           that `iommu` goes by what it kept, which leads to `line` (without one, nowhere),
 *                      whatever its tables say by now
 * A script with drain-outer and without hold-outer holds all that leaves the outer cache.
 *
 * An exclusive outer cache is in the checker's tables only: the concrete machine has none.
 */

/** What is not a step but a choice that the machine has anyway. */
const CHOICES = ['hold', 'hold-outer', 'write-back-first', 'pass-by', 'use-kept'] as const;
type Choice = (typeof CHOICES)[number];

/** What IOMMUs do. */
const WALK_KEPT = 'walk-kept';

/** Steps for which no line is needed. */
const LINELESS: readonly string[] = [
  'hold',
  'hold-outer',
  'drain-store',
  'complete-maintenance',
  'drop-tlb',
  'use-kept',
] satisfies readonly ScriptStep['step'][];

const KEYS: readonly string[] = ['event', 'step', 'line', 'cpu', 'iommu', 'n', 'optional'];

/** One line of a script. */
export interface ScriptStep {
  readonly event: number;
  readonly step: Step | Choice | typeof WALK_KEPT;
  /** Physical address; null for a step that is not about a line. */
  readonly line: number | null;
  readonly cpu: number;
  /** Null for a step that is no IOMMU's. */
  readonly iommu: string | null;
  /** Null: see above for what is chosen then. */
  readonly n: number | null;
  /** It may be refused. */
  readonly optional: boolean;
  /** Where the step is written, for messages. */
  readonly place: string;
}

/**
 * A script, and which of its steps were taken. All machines of a run follow it, each from its own
 * event 1, and they are several (one per suite and DMA timing): a step that only one of them
 * comes to is not wrong, one that none comes to is, and so is one that a machine refuses.
 */
export class Script {
  /** In the order of their events. */
  readonly steps: readonly ScriptStep[];
  readonly #taken = new Set<ScriptStep>();

  constructor(steps: readonly ScriptStep[]) {
    this.steps = [...steps].sort((a, b) => a.event - b.event);
  }

  /** A machine took this step, or held what it says. */
  noteTaken(step: ScriptStep): void {
    this.#taken.add(step);
  }

  /** After the run: InputError for the first step that no machine took. */
  checkTaken(): void {
    const [first, ...others] = this.steps.filter(step => !step.optional && !this.#taken.has(step));
    if (first === undefined) return;
    const { event, step, place } = first;
    const what = WANTED[step] ?? 'to take the step at';
    const were = others.length === 1 ? 'was' : 'were';
    const more = others.length === 0 ? '' : `, and ${others.length} more ${were} not taken`;
    throw new InputError({
      place,
      property: 'event',
      expected: `an event ${what}, on some machine of the run`,
      found: `${event}, at which no machine had it${more}`,
    });
  }
}

/** What an event must have for a choice to be one. */
const WANTED: Readonly<Partial<Record<string, string>>> = {
  hold: 'with a store or maintenance to hold',
  'write-back-first': 'or a later one, with dirty bytes of the line to invalidate',
  'use-kept': 'at which the IOMMU had kept that, and its tables said something else',
  'pass-by': 'or one of those for which it is said, with an operation by set and way on the line',
} satisfies Partial<Record<Choice, string>>;

const isStep = (value: unknown): value is ScriptStep['step'] =>
  isChoice(value) || isWalk(value) || STEPS.some(step => step === value);

/** A step of an IOMMU. */
export const isWalk = (value: unknown): value is typeof WALK_KEPT => value === WALK_KEPT;

export const isChoice = (value: unknown): value is Choice =>
  CHOICES.some(choice => choice === value);

/**
 * Reads JSON lines as described at the top of this file; `line` must be given where the step is
 * about one. InputError for anything else.
 */
export const parseScript = (text: string, file: string): Script => {
  const steps: ScriptStep[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    steps.push(parseStep(line, `${file}:${index + 1}`));
  });
  return new Script(steps);
};

const parseStep = (line: string, place: string): ScriptStep => {
  const wrong = (property: string, expected: string, found: unknown): InputError =>
    new InputError({
      place,
      property,
      expected,
      found: found === undefined ? 'nothing' : JSON.stringify(found),
    });
  const record = parseRecord(line, place);
  const unknown = Object.keys(record).find(key => !KEYS.includes(key));
  if (unknown !== undefined) throw wrong(unknown, `one of ${KEYS.join(', ')}`, record[unknown]);
  const { event, step, line: address, cpu = 0, iommu, n, optional = false } = record;
  if (!isCount(event) || event < 1) throw wrong('event', 'an event number from 1', event);
  if (!isStep(step))
    throw wrong('step', `one of ${[...CHOICES, WALK_KEPT, ...STEPS].join(', ')}`, step);
  const isLineless = address === undefined && LINELESS.includes(step);
  const physical = isLineless ? null : addressOf(address);
  if (physical !== null && !isCount(physical))
    throw wrong('line', 'an address such as "0x80001000"', address);
  if (!isCount(cpu)) throw wrong('cpu', 'a CPU number', cpu);
  const isOfIommu = step === 'use-kept' || isWalk(step);
  if (isOfIommu !== (typeof iommu === 'string')) {
    throw wrong(
      'iommu',
      isOfIommu ? 'the name of an IOMMU' : 'nothing: it is a step of a CPU',
      iommu,
    );
  }
  if (n !== undefined && !isCount(n)) throw wrong('n', 'a number', n);
  if (typeof optional !== 'boolean') throw wrong('optional', 'true or false', optional);
  const whose = typeof iommu === 'string' ? iommu : null;
  return { event, step, line: physical, cpu, iommu: whose, n: n ?? null, optional, place };
};

const addressOf = (value: unknown): number =>
  typeof value === 'string' && value.trim() !== '' ? Number(value) : NaN;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

const parseRecord = (line: string, place: string): Readonly<Record<string, unknown>> => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new InputError({ place, expected: 'a JSON object', found: line.slice(0, 60) });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return { ...parsed };
  }
  throw new InputError({ place, expected: 'a JSON object', found: line.slice(0, 60) });
};
