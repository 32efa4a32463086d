import { cellBytes, stringBytes } from './bytes';
import type { SourceValue } from './dts-tree';
import { SourceNode } from './dts-tree';
import type { TreeBudget } from './limits';
import type { SourcePlace } from './tree';
import { showPlace } from './tree';

/**
 * The fragments of a plugin. `&target { content };` becomes
 * `/fragment@N { target = <&target>; __overlay__ { content }; };`, with `target-path` for a path.
 */
export class FragmentList {
  readonly #budget: TreeBudget;
  #count = 0;

  constructor(budget: TreeBudget) {
    this.#budget = budget;
  }

  wrap(target: string, place: SourcePlace, content: SourceNode): SourceNode {
    this.#budget.takeNode(2, () => showPlace(place));
    this.#budget.takeProperty(() => showPlace(place));
    const fragment = new SourceNode(`fragment@${this.#count}`, place);
    this.#count += 1;

    const isPath = target.startsWith('/');
    fragment.addProperty({
      name: isPath ? 'target-path' : 'target',
      labels: undefined,
      value: isPath ? pathValue(target) : phandleValue(target, place),
      place,
      deleted: false,
    });
    fragment.addChild(content);
    return fragment;
  }
}

const pathValue = (path: string): SourceValue => ({
  bytes: stringBytes(path),
  references: [],
  labels: [],
});

const phandleValue = (target: string, place: SourcePlace): SourceValue => ({
  bytes: cellBytes([0xffffffff]),
  references: [{ kind: 'phandle', target, place, offset: 0 }],
  labels: [],
});
