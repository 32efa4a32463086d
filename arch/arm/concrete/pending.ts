import { memberState, rowsOf, rowsState } from '../../../drivers/base/hw/state-arrays';
import { StateReader } from '../../../drivers/base/types/state';
import type { Stateful, StateValue } from '../../../drivers/base/types/state';
import { CacheOp, TlbOp } from '../../../drivers/base/types/isa';

/** A maintenance operation that was issued and has not completed. */
export type PendingOp =
  | {
      readonly kind: 'cache';
      readonly op: CacheOp;
      /** The first word of the line as its tag names it: virtual in a virtually tagged cache. */
      readonly tagWord: number;
      readonly indexWord: number;
      /** Physical word index, -1 for an address that a virtual cache takes untranslated. */
      readonly home: number;
    }
  | { readonly kind: 'tlb'; readonly op: TlbOp; readonly operand: number; readonly asid: number };

const PLACE = 'pending maintenance';
/** Operations that a core has under way at once; one more, and the oldest completes. */
const MAX_PENDING = 128;

/**
 * Maintenance by address and TLB maintenance between issue and completion. Operations complete in
 * any order, except that those of one line keep theirs; `dsb` completes all.
 */
export class PendingOps implements Stateful {
  readonly #queue: PendingOp[] = [];
  #lines = 0;
  readonly #complete: (op: PendingOp) => void;

  constructor(complete: (op: PendingOp) => void) {
    this.#complete = complete;
  }

  get count(): number {
    return this.#queue.length;
  }

  /** How many of them are about a cache line. */
  get lines(): number {
    return this.#lines;
  }

  issue(op: PendingOp): void {
    this.#queue.push(op);
    if (op.kind === 'cache') this.#lines++;
    if (this.#queue.length > MAX_PENDING) this.complete(0);
  }

  /** Completes what waits for the line whose tag names this word: nothing overtakes it. */
  completeLine(tagWord: number): void {
    const last = this.#queue.findLastIndex(op => op.kind === 'cache' && op.tagWord === tagWord);
    this.complete(last);
  }

  /** Completes the operations on a physical line: `words` from its first word on. */
  completeHome(first: number, words: number): void {
    for (;;) {
      const n = this.#queue.findIndex(
        op => op.kind === 'cache' && op.home >= first && op.home < first + words,
      );
      if (n < 0) return;
      this.complete(n);
    }
  }

  /** Completes operation `n`, after those of the same line that came before it. */
  complete(n: number): void {
    const chosen = this.#queue[n];
    if (chosen === undefined) return;
    const upTo = this.#queue.slice(0, n + 1);
    for (const op of upTo) {
      if (op !== chosen && !sameLine(op, chosen)) continue;
      this.#queue.splice(this.#queue.indexOf(op), 1);
      if (op.kind === 'cache') this.#lines--;
      this.#complete(op);
    }
  }

  completeAll(): void {
    this.#lines = 0;
    for (const op of this.#queue.splice(0)) this.#complete(op);
  }

  saveState(): StateValue {
    return { queue: rowsState(this.#queue.map(rowOf)) };
  }

  restoreState(state: StateValue): void {
    const numbers = new StateReader(state, PLACE).numbers('queue');
    const rows = rowsOf(numbers, ROW, PLACE);
    this.#queue.splice(0, this.#queue.length, ...rows.map(opOf));
    this.#lines = this.#queue.filter(({ kind }) => kind === 'cache').length;
  }
}

const sameLine = (a: PendingOp, b: PendingOp): boolean =>
  a.kind === 'cache' && b.kind === 'cache' && a.tagWord === b.tagWord;

/** Numbers of an operation in a snapshot: which kind, which operation, three operands. */
const ROW = 5;
const CACHE_ROW = 0;
const TLB_ROW = 1;

const rowOf = (op: PendingOp): number[] =>
  op.kind === 'cache'
    ? [CACHE_ROW, op.op, op.tagWord, op.indexWord, op.home]
    : [TLB_ROW, op.op, op.operand, op.asid, 0];

const opOf = ([kind = 0, op = 0, a = 0, b = 0, c = 0]: readonly number[]): PendingOp =>
  kind === CACHE_ROW
    ? { kind: 'cache', op: memberState(CacheOp, op, PLACE), tagWord: a, indexWord: b, home: c }
    : { kind: 'tlb', op: memberState(TlbOp, op, PLACE), operand: a, asid: b };
