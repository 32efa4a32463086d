/**
 * The one source of chance: xorshift32, seeded, the same on every host. A stream of its own is
 * forked for each consumer, so that adding one does not change what the others see.
 */
export class Random {
  #state: number;

  /** `seed` is any integer; 0 is replaced, because xorshift never leaves it. */
  constructor(seed: number) {
    const mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b);
    this.#state = mixed === 0 ? 0x6d2b79f5 : mixed;
  }

  /** The next 32 bits, signed. */
  next(): number {
    let s = this.#state;
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    this.#state = s;
    return s;
  }

  /** An integer in [0, bound), bound up to 2^31. */
  below(bound: number): number {
    return (this.next() >>> 1) % bound;
  }

  /** True once in `times` calls on average. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** An independent stream for the consumer called `name`. */
  fork(name: string): Random {
    let h = this.#state;
    for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
    return new Random(h);
  }

  get state(): number {
    return this.#state;
  }

  set state(value: number) {
    this.#state = value === 0 ? 0x6d2b79f5 : value;
  }
}
