import { BenchError } from '../types/errors';
import { StateReader, type Stateful, type StateValue } from '../types/state';

/** Told the new level of a line, at once and only when it changed. */
export type IrqSink = (level: boolean) => void;

/**
 * One interrupt wire. True is *asserted*, whichever voltage that is on the board.
 *
 * A line may be connected to several sinks (a controller, a test). Whoever drives it saves its
 * level; a snapshot restores both ends, so `restore` tells the sinks nothing.
 */
export class IrqLine {
  readonly name: string;
  #level = false;
  readonly #sinks: IrqSink[] = [];

  constructor(name: string) {
    this.name = name;
  }

  get level(): boolean {
    return this.#level;
  }

  set(level: boolean): void {
    if (level === this.#level) return;
    this.#level = level;
    for (const sink of this.#sinks) sink(level);
  }

  /** A sink takes a line to be low until told: a raised line tells it at once. */
  connect(sink: IrqSink): void {
    this.#sinks.push(sink);
    if (this.#level) sink(true);
  }

  restore(level: boolean): void {
    this.#level = level;
  }
}

/** The input pins of an interrupt controller, as a bitmap of 32-bit words. */
export class IrqInputs implements Stateful {
  readonly count: number;
  /** Bit n & 31 of word n >> 5 is the level of input n. */
  readonly levels: Uint32Array;
  readonly #name: string;
  readonly #onChange: (input: number, level: boolean) => void;
  /** By input, what is wired to it. */
  readonly #lines = new Map<number, IrqLine[]>();

  /** `onChange` is called after `levels` was brought up to date. */
  constructor(name: string, count: number, onChange: (input: number, level: boolean) => void) {
    this.#name = name;
    this.count = count;
    this.levels = new Uint32Array(Math.ceil(count / 32));
    this.#onChange = onChange;
  }

  level(input: number): boolean {
    return (((this.levels[input >>> 5] ?? 0) >>> (input & 31)) & 1) === 1;
  }

  /** Drives input `input`; what a board connects a device's IrqLine to. */
  set(input: number, level: boolean): void {
    if (!Number.isInteger(input) || input < 0 || input >= this.count) {
      throw new BenchError(`${this.#name} has no input ${input}, only ${this.count}`);
    }
    if (level === this.level(input)) return;
    const bit = 1 << (input & 31);
    const before = this.levels[input >>> 5] ?? 0;
    this.levels[input >>> 5] = level ? before | bit : before & ~bit;
    this.#onChange(input, level);
  }

  /** Connects a line to an input, which is asserted while any of its lines is. */
  connect(line: IrqLine, input: number): void {
    const lines = this.#lines.get(input) ?? [];
    this.#lines.set(input, [...lines, line]);
    line.connect(() => {
      this.set(input, this.#lines.get(input)?.some(({ level }) => level) ?? false);
    });
  }

  saveState(): StateValue {
    return { levels: this.levels.slice() };
  }

  restoreState(state: StateValue): void {
    this.levels.set(new StateReader(state, this.#name).words('levels', this.levels.length));
  }
}
