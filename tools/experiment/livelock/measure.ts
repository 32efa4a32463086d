import { roundRobin } from '../../../drivers/base/kernel/scheduler';
import { preemptionPoint } from '../../../drivers/base/kernel/task';
import type { PolicyName } from '../../../drivers/gpu/drm/policies';
import { Random } from '../../../drivers/base/types/random';
import { stepClient } from '../../explore/explorer';
import { LivelockWorld } from '../../explore/livelock/world';
import type { LivelockRow } from './report';

/** Steps after which clients that have not got their jobs done never will. */
export const MOST_STEPS = 50_000;

/** A client that lost waits for up to so many turns. */
const LONGEST_BACKOFF = 16;

/** Clients go in turn until each has got `wanted` jobs done. */
export const measurePolicy = (
  policy: PolicyName,
  slots: number,
  clients: readonly number[],
  wanted: number,
  seed: number,
): LivelockRow => {
  const random = new Random(seed);
  const world = new LivelockWorld({ slots, clients, policy }, true, function* () {
    for (let turns = random.below(LONGEST_BACKOFF); turns >= 0; turns--) {
      yield* preemptionPoint('msleep');
    }
  });
  const { scheduler, completed, vm } = world;
  const choose = roundRobin(scheduler);
  const lastDone = clients.map(() => 0);
  let longestWait = 0;
  let fairness: number | null = null;
  let steps = 0;
  let isDeadlock = false;
  const isDone = (client: number): boolean => (completed[client] ?? 0) >= wanted;
  while (steps < MOST_STEPS && !clients.every((_, client) => isDone(client))) {
    const runnable = world.clients.filter((task, client) => task.isRunnable && !isDone(client));
    isDeadlock = runnable.length === 0;
    if (isDeadlock) break;
    const task = choose(runnable);
    const client = world.clients.indexOf(task);
    const before = completed[client] ?? 0;
    stepClient(world, client);
    steps++;
    if ((completed[client] ?? 0) === before) continue;
    longestWait = Math.max(longestWait, steps - (lastDone[client] ?? 0));
    lastDone[client] = steps;
    if (isDone(client)) fairness ??= jain(completed);
  }
  const waits = clients.flatMap((_, client) =>
    isDone(client) ? [] : [steps - (lastDone[client] ?? 0)],
  );
  return {
    ...{ policy, slots, steps, isDeadlock, jobs: [...completed] },
    ...{ binds: vm.counts.binds, evictions: vm.counts.evictions },
    longestWait: Math.max(longestWait, ...waits),
    fairness: fairness ?? jain(completed),
  };
};

/** (sum of x)^2 / (n sum of x^2), from 1/n to 1; 1 if nobody has anything. */
export const jain = (shares: readonly number[]): number => {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
};
