/** Numbers from `first` on that are taken and given back: the smallest that is free. */
export class Numbers {
  readonly #first: number;
  readonly #end: number;
  readonly #taken = new Set<number>();

  /** Below `end`. */
  constructor(first: number, end: number) {
    this.#first = first;
    this.#end = end;
  }

  /** Null: all are taken. */
  take(): number | null {
    for (let number = this.#first; number < this.#end; number++) {
      if (this.#taken.has(number)) continue;
      this.#taken.add(number);
      return number;
    }
    return null;
  }

  giveBack(number: number): void {
    this.#taken.delete(number);
  }
}
