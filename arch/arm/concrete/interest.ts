const LINES = 128;

/**
 * The physical words that something lately happened to (maintenance, DMA, a non-cacheable
 * access): where spontaneous events of a random run are most telling. A ring, shared by the
 * machine's CPUs and DMA ports.
 */
export class Interest {
  readonly #words = new Int32Array(LINES);
  #next = 0;
  count = 0;

  note(word: number): void {
    this.#words[this.#next] = word;
    this.#next = (this.#next + 1) % LINES;
    if (this.count < LINES) this.count++;
  }

  /** The n-th noted word, n below `count`. */
  at(n: number): number {
    return this.#words[n] ?? 0;
  }
}
