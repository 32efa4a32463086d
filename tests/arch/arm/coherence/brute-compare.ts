import type { BruteForce, Node } from './brute-force';

export interface Comparison {
  /** Sequences of events that were compared, counting those that led to the same. */
  sequences: number;
  nodes: number;
  difference: string | null;
}

const nodeKey = (node: Node): string =>
  [
    node.world.latest.join(),
    node.world.isWritten.join(),
    node.world.byDevice,
    node.live,
    node.sets.join(),
    node.exact.join(),
    [...node.lines].sort((a, b) => a - b).join(),
  ].join(' ');

/** Every sequence of events up to a length; stops at the first difference or after `most` nodes. */
export const compareAll = (brute: BruteForce, length: number, most = Infinity): Comparison => {
  let frontier = [brute.start()];
  let nodes = 0;
  let sequences = 0;
  for (let depth = 0; depth < length; depth++) {
    const reached = new Map<string, Node>();
    for (const node of frontier) {
      for (const event of brute.events) {
        if (nodes >= most) break;
        const after = brute.step(node, event);
        nodes++;
        if (brute.difference !== null) return { sequences, nodes, difference: brute.difference };
        if (after !== null) reached.set(nodeKey(after), after);
      }
    }
    frontier = [...reached.values()];
    if (nodes < most) sequences += brute.events.length ** (depth + 1);
  }
  return { sequences: nodes < most ? sequences : nodes, nodes, difference: null };
};

/** One sequence, given as numbers that choose events. */
export const compareSequence = (brute: BruteForce, choices: readonly number[]): string | null => {
  let node = brute.start();
  const done: string[] = [];
  for (const choice of choices) {
    const event = brute.events[choice % brute.events.length];
    const after = event === undefined ? null : brute.step(node, event);
    if (event === undefined || after === null) continue;
    done.push(event.name);
    if (brute.difference !== null) return `${done.join('; ')} -> ${brute.difference}`;
    node = after;
  }
  return null;
};
