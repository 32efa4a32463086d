import type { InputProblem } from '../base/types/errors';
import { hex } from '../base/types/address';
import type { Result } from '../base/types/result';
import { failed, ok } from '../base/types/result';
import type { OfPhandleArgs, Phandles } from './phandle';
import { ofFindNodeByPhandle, ofPhandleList } from './phandle';
import type { OfFailure } from './property';
import { boundedCells, ofFailure, problemOf } from './property';
import type { DtNode } from './tree';
import { treeWork } from './tree-work';

/*
 * Which IOMMUs translate a device's DMA, and under which ids. Linux 6.1:
 * drivers/iommu/of_iommu.c. Only the node itself is asked, never its parents.
 */

/** What of_iommu_configure() knows beside the tree. */
export interface IommuConfigureOptions {
  /** Ids the device shows on its bus (PCI requester ids); none for a platform device, which is
   *  described by `iommus`. */
  readonly inputIds?: readonly number[];
}

/** Why DMA is direct, as of_iommu_configure() would have it. */
export type DirectReason = 'not-described' | 'disabled' | 'not-mapped' | 'broken';

export type IommuConfig =
  | {
      readonly kind: 'iommu';
      readonly specs: readonly OfPhandleArgs[];
      readonly diagnostics: readonly InputProblem[];
    }
  | {
      readonly kind: 'direct';
      readonly reason: DirectReason;
      /** The IOMMU that is not used, if one was named. */
      readonly iommu: DtNode | null;
      readonly diagnostics: readonly InputProblem[];
    };

/** Ids a device shows: eight times what any known board has (16). */
const MOST_SPECS = 128;

/**
 * The IOMMU specifiers of a device, taking it that every enabled IOMMU has a driver that reads
 * them. One entry of `iommus` that cannot be used makes the device direct, even after entries
 * that can; one that cannot be read only ends the list. InputError for more than 128 entries, or
 * absurdly many of all devices together. Linux: of_iommu_configure().
 */
export const ofIommuConfigure = (
  node: DtNode,
  phandles: Phandles,
  { inputIds }: IommuConfigureOptions = {},
): IommuConfig =>
  inputIds === undefined ? configureDevice(node, phandles) : configureIds(node, phandles, inputIds);

/** Linux: of_iommu_configure_dev(). */
const configureDevice = (node: DtNode, phandles: Phandles): IommuConfig => {
  const { entries, broken } = ofPhandleList(node, 'iommus', '#iommu-cells', phandles);
  if (entries.length > MOST_SPECS) {
    throw node.problem('iommus', `at most ${MOST_SPECS} specifiers`, `${entries.length}`);
  }
  treeWork(phandles).iommuSpecs.add(node, entries.length, node, 'iommus');
  const problem = broken?.problem ?? null;
  const diagnostics = problem === null ? [] : [problem];
  const specs: OfPhandleArgs[] = [];
  for (const entry of entries) {
    if (entry === 'empty') break;
    if (!entry.node.isAvailable) return direct('disabled', entry.node, diagnostics);
    specs.push(entry);
  }
  if (specs.length > 0) return { kind: 'iommu', specs, diagnostics };
  return direct(broken === null ? 'not-described' : 'broken', null, diagnostics);
};

/** Linux: of_pci_iommu_init() for each DMA alias, of_iommu_configure_dev_id(). */
const configureIds = (
  node: DtNode,
  phandles: Phandles,
  inputIds: readonly number[],
): IommuConfig => {
  const specs: OfPhandleArgs[] = [];
  for (const id of inputIds) {
    const mapped = ofMapId(node, id, 'iommu-map', 'iommu-map-mask', phandles);
    if (!mapped.ok) {
      const { problem } = mapped.problem;
      const reason = problem === null ? 'not-described' : 'broken';
      return direct(reason, null, problem === null ? [] : [problem]);
    }
    const { target } = mapped.value;
    if (target === null) return direct('not-mapped', null, []);
    if (!target.isAvailable) return direct('disabled', target, []);
    specs.push({ node: target, args: [mapped.value.id] });
  }
  if (specs.length > 0) return { kind: 'iommu', specs, diagnostics: [] };
  return direct('not-described', null, []);
};

const direct = (
  reason: DirectReason,
  iommu: DtNode | null,
  diagnostics: readonly InputProblem[],
): IommuConfig => ({ kind: 'direct', reason, iommu, diagnostics });

/** Where an id leads; target null: no entry matches, the id passes unchanged. */
export interface MappedId {
  readonly target: DtNode | null;
  readonly id: number;
}

const CELLS_PER_ENTRY = 4;

/**
 * The id after an `iommu-map` or `msi-map` (id base, phandle, output base, length). ENODEV: no
 * map, or the matching entry refers to no node; EINVAL: a length that makes no entries; EFAULT:
 * an id base the mask hides. Linux: of_map_id(), drivers/of/base.c.
 */
export const ofMapId = (
  node: DtNode,
  id: number,
  mapName: string,
  maskName: string,
  phandles: Phandles,
): Result<MappedId, OfFailure> => {
  const map = boundedCells(node, mapName);
  if (map === undefined) return failed(ofFailure('ENODEV'));
  if (map.length === 0 || map.length % CELLS_PER_ENTRY !== 0) {
    const expected = `entries of ${CELLS_PER_ENTRY} cells`;
    const problem = problemOf(node, mapName, expected, `${map.length} cells`);
    return failed(ofFailure('EINVAL', problem));
  }
  const mask = node.u32(maskName) ?? 0xffff_ffff;
  const masked = (mask & id) >>> 0;
  for (let at = 0; at < map.length; at += CELLS_PER_ENTRY) {
    const [idBase = 0, handle = 0, outBase = 0, length = 0] = map.slice(at, at + CELLS_PER_ENTRY);
    if ((idBase & ~mask) !== 0) {
      const problem = problemOf(node, mapName, `id bases within mask ${hex(mask)}`, hex(idBase));
      return failed(ofFailure('EFAULT', problem));
    }
    if (masked < idBase || masked >= (idBase + length) >>> 0) continue;
    const target = ofFindNodeByPhandle(handle, phandles);
    if (target === undefined) {
      const problem = problemOf(node, mapName, 'the phandle of a node', `${handle}`);
      return failed(ofFailure('ENODEV', problem));
    }
    return ok({ target, id: (masked - idBase + outBase) >>> 0 });
  }
  return ok({ target: null, id });
};
