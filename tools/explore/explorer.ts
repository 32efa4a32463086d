import { BenchError } from '../../drivers/base/types/errors';
import { namedState } from './scenario';
import type { Naming, Scenario, World } from './scenario';
import { StateGraph } from './state-graph';

/*
 * Stateless search with states known by their digest: a state is come back to by running the program
 * again from its start along the choices that led there, so that it is the real code that runs, and
 * nothing of it has to be copied.
 */

/** A client that takes so many steps in a row that nobody else sees does not sleep at all. */
const MOST_LOCAL_STEPS = 10_000;

/** Lets a client go to the next place where there is a choice. */
export const stepClient = (world: World, client: number): void => {
  const task = world.clients[client];
  if (task === undefined) throw new BenchError(`there is no client ${client}`);
  world.scheduler.step(task);
  for (let steps = 0; task.isRunnable && !task.isDead && world.isLocal(task); steps++) {
    if (steps > MOST_LOCAL_STEPS) throw new BenchError(`${task.name} never comes to a choice`);
    world.scheduler.step(task);
  }
};

/** A world in which those clients have gone, one after another. */
export const runAlong = (scenario: Scenario, path: readonly number[]): World => {
  const world = scenario.make();
  for (const client of path) stepClient(world, client);
  return world;
};

/** An edge that has not been followed: a state, and who is to go. */
interface Open {
  readonly state: number;
  readonly client: number;
}

/** Looks at every interleaving of a scenario, a number of steps at a time. */
export class Explorer {
  readonly graph: StateGraph;
  readonly #scenario: Scenario;
  /** By depth: those near the start are followed first, so that paths are short. */
  readonly #open: Open[][] = [];
  #pending = 0;
  /** Steps that were run, those along known paths among them. */
  steps = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.graph = new StateGraph(scenario.clients, scenario.symmetries);
    this.#see(scenario.make(), null);
  }

  /** True when every edge has been followed. */
  get isDone(): boolean {
    return this.#pending === 0;
  }

  /** Choices that have been seen and not been made. */
  get pending(): number {
    return this.#pending;
  }

  /** Follows one edge, and from there on the first of each new state. */
  advance(): void {
    const next = this.#take();
    if (next === null) return;
    const path = this.graph.pathTo(next.state);
    const world = runAlong(this.#scenario, path);
    this.steps += path.length;
    let open: Open | null = next;
    while (open !== null) open = this.#follow(world, open);
  }

  #follow(world: World, { state, client }: Open): Open | null {
    const before = world.completed[client] ?? 0;
    stepClient(world, client);
    this.steps++;
    const isProgress = (world.completed[client] ?? 0) > before;
    const { number, naming, isNew } = this.#see(world, { state, client });
    const first = this.#scenario.symmetries[this.graph.namingOf(number)];
    const here = this.#scenario.symmetries[naming];
    if (first === undefined || here === undefined) throw new BenchError('a state without a name');
    const renaming = this.graph.renamingNumber(first.map(name => here.indexOf(name)));
    this.graph.connect(state, client, { to: number, isProgress, renaming });
    return isNew ? this.#takeOf(number) : null;
  }

  /** Finds the state of a world among the known ones, or makes it one. */
  #see(
    world: World,
    parent: Open | null,
  ): { readonly number: number; readonly naming: number; readonly isNew: boolean } {
    const { digest, naming } = leastDigest(world, this.#scenario.symmetries);
    const known = this.graph.numberOf(digest);
    if (known !== undefined) return { number: known, naming, isNew: false };
    const enabled = world.clients.flatMap((task, client) => (task.isRunnable ? [client] : []));
    const number = this.graph.add(digest, naming, parent, enabled);
    const open = enabled.map(client => ({ state: number, client }));
    const depth = this.graph.depthOf(number);
    const there = (this.#open[depth] ??= []);
    there.push(...open.reverse());
    this.#pending += open.length;
    return { number, naming, isNew: true };
  }

  #take(): Open | null {
    for (const there of this.#open) {
      const next = there.pop();
      if (next === undefined) continue;
      this.#pending--;
      return next;
    }
    return null;
  }

  /** The first edge of a state that was just added. */
  #takeOf(state: number): Open | null {
    const there = this.#open[this.graph.depthOf(state)];
    if (there?.at(-1)?.state !== state) return null;
    this.#pending--;
    return there.pop() ?? null;
  }
}

/** The least of a state's digests under all names that clients may have, and by which it is. */
const leastDigest = (
  world: World,
  symmetries: readonly Naming[],
): { readonly digest: string; readonly naming: number } => {
  const { state } = world;
  let least: { digest: string; naming: number } | null = null;
  for (const [naming, names] of symmetries.entries()) {
    const digest = namedState(state, names);
    if (least === null || digest < least.digest) least = { digest, naming };
  }
  if (least === null) throw new BenchError('a scenario without a name for its clients');
  return least;
};
