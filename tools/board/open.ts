import { createHash } from 'node:crypto';
import { InputError } from '../../drivers/base/types/errors';
import { checkTree } from '../../drivers/of/check';
import type { Diagnostic } from '../../drivers/of/diagnostics';
import { showDiagnostic } from '../../drivers/of/diagnostics';
import { writeFdt } from '../../drivers/of/fdt-write';
import { checkLimits } from '../../drivers/of/limits';
import { applyOverlay, isOverlay } from '../../drivers/of/overlay';
import type { DeviceTree } from '../../drivers/of/tree';
import { boardNames, loadBoard } from '../../machines/boards';
import { planMachine } from '../../machines/plan';
import type { MachinePlan, PlanOptions } from '../../machines/plan';
import { checkBootable } from '../../machines/plan-boot';
import { BOARD_FILES, overlayFile, overlayNames } from './board-files';
import { kindOf } from './files';
import { nearest } from './nearest';
import { readSource } from './source';
import type { SourceTree } from './source';

/** A tree to make a machine of, with all overlays applied. */
export interface Board {
  readonly tree: DeviceTree;
  /** What the user called it, overlays included. */
  readonly source: string;
  /** sha256 of the tree's normal form as a DTB. */
  readonly hash: string;
  /** What is odd about the tree, as it was written and with all overlays applied. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Opens `board`: the name of a board that is shipped, else a path. A name wins over a file of the
 * same name, which can be spelled `./name`.
 */
export const openBoard = (board: string, overlays: readonly string[]): Board => {
  const base = boardNames(BOARD_FILES).includes(board)
    ? { tree: loadBoard(board, BOARD_FILES), diagnostics: [] }
    : openPath(board);
  const patches = overlays.map(readOverlay);
  const tree = patches.reduce((below, patch) => applyOverlay(below, patch.tree), base.tree);
  const source = [board, ...overlays].join(' + ');
  const found = naming(source, () => {
    checkLimits(tree);
    return checkTree(tree);
  });
  return {
    tree,
    source,
    hash: createHash('sha256').update(writeFdt(tree)).digest('hex'),
    diagnostics: [...[base, ...patches].flatMap(({ diagnostics }) => diagnostics), ...found],
  };
};

const openPath = (path: string): SourceTree => {
  if (kindOf(path) === 'none' && !path.includes('/')) throw unknownBoard(path);
  const source = readSource(path);
  if (!isOverlay(source.tree)) return source;
  const expected = 'the device tree of a board';
  throw new InputError({ place: path, expected, found: 'an overlay (see --overlay)' });
};

const unknownBoard = (name: string): InputError => {
  const names = boardNames(BOARD_FILES);
  const near = nearest(name, names);
  const hint = near.length === 0 ? '.' : `; did you mean ${near.join(' or ')}?`;
  return new InputError({
    place: `'${name}'`,
    expected: 'the name of a board or a file',
    found: `neither${hint} The boards are: ${names.join(', ')}`,
  });
};

const unknownOverlay = (name: string): InputError => {
  const names = overlayNames();
  const near = nearest(name, names);
  const hint = near.length === 0 ? '.' : `; did you mean ${near.join(' or ')}?`;
  return new InputError({
    place: `'${name}'`,
    expected: 'the name of an overlay or a file',
    found: `neither${hint} The overlays are: ${names.join(', ')}`,
  });
};

/** A name of an overlay that is shipped wins over a file of the same name, as for boards. */
const readOverlay = (path: string): SourceTree => {
  const shipped = overlayFile(path);
  if (shipped === null && kindOf(path) === 'none' && !path.includes('/'))
    throw unknownOverlay(path);
  const source = readSource(shipped ?? path, { plugin: true });
  if (isOverlay(source.tree)) return source;
  const expected = 'an overlay: nodes with target or target-path and __overlay__';
  throw new InputError({ place: path, expected, found: 'a tree without any' });
};

/** As planMachine(), for a board that was opened: its InputErrors say whose tree it is. */
export const planBoard = ({ tree, source }: Board, options: PlanOptions): MachinePlan =>
  naming(source, () => planMachine(tree, options));

/** As planBoard(), of a machine that is to be booted: see checkBootable(). */
export const planRun = (board: Board, options: PlanOptions): MachinePlan => {
  const plan = planBoard(board, options);
  naming(board.source, () => {
    checkBootable(plan);
  });
  return plan;
};

/** What `run` answers; an InputError about a node gets the tree's name, unless it has a file's. */
const naming = <T>(source: string, run: () => T): T => {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const { place } = error.problem;
    if (!place.startsWith('/') || FILE_PLACE.test(place)) throw error;
    throw new InputError({ ...error.problem, place: `${source}: ${place}` });
  }
};

/** `file:line:column`, and maybe the node; an absolute file begins as a node's path does. */
const FILE_PLACE = /:[0-9]+:[0-9]+(?:: |$)/;

/** What a reader should know of the tree and of what was made of it. */
export const notesOf = ({ diagnostics }: Board, plan: MachinePlan): string[] => [
  ...diagnostics.map(showDiagnostic),
  ...plan.notes,
];
