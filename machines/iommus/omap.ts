import { at } from '../../drivers/base/types/arrays';
import { OmapIommu } from '../../drivers/iommu/omap-iommu/model';
import { omapIommuDriver } from '../../drivers/iommu/omap-iommu/driver';
import type { OmapOptions } from '../../drivers/iommu/omap-iommu/driver';
import {
  COMPATIBLE,
  DEFAULT_TLB_ENTRIES,
  MOST_TLB_ENTRIES,
  OMAP_IOMMU,
  SMALL_WINDOW,
} from '../../drivers/iommu/omap-iommu/regs';
import { ofGetAddress } from '../../drivers/of/address';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuKind } from './kind';

/** InputError for a TLB that LOCK cannot count. */
const optionsOf = (node: DtNode): OmapOptions => {
  const tlbEntries = node.u32('ti,#tlb-entries') ?? DEFAULT_TLB_ENTRIES;
  if (tlbEntries < 1 || tlbEntries > MOST_TLB_ENTRIES) {
    throw node.problem('ti,#tlb-entries', `1 to ${MOST_TLB_ENTRIES}`, `${tlbEntries}`);
  }
  return { tlbEntries, hasBusErrorBack: node.has('ti,iommu-bus-err-back') };
};

/** The oldest have half the window, and no GP_REG. */
const windowOf = (node: DtNode): number =>
  Number(ofGetAddress(node, 0)?.size ?? 0n) < OMAP_IOMMU.size ? SMALL_WINDOW : OMAP_IOMMU.size;

export const omapIommuKind: IommuKind = {
  compatible: COMPATIBLE,
  windows: node => [windowOf(node)],
  interrupts: () => 1,
  check: optionsOf,
  checkStream: (node, cells) => (cells.length === 0 ? null : `${node.path} alone`),
  makeModel: ({ node, name, memory, irqs, isChecked, onGuestError, onStale, onRefused }) =>
    new OmapIommu({
      name,
      memory,
      irq: at(irqs, 0),
      isChecked,
      windowSize: windowOf(node),
      onGuestError,
      onStale,
      onRefused,
      ...optionsOf(node),
    }),
  driver: node => omapIommuDriver(optionsOf(node)),
};
