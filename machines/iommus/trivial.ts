import { EveryIotlb, LruIotlb } from '../../drivers/iommu/trivial/model/iotlb';
import { TrivialIommu } from '../../drivers/iommu/trivial/model';
import {
  COMPATIBLE,
  DEFAULT_APERTURE_PAGES,
  MOST_APERTURE_PAGES,
  STREAMS,
  TRIVIAL_IOMMU,
} from '../../drivers/iommu/trivial/regs';
import { trivialIommuDriver } from '../../drivers/iommu/trivial/driver';
import { at } from '../../drivers/base/types/arrays';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuKind } from './kind';

/** Entries that its tables can have. InputError for more than the hardware has bits. */
const aperturePages = (node: DtNode): number => {
  const pages = node.u32('dmabench,aperture-pages') ?? DEFAULT_APERTURE_PAGES;
  if (pages >= 1 && pages <= MOST_APERTURE_PAGES) return pages;
  throw node.problem('dmabench,aperture-pages', `1 to ${MOST_APERTURE_PAGES}`, `${pages}`);
};

export const trivialIommuKind: IommuKind = {
  compatible: COMPATIBLE,
  mayDefer: true,
  windows: () => [TRIVIAL_IOMMU.size],
  interrupts: () => 1,
  check: aperturePages,
  checkStream: (node, [stream, ...others]) =>
    stream !== undefined && stream < STREAMS && others.length === 0
      ? null
      : `a stream below ${STREAMS} of ${node.path}`,
  makeModel: ({ node, name, memory, irqs, isChecked, tlbEntries, ...ports }) =>
    new TrivialIommu({
      name,
      aperturePages: aperturePages(node),
      tables: memory,
      irq: at(irqs, 0),
      iotlb: isChecked ? new EveryIotlb() : new LruIotlb(tlbEntries),
      events: ports.events,
      onGuestError: ports.onGuestError,
      onStale: ports.onStale,
      onRefused: ports.onRefused,
    }),
  driver: () => trivialIommuDriver,
};
