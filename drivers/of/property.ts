import type { InputProblem } from '../base/types/errors';
import { invariant } from '../base/types/errors';
import type { DtNode } from './tree';

/*
 * How this layer reads properties, and how it says that one is wrong. Three answers never mix:
 *
 * - Linux cannot make sense of it but lives on: the function answers undefined or a failed
 *   Result carrying the kernel's error name, and the device simply lacks that fact;
 * - Linux would read past the end of the property, or loop for ever: an InputError;
 * - everything else: the fact.
 */

/** A property as big-endian 32-bit cells. */
export type Cells = readonly number[];

/** The kernel's error names this layer answers with. */
export type OfErrno = 'ENOENT' | 'ENODEV' | 'EINVAL' | 'EFAULT' | 'EOVERFLOW' | 'EBUSY';

/** Why a kernel function would have returned an error; what is wrong where, if anything is. */
export interface OfFailure {
  readonly errno: OfErrno;
  readonly problem: InputProblem | null;
}

/** A failure, with what is wrong in the tree if anything is. */
export const ofFailure = (errno: OfErrno, problem: InputProblem | null = null): OfFailure => ({
  errno,
  problem,
});

/** What a node's property should have been, as a record rather than as a throw. */
export const problemOf = (
  node: DtNode,
  property: string,
  expected: string,
  found: string,
): InputProblem => node.problem(property, expected, found).problem;

/** Which property of which node a derived fact came from. */
export interface From {
  readonly path: string;
  readonly property: string;
}

/** A fact of this node's property. */
export const from = (node: DtNode, property: string): From => ({ path: node.path, property });

/** Arithmetic of the kernel's u64. */
export const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);

/** The largest u64; also the kernel's PHYS_ADDR_MAX. */
export const U64_MAX = 0xffff_ffff_ffff_ffffn;

/** MAX_PHANDLE_ARGS of include/linux/of.h: no specifier is longer. */
export const MAX_PHANDLE_ARGS = 16;

/**
 * The low 64 bits of the number in `count` cells; no cells are 0. Linux: of_read_number().
 * The caller has made sure that the cells are there.
 */
export const ofReadNumber = (cells: Cells, index: number, count: number): bigint => {
  invariant(count >= 0 && index + count <= cells.length, 'cells are read within their property');
  const low = count > 0 ? (cells[index + count - 1] ?? 0) : 0;
  const high = count > 1 ? (cells[index + count - 2] ?? 0) : 0;
  return (BigInt(high) << 32n) | BigInt(low);
};

/** Ten times the longest list of any known board (interrupt-map of an Arm FVP, 414 cells). */
const MOST_CELLS = 4096;

const checkLength = (node: DtNode, property: string): void => {
  const length = node.bytes(property)?.length ?? 0;
  if (length <= MOST_CELLS * 4) return;
  throw node.problem(property, `at most ${MOST_CELLS * 4} bytes`, `${length} bytes`);
};

/**
 * The cells of a property that may be read again for each device; InputError for one so long
 * that this could hang the bench.
 */
export const boundedCells = (node: DtNode, property: string): Cells | undefined => {
  checkLength(node, property);
  return node.cells(property);
};

/** The strings of such a property. */
export const boundedStrings = (node: DtNode, property: string): readonly string[] | undefined => {
  checkLength(node, property);
  return node.strings(property);
};

/** True if the node's name, without its unit address, is `name`. Linux: of_node_name_eq(). */
export const ofNodeNameEq = (node: DtNode, name: string): boolean => node.baseName === name;

/** True if the node's device_type is `type`. Linux: of_node_is_type(). */
export const ofNodeIsType = (node: DtNode, type: string): boolean =>
  boundedStrings(node, 'device_type')?.[0] === type;

/**
 * True if `compatible` lists the string; letter case does not matter.
 * Linux: of_device_is_compatible(), of_compat_cmp().
 */
export const ofDeviceIsCompatible = (node: DtNode, compatible: string): boolean =>
  node.has('compatible') &&
  node.compatible.some(entry => entry.toLowerCase() === compatible.toLowerCase());
