import { componentsOf } from './components';
import type { StateGraph } from './state-graph';
import { Threads } from './threads';

/*
 * What the graph of all interleavings says. Fair: a client that can go on does so in the end, or
 * stops being able to (weak fairness).
 */

/** Choices from the start, and those that can then be made again and again; clients by number. */
export interface Lasso {
  readonly path: readonly number[];
  readonly cycle: readonly number[];
}

export interface Verdict {
  /** `livelock`: a fair cycle in which nobody's work is done. */
  readonly kind: 'progress' | 'deadlock' | 'livelock';
  /** To where nobody can go on, or to the cycle and once round. */
  readonly lasso: Lasso | null;
  /** The first client for whom there is a fair cycle in which its own work is not done. */
  readonly starved: { readonly client: number; readonly lasso: Lasso } | null;
}

/**
 * The verdict over a graph. Of one that is not known to its end only a deadlock, a livelock or a starved
 * client is sure; `progress` is not.
 */
export const judge = (graph: StateGraph): Verdict => {
  const threads = new Threads(graph);
  const dead = deadState(graph);
  const starved = firstStarved(threads);
  if (dead !== null) {
    return { kind: 'deadlock', lasso: { path: graph.pathTo(dead), cycle: [] }, starved };
  }
  const lasso = fairCycle(threads, () => true);
  return { kind: lasso === null ? 'progress' : 'livelock', lasso, starved };
};

const deadState = (graph: StateGraph): number | null => {
  for (let state = 0; state < graph.states; state++) {
    if (!clientsOf(graph).some(client => graph.isEnabled(state, client))) return state;
  }
  return null;
};

const clientsOf = (graph: StateGraph): number[] => [...Array(graph.clients).keys()];

const firstStarved = (threads: Threads): Verdict['starved'] => {
  for (const client of clientsOf(threads.graph)) {
    const lasso = fairCycle(threads, other => other === client);
    if (lasso !== null) return { client, lasso };
  }
  return null;
};

/** A step that is taken in a cycle: from where, who goes, and to where. */
interface Step {
  readonly from: number;
  /** Of the state as first seen. */
  readonly client: number;
  readonly to: number;
}

/** A fair cycle in which nobody of whom it `matters` has its work done; null: there is none. */
const fairCycle = (threads: Threads, matters: (client: number) => boolean): Lasso | null => {
  const { clients } = threads.graph;
  const to = (node: number, client: number): number => {
    const next = threads.next(node, client);
    if (next === null) return -1;
    return next.isProgress && matters(threads.clientOf(node, client)) ? -1 : next.to;
  };
  const component = componentsOf({ nodes: threads.nodes, degree: clients, to });
  const stepsWithin = (node: number): Step[] =>
    clientsOf(threads.graph).flatMap(client => {
      const next = to(node, client);
      const isWithin = next >= 0 && component[next] === component[node];
      return isWithin ? [{ from: node, client, to: next }] : [];
    });
  for (const nodes of unfolded(component, stepsWithin)) {
    const tour = fairTour(threads, nodes, stepsWithin);
    if (tour !== null) return lassoOf(threads, tour);
  }
  return null;
};

/** The nodes of each component that has a step within itself, those first seen first. */
function* unfolded(
  component: Int32Array,
  stepsWithin: (node: number) => Step[],
): Generator<number[]> {
  const members = new Map<number, number[]>();
  for (const [node, number] of component.entries()) {
    const those = members.get(number);
    if (those !== undefined) those.push(node);
    else if (stepsWithin(node).length > 0) members.set(number, [node]);
  }
  yield* members.values();
}

/** What a cycle must take or pass for each client; null: some client could go on and never does. */
const fairTour = (
  threads: Threads,
  nodes: readonly number[],
  stepsWithin: (node: number) => Step[],
): Step[] | null => {
  const { clients } = threads.graph;
  const wanted: (number | Step)[] = [];
  for (let client = 0; client < clients; client++) {
    const found = forClient(threads, nodes, stepsWithin, client);
    if (found === null) return null;
    wanted.push(found);
  }
  const start = nodes[0] ?? 0;
  const tour: Step[] = [];
  let at = start;
  const goTo = (node: number): void => {
    tour.push(...shortest(at, node, stepsWithin));
    at = node;
  };
  for (const each of wanted) {
    goTo(typeof each === 'number' ? each : each.from);
    if (typeof each === 'number') continue;
    tour.push(each);
    at = each.to;
  }
  goTo(start);
  return tour.length > 0 ? tour : cycleThrough(start, stepsWithin);
};

/** A step of the client, called so over the whole run, or a node in which it cannot go on. */
const forClient = (
  threads: Threads,
  nodes: readonly number[],
  stepsWithin: (node: number) => Step[],
  client: number,
): Step | number | null => {
  let stuck: number | null = null;
  for (const node of nodes) {
    const own = stepsWithin(node).find(step => threads.clientOf(node, step.client) === client);
    if (own !== undefined) return own;
    const names = clientsOf(threads.graph).find(other => threads.clientOf(node, other) === client);
    if (stuck === null && !threads.isEnabled(node, names ?? -1)) stuck = node;
  }
  return stuck;
};

const cycleThrough = (node: number, stepsWithin: (node: number) => Step[]): Step[] => {
  const [first] = stepsWithin(node);
  return first === undefined ? [] : [first, ...shortest(first.to, node, stepsWithin)];
};

/** The fewest steps from one node of a component to another. */
const shortest = (
  from: number,
  goal: number,
  stepsWithin: (node: number) => Step[],
): readonly Step[] => {
  const cameBy = new Map<number, Step>();
  const queue = [from];
  for (let i = 0; i < queue.length && !(cameBy.has(goal) || from === goal); i++) {
    for (const step of stepsWithin(queue[i] ?? from)) {
      if (step.to === from || cameBy.has(step.to)) continue;
      cameBy.set(step.to, step);
      queue.push(step.to);
    }
  }
  const steps: Step[] = [];
  for (let at = goal; at !== from;) {
    const step = cameBy.get(at);
    if (step === undefined) break;
    steps.push(step);
    at = step.from;
  }
  return steps.reverse();
};

/** The choices of a tour, and those that lead to where it begins. */
const lassoOf = (threads: Threads, tour: readonly Step[]): Lasso => {
  const [first] = tour;
  const start = first?.from ?? 0;
  const path = threads.graph.pathTo(threads.stateOf(start));
  return {
    path: path.map(client => threads.clientOf(start, client)),
    cycle: tour.map(({ from, client }) => threads.clientOf(from, client)),
  };
};
