import { bit, field } from '../../../base/types/registers';

/*
 * The command stream of a Vivante GC: what the front end fetches from memory, 64 bits at a time. Every
 * command begins with a header at an address that 8 divides. Facts: the register database of the etna_viv
 * project, rnndb/cmdstream.xml.
 */

/** Field of every header. */
export const OPCODE = field(27, 5);

/** Values of OPCODE that the front end knows. */
export const Opcode = {
  LoadState: 1,
  End: 2,
  Nop: 3,
  Draw2d: 4,
  DrawPrimitives: 5,
  DrawIndexed: 6,
  Wait: 7,
  Link: 8,
  Stall: 9,
  Call: 10,
  Return: 11,
  DrawInstanced: 12,
  ChipSelect: 13,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** Bytes that the front end fetches at once: what every command begins at a multiple of. */
export const QWORD = 8;

/**
 * COUNT values for the states from OFFSET on, which is in words of four bytes; a COUNT of 0 is 1024. FIXP:
 * values are 16.16 fixed point and become floats on their way.
 */
export const LOAD_STATE = { OFFSET: field(0, 16), COUNT: field(16, 10), FIXP: bit(26) } as const;
/** What a COUNT of 0 means. */
export const MOST_STATES = 1024;

/** Ends the stream; EVENT_ID is raised when it is done if EVENT_ENABLE says so. */
export const END = { EVENT_ID: field(0, 5), EVENT_ENABLE: bit(8) } as const;

/** COUNT rectangles of two words each follow after a word of padding. */
export const DRAW_2D = { COUNT: field(8, 8), DATA_COUNT: field(16, 11) } as const;

/** Words of a draw, header included and padding not: what follows the header is for the engine. */
export const DRAW_WORDS = { primitives: 4, indexed: 5, instanced: 4 } as const;

/** Cycles until the next command is taken. */
export const WAIT = { DELAY: field(0, 16) } as const;

/** Goes on at the address in the word after the header, of which PREFETCH 64-bit words are fetched. */
export const LINK = { PREFETCH: field(0, 16) } as const;

/**
 * As LINK; two more words say how many 64-bit words to fetch on RETURN, and where. CALL does not nest:
 * there is one place to return to (_assumed_).
 */
export const CALL = { PREFETCH: field(0, 16) } as const;
export const CALL_WORDS = 4;

/** The word after the header of STALL, and the states SEMAPHORE_TOKEN and STALL_TOKEN: from whom to whom. */
export const TOKEN = { FROM: field(0, 5), TO: field(8, 5) } as const;

/** Values of TOKEN.FROM and TOKEN.TO. */
export const Recipient = { FE: 1, RA: 5, PE: 7, DE: 11, BLT: 16 } as const;

/** The header of LOAD_STATE for the states from a byte offset on. */
export const loadState = (offset: number, count: number): number =>
  OPCODE.at(Opcode.LoadState) +
  LOAD_STATE.COUNT.at(count % MOST_STATES) +
  LOAD_STATE.OFFSET.at(offset / 4);
