import { invariant } from '../types/errors';
import { TxResult } from './mmio';

/**
 * How software ends the waiting of a transaction that an IOMMU has stalled: it is translated again;
 * it ends with a bus error; or it ends well, but what is read is zero and what is written is lost.
 */
export type StallEnd = 'retry' | 'abort' | 'ignore';

/** One transaction that waits in an IOMMU until software has decided what becomes of it. */
export class Stall {
  #end: StallEnd | null = null;
  #waiter: (() => void) | null = null;

  /** Null: nothing has been decided. */
  get ended(): StallEnd | null {
    return this.#end;
  }

  /** Once; who waits is told at once. */
  end(how: StallEnd): void {
    invariant(this.#end === null, 'a stall is ended twice');
    this.#end = how;
    this.#waiter?.();
  }

  /** Who waits: told when it ends, at once if it has. */
  wait(waiter: () => void): void {
    this.#waiter = waiter;
    if (this.#end !== null) waiter();
  }
}

const NO_BYTES = new Uint8Array(0);

/** How far a transaction of a transfer has come. */
export interface Progress {
  /** Bytes that have been moved, and what came of them. */
  done: number;
  result: TxResult;
  isBegun: boolean;
  isComplete: boolean;
  /** Those that were read. */
  bytes: Uint8Array;
}

/**
 * The transactions of a transfer that may stall, in order. The device's access is carried out from
 * its beginning again once a stall has ended; what was done before is then answered from here, so that
 * each byte moves once.
 */
export class TransactionLog {
  readonly #progress: Progress[] = [];
  #next = 0;
  #stall: Stall | null = null;
  /** Bytes that the stalled piece of a transaction has. */
  #span = 0;

  /** What it waits for, if it does: nothing moves meanwhile. */
  get waitsFor(): Stall | null {
    return this.#stall?.ended === null ? this.#stall : null;
  }

  /** The access begins again. */
  rewind(): void {
    this.#next = 0;
  }

  /** How far the next transaction of the access had come: not at all if it is new. */
  next(): Progress {
    const index = this.#next++;
    const known = this.#progress[index];
    if (known !== undefined) return known;
    const fresh = {
      done: 0,
      result: TxResult.Ok,
      isBegun: false,
      isComplete: false,
      bytes: NO_BYTES,
    };
    this.#progress.push(fresh);
    return fresh;
  }

  /** A piece of `span` bytes of the transaction under way waits. */
  suspend(stall: Stall, span: number): void {
    this.#stall = stall;
    this.#span = span;
  }

  /** The bytes that were decided upon without a translation, and how; null: none were. */
  takeEnd(): { readonly end: StallEnd; readonly span: number } | null {
    const end = this.#stall?.ended ?? null;
    if (end === null) return null;
    this.#stall = null;
    return { end, span: this.#span };
  }
}
