import { InputError } from '../../../drivers/base/types/errors';
import { STEPS } from '../concrete/whims';
import type { Step, Whims } from '../concrete/whims';
import { NEVER } from './adversary';
import type { Adversary, AdversaryMachine } from './adversary';

/**
 * One line of a script: before event `event` (counted from 1) this step is taken, on the line of
 * physical address `line`. `hold` makes the store or maintenance operation of that event wait.
 */
export interface ScriptStep {
  readonly event: number;
  readonly step: Step | 'hold';
  /** Physical address; 0 for steps that are not about a line. */
  readonly line: number;
  readonly cpu: number;
  /** Which of several: the store in the buffer, the pending operation, the alias of a page. */
  readonly n: number;
  /** Where the step is written, for messages. */
  readonly place: string;
}

const isStep = (value: unknown): value is ScriptStep['step'] =>
  value === 'hold' || STEPS.some(step => step === value);

/** Reads JSON lines `{"event":12,"step":"evict-inner","line":"0x80001000"}`; `cpu` and `n` are optional. */
export const parseScript = (text: string, file: string): ScriptStep[] => {
  const steps: ScriptStep[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    steps.push(parseStep(line, `${file}:${index + 1}`));
  });
  return steps.sort((a, b) => a.event - b.event);
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
  const { event, step, line: address = '0x0', cpu = 0, n = 0 } = record;
  if (!isCount(event) || event < 1) throw wrong('event', 'an event number from 1', event);
  if (!isStep(step)) throw wrong('step', `one of hold, ${STEPS.join(', ')}`, step);
  const physical = typeof address === 'string' ? Number(address) : NaN;
  if (!isCount(physical)) throw wrong('line', 'an address such as "0x80001000"', address);
  if (!isCount(cpu)) throw wrong('cpu', 'a CPU number', cpu);
  if (!isCount(n)) throw wrong('n', 'a number', n);
  return { event, step, line: physical, cpu, n, place };
};

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

  readonly #steps: readonly ScriptStep[];
  readonly #held: ReadonlySet<number>;
  #next = 0;
  #machine: AdversaryMachine | null = null;

  constructor(script: readonly ScriptStep[]) {
    this.#steps = script.filter(({ step }) => step !== 'hold');
    this.#held = new Set(script.filter(({ step }) => step === 'hold').map(({ event }) => event));
    this.delaysOuterWrites = script.some(({ step }) => step === 'drain-outer');
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

  #isHeld(): boolean {
    return this.#machine !== null && this.#held.has(this.#machine.pulse.now);
  }

  /** Events that pass before the next step's own event is due. */
  #untilNext(now: number): number {
    const step = this.#steps[this.#next];
    return step === undefined ? NEVER : Math.max(0, step.event - 1 - now);
  }

  #take({ step, line, cpu, n, place }: ScriptStep, all: readonly Whims[]): void {
    const whims = all[cpu];
    if (whims === undefined) {
      throw new InputError({ place, property: 'cpu', expected: 'a CPU', found: `${cpu}` });
    }
    const word = whims.wordOf(line);
    const taken = step !== 'hold' && word >= 0 && whims.take(step, word, n);
    if (taken) return;
    const found = `${step} at event ${this.#machine?.pulse.now ?? 0}, which it does not permit`;
    throw new InputError({ place, expected: 'a step that the machine permits there', found });
  }
}
