import { EINVAL } from '../../../base/kernel/errno';
import { hex } from '../../../base/types/address';
import type { RegisterSheet } from '../../../base/types/registers';
import {
  DRAW_2D,
  DRAW_WORDS,
  LOAD_STATE,
  MOST_STATES,
  OPCODE,
  Opcode,
  Recipient,
  TOKEN,
} from '../regs/command-stream';
import { DE } from '../regs/de';
import { PE } from '../regs/pe';
import { RS } from '../regs/rs';
import { GC_STATES } from '../regs/states';

/*
 * What a client may put into a stream (etnaviv_cmd_parser.c): a list of what is permitted, as what is not
 * known is not harmless. The words are the kernel's own copy: nobody can write them any more.
 */

/** Words of every command are padded to a multiple of this. */
const PAIR = 2;

/** States of the front end that are a client's; events, the MMU and address spaces are the kernel's. */
const CLIENTS_OWN = ['PIPE_SELECT', 'FLUSH_CACHE', 'SEMAPHORE_TOKEN', 'STALL_TOKEN'];

const offsetsOf = (sheet: RegisterSheet, permits: (name: string) => boolean): number[] =>
  sheet.layout.registers
    .filter(({ key }) => permits(key))
    .flatMap(({ at, count, stride }) =>
      Array.from({ length: count ?? 1 }, (_, i) => at + i * stride),
    );

const ENGINES: readonly RegisterSheet[] = [RS, PE, DE];

/** Byte offsets of the states that a client may load. */
export const PERMITTED: ReadonlySet<number> = new Set([
  ...ENGINES.flatMap(sheet => offsetsOf(sheet, () => true)),
  ...offsetsOf(GC_STATES, name => CLIENTS_OWN.includes(name)),
]);

/** States that hold an address of memory. */
export const ADDRESSES: ReadonlySet<number> = new Set(
  ENGINES.flatMap(sheet => offsetsOf(sheet, name => /_ADDR(?:ESS)?$/.test(name))),
);

/** States that say who waits for whom. */
const TOKENS: ReadonlySet<number> = new Set([
  GC_STATES.registers.SEMAPHORE_TOKEN.at,
  GC_STATES.registers.STALL_TOKEN.at,
]);
const STALL_TEXT = 'a stall is not of the front end, or not for an engine';

/** The front end waits for an engine: the only stall that a client needs. */
const isClientsToken = (token: number): boolean =>
  TOKEN.FROM.of(token) === Recipient.FE &&
  (TOKEN.TO.of(token) === Recipient.PE || TOKEN.TO.of(token) === Recipient.DE);

/** What is wrong with a stream: a word of it, by its index, and in words. */
export interface Refusal {
  readonly word: number;
  readonly text: string;
}

class Parser {
  readonly #words: readonly number[];
  /** Byte offsets of words that are addresses the kernel has put there; null: any address may be. */
  readonly #relocated: ReadonlySet<number> | null;

  constructor(words: readonly number[], relocated: readonly number[] | null) {
    this.#words = words;
    this.#relocated = relocated && new Set(relocated);
  }

  check(): Refusal | null {
    for (let at = 0; at < this.#words.length;) {
      const header = this.#words[at] ?? 0;
      const length = this.#lengthOf(header);
      if (length === null) {
        return { word: at, text: `opcode ${OPCODE.of(header)} is not for clients` };
      }
      if (at + length > this.#words.length) return { word: at, text: 'a command is cut off' };
      const refusal = this.#refuse(at, header);
      if (refusal !== null) return refusal;
      at += length + (length % PAIR);
    }
    return null;
  }

  #refuse(at: number, header: number): Refusal | null {
    switch (OPCODE.of(header)) {
      case Opcode.LoadState:
        return this.#states(at, header);
      case Opcode.Stall:
        return isClientsToken(this.#words[at + 1] ?? 0) ? null : { word: at + 1, text: STALL_TEXT };
      default:
        return null;
    }
  }

  /** Words of a command without padding; null for one that a client may not give. */
  #lengthOf(header: number): number | null {
    switch (OPCODE.of(header)) {
      case Opcode.LoadState:
        return 1 + countOf(header);
      case Opcode.Draw2d:
        return PAIR + PAIR * DRAW_2D.COUNT.of(header) + DRAW_2D.DATA_COUNT.of(header);
      case Opcode.DrawPrimitives:
        return DRAW_WORDS.primitives;
      case Opcode.DrawIndexed:
        return DRAW_WORDS.indexed;
      case Opcode.DrawInstanced:
        return DRAW_WORDS.instanced;
      case Opcode.Nop:
      case Opcode.Stall:
        return PAIR;
      default:
        return null;
    }
  }

  #states(at: number, header: number): Refusal | null {
    for (let i = 0; i < countOf(header); i++) {
      const state = (LOAD_STATE.OFFSET.of(header) + i) * 4;
      const word = at + 1 + i;
      if (!PERMITTED.has(state)) return { word, text: `state ${hex(state)} is not for clients` };
      if (TOKENS.has(state) && !isClientsToken(this.#words[word] ?? 0)) {
        return { word, text: STALL_TEXT };
      }
      if (!ADDRESSES.has(state)) continue;
      if (LOAD_STATE.FIXP.of(header) !== 0) return { word, text: 'an address is made a float' };
      if (this.#relocated?.has(word * 4) === false) {
        return { word, text: `state ${hex(state)} has an address that is no object's` };
      }
    }
    return null;
  }
}

const countOf = (header: number): number => {
  const count = LOAD_STATE.COUNT.of(header);
  return count === 0 ? MOST_STATES : count;
};

/**
 * What is wrong with a client's stream, or null (etnaviv_cmd_validate_one). `relocated`: byte offsets of
 * addresses that the kernel has put there, which all others must be among; null where an address space
 * of the client's own keeps it from what is not its (softpin).
 */
export const refusalOf = (
  words: readonly number[],
  relocated: readonly number[] | null,
): Refusal | null => new Parser(words, relocated).check();

/** Streams longer than this are nobody's (ETNA_CMDBUF's size, less the LINK back). */
export const MOST_WORDS = 2 ** 14;

/** A client's stream, in memory that it may write at any time. */
export interface UserStream {
  /** Words, read once. */
  readonly length: number;
  word(index: number): number;
}

/**
 * The kernel's copy of a client's stream (copy_from_user): each word is read once, and what is checked is
 * what runs. -EINVAL for a length that no stream has.
 */
export const copyStream = (stream: UserStream): readonly number[] | number => {
  const { length } = stream;
  const isPossible = Number.isInteger(length) && length > 0 && length <= MOST_WORDS;
  if (!isPossible || length % PAIR !== 0) return -EINVAL;
  return Array.from({ length }, (_, i) => stream.word(i) >>> 0);
};
