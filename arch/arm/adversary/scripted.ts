import { hex } from '../../../drivers/base/types/address';
import { InputError } from '../../../drivers/base/types/errors';
import { StateReader } from '../../../drivers/base/types/state';
import type { StateValue } from '../../../drivers/base/types/state';
import { NEVER } from '../../../drivers/base/hw/pulse';
import { expectName, rowsOf, rowsState } from '../../../drivers/base/hw/state-arrays';
import { OF_LINE } from '../concrete/whims';
import type { Step, Whims } from '../concrete/whims';
import type { Adversary, AdversaryMachine } from './adversary';
import { isChoice, isWalk } from './script';
import type { Script, ScriptStep } from './script';

/** Something to be done before an event, after the steps that the script has there. */
interface Question {
  readonly event: number;
  ask(): void;
}

/** Lets an IOMMU walk in a table by a step that it kept; false if it kept none. */
export type WalkKept = (iommu: string, table: number) => boolean;

/** By which what is dirty of a line gets to memory, from the first level out. */
const TO_MEMORY: readonly Step[] = ['write-back-inner', 'write-back-l2', 'write-back-outer'];

/** Exactly the steps of a script, and nothing else spontaneous: no line leaves for want of room. */
export class ScriptAdversary implements Adversary {
  readonly name = 'script';
  readonly isQuiet = false;
  readonly tlbCapacity = 1 << 16;
  readonly delaysStores = true;
  readonly storesFollow = true;
  readonly extraWays = 64;
  readonly delaysOuterWrites: boolean;

  readonly #script: Script;
  /** All but the choices that are made when the machine asks. */
  readonly #steps: readonly ScriptStep[];
  /** By event. */
  readonly #holds: ReadonlyMap<number, readonly ScriptStep[]>;
  readonly #writeBacks: readonly ScriptStep[];
  readonly #passed: readonly ScriptStep[];
  readonly #uses: readonly ScriptStep[];
  /** The event at which a write-back-first was made use of. */
  readonly #usedAt = new Map<ScriptStep, number>();
  readonly #questions: Question[] = [];
  /** Of a machine without IOMMUs: none has kept anything. */
  #walkKept: WalkKept = () => false;
  #next = 0;
  #machine: AdversaryMachine | null = null;

  constructor(script: Script) {
    const { steps } = script;
    this.#script = script;
    this.#steps = steps.filter(({ step }) => !isChoice(step) || step === 'hold-outer');
    const holds = steps.filter(({ step }) => step === 'hold');
    this.#holds = new Map(
      holds.map(({ event }) => [event, holds.filter(hold => hold.event === event)]),
    );
    this.#writeBacks = steps.filter(({ step }) => step === 'write-back-first');
    this.#passed = steps.filter(({ step }) => step === 'pass-by');
    this.#uses = steps.filter(({ step }) => step === 'use-kept');
    const holdsOuter = steps.filter(({ step }) => step === 'hold-outer');
    this.delaysOuterWrites =
      holdsOuter.some(({ line }) => line === null) ||
      (holdsOuter.length === 0 && steps.some(({ step }) => step === 'drain-outer'));
  }

  start(machine: AdversaryMachine): number {
    this.#machine = machine;
    return this.#untilNext(0);
  }

  /**
   * Before the machine starts: has something done before an event, after the steps that the script
   * has there. What event N brought about is to be seen before event N + 1.
   */
  before(event: number, ask: () => void): void {
    this.#questions.push({ event, ask });
    this.#questions.sort((a, b) => a.event - b.event);
  }

  /** Before the machine starts: by whom the steps of IOMMUs are taken. */
  forIommus(walkKept: WalkKept): void {
    this.#walkKept = walkKept;
  }

  /** An IOMMU could go by what it kept, which leads there or nowhere: whether it does. */
  usesKept(iommu: string, leads: number | null): boolean {
    const now = this.#machine?.pulse.now ?? 0;
    const chosen = this.#uses.find(
      step => step.event === now && step.iommu === iommu && step.line === leads,
    );
    if (chosen !== undefined) this.#script.noteTaken(chosen);
    return chosen !== undefined;
  }

  /**
   * Beside the script, and now: what is dirty of the line of a physical address is written back. The
   * lines of a script, none of them necessary, that do the same at this event.
   */
  writeBack(address: number): readonly string[] {
    const machine = this.#machine;
    if (machine === null) return [];
    const event = machine.pulse.now;
    return TO_MEMORY.flatMap(step =>
      machine.whims.flatMap((whims, cpu) => {
        const word = whims.wordOf(address);
        if (word < 0 || !whims.take(step, word, OF_LINE)) return [];
        const line = hex(address);
        return [JSON.stringify({ event, step, line, cpu, optional: true })];
      }),
    );
  }

  delaysStore(_cached: boolean, word: number): boolean {
    return this.#isHeld(word);
  }

  delaysMaintenance(word: number): boolean {
    return this.#isHeld(word);
  }

  writesBackOnInvalidate(word: number): boolean {
    const now = this.#machine?.pulse.now ?? 0;
    const chosen = this.#writeBacks.find(
      step =>
        step.event <= now &&
        (this.#usedAt.get(step) ?? now) === now &&
        step.line !== null &&
        this.#isOnLine(word, step.line, step.cpu),
    );
    if (chosen === undefined) return false;
    // Both levels of a line are asked about, at one event.
    this.#usedAt.set(chosen, now);
    this.#script.noteTaken(chosen);
    return true;
  }

  passesBy(word: number, cpu: number): boolean {
    const now = this.#machine?.pulse.now ?? 0;
    const chosen = this.#passed.find(
      step =>
        step.cpu === cpu &&
        step.event <= now &&
        now < step.event + (step.n ?? 1) &&
        step.line !== null &&
        this.#isOnLine(word, step.line, cpu),
    );
    if (chosen !== undefined) this.#script.noteTaken(chosen);
    return chosen !== undefined;
  }

  whim(): number {
    const machine = this.#machine;
    if (machine === null) return NEVER;
    // The event under way has been counted and not yet happened.
    const { now } = machine.pulse;
    for (;;) {
      const step = this.#steps[this.#next];
      if (step === undefined || step.event > now) break;
      this.#next++;
      this.#take(step, machine.whims);
    }
    while ((this.#questions[0]?.event ?? NEVER) <= now) this.#questions.shift()?.ask();
    return this.#untilNext(now);
  }

  attend(countdown: number): number {
    return countdown;
  }

  saveState(): StateValue {
    const used = this.#writeBacks.flatMap((step, n) => {
      const event = this.#usedAt.get(step);
      return event === undefined ? [] : [[n, event]];
    });
    return { name: this.name, next: this.#next, used: rowsState(used) };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the adversary');
    expectName(reader.value('name'), 'the adversary', this.name);
    this.#next = reader.number('next');
    this.#usedAt.clear();
    for (const [n = 0, event = 0] of rowsOf(reader.numbers('used'), 2, 'the adversary')) {
      const step = this.#writeBacks[n];
      if (step !== undefined) this.#usedAt.set(step, event);
    }
  }

  /** Asked only where there is something to hold: on the line of a word, or on none (-1). */
  #isHeld(word: number): boolean {
    const holds = this.#holds.get(this.#machine?.pulse.now ?? 0) ?? [];
    const meant = holds.filter(({ line, cpu }) => line === null || this.#isOnLine(word, line, cpu));
    for (const hold of meant) this.#script.noteTaken(hold);
    return meant.length > 0;
  }

  #isOnLine(word: number, line: number, cpu: number): boolean {
    const whims = this.#machine?.whims[cpu];
    if (whims === undefined || word < 0) return false;
    return whims.areOfOneLine(word, whims.wordOf(line));
  }

  /** Events that pass before the next step's, or question's, own event is due. */
  #untilNext(now: number): number {
    const step = this.#steps[this.#next]?.event ?? NEVER;
    const question = this.#questions[0]?.event ?? NEVER;
    return Math.max(0, Math.min(step, question) - 1 - now);
  }

  #take(scripted: ScriptStep, all: readonly Whims[]): void {
    const { step, cpu, place, optional } = scripted;
    const whims = all[cpu];
    if (whims === undefined) {
      throw new InputError({ place, property: 'cpu', expected: 'a CPU', found: `${cpu}` });
    }
    if (this.#takes(whims, scripted)) {
      this.#script.noteTaken(scripted);
      return;
    }
    if (optional) return;
    const found = `${step} at event ${this.#machine?.pulse.now ?? 0}, which it does not permit`;
    throw new InputError({ place, expected: 'a step that the machine permits there', found });
  }

  /** False if the machine refuses the step. */
  #takes(whims: Whims, { step, iommu, line, n }: ScriptStep): boolean {
    if (isWalk(step)) return this.#walkKept(iommu ?? '', line ?? 0);
    if (isChoice(step)) {
      // Without a line all writes are held from the start.
      return line === null || whims.holdOuter(whims.wordOf(line));
    }
    if (line === null) return whims.take(step, 0, n ?? 0);
    const word = whims.wordOf(line);
    return word >= 0 && whims.take(step, word, n ?? OF_LINE);
  }
}
