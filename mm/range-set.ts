import type { PfnRange } from './zone';

/** A set of numbers as runs, ascending and apart: first of each, and one past its last. */
export class RangeSet {
  readonly #runs: { start: number; end: number }[];
  #total: number;

  /** The runs are ascending and apart. */
  constructor(runs: readonly PfnRange[]) {
    this.#runs = runs.map(run => ({ ...run }));
    this.#total = runs.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** How many numbers there are. */
  get total(): number {
    return this.#total;
  }

  get runs(): readonly PfnRange[] {
    return this.#runs;
  }

  /** What the highest run answers for which `find` answers anything but null. */
  highest(find: (start: number, end: number) => number | null): number | null {
    for (let index = this.#runs.length - 1; index >= 0; index--) {
      const run = this.#runs[index];
      const found = run === undefined ? null : find(run.start, run.end);
      if (found !== null) return found;
    }
    return null;
  }

  /** Adds [start, end), of which nothing may be in the set. */
  add(start: number, end: number): void {
    const index = this.#indexOf(start);
    const [before, after] = [this.#runs[index - 1], this.#runs[index]];
    const joinsBefore = before?.end === start;
    const joinsAfter = after?.start === end;
    this.#total += end - start;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#runs.splice(index, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else this.#runs.splice(index, 0, { start, end });
  }

  /** Removes what of [start, end) is in the set. */
  remove(start: number, end: number): void {
    let index = this.#indexOf(start);
    if ((this.#runs[index - 1]?.end ?? start) > start) index--;
    let run = this.#runs[index];
    while (run !== undefined && run.start < end) {
      const left = [
        { start: run.start, end: Math.min(run.end, start) },
        { start: Math.max(run.start, end), end: run.end },
      ].filter(part => part.end > part.start);
      this.#total -= run.end - run.start - sizeOf(left);
      this.#runs.splice(index, 1, ...left);
      index += left.length;
      run = this.#runs[index];
    }
  }

  /** The first run that begins at `value` or above. */
  #indexOf(value: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#runs[middle]?.start ?? Infinity) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const sizeOf = (runs: readonly PfnRange[]): number =>
  runs.reduce((sum, { start, end }) => sum + end - start, 0);
