import { InputError } from '../../../drivers/base/types/errors';
import { StateReader } from '../../../drivers/base/types/state';
import type { StateValue } from '../../../drivers/base/types/state';
import { expectName } from '../../../drivers/base/hw/state-arrays';
import { STEPS } from '../concrete/whims';
import type { Step, Whims } from '../concrete/whims';
import { NEVER } from '../../../drivers/base/hw/pulse';
import type { Adversary, AdversaryMachine } from './adversary';

/** Steps on the CPU's own buffers and TLB: `n` says which, no line is needed. */
const LINELESS: readonly string[] = [
  'hold',
  'drain-store',
  'complete-maintenance',
  'drop-tlb',
] satisfies readonly ScriptStep['step'][];

const KEYS: readonly string[] = ['event', 'step', 'line', 'cpu', 'n'];

/**
 * One line of a script: before event `event` (counted from 1) this step is taken, on the line of
 * physical address `line`. `hold` makes the store or maintenance operation of that event wait.
 */
export interface ScriptStep {
  readonly event: number;
  readonly step: Step | 'hold';
  /** Physical address; null for a step that is not about a line. */
  readonly line: number | null;
  readonly cpu: number;
  /** Which of several: the store in the buffer, the pending operation, the alias of a page. */
  readonly n: number;
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
    const [first, ...others] = this.steps.filter(step => !this.#taken.has(step));
    if (first === undefined) return;
    const { event, step, place } = first;
    const what = step === 'hold' ? 'with a store or maintenance to hold' : 'to take the step at';
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

const isStep = (value: unknown): value is ScriptStep['step'] =>
  value === 'hold' || STEPS.some(step => step === value);

/**
 * Reads JSON lines `{"event":12,"step":"evict-inner","line":"0x80001000"}`; `cpu` and `n` are 0
 * unless given, `line` must be given where the step is about one. InputError for anything else.
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
  const { event, step, line: address, cpu = 0, n = 0 } = record;
  if (!isCount(event) || event < 1) throw wrong('event', 'an event number from 1', event);
  if (!isStep(step)) throw wrong('step', `one of hold, ${STEPS.join(', ')}`, step);
  const isLineless = address === undefined && LINELESS.includes(step);
  const physical = isLineless ? null : addressOf(address);
  if (physical !== null && !isCount(physical))
    throw wrong('line', 'an address such as "0x80001000"', address);
  if (!isCount(cpu)) throw wrong('cpu', 'a CPU number', cpu);
  if (!isCount(n)) throw wrong('n', 'a number', n);
  return { event, step, line: physical, cpu, n, place };
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

/** Exactly the steps of a script, and nothing else spontaneous: no line leaves for want of room. */
export class ScriptAdversary implements Adversary {
  readonly name = 'script';
  readonly isQuiet = false;
  readonly tlbCapacity = 1 << 16;
  readonly delaysStores = true;
  readonly extraWays = 64;
  readonly delaysOuterWrites: boolean;

  readonly #script: Script;
  readonly #steps: readonly ScriptStep[];
  /** By event. */
  readonly #holds: ReadonlyMap<number, readonly ScriptStep[]>;
  #next = 0;
  #machine: AdversaryMachine | null = null;

  constructor(script: Script) {
    const { steps } = script;
    this.#script = script;
    this.#steps = steps.filter(({ step }) => step !== 'hold');
    const holds = steps.filter(({ step }) => step === 'hold');
    this.#holds = new Map(
      holds.map(({ event }) => [event, holds.filter(hold => hold.event === event)]),
    );
    this.delaysOuterWrites = steps.some(({ step }) => step === 'drain-outer');
  }

  start(machine: AdversaryMachine): number {
    this.#machine = machine;
    return this.#untilNext(0);
  }

  delaysStore(): boolean {
    return this.#isHeld();
  }

  delaysMaintenance(): boolean {
    return this.#isHeld();
  }

  writesBackOnInvalidate(): boolean {
    return false;
  }

  whim(): number {
    const machine = this.#machine;
    if (machine === null) return NEVER;
    // The event under way has been counted and not yet happened.
    const { now } = machine.pulse;
    for (;;) {
      const step = this.#steps[this.#next];
      if (step === undefined || step.event > now) return this.#untilNext(now);
      this.#next++;
      this.#take(step, machine.whims);
    }
  }

  attend(countdown: number): number {
    return countdown;
  }

  saveState(): StateValue {
    return { name: this.name, next: this.#next };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, 'the adversary');
    expectName(reader.value('name'), 'the adversary', this.name);
    this.#next = reader.number('next');
  }

  /** Asked only where there is something to hold. */
  #isHeld(): boolean {
    const holds = this.#machine === null ? undefined : this.#holds.get(this.#machine.pulse.now);
    for (const hold of holds ?? []) this.#script.noteTaken(hold);
    return holds !== undefined;
  }

  /** Events that pass before the next step's own event is due. */
  #untilNext(now: number): number {
    const step = this.#steps[this.#next];
    return step === undefined ? NEVER : Math.max(0, step.event - 1 - now);
  }

  #take(scripted: ScriptStep, all: readonly Whims[]): void {
    const { step, line, cpu, n, place } = scripted;
    const whims = all[cpu];
    if (whims === undefined) {
      throw new InputError({ place, property: 'cpu', expected: 'a CPU', found: `${cpu}` });
    }
    const word = line === null || LINELESS.includes(step) ? 0 : whims.wordOf(line);
    if (step !== 'hold' && word >= 0 && whims.take(step, word, n)) {
      this.#script.noteTaken(scripted);
      return;
    }
    const found = `${step} at event ${this.#machine?.pulse.now ?? 0}, which it does not permit`;
    throw new InputError({ place, expected: 'a step that the machine permits there', found });
  }
}
