import type { StateGraph } from './state-graph';

/**
 * The graph of a scenario with states that are equal but for clients' names taken apart again: a node
 * for each state and renaming, without anything being run. Node n is state n / renamings, with its
 * clients, as first seen, called by renaming n % renamings.
 */
export class Threads {
  readonly graph: StateGraph;
  readonly #count: number;
  /** Names that come of one renaming after another, by both numbers. */
  readonly #composed: readonly (readonly number[])[];

  constructor(graph: StateGraph) {
    this.graph = graph;
    const { renamings } = graph;
    this.#count = renamings.length;
    this.#composed = renamings.map(outer =>
      renamings.map(inner => graph.renamingNumber(inner.map(name => outer[name] ?? -1))),
    );
  }

  get nodes(): number {
    return this.graph.states * this.#count;
  }

  stateOf(node: number): number {
    return Math.floor(node / this.#count);
  }

  /** The client of the whole run that goes when `client` of the state as first seen does. */
  clientOf(node: number, client: number): number {
    return this.graph.renamings[node % this.#count]?.[client] ?? -1;
  }

  /** True if that client of the state as first seen can go on. */
  isEnabled(node: number, client: number): boolean {
    return this.graph.isEnabled(this.stateOf(node), client);
  }

  /** Where the step of a client of the state as first seen leads; null: nowhere that is known. */
  next(node: number, client: number): { readonly to: number; readonly isProgress: boolean } | null {
    const edge = this.graph.edge(this.stateOf(node), client);
    if (edge === null) return null;
    const names = this.#composed[node % this.#count]?.[edge.renaming] ?? 0;
    return { to: edge.to * this.#count + names, isProgress: edge.isProgress };
  }
}
