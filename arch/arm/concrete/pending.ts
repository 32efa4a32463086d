import type { CacheOp, TlbOp } from '../../../drivers/base/types/isa';

/** A maintenance operation that was issued and has not completed. */
export type PendingOp =
  | {
      readonly kind: 'cache';
      readonly op: CacheOp;
      /** How to find the line: the tag and index words of a virtual cache, or -1. */
      readonly tagWord: number;
      readonly indexWord: number;
      /** Physical word index, -1 for an address that a virtual cache takes untranslated. */
      readonly home: number;
    }
  | { readonly kind: 'tlb'; readonly op: TlbOp; readonly operand: number; readonly asid: number };

/**
 * Maintenance by address and TLB maintenance between issue and completion. Operations complete in
 * any order, except that those of one line keep theirs; `dsb` completes all.
 */
export class PendingOps {
  readonly #queue: PendingOp[] = [];
  readonly #complete: (op: PendingOp) => void;

  constructor(complete: (op: PendingOp) => void) {
    this.#complete = complete;
  }

  get count(): number {
    return this.#queue.length;
  }

  issue(op: PendingOp): void {
    this.#queue.push(op);
  }

  /** Completes what waits for the line of `op`: nothing overtakes it. */
  completeLine(op: PendingOp): void {
    for (let n = this.#queue.length - 1; n >= 0; n--) {
      const waiting = this.#queue[n];
      if (waiting !== undefined && sameLine(waiting, op)) {
        this.complete(n);
        return;
      }
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
      this.#complete(op);
    }
  }

  completeAll(): void {
    for (const op of this.#queue.splice(0)) this.#complete(op);
  }
}

const sameLine = (a: PendingOp, b: PendingOp): boolean =>
  a.kind === 'cache' && b.kind === 'cache' && a.home === b.home && a.tagWord === b.tagWord;
