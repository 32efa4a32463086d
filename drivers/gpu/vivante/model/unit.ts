import type { GuestErrorSink } from '../../../base/hw/device';
import type { RegisterSheet } from '../../../base/types/registers';
import type { Stateful } from '../../../base/types/state';

/*
 * What the front end and the engines of a GPU are to each other. The front end takes states and draws
 * from the command stream and hands them to whichever unit they are for; the unit makes work of them,
 * which the GPU carries out in simulated time, in order within a unit and in none between units.
 */

/**
 * What became of an access. `fault`: it was not made, and never will be. `wait`: it was not made, or not
 * wholly; the software may see to it that it can be, and it is then to be made again from its beginning.
 */
export type Access = 'ok' | 'fault' | 'wait';

/** Memory at the GPU's own addresses: through its MMU, then its way to memory. */
export interface GpuMemory {
  /** Reads `length` bytes at `address` to `into`, from index `at` on. */
  read(address: number, length: number, into: Uint8Array, at: number): Access;
  /** Writes `length` bytes of `from`, from index `at` on, to `address`. */
  write(address: number, length: number, from: Uint8Array, at: number): Access;
}

/** What becomes of work, as of an access. */
export type Progress = 'done' | 'wait' | 'fault';

/** Something that a unit is to do, with all operands as they were when it was told to. */
export interface UnitWork {
  /** Whole nanoseconds that it takes, at least 1. */
  readonly nanoseconds: number;
  /**
   * Does it, all of it unless an access waits or faults. After `wait` it is called again, and goes on where
   * it was or does it all again, whichever leaves the same in memory; after the others never.
   */
  run(): Progress;
}

/** DRAW_2D, DRAW_PRIMITIVES and DRAW_INDEXED of the command stream, by their words, header included. */
export interface DrawCommand {
  readonly opcode: number;
  readonly words: readonly number[];
}

/** An engine of the GPU. Its states are saved only when none of its work is under way. */
export interface GpuUnit extends Stateful {
  readonly name: string;
  /** Bit of HI_IDLE_STATE. */
  readonly idleBit: number;
  /** By which a semaphore of the command stream waits for it alone: a value of Recipient. */
  readonly recipient: number;
  /** Its states: what LOAD_STATE may write, at the offset that the sheet has, in bytes. */
  readonly states: RegisterSheet;
  /** Opcodes of the draws that it takes. */
  readonly draws: readonly number[];
  /**
   * LOAD_STATE of one of its states, which takes effect at once. Work if that starts any; `illegal` stops
   * the front end: what the sheet does not permit.
   */
  load(offset: number, value: number): UnitWork | 'loaded' | 'illegal';
  /** One of `draws`. */
  draw(command: DrawCommand): UnitWork | 'illegal';
  /** GL_FLUSH_CACHE with these bits, after all work before it; null: it has no such cache. */
  flush(caches: number): UnitWork | null;
  /** Everything as after power-on; caches are empty, and what they had not written is lost. */
  reset(): void;
}

/**
 * A line of a cache inside the GPU and memory say different things. `stale`: the line was read earlier and
 * memory has changed since. `unflushed`: the line was written, and memory does not have that yet.
 */
export interface CacheMismatch {
  readonly cache: 'prefetch' | 'texture' | 'colour' | '2d';
  readonly what: 'stale' | 'unflushed';
  /** Who reads, by unit. */
  readonly reader: string;
  /** Of the bytes, for the GPU. */
  readonly address: number;
  readonly length: number;
}

/** What a unit is wired to. */
export interface UnitPorts {
  readonly memory: GpuMemory;
  /**
   * Every behaviour at once: a cache that only might hold something is looked past, the latest is
   * used, and what might have been used instead is told to `onMismatch`.
   */
  readonly isChecked: boolean;
  readonly onMismatch: (mismatch: CacheMismatch) => void;
  /**
   * Of a checked GPU: the line of 64 bytes at an address was written and need not be in memory yet
   * (`isHeld`), or by now it is, or is lost. Absent: nobody asks.
   */
  readonly onHeld?: (cache: CacheMismatch['cache'], line: number, isHeld: boolean) => void;
  readonly onGuestError: GuestErrorSink;
}
