import { at } from '../../drivers/base/types/arrays';
import { RockchipIommu } from '../../drivers/iommu/rockchip-iommu/model';
import { rockchipIommuDriver } from '../../drivers/iommu/rockchip-iommu/driver';
import {
  BANK_SIZE,
  COMPATIBLE,
  MOST_BANKS,
  V2_COMPATIBLE,
} from '../../drivers/iommu/rockchip-iommu/regs';
import { ofGetAddress } from '../../drivers/of/address';
import type { DtNode } from '../../drivers/of/tree';
import type { IommuKind } from './kind';

const isV2 = ({ compatible }: DtNode): boolean =>
  compatible.find(name => COMPATIBLE.includes(name)) === V2_COMPATIBLE;

/** An MMU for each `reg` entry: as many windows. InputError for none, or more than any chip has. */
const windowsOf = (node: DtNode): readonly number[] => {
  let count = 0;
  while (count <= MOST_BANKS && ofGetAddress(node, count) !== undefined) count++;
  if (count >= 1 && count <= MOST_BANKS) return new Array<number>(count).fill(BANK_SIZE);
  throw node.problem('reg', `1 to ${MOST_BANKS} windows`, count === 0 ? 'none' : 'more');
};

export const rockchipIommuKind: IommuKind = {
  compatible: COMPATIBLE,
  windows: windowsOf,
  interrupts: () => 1,
  check: windowsOf,
  checkStream: (node, cells) => (cells.length === 0 ? null : `${node.path} alone`),
  makeModel: ({ node, name, memory, irqs, isChecked, tlbEntries, ...sinks }) =>
    new RockchipIommu({
      name,
      memory,
      irq: at(irqs, 0),
      isChecked,
      tlbEntries,
      isV2: isV2(node),
      windows: windowsOf(node),
      onGuestError: sinks.onGuestError,
      onStale: sinks.onStale,
      onRefused: sinks.onRefused,
    }),
  driver: node =>
    rockchipIommuDriver({
      isV2: isV2(node),
      isResetDisabled: node.has('rockchip,disable-mmu-reset'),
    }),
};
