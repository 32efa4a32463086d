import type { DmaMemory } from '../drivers/base/hw/dma-memory';
import type { GuestErrorSink } from '../drivers/base/hw/device';
import type { EventQueue } from '../drivers/base/hw/event-queue';
import type { IrqLine } from '../drivers/base/hw/irq';
import { TrivialIommu } from '../drivers/iommu/trivial/model';
import type { RefusedAccess, StaleEntry } from '../drivers/iommu/trivial/model';
import type { Iotlb } from '../drivers/iommu/trivial/model/iotlb';
import {
  COMPATIBLE,
  DEFAULT_APERTURE_PAGES,
  MOST_APERTURE_PAGES,
  STREAMS,
  TRIVIAL_IOMMU,
} from '../drivers/iommu/trivial/regs';
import type { DtNode } from '../drivers/of/tree';
import type { DevicePlan } from './plan-devices';
import type { DmaFacts } from './quirks';

/*
 * IOMMUs that dmabench models, and which masters are behind them. All others translate nothing, as
 * in bypass.
 */

/** The string by which the IOMMU of a node is modelled, or null. */
export const iommuMatch = (compatible: readonly string[]): string | null =>
  compatible.find(name => COMPATIBLE.includes(name)) ?? null;

/** Bytes that the model of such a device takes of each of its `reg` entries; none without one. */
export const iommuWindows = (compatible: readonly string[]): readonly number[] =>
  iommuMatch(compatible) === null ? [] : [TRIVIAL_IOMMU.size];

/** Where the transactions of a master go first. */
export interface Stream {
  /** The IOMMU's node. */
  readonly node: DtNode;
  readonly stream: number;
  /** As the tree writes it. */
  readonly cells: readonly number[];
}

/**
 * The stream of a master behind an IOMMU that is modelled; null for any other. InputError for one
 * that has several, or of which the IOMMU knows nothing.
 */
export const streamOf = ({ node: master, kind, iommu }: DmaFacts): Stream | null => {
  if (iommu.kind !== 'iommu') return null;
  const spec = iommu.specs.find(({ node }) => iommuMatch(node.compatible) !== null);
  if (spec === undefined) return null;
  const { node, args: cells } = spec;
  const property = kind === 'platform' ? 'iommus' : 'iommu-map';
  const [stream] = cells;
  if (iommu.specs.length > 1) {
    throw master.problem(property, `${node.path} alone`, `${iommu.specs.length} specifiers`);
  }
  if (cells.length !== 1 || stream === undefined || stream >= STREAMS) {
    throw master.problem(property, `a stream below ${STREAMS} of ${node.path}`, cells.join(' '));
  }
  return { node, stream, cells };
};

/** Entries that the tables of an IOMMU can have. InputError for more than the hardware has bits. */
export const aperturePages = (node: DtNode): number => {
  const pages = node.u32('dmabench,aperture-pages') ?? DEFAULT_APERTURE_PAGES;
  if (pages >= 1 && pages <= MOST_APERTURE_PAGES) return pages;
  throw node.problem('dmabench,aperture-pages', `1 to ${MOST_APERTURE_PAGES}`, `${pages}`);
};

/** InputError for an IOMMU, or a master behind one, that its binding does not permit. */
export const checkIommus = (devices: readonly DevicePlan[]): void => {
  for (const { device, effective, function: pci } of devices) {
    if (iommuMatch(device.compatible) !== null) aperturePages(device.node);
    streamOf(effective);
    if (pci !== null) streamOf(pci);
  }
};

/** What the machine gives an IOMMU. */
export interface IommuParts {
  readonly node: DtNode;
  readonly tables: DmaMemory;
  readonly iotlb: Iotlb;
  readonly irq: IrqLine;
  readonly events: EventQueue;
  readonly onGuestError: GuestErrorSink;
  readonly onStale: ((stale: StaleEntry) => void) | null;
  readonly onRefused: ((refused: RefusedAccess) => void) | null;
}

export const makeIommu = ({ node, ...ports }: IommuParts): TrivialIommu =>
  new TrivialIommu({ name: node.name, aperturePages: aperturePages(node), ...ports });
