import { hex } from '../base/types/address';
import type { InputProblem } from '../base/types/errors';
import type { Result } from '../base/types/result';
import { failed, ok } from '../base/types/result';
import { ofDmaRanges } from './address';
import { dmaAncestors, ofGetDmaParent } from './dma-parent';
import type { BusDmaRegion, DmaRange, NoDmaRange } from './dma-range';
import { ofDmaGetRange } from './dma-range';
import type { Arch } from './linux';
import { dmaBitMask, fls64 } from './linux';
import type { Phandles } from './phandle';
import type { From, OfFailure } from './property';
import { U64_MAX, from, ofFailure, problemOf, u64 } from './property';
import type { DtNode } from './tree';
import { treeWork } from './tree-work';

/*
 * What a device's DMA looks like: windows, limits, coherency. Linux 6.1: drivers/of/device.c.
 * Addresses are the kernel's u64 and wrap as it does.
 */

/** Where it is written whether a device's DMA is coherent; null: nowhere, so it is not. */
export interface DmaCoherence {
  readonly coherent: boolean;
  readonly from: From | null;
}

/**
 * The nearest `dma-coherent` or `dma-noncoherent`, from the node up along its DMA parents; where
 * both stand on one node the first of these wins. Neither anywhere: not coherent, as only
 * powerpc selects OF_DMA_DEFAULT_COHERENT. Linux: of_dma_is_coherent().
 */
export const ofDmaIsCoherent = (node: DtNode, phandles: Phandles): DmaCoherence => {
  for (const n of dmaAncestors(node, phandles)) {
    if (n.has('dma-coherent')) return { coherent: true, from: from(n, 'dma-coherent') };
    if (n.has('dma-noncoherent')) return { coherent: false, from: from(n, 'dma-noncoherent') };
  }
  return { coherent: false, from: null };
};

/**
 * Which bus driver configures the device; `pci-bridge`: a function behind the bridge `node`,
 * where the search for windows begins at the bridge itself. Either configures a device without
 * windows too, and gives it 32-bit masks to begin with. Linux: platform_dma_configure(),
 * amba_dma_configure(), pci_dma_configure().
 */
export type DmaDeviceKind = 'platform' | 'pci-bridge';

const FIRST_MASK = dmaBitMask(32);

/** What of_dma_configure() knows beside the tree. */
export interface DmaConfigureOptions {
  readonly kind: DmaDeviceKind;
  readonly arch: Arch;
  /** The device was made coherent before, by a bus notifier of the platform. */
  readonly coherentBefore?: boolean;
}

/** Everything of_dma_configure() sets on a device, and where it came from. */
export interface DmaConfig {
  /** False for a device that ofDmaConfigure() fails for: it is left as its bus made it. */
  readonly configured: boolean;
  readonly coherent: boolean;
  /** Windows from bus to CPU addresses; null: bus addresses are the CPU's. */
  readonly map: readonly BusDmaRegion[] | null;
  /**
   * Last bus address of the windows, null without. It knows nothing of holes between them. 0,
   * from windows of no size, is no limit to the kernel (min_not_zero).
   */
  readonly busDmaLimit: bigint | null;
  /** dma_mask and coherent_dma_mask, which are equal at this point. */
  readonly mask: bigint;
  /** First and last bus address: what an IOMMU may hand out. */
  readonly dmaStart: bigint;
  readonly dmaEnd: bigint;
  readonly provenance: DmaProvenance;
  readonly diagnostics: readonly InputProblem[];
}

/** Where each fact of a DMA configuration was read. */
export interface DmaProvenance {
  /** Null: by default; `coherentBefore`: by the notifier. */
  readonly coherent: From | 'coherentBefore' | null;
  readonly map: From | NoDmaRange;
}

/**
 * A device's DMA configuration; an EINVAL makes its driver's probe fail.
 *
 * Traps, each as Linux 6.1 has it: the bounds are those of all windows together, so the limit is
 * a bus address, whatever the start and the holes; an odd size is a mask somebody wrote for a
 * size, and gets 1 added; the mask is the power of two above the last address; a limit is set
 * only where windows were found; arm64 assigns coherency while arm32 only ever adds it. From
 * 6.10 on the odd size is taken as it stands. IOMMUs: ofIommuConfigure; restricted pools:
 * ofDmaSetRestrictedBuffer. Linux: of_dma_configure_id().
 */
export const ofDmaConfigure = (
  node: DtNode,
  phandles: Phandles,
  { kind, arch, coherentBefore = false }: DmaConfigureOptions,
): Result<DmaConfig, OfFailure> => {
  const start = kind === 'platform' ? ofGetDmaParent(node, phandles) : node;
  const range: Result<DmaRange, NoDmaRange> =
    start === null ? failed({ errno: 'ENODEV', reason: 'absent' }) : ofDmaGetRange(start, phandles);
  const diagnostics = diagnosticsOf(range);
  checkWindows(node, range, phandles);

  const bounds = range.ok ? boundsOf(range.value) : WITHOUT_WINDOWS;
  if (bounds.size === 0n) return failed(ofFailure('EINVAL', bounds.problem));
  if (bounds.problem !== null) diagnostics.push(bounds.problem);
  const end = u64(bounds.start + bounds.size - 1n);

  const written = ofDmaIsCoherent(node, phandles);
  const kept = arch === 'arm32' && coherentBefore && !written.coherent;
  return ok({
    configured: true,
    coherent: written.coherent || kept,
    map: range.ok ? upToTheFirstEmpty(range.value.map) : null,
    busDmaLimit: range.ok ? end : null,
    mask: FIRST_MASK & dmaBitMask(fls64(end)),
    dmaStart: bounds.start,
    dmaEnd: end,
    provenance: {
      coherent: kept ? 'coherentBefore' : written.from,
      map: range.ok ? from(range.value.bus, 'dma-ranges') : range.problem,
    },
    diagnostics,
  });
};

/** Windows are told for each device, so many devices below a bus with many are refused. */
const checkWindows = (
  node: DtNode,
  range: Result<DmaRange, NoDmaRange>,
  phandles: Phandles,
): void => {
  const bus = range.ok ? range.value.bus : 'bus' in range.problem ? range.problem.bus : null;
  if (bus === null) return;
  const count = ofDmaRanges(bus, phandles).length;
  treeWork(phandles).deviceWindows.add(node, count, bus, 'dma-ranges');
};

const diagnosticsOf = (range: Result<DmaRange, NoDmaRange>): InputProblem[] => {
  if (range.ok) return [...range.value.diagnostics];
  return range.problem.reason === 'untranslatable' ? [...range.problem.diagnostics] : [];
};

interface Bounds {
  readonly start: bigint;
  readonly size: bigint;
  readonly problem: InputProblem | null;
}

const WITHOUT_WINDOWS: Bounds = { start: 0n, size: FIRST_MASK + 1n, problem: null };

/** Every loop of the kernel over a map stops at the first region of size 0. */
const upToTheFirstEmpty = (map: readonly BusDmaRegion[]): readonly BusDmaRegion[] => {
  const empty = map.findIndex(region => region.size === 0n);
  return empty < 0 ? map : map.slice(0, empty);
};

const boundsOf = ({ bus, map }: DmaRange): Bounds => {
  let start = U64_MAX;
  let end = 0n;
  for (const { dma, size } of upToTheFirstEmpty(map)) {
    if (dma < start) start = dma;
    if (u64(dma + size) > end) end = u64(dma + size);
  }
  const size = u64(end - start);
  if (size % 2n === 0n) return { start, size, problem: null };
  const problem = problemOf(bus, 'dma-ranges', 'windows of an even size', hex(size));
  return { start, size: u64(size + 1n), problem };
};
