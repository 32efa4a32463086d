/** A line of a frame under one of the names that a virtual cache has for it. */
export interface FrameAlias {
  readonly frame: number;
  readonly alias: number;
}

const NOWHERE: readonly FrameAlias[] = [];

/**
 * The aliases of each frame in a virtually indexed or tagged cache: one for each virtual page
 * (VIVT) or colour (VIPT) it is reached through, numbered in the order of first use. Beyond
 * `count`, all share the last: what the checker says of such a frame may be too lenient.
 */
export class Aliases {
  readonly #isVirtual: boolean;
  readonly #colours: number;
  readonly #count: number;
  readonly #keys = new Map<number, number[]>();
  /** Virtually tagged: the frames that a page ever named. */
  readonly #byPage = new Map<number, FrameAlias[]>();

  constructor(isVirtual: boolean, colours: number, count: number) {
    this.#isVirtual = isVirtual;
    this.#colours = colours;
    this.#count = count;
  }

  /** The alias under which a virtual page reaches a frame. */
  of(frame: number, page: number): number {
    if (this.#count === 1) return 0;
    const known = this.find(frame, page);
    if (known >= 0) return known;
    const keys = this.#keys.get(frame) ?? [];
    this.#keys.set(frame, keys);
    keys.push(this.#keyOf(page));
    const alias = Math.min(keys.length, this.#count) - 1;
    if (this.#isVirtual) {
      const named = this.#byPage.get(page) ?? [];
      this.#byPage.set(page, named);
      named.push({ frame, alias });
    }
    return alias;
  }

  /** As `of`, -1 if the frame was never reached so: no line can be there. */
  find(frame: number, page: number): number {
    if (this.#count === 1) return 0;
    const place = this.#keys.get(frame)?.indexOf(this.#keyOf(page)) ?? -1;
    return Math.min(place, this.#count - 1);
  }

  /** Virtually tagged: every frame of which a line may be tagged with this page. */
  namedBy(page: number): readonly FrameAlias[] {
    return this.#byPage.get(page) ?? NOWHERE;
  }

  #keyOf(page: number): number {
    return this.#isVirtual ? page : page % this.#colours;
  }
}
