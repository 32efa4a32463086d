import { syntaxError } from './dts-source';
import type { LabelSink, SourceNode } from './dts-tree';
import { showPlace } from './tree';

/**
 * Nodes by label. A node is entered when its label is read, and counts while it hangs in the
 * tree undeleted with the label alive: what a merge has used up or a deletion removed drops out.
 */
export class LabelIndex implements LabelSink {
  readonly #nodes = new Map<string, Set<SourceNode>>();

  enter(label: string, node: SourceNode): void {
    const nodes = this.#nodes.get(label);
    if (nodes === undefined) this.#nodes.set(label, new Set([node]));
    else nodes.add(node);
  }

  /** The node of the tree under `root` that bears the label; two are an InputError. */
  find(label: string, root: SourceNode): SourceNode | undefined {
    const entered = this.#nodes.get(label);
    if (entered === undefined) return undefined;
    let bearer: SourceNode | undefined;
    for (const node of entered) {
      // A label comes back to life only by being entered again.
      if (!node.hasLabel(label) || !isUnder(node, root)) {
        entered.delete(node);
      } else if (bearer === undefined) {
        bearer = node;
      } else {
        const found = `'${label}', also at ${showPlace(bearer.place)}`;
        throw syntaxError(node.place, 'a label that is used once', found);
      }
    }
    return bearer;
  }
}

/** The living node a reference means: a label, a path, or a label and the path below it. */
export const findTarget = (
  target: string,
  root: SourceNode,
  labels: LabelIndex,
): SourceNode | undefined => {
  const [first = '', ...below] = target.split('/');
  const start = first === '' ? root : labels.find(first, root);
  return below
    .filter(part => part !== '')
    .reduce<SourceNode | undefined>((node, part) => node?.child(part), start);
};

const isUnder = (node: SourceNode, root: SourceNode): boolean => {
  let top = node;
  while (top.parent !== null) top = top.parent;
  return top === root;
};
