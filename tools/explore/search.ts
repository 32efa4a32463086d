import type { Host } from '../host';
import { Progress } from '../progress';
import { Explorer, runAlong, stepClient } from './explorer';
import { namedState } from './scenario';
import type { Scenario, World } from './scenario';
import { judge } from './verdict';
import type { Lasso, Verdict } from './verdict';

/** What was found out of a scenario. */
export interface Finding {
  /** `unknown`: the limit was reached, and nothing was found in what had been seen. */
  readonly kind: Verdict['kind'] | 'unknown';
  /** Every interleaving has been looked at. */
  readonly isWhole: boolean;
  readonly states: number;
  readonly edges: number;
  readonly lasso: Lasso | null;
  readonly starved: Verdict['starved'];
  /** The schedule was run again, its cycle twice, and does what is said of it; null: there is none. */
  readonly isConfirmed: boolean | null;
}

/** Choices between two looks at whether the user has had enough. */
const AT_ONCE = 100;

/** Looks at all interleavings, or at `limit` states; null if the user interrupted. */
export const search = (
  scenario: Scenario,
  limit: number,
  host: Host,
  name: string,
): Finding | null => {
  const explorer = new Explorer(scenario);
  const { graph } = explorer;
  const progress = new Progress(host);
  const isOver = (): boolean => explorer.isDone || graph.states >= limit;
  const isInterrupted = host.untilInterrupted(() => {
    if (isOver()) return false;
    for (let choices = 0; choices < AT_ONCE && !isOver(); choices++) explorer.advance();
    progress.show(`${name}: ${graph.states} states`, graph.edges, graph.edges + explorer.pending);
    return true;
  });
  progress.clear();
  if (isInterrupted) return null;
  const { kind, lasso, starved } = judge(graph);
  return {
    kind: kind === 'progress' && !explorer.isDone ? 'unknown' : kind,
    ...{ isWhole: explorer.isDone, states: graph.states, edges: graph.edges },
    ...{ lasso, starved },
    isConfirmed: lasso === null ? null : confirms(scenario, lasso),
  };
};

const identity = (scenario: Scenario): readonly number[] => [...Array(scenario.clients).keys()];

const stateOf = (world: World, scenario: Scenario): string =>
  namedState(world.state, identity(scenario));

/**
 * Runs a schedule again. True if nobody can go on at its end or, where there is a cycle, if running it
 * twice leads back to the same state both times, with nobody's work done.
 */
export const confirms = (scenario: Scenario, { path, cycle }: Lasso): boolean => {
  const world = runAlong(scenario, path);
  if (cycle.length === 0) return world.clients.every(client => !client.isRunnable);
  const before = stateOf(world, scenario);
  const done = world.completed.join();
  for (let round = 0; round < 2; round++) {
    for (const client of cycle) stepClient(world, client);
    if (stateOf(world, scenario) !== before || world.completed.join() !== done) return false;
  }
  return true;
};
