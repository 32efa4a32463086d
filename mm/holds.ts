import { at } from '../drivers/base/types/arrays';
import type { CallSite } from '../drivers/base/types/call-site';

/** Whose a byte of a mapping is; shared: CPU and device have agreed on something else. */
export type Owner = 'device' | 'cpu' | 'shared';

/** Who has bytes of a mapping, and the call that gave them. */
export class Hold {
  readonly owner: Owner;
  readonly since: CallSite;
  /** The CPU has stored to these bytes since they are its own. */
  readonly isWritten: boolean;
  #written: Hold | null;

  constructor(owner: Owner, since: CallSite, isWritten = false) {
    this.owner = owner;
    this.since = since;
    this.isWritten = isWritten;
    this.#written = isWritten ? this : null;
  }

  /** The same hold, of bytes that were stored to. */
  get written(): Hold {
    this.#written ??= new Hold(this.owner, this.since, true);
    return this.#written;
  }
}

/** Who has which bytes of [start, end): runs of bytes that are held alike. */
export class Holds {
  readonly start: number;
  readonly end: number;
  /** Where each run starts, ascending; neighbours differ. */
  #starts: number[];
  #holds: Hold[];

  constructor(start: number, end: number, hold: Hold) {
    this.start = start;
    this.end = end;
    this.#starts = [start];
    this.#holds = [hold];
  }

  /** How many runs there are. */
  get runs(): number {
    return this.#starts.length;
  }

  /** Who has a byte of [start, end). */
  at(address: number): Hold {
    return at(this.#holds, this.#runOf(address));
  }

  /** What of [start, end) lies within is held so from now on. */
  set(start: number, end: number, hold: Hold): void {
    this.update(start, end, () => hold);
  }

  /** Replaces the hold of each run of [start, end), cut to the mapping. */
  update(start: number, end: number, change: (hold: Hold) => Hold): void {
    const from = Math.max(start, this.start);
    const to = Math.min(end, this.end);
    if (from >= to) return;
    const first = this.#runOf(from);
    const last = this.#runOf(to - 1);
    const starts: number[] = [];
    const holds: Hold[] = [];
    const add = (begin: number, hold: Hold): void => {
      if (holds.at(-1) === hold) return;
      starts.push(begin);
      holds.push(hold);
    };
    // The runs beside what changes come along: they may have become equal to it.
    const before = Math.max(0, first - 1);
    const after = Math.min(this.#starts.length - 1, last + 1);
    for (let run = before; run <= after; run++) {
      const begin = at(this.#starts, run);
      const end = this.#endOf(run);
      const hold = at(this.#holds, run);
      if (begin < from) add(begin, hold);
      if (begin < to && end > from) add(Math.max(begin, from), change(hold));
      if (end > to) add(Math.max(begin, to), hold);
    }
    this.#starts.splice(before, after - before + 1, ...starts);
    this.#holds.splice(before, after - before + 1, ...holds);
  }

  /** Whether a byte of [start, end) that is within is held in such a way. */
  some(start: number, end: number, is: (hold: Hold) => boolean): boolean {
    const from = Math.max(start, this.start);
    const to = Math.min(end, this.end);
    if (from >= to) return false;
    const last = this.#runOf(to - 1);
    for (let run = this.#runOf(from); run <= last; run++) {
      if (is(at(this.#holds, run))) return true;
    }
    return false;
  }

  #endOf(run: number): number {
    return this.#starts[run + 1] ?? this.end;
  }

  /** The run that has an address of [start, end). */
  #runOf(address: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (at(this.#starts, middle) <= address) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
