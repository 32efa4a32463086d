import type { Result } from '../base/types/result';
import { failed, ok } from '../base/types/result';
import type { OfFailure } from './property';
import { MAX_PHANDLE_ARGS, boundedCells, ofFailure, problemOf } from './property';
import type { DtNode } from './tree';

/*
 * References between nodes. The map of phandles is made once per tree (DeviceTree.phandles) and
 * handed to every function that follows references.
 */

export type Phandles = ReadonlyMap<number, DtNode>;

/** A node and the specifier cells that follow its phandle. Linux: struct of_phandle_args. */
export interface OfPhandleArgs {
  readonly node: DtNode;
  readonly args: readonly number[];
}

/** The node of a phandle; 0 is nobody's. Linux: of_find_node_by_phandle(). */
export const ofFindNodeByPhandle = (handle: number, phandles: Phandles): DtNode | undefined =>
  handle === 0 ? undefined : phandles.get(handle);

/** The node the `index`th cell of a plain phandle list refers to. Linux: of_parse_phandle(). */
export const ofParsePhandle = (
  node: DtNode,
  list: string,
  index: number,
  phandles: Phandles,
): DtNode | undefined => {
  const handle = boundedCells(node, list)?.[index];
  return handle === undefined ? undefined : ofFindNodeByPhandle(handle, phandles);
};

type Entry = OfPhandleArgs | 'empty';

/**
 * The `index`th entry of a list of phandles with arguments; how many follow each is the
 * `cellsName` property of the node it refers to. An entry with phandle 0 has none.
 *
 * ENOENT: there is no such entry, or it is empty; EINVAL: the list is broken at or before it, so
 * nothing from there on can be read. Linux: of_parse_phandle_with_args().
 */
export const ofParsePhandleWithArgs = (
  node: DtNode,
  list: string,
  cellsName: string,
  index: number,
  phandles: Phandles,
): Result<OfPhandleArgs, OfFailure> => {
  const cells = boundedCells(node, list) ?? [];
  let at = 0;
  for (let i = 0; at < cells.length; i++) {
    const entry = entryAt(node, list, cellsName, cells, at, phandles);
    if (!entry.ok) return entry;
    if (i === index) return entry.value === 'empty' ? failed(ofFailure('ENOENT')) : ok(entry.value);
    at += 1 + (entry.value === 'empty' ? 0 : entry.value.args.length);
  }
  return failed(ofFailure('ENOENT'));
};

/** Every entry up to the end of the list or the first that cannot be read (`broken`). */
export const ofPhandleList = (
  node: DtNode,
  list: string,
  cellsName: string,
  phandles: Phandles,
): { readonly entries: readonly Entry[]; readonly broken: OfFailure | null } => {
  const cells = boundedCells(node, list) ?? [];
  const entries: Entry[] = [];
  for (let at = 0; at < cells.length;) {
    const entry = entryAt(node, list, cellsName, cells, at, phandles);
    if (!entry.ok) return { entries, broken: entry.problem };
    entries.push(entry.value);
    at += 1 + (entry.value === 'empty' ? 0 : entry.value.args.length);
  }
  return { entries, broken: null };
};

/** One entry of a list. Linux: of_phandle_iterator_next(). */
const entryAt = (
  node: DtNode,
  list: string,
  cellsName: string,
  cells: readonly number[],
  at: number,
  phandles: Phandles,
): Result<Entry, OfFailure> => {
  const handle = cells[at] ?? 0;
  if (handle === 0) return ok('empty');
  const target = ofFindNodeByPhandle(handle, phandles);
  if (target === undefined) return broken(node, list, 'the phandle of a node', `${handle}`);
  const count = target.u32(cellsName);
  if (count === undefined) {
    return broken(target, cellsName, `the property, as ${node.path} refers to it`, 'none');
  }
  const left = cells.length - at - 1;
  if (count > left) {
    return broken(node, list, `${count} cells after ${target.path}`, `${left} cells`);
  }
  if (count > MAX_PHANDLE_ARGS) {
    throw target.problem(cellsName, `at most ${MAX_PHANDLE_ARGS}`, `${count}`);
  }
  return ok({ node: target, args: cells.slice(at + 1, at + 1 + count) });
};

const broken = (
  node: DtNode,
  property: string,
  expected: string,
  found: string,
): Result<Entry, OfFailure> =>
  failed(ofFailure('EINVAL', problemOf(node, property, expected, found)));
