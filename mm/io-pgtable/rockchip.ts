import { EADDRINUSE } from '../../drivers/base/kernel/errno';
import {
  LIMIT,
  PAGE,
  READABLE,
  TABLE_SPAN,
  VALID,
  WRITABLE,
  addressBits,
  addressOf,
} from '../../drivers/iommu/regs/rockchip';
import { IommuProt } from '../iommu/types';
import type { TwoLevelFormat } from './two-level';

const permissionsOf = (prot: number): number =>
  READABLE.at(prot % 2 === IommuProt.Read ? 1 : 0) +
  WRITABLE.at(Math.floor(prot / IommuProt.Write) % 2);

const rockchipFormat = (isV2: boolean): TwoLevelFormat => ({
  name: 'rk_iommu',
  firstSpan: TABLE_SPAN,
  secondSpan: PAGE,
  // 4 KiB to 4 MiB: whatever is asked for is made of small pages.
  pageSizes: 2 * TABLE_SPAN - PAGE,
  sizes: [PAGE],
  limit: isV2 ? LIMIT.v2 : LIMIT.v1,
  existing: EADDRINUSE,
  partialUnmap: 'refuse',
  freesEmpty: false,
  table: address => addressBits(address) + VALID.at(1),
  page: (address, _size, prot) => addressBits(address) + permissionsOf(prot) + VALID.at(1),
  decode: (level, word) => {
    if (VALID.of(word) === 0) return { kind: 'nothing', address: 0, size: 0 };
    const address = addressOf(word, isV2);
    if (level === 1) return { kind: 'table', address, size: TABLE_SPAN };
    return { kind: 'page', address, size: PAGE };
  },
});

/** Tables of `rockchip,iommu`: 32-bit addresses (drivers/iommu/rockchip-iommu.c). */
export const ROCKCHIP_TABLES = rockchipFormat(false);

/** Tables of `rockchip,rk3568-iommu`: 40-bit addresses. */
export const ROCKCHIP_V2_TABLES = rockchipFormat(true);
