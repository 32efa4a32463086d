/** Nodes from 0, and up to `degree` edges of each. */
export interface Edges {
  readonly nodes: number;
  readonly degree: number;
  /** Where edge `index` of a node leads; -1: there is no such edge. */
  to(node: number, index: number): number;
}

/**
 * The strongly connected component of each node, by number (Tarjan, without recursion). Of components
 * that lead to one another, the later has the smaller number.
 */
export const componentsOf = (edges: Edges): Int32Array => {
  const { nodes, degree } = edges;
  const component = new Int32Array(nodes).fill(-1);
  const order = new Int32Array(nodes).fill(-1);
  const low = new Int32Array(nodes);
  const nextEdge = new Int32Array(nodes);
  const open: number[] = [];
  const path: number[] = [];
  let visited = 0;
  let components = 0;
  const at = (array: Int32Array, node: number): number => array[node] ?? -1;
  const enter = (node: number): void => {
    order[node] = visited;
    low[node] = visited++;
    open.push(node);
    path.push(node);
  };
  const leave = (node: number): void => {
    path.pop();
    const parent = path.at(-1);
    if (parent !== undefined) low[parent] = Math.min(at(low, parent), at(low, node));
    if (at(low, node) !== at(order, node)) return;
    for (;;) {
      const member = open.pop() ?? node;
      component[member] = components;
      if (member === node) break;
    }
    components++;
  };
  for (let root = 0; root < nodes; root++) {
    if (at(order, root) >= 0) continue;
    enter(root);
    for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
      const index = at(nextEdge, node);
      if (index === degree) {
        leave(node);
        continue;
      }
      nextEdge[node] = index + 1;
      const to = edges.to(node, index);
      if (to < 0) continue;
      if (at(order, to) < 0) enter(to);
      else if (at(component, to) < 0) low[node] = Math.min(at(low, node), at(order, to));
    }
  }
  return component;
};
