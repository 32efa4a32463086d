import { at } from '../../../drivers/base/types/arrays';
import { passedByLoad } from './classify';
import type { CheckerProfile } from './profile';
import type { StateSets } from './sets';
import type { LineStory } from './story';
import type { Witness, WitnessStep } from './witness';
import { CHOICES, COMPLETE, DRAIN_OTHER, DRAIN_OUTER, DRAIN_OWN } from './witness-steps';

/*
 * A witness as a script of the concrete machine (arch/arm/adversary/script.ts has the format). The
 * inner copy of the checker stands for the first level of all CPUs and the second level behind
 * it: what leaves it leaves both. What a quiet machine does by itself needs no line.
 */

export interface ScriptLine {
  readonly event: number;
  readonly step: string;
  /** Physical address, as text. */
  readonly line: string;
  readonly cpu?: number;
  readonly n?: number;
  readonly optional?: true;
}

/** The machine may refuse it. */
const optional = true as const;
/** By address. */
const MAINTENANCE = /clean|invalidate/;

/** `line` where it is not that of the story. */
type LineStep = Omit<ScriptLine, 'event' | 'line'> & { readonly line?: string };

/** The lines that replay a witness; empty if a quiet machine shows it. */
export const scriptLines = (
  profile: CheckerProfile,
  story: LineStory,
  witness: Witness,
): readonly ScriptLine[] => {
  const writer = new ScriptWriter(profile, story, witness);
  for (const step of witness.steps) writer.add(step);
  return writer.lines;
};

/** The same as text: one JSON object a line. */
export const toScript = (profile: CheckerProfile, story: LineStory, witness: Witness): string =>
  textOf(scriptLines(profile, story, witness));

/** A load that is performed before what it should have seen: see passedByLoad (verdict EARLY). */
export const earlyScript = (
  sets: StateSets,
  story: LineStory,
  byte: number,
  index: number,
): string => {
  const load = at(story.events, index);
  const written = passedByLoad(sets, story, byte, index);
  const word = story.address + (byte & ~3);
  const cpu = load.by.kind === 'device' ? 0 : load.by.cpu;
  const event = written?.event ?? load.event;
  return textOf([{ event, step: 'read-early', line: hex(word), ...ofCpu(cpu) }]);
};

const hex = (address: number): string => `0x${address.toString(16)}`;
const ofCpu = (cpu: number): { readonly cpu?: number } => (cpu === 0 ? {} : { cpu });
const textOf = (lines: readonly ScriptLine[]): string =>
  lines.map(line => `${JSON.stringify(line)}\n`).join('');

class ScriptWriter {
  readonly lines: ScriptLine[] = [];
  readonly #profile: CheckerProfile;
  readonly #story: LineStory;
  /** The CPUs whose caches can have the line. */
  readonly #cpus: readonly number[];
  /** Whose load goes wrong, if it may be looked up in a first level of its own alone; else null. */
  readonly #reader: number | null;

  constructor(profile: CheckerProfile, story: LineStory, { goal }: Witness) {
    this.#profile = profile;
    this.#story = story;
    const { by } = at(story.events, goal.index);
    const isOwnLoad = profile.severalCpus && goal.kind === 'stale' && by.kind === 'cpu';
    this.#reader = isOwnLoad ? by.cpu : null;
    const met = story.events.flatMap(({ by }) => (by.kind === 'device' ? [] : [by.cpu]));
    this.#cpus = [...new Set([0, ...met])].sort((a, b) => a - b);
  }

  add(step: WitnessStep): void {
    if (step.nature === 'unasked') {
      for (const line of this.#unasked(step)) this.#put(step.before, line);
    } else if (step.nature === 'waits') this.#wait(step);
    else if (step.rule === CHOICES.writeBackFirst) {
      this.#put(this.#eventDuring(step), { step: 'write-back-first' });
    } else if (step.rule === CHOICES.passedBy) this.#passBy(step);
  }

  /**
   * A walk by set and way is told of at its end, the barrier that completes it, and may begin right
   * after the line was last used; it may not meet the line anyway.
   */
  #passBy({ during }: WitnessStep): void {
    const { events } = this.#story;
    const end = at(events, during).event;
    const first = (events.findLast(({ event }) => event < end)?.event ?? 0) + 1;
    const n = Math.max(1, end - first);
    this.#put(first, { step: 'pass-by', ...ofCpu(this.#cpuOf(during)), n, optional: true });
  }

  #wait(step: WitnessStep): void {
    const cpu = this.#cpuOf(step.during);
    if (step.rule === DRAIN_OUTER) {
      // The line waits from before the step that writes it.
      this.#put(this.#eventDuring(step), { step: 'hold-outer' }, step.during < 0);
    } else if (step.during >= 0) {
      this.#put(this.#eventDuring(step), { step: 'hold', ...ofCpu(cpu) });
    }
  }

  #unasked(step: WitnessStep): readonly LineStep[] {
    const { rule, position } = step;
    switch (rule) {
      case DRAIN_OWN:
      case DRAIN_OTHER:
        return [{ step: 'drain-store', ...ofCpu(this.#lastCpu(position, 'store')) }];
      case COMPLETE:
        return [{ step: 'complete-maintenance', ...ofCpu(this.#lastCpu(position, 'maintenance')) }];
      case DRAIN_OUTER:
        return [{ step: 'drain-outer' }];
      case 'drop a clean inner copy':
        return this.#inner('evict');
      case 'write a dirty inner copy back':
        return this.#inner(this.#profile.outer === 'exclusive' ? 'evict' : 'write-back');
      case 'fill the inner cache':
        return this.#filled(this.#nextCpu(position));
      case 'be written back with a neighbour':
        return this.#withNeighbours(step);
      case 'drop a clean outer copy':
        return [{ step: 'evict-outer' }];
      case 'write a dirty outer copy back':
        return [{ step: 'write-back-outer' }];
      case 'fill the outer cache':
        return [{ step: 'fill-outer', ...ofCpu(this.#nextCpu(position)) }];
      default:
        return [];
    }
  }

  /** Out of every first level that may have it, then out of the second. */
  #inner(verb: 'evict' | 'write-back'): readonly LineStep[] {
    const isSure = this.#cpus.length === 1 && !this.#profile.twoInnerLevels;
    const levels = this.#profile.twoInnerLevels ? ['inner', 'l2'] : ['inner'];
    return levels.flatMap(level =>
      this.#cpus.map(cpu => ({
        step: `${verb}-${level}`,
        ...ofCpu(cpu),
        ...(isSure ? {} : { optional: true as const }),
      })),
    );
  }

  /** Whatever of the wider line is dirty goes into the second level, and all of that to memory. */
  #withNeighbours({ position, before }: WitnessStep): readonly LineStep[] {
    const { address, bytes, beside: others } = this.#story;
    for (const { events, address: at } of others) {
      // One that is cleaned meanwhile may still be dirty: the operation has not completed.
      for (const { event, access, by } of events) {
        if (event >= before || !MAINTENANCE.test(access)) continue;
        const cpu = by.kind === 'device' ? 0 : by.cpu;
        this.#put(event, { step: 'hold', line: hex(at), ...ofCpu(cpu), optional });
      }
    }
    const wide = bytes * this.#profile.neighbours;
    const first = address - (address % wide);
    const steps: LineStep[] = [{ step: 'fill-l2', ...ofCpu(this.#nextCpu(position)), optional }];
    for (let at = first; at < first + wide; at += bytes) {
      for (const cpu of at === address ? [] : this.#cpus) {
        const beside = { line: hex(at), ...ofCpu(cpu), optional };
        steps.push({ step: 'drain-store', ...beside }, { step: 'write-back-inner', ...beside });
      }
    }
    return [...steps, { step: 'write-back-l2', optional }];
  }

  /** By one CPU, and by the one whose uncached load would look into no other first level. */
  #filled(cpu: number): readonly LineStep[] {
    const fill = { step: 'fill-inner', ...ofCpu(cpu) };
    if (this.#reader === null || this.#reader === cpu) return [fill];
    return [fill, { step: 'fill-inner', ...ofCpu(this.#reader), optional: true }];
  }

  #put(event: number, line: LineStep, first = false): void {
    const { step, line: at = hex(this.#story.address), ...rest } = line;
    const made = { event, step, line: at, ...rest };
    if (!first) {
      this.lines.push(made);
      return;
    }
    const place = this.lines.findLastIndex(other => other.event < event) + 1;
    this.lines.splice(place, 0, made);
  }

  #eventDuring({ during, before }: WitnessStep): number {
    return this.#story.events[during]?.event ?? before;
  }

  #cpuOf(index: number): number {
    const by = this.#story.events[index]?.by;
    return by === undefined || by.kind === 'device' ? 0 : by.cpu;
  }

  /** The CPU that accesses the line next, or did so last: it is its translation that is live. */
  #nextCpu(position: number): number {
    const { events } = this.#story;
    const next = events.findIndex(({ by }, n) => n >= position && by.kind === 'cpu');
    return this.#cpuOf(next >= 0 ? next : events.findLastIndex(({ by }) => by.kind === 'cpu'));
  }

  #lastCpu(position: number, what: 'store' | 'maintenance'): number {
    const last = this.#story.events
      .slice(0, position)
      .findLastIndex(({ access }) =>
        what === 'store' ? access === 'store' : MAINTENANCE.test(access),
      );
    return this.#cpuOf(last);
  }
}
