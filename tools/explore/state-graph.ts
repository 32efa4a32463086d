import { BenchError } from '../../drivers/base/types/errors';
import type { Naming } from './scenario';

/** Where a step of one client leads. */
export interface Edge {
  /** The state, by its number. */
  readonly to: number;
  /** The client's work was done in this step. */
  readonly isProgress: boolean;
  /** What the clients of `to`, as it was first seen, are called here: by number of `renamings`. */
  readonly renaming: number;
}

const ABSENT = -1;
/** The client can go on, and it is not known yet to where. */
const UNEXPLORED = -2;

/** A typed array that grows. */
class Growing {
  #items = new Int32Array(1024);

  get(place: number): number {
    return this.#items[place] ?? ABSENT;
  }

  set(place: number, value: number): void {
    while (place >= this.#items.length) {
      const larger = new Int32Array(2 * this.#items.length);
      larger.set(this.#items);
      this.#items = larger;
    }
    this.#items[place] = value;
  }
}

/**
 * States that were reached, each once, and the steps between them. A state is kept as it was first
 * seen; states that are equal but for clients' names are one.
 */
export class StateGraph {
  readonly clients: number;
  readonly renamings: readonly Naming[];
  /** By digest: its number, and which naming gave that digest. */
  readonly #numbers = new Map<string, number>();
  readonly #naming = new Growing();
  readonly #parent = new Growing();
  readonly #parentClient = new Growing();
  readonly #depth = new Growing();
  /** For each state and client: where the step leads, and how. */
  readonly #to = new Growing();
  readonly #how = new Growing();
  edges = 0;

  constructor(clients: number, renamings: readonly Naming[]) {
    this.clients = clients;
    this.renamings = renamings;
  }

  get states(): number {
    return this.#numbers.size;
  }

  numberOf(digest: string): number | undefined {
    return this.#numbers.get(digest);
  }

  /** A state that was not there, and who can go on in it; `parent` null for the first. */
  add(
    digest: string,
    naming: number,
    parent: { readonly state: number; readonly client: number } | null,
    enabled: readonly number[],
  ): number {
    const state = this.#numbers.size;
    this.#numbers.set(digest, state);
    this.#naming.set(state, naming);
    this.#parent.set(state, parent?.state ?? ABSENT);
    this.#parentClient.set(state, parent?.client ?? ABSENT);
    this.#depth.set(state, parent === null ? 0 : this.#depth.get(parent.state) + 1);
    for (let client = 0; client < this.clients; client++) {
      const to = enabled.includes(client) ? UNEXPLORED : ABSENT;
      this.#to.set(state * this.clients + client, to);
    }
    return state;
  }

  /** By which naming its digest was found. */
  namingOf(state: number): number {
    return this.#naming.get(state);
  }

  depthOf(state: number): number {
    return this.#depth.get(state);
  }

  connect(state: number, client: number, { to, isProgress, renaming }: Edge): void {
    const place = state * this.clients + client;
    this.#to.set(place, to);
    this.#how.set(place, 2 * renaming + (isProgress ? 1 : 0));
    this.edges++;
  }

  /** The client can go on in this state. */
  isEnabled(state: number, client: number): boolean {
    return this.#to.get(state * this.clients + client) !== ABSENT;
  }

  /** Null: the client cannot go on in this state, or it is not known yet to where. */
  edge(state: number, client: number): Edge | null {
    const place = state * this.clients + client;
    const to = this.#to.get(place);
    if (to < 0) return null;
    const how = this.#how.get(place);
    return { to, isProgress: how % 2 === 1, renaming: Math.floor(how / 2) };
  }

  /** The clients that went, from the beginning to where the state was first seen. */
  pathTo(state: number): number[] {
    const path: number[] = [];
    for (let at = state; this.#parent.get(at) !== ABSENT; at = this.#parent.get(at)) {
      path.push(this.#parentClient.get(at));
    }
    return path.reverse();
  }

  /** The number of a renaming among `renamings`. */
  renamingNumber(naming: Naming): number {
    const key = naming.join();
    const found = this.renamings.findIndex(other => other.join() === key);
    if (found < 0) throw new BenchError(`${key} is no symmetry`);
    return found;
  }
}
