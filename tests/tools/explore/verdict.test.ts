import test from 'ava';
import fc from 'fast-check';
import { componentsOf } from '../../../tools/explore/components';
import { StateGraph } from '../../../tools/explore/state-graph';
import { judge } from '../../../tools/explore/verdict';

/** A step: from a state, of a client, to a state, with its work done or not. */
type Step = readonly [from: number, client: number, to: number, isProgress?: boolean];

/** A graph of so many states; of each, the first step given that leads to it is how it was found. */
const graphOf = (clients: number, states: number, steps: readonly Step[]): StateGraph => {
  const graph = new StateGraph(clients, [[...Array(clients).keys()]]);
  for (let state = 0; state < states; state++) {
    const found = steps.find(([, , to]) => to === state);
    const parent =
      state === 0 || found === undefined ? null : { state: found[0], client: found[1] };
    const enabled = steps.flatMap(([from, client]) => (from === state ? [client] : []));
    graph.add(`${state}`, 0, parent, enabled);
  }
  for (const [from, client, to, isProgress = false] of steps) {
    graph.connect(from, client, { to, isProgress, renaming: 0 });
  }
  return graph;
};

test('a state in which nobody can go on is a deadlock, and the way to it is told', t => {
  const graph = graphOf(2, 4, [
    [0, 0, 1],
    [0, 1, 3, true],
    [1, 1, 2],
    [3, 0, 0],
    [3, 1, 0],
  ]);
  const { kind, lasso } = judge(graph);
  t.is(kind, 'deadlock');
  t.deepEqual(lasso, { path: [0, 1], cycle: [] });
});

test('a cycle in which a client could always go on and never does is unfair, and no livelock', t => {
  const graph = graphOf(2, 2, [
    [0, 0, 1],
    [1, 0, 0],
    [0, 1, 0, true],
    [1, 1, 0, true],
  ]);
  t.is(judge(graph).kind, 'progress');
});

test('a cycle in which a client goes on, or cannot for once, is fair', t => {
  const sleeps = graphOf(2, 2, [
    [0, 0, 1],
    [1, 0, 0],
    [0, 1, 0, true],
  ]);
  const { kind, lasso } = judge(sleeps);
  t.is(kind, 'livelock');
  t.deepEqual(lasso, { path: [], cycle: [0, 0] });
  const goes = graphOf(2, 3, [
    [0, 0, 1],
    [0, 1, 2, true],
    [1, 0, 1, true],
    [1, 1, 0],
    [2, 0, 0],
    [2, 1, 0],
  ]);
  t.deepEqual(judge(goes).lasso?.cycle, [0, 1]);
});

test('one client may starve where others make progress', t => {
  const graph = graphOf(2, 2, [
    [0, 0, 1],
    [1, 0, 0, true],
    [0, 1, 0, true],
  ]);
  const { kind, starved } = judge(graph);
  t.is(kind, 'progress');
  t.is(starved?.client, 1, 'it is asked only when the other is amid its work');
  t.deepEqual(starved?.lasso.cycle, [0, 0]);
});

test('what has not been looked at is no deadlock, and nobody is stuck for it', t => {
  const graph = new StateGraph(2, [[0, 1]]);
  graph.add('0', 0, null, [0, 1]);
  graph.connect(0, 0, { to: 0, isProgress: false, renaming: 0 });
  t.is(judge(graph).kind, 'progress');
  t.true(graph.isEnabled(0, 1));
  t.is(graph.edge(0, 1), null);
});

test('states that are equal but for names are taken apart again where a cycle is looked for', t => {
  // The one client goes, and is then where the other was: for ever, and each of them in its turn.
  const graph = new StateGraph(2, [
    [0, 1],
    [1, 0],
  ]);
  graph.add('0', 0, null, [0]);
  graph.connect(0, 0, { to: 0, isProgress: false, renaming: 1 });
  const { kind, lasso } = judge(graph);
  t.is(kind, 'livelock');
  t.deepEqual([...(lasso?.cycle ?? [])].sort(), [0, 1]);
});

/** Which nodes lead to one another, by trying all ways. */
const together = (nodes: number, edges: readonly (readonly [number, number])[]): boolean[][] => {
  const reach = Array.from({ length: nodes }, (_, a) =>
    Array.from({ length: nodes }, (_, b) => a === b || edges.some(([x, y]) => x === a && y === b)),
  );
  for (let k = 0; k < nodes; k++)
    for (const row of reach)
      if (row[k] === true)
        reach[k]?.forEach((is, b) => {
          if (is) row[b] = true;
        });
  return reach.map((row, a) => row.map((is, b) => is && reach[b]?.[a] === true));
};

test('components are the nodes that lead to one another', t => {
  const edge = fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 }));
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 20 }), edges => {
      const of = (node: number): number[] => edges.flatMap(([a, b]) => (a === node ? [b] : []));
      const component = componentsOf({ nodes: 8, degree: 20, to: (node, i) => of(node)[i] ?? -1 });
      const expected = together(8, edges);
      return expected.every((row, a) =>
        row.every((is, b) => is === (component[a] === component[b])),
      );
    }),
    { numRuns: 200 },
  );
  t.pass();
});
