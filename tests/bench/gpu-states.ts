import type { PolicyName } from '../../drivers/gpu/drm/policies';
import { Explorer } from '../../tools/explore/explorer';
import { livelockScenario } from '../../tools/explore/livelock/world';
import { millionsPerSecond, printTable } from './measure';

/** Some of few states that are looked at once, and one of many. */
const SCENARIOS: readonly (readonly [
  policy: PolicyName,
  slots: number,
  clients: readonly number[],
])[] = [
  ['incremental-lru', 4, [2, 2, 2]],
  ['oldest-ticket', 4, [2, 2, 2]],
  ['all-or-nothing', 4, [3, 3]],
  ['oldest-ticket', 8, [6, 6]],
];

/** States of the explorer, and steps of tasks that it takes to come to them, in a second. */
export const benchStates = (): void => {
  const rows = SCENARIOS.map(([policy, slots, clients]) => {
    const explorer = new Explorer(livelockScenario({ slots, clients, policy }));
    const rate = millionsPerSecond(1, () => {
      while (!explorer.isDone) explorer.advance();
    });
    const { graph, steps } = explorer;
    const perSecond = (count: number): string => (count * rate * 1e6).toFixed(0);
    return [
      ...[`${policy} ${slots} {${clients.join()}}`, `${graph.states}`, perSecond(graph.states)],
      ...[perSecond(graph.edges), perSecond(steps)],
    ];
  });
  console.log();
  printTable(['explorer', 'states', 'states/s', 'choices/s', 'steps/s'], rows);
};
