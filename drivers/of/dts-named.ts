interface Named {
  readonly name: string;
  readonly deleted: boolean;
}

/** Up to so many, a list is searched sooner than a map is made. */
const FEW = 8;

/** Properties or children in written order, deleted ones too, and found by name. */
export class NamedList<Item extends Named> {
  readonly #items: Item[] = [];
  /** Usually one of each name; within one pair of braces names may wrongly repeat. */
  #byName: Map<string, Item[]> | undefined;

  get all(): readonly Item[] {
    return this.#items;
  }

  get living(): readonly Item[] {
    return this.#items.some(({ deleted }) => deleted)
      ? this.#items.filter(({ deleted }) => !deleted)
      : this.#items;
  }

  add(item: Item): void {
    this.#items.push(item);
    if (this.#byName !== undefined) enter(this.#byName, item);
    else if (this.#items.length > FEW) this.#byName = indexOf(this.#items);
  }

  /** The first of the name, deleted or not: the one that a later definition changes. */
  first(name: string): Item | undefined {
    return this.#candidates(name).find(item => item.name === name);
  }

  /** The first of the name that is not deleted. */
  find(name: string): Item | undefined {
    return this.#candidates(name).find(item => item.name === name && !item.deleted);
  }

  #candidates(name: string): readonly Item[] {
    return this.#byName === undefined ? this.#items : (this.#byName.get(name) ?? []);
  }
}

const indexOf = <Item extends Named>(items: readonly Item[]): Map<string, Item[]> => {
  const index = new Map<string, Item[]>();
  for (const item of items) enter(index, item);
  return index;
};

const enter = <Item extends Named>(index: Map<string, Item[]>, item: Item): void => {
  const present = index.get(item.name);
  if (present === undefined) index.set(item.name, [item]);
  else present.push(item);
};
