import { bit, field } from '../../base/types/registers';

/*
 * Tables of Rockchip's IOMMU: 1024 words (DTE), each for a table of 1024 words (PTE), each for a page
 * of 4 KiB. Facts: Linux drivers/iommu/rockchip-iommu.c.
 */

export const PAGE = 0x1000;
export const ENTRIES = 1024;
/** Addresses that one directory entry translates. */
export const TABLE_SPAN = ENTRIES * PAGE;

export const VALID = bit(0);
export const READABLE = bit(1);
export const WRITABLE = bit(2);

/**
 * Where the address is in a word, DTE_ADDR like an entry: bits 31:12 as they are; in version 2,
 * bits 35:32 in 11:8 and 39:36 in 7:4.
 */
export const ADDRESS = { LOW: field(12, 20), MIDDLE: field(8, 4), HIGH: field(4, 4) } as const;
/** First address that no word of version 1, and none of version 2, can hold. */
export const LIMIT = { v1: 2 ** 32, v2: 2 ** 40 } as const;

/** The address of a word of version 1 or 2. */
export const addressOf = (word: number, isV2: boolean): number => {
  const low = ADDRESS.LOW.of(word) * PAGE;
  return isV2 ? low + ADDRESS.MIDDLE.of(word) * 2 ** 32 + ADDRESS.HIGH.of(word) * 2 ** 36 : low;
};

/** The bits of a word that say an address below LIMIT. */
export const addressBits = (address: number): number =>
  ADDRESS.LOW.at(Math.floor(address / PAGE) % 2 ** 20) +
  ADDRESS.MIDDLE.at(Math.floor(address / 2 ** 32) % 16) +
  ADDRESS.HIGH.at(Math.floor(address / 2 ** 36) % 16);
