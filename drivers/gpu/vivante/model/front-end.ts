import type { GuestErrorSink } from '../../../base/hw/device';
import type { EventQueue, Timer } from '../../../base/hw/event-queue';
import { hex } from '../../../base/types/address';
import { memberState } from '../../../base/hw/state-arrays';
import { UnmodelledError, invariant } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { Stateful, StateValue } from '../../../base/types/state';
import { CmdState, StopCause } from '../regs';
import {
  CALL,
  CALL_WORDS,
  DRAW_2D,
  DRAW_WORDS,
  END,
  LINK,
  LOAD_STATE,
  MOST_STATES,
  OPCODE,
  Opcode,
  QWORD,
  Recipient,
  TOKEN,
  WAIT,
} from '../regs/command-stream';
import type { CommandFetch, Fetched } from './command-fetch';
import type { DrawCommand } from './unit';

/** A cycle of the front end, and what a jump takes. _Assumed_: 500 MHz. */
const CYCLE = 2;
const JUMP_NANOSECONDS = 40;
/** Most that WAIT waits while nothing but WAIT and LINK is executed: see regs.ts. */
const LONGEST_WAIT = 16_000;

/** What a front end without work executes. */
const IDLING: readonly number[] = [Opcode.Wait, Opcode.Link];

/** What becomes of a state or a draw: `full`: nobody takes it before somebody has done something. */
export type Handed = 'taken' | 'illegal' | 'full';

export interface FrontEndParts {
  readonly name: string;
  readonly events: EventQueue;
  readonly fetch: CommandFetch;
  readonly load: (offset: number, value: number) => Handed;
  readonly draw: (draw: DrawCommand) => Handed;
  /** True if the semaphore has come to its unit. */
  readonly takeSemaphore: (to: number) => boolean;
  readonly isArmed: (to: number) => boolean;
  readonly raise: (event: number) => void;
  readonly onGuestError: GuestErrorSink;
}

/** `next`: the next command; `jumped`: after a jump; `away`: something else leads on, or nothing does. */
type Step = 'next' | 'jumped' | 'away';

/** The front end: fetches commands from memory, in order, and does them or hands them on. */
export class FrontEnd implements Stateful {
  /** Why it stopped; None while it has not. */
  cause: StopCause = StopCause.None;
  cmdState: CmdState = CmdState.IDLE;
  readonly #parts: FrontEndParts;
  #timer: Timer | null = null;
  /** Nothing to do, or it stopped. */
  #isRunning = false;
  /** Something has to happen elsewhere before it goes on. */
  #isBlocked = false;
  /** States of the LOAD_STATE under way that were taken. */
  #taken = 0;
  /** Cycles since time last passed for it. */
  #cycles = 0;
  /** Where RETURN goes. */
  #return: { readonly address: number; readonly count: number } | null = null;
  /** The WAIT that was executed last, how long it waited, and what came since that is neither it nor LINK. */
  #waitAt = -1;
  #waited = 0;
  #isBusyLoop = false;

  constructor(parts: FrontEndParts) {
    this.#parts = parts;
  }

  /** It executes commands, or waits in the midst of them, or has stopped at one. */
  get isBusy(): boolean {
    return this.#isRunning || this.cause !== StopCause.None;
  }

  get address(): number {
    return this.#parts.fetch.address;
  }

  /** The first two words of the command. */
  word(index: 0 | 1): number {
    return this.#parts.fetch.word(index);
  }

  get opcode(): number {
    return OPCODE.of(this.#parts.fetch.word(0));
  }

  /** COMMAND_CONTROL: from an address on. */
  start(address: number, count: number): void {
    const { name, onGuestError } = this.#parts;
    if (this.#isRunning) onGuestError(`${name}: the front end is started while it runs`);
    this.reset();
    this.#isRunning = true;
    this.#jump(address, count);
    this.#after(JUMP_NANOSECONDS);
  }

  /** What it is blocked on may have changed. */
  poke(): void {
    if (!this.#isBlocked) return;
    this.#isBlocked = false;
    this.#after(0);
  }

  /** Gives up whatever it does. */
  reset(): void {
    if (this.#timer !== null) this.#parts.events.cancel(this.#timer);
    this.#timer = null;
    this.#isRunning = false;
    this.#isBlocked = false;
    this.#taken = 0;
    this.#cycles = 0;
    this.#return = null;
    this.#waitAt = -1;
    this.cause = StopCause.None;
    this.cmdState = CmdState.IDLE;
    this.#parts.fetch.goTo(0, 0);
    this.#parts.fetch.words.fill(0, 0, 2);
  }

  /** BenchError while it runs: what its timer will do cannot be saved. */
  saveState(): StateValue {
    invariant(!this.#isRunning, `${this.#parts.name}: a snapshot while the front end runs`);
    const { fetch } = this.#parts;
    return {
      cause: this.cause,
      cmdState: this.cmdState,
      address: fetch.address,
      low: fetch.word(0),
      high: fetch.word(1),
    };
  }

  restoreState(state: StateValue): void {
    const reader = new StateReader(state, `${this.#parts.name} front end`);
    const { fetch } = this.#parts;
    this.reset();
    this.cause = memberState(StopCause, reader.number('cause'), 'X_FE_STOP');
    this.cmdState = memberState(CmdState, reader.number('cmdState'), 'CMD_STATE');
    fetch.goTo(reader.number('address'), 0);
    fetch.words.set([reader.number('low'), reader.number('high')]);
  }

  #after(nanoseconds: number): void {
    const delay = nanoseconds + this.#cycles * CYCLE;
    this.#cycles = 0;
    this.#timer = this.#parts.events.after(delay, `${this.#parts.name} front end`, () => {
      this.#timer = null;
      this.#run();
    });
  }

  #run(): void {
    let step: Step = 'next';
    while (step === 'next') step = this.#command();
    if (step === 'jumped') this.#after(JUMP_NANOSECONDS);
  }

  #command(): Step {
    const { fetch } = this.#parts;
    this.cmdState = CmdState.DEC;
    const fetched = fetch.header();
    if (fetched !== 'ok') return this.#notFetched(fetched);
    const header = fetch.word(0);
    if (!IDLING.includes(OPCODE.of(header))) this.#isBusyLoop = true;
    switch (OPCODE.of(header)) {
      case Opcode.LoadState:
        return this.#loadState(header);
      case Opcode.End:
        return this.#end(header);
      case Opcode.Nop:
        return this.#advance(1);
      case Opcode.Draw2d:
        return this.#draw(2 + 2 * DRAW_2D.COUNT.of(header) + DRAW_2D.DATA_COUNT.of(header));
      case Opcode.DrawPrimitives:
        return this.#draw(DRAW_WORDS.primitives);
      case Opcode.DrawIndexed:
        return this.#draw(DRAW_WORDS.indexed);
      case Opcode.DrawInstanced:
        return this.#draw(DRAW_WORDS.instanced);
      case Opcode.Wait:
        return this.#wait(header);
      case Opcode.Link:
        return this.#link(header);
      case Opcode.Stall:
        return this.#stall();
      case Opcode.Call:
        return this.#call(header);
      case Opcode.Return:
        return this.#goBack();
      default:
        return this.#illegal();
    }
  }

  #advance(words: number): Step {
    this.#parts.fetch.advance(words);
    this.#cycles += Math.ceil(words / 2);
    return 'next';
  }

  #loadState(header: number): Step {
    const { fetch, load } = this.#parts;
    const count = LOAD_STATE.COUNT.of(header) || MOST_STATES;
    const fetched = fetch.operands(1 + count);
    if (fetched !== 'ok') return this.#notFetched(fetched);
    const first = LOAD_STATE.OFFSET.of(header) * 4;
    const isFixed = LOAD_STATE.FIXP.of(header) === 1;
    for (; this.#taken < count; this.#taken++) {
      const word = fetch.word(1 + this.#taken);
      const offset = first + this.#taken * 4;
      const handed = load(offset, isFixed ? floatBits((word | 0) / 65536) : word);
      if (handed === 'full') return this.#block(CmdState.WAITFIFO);
      if (handed === 'illegal') {
        return this.#stop(StopCause.IllegalState, `${hex(word)} to state ${hex(offset)}`);
      }
    }
    this.#taken = 0;
    return this.#advance(1 + count);
  }

  #draw(words: number): Step {
    const { fetch, draw } = this.#parts;
    const fetched = fetch.operands(words);
    if (fetched !== 'ok') return this.#notFetched(fetched);
    const handed = draw({ opcode: this.opcode, words: [...fetch.words.subarray(0, words)] });
    if (handed === 'full') return this.#block(CmdState.WAITFIFO);
    return handed === 'illegal' ? this.#illegal() : this.#advance(words);
  }

  /** In a loop of WAIT and LINK alone it waits twice as long each time, up to LONGEST_WAIT. */
  #wait(header: number): Step {
    const { fetch } = this.#parts;
    const shortest = WAIT.DELAY.of(header) * CYCLE;
    const isAgain = this.#waitAt === fetch.address && !this.#isBusyLoop;
    const longer = Math.min(this.#waited * 2, LONGEST_WAIT);
    this.#waited = isAgain ? Math.max(shortest, longer) : Math.max(shortest, CYCLE);
    this.#waitAt = fetch.address;
    this.#isBusyLoop = false;
    this.cmdState = CmdState.WAIT;
    this.#advance(1);
    this.#after(this.#waited);
    return 'away';
  }

  #link(header: number): Step {
    const { fetch } = this.#parts;
    const fetched = fetch.operands(2);
    if (fetched !== 'ok') return this.#notFetched(fetched);
    return this.#jump(fetch.word(1), LINK.PREFETCH.of(header));
  }

  #call(header: number): Step {
    const { fetch } = this.#parts;
    const fetched = fetch.operands(CALL_WORDS);
    if (fetched !== 'ok') return this.#notFetched(fetched);
    if (this.#return !== null) return this.#stop(StopCause.IllegalOpcode, 'CALL within CALL');
    this.#return = { count: fetch.word(2), address: fetch.word(3) };
    return this.#jump(fetch.word(1), CALL.PREFETCH.of(header));
  }

  #goBack(): Step {
    if (this.#return === null) return this.#stop(StopCause.IllegalOpcode, 'RETURN without CALL');
    const { address, count } = this.#return;
    this.#return = null;
    return this.#jump(address, count);
  }

  #jump(address: number, count: number): Step {
    if (address % QWORD !== 0) {
      const { name, onGuestError } = this.#parts;
      onGuestError(`${name}: the front end is sent to ${hex(address)}, which 8 does not divide`);
    }
    this.#parts.fetch.goTo(address - (address % QWORD), count);
    this.cmdState = CmdState.LINK;
    return 'jumped';
  }

  #stall(): Step {
    const { fetch, takeSemaphore, isArmed, name, onGuestError } = this.#parts;
    const fetched = fetch.operands(2);
    if (fetched !== 'ok') return this.#notFetched(fetched);
    const token = fetch.word(1);
    if (TOKEN.FROM.of(token) !== Recipient.FE) {
      throw new UnmodelledError(`${name}: STALL`, `of unit ${TOKEN.FROM.of(token)}`);
    }
    const to = TOKEN.TO.of(token);
    if (takeSemaphore(to)) return this.#advance(2);
    if (!isArmed(to)) onGuestError(`${name}: STALL without a semaphore: unit ${to}`);
    return this.#block(CmdState.STALL);
  }

  #end(header: number): Step {
    this.#advance(1);
    this.#isRunning = false;
    this.cmdState = CmdState.END;
    if (END.EVENT_ENABLE.of(header) === 1) this.#parts.raise(END.EVENT_ID.of(header));
    return 'away';
  }

  #block(state: CmdState): Step {
    this.#isBlocked = true;
    this.cmdState = state;
    return 'away';
  }

  #notFetched(fetched: Exclude<Fetched, 'ok'>): Step {
    if (fetched === 'wait') return this.#block(CmdState.DEC);
    if (fetched === 'starved') {
      return this.#stop(StopCause.Starved, 'the words that were to be fetched are used up');
    }
    const cause = this.#parts.fetch.isBusError ? StopCause.BusError : StopCause.Fault;
    return this.#stop(cause, 'the command cannot be fetched');
  }

  #illegal(): Step {
    const header = this.#parts.fetch.word(0);
    const what = `opcode ${OPCODE.of(header)} of ${hex(header)} is none`;
    return this.#stop(StopCause.IllegalOpcode, what);
  }

  #stop(cause: StopCause, why: string): Step {
    const { name, onGuestError, fetch } = this.#parts;
    this.#isRunning = false;
    this.cause = cause;
    onGuestError(`${name}: the front end stops at ${hex(fetch.address)}: ${why}`);
    return 'away';
  }
}

const FLOAT = new DataView(new ArrayBuffer(4));

const floatBits = (value: number): number => {
  FLOAT.setFloat32(0, value);
  return FLOAT.getUint32(0);
};
