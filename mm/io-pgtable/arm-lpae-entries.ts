import { hi32, lo32 } from '../../drivers/base/types/bits';
import {
  ENTRY_TYPE,
  HIGH,
  LAST_LEVEL,
  LOW,
  LOW_TOP_ADDRESS,
  MAIR,
  MEM_ATTR,
  SH,
} from '../../drivers/iommu/regs/lpae';
import { IommuProt } from '../iommu/types';
import { IoPgtableQuirk, hasBit } from './types';

/** What the indices of stage 1 entries mean: bytes of MAIR. */
const INDEX = { nonCacheable: 0, cache: 1, device: 2, outerCache: 3 } as const;

/** Bytes 3:0 of MAIR; the others are 0. */
export const MAIR_LOW =
  MAIR.nonCacheable * 2 ** (8 * INDEX.nonCacheable) +
  MAIR.writeBack * 2 ** (8 * INDEX.cache) +
  MAIR.device * 2 ** (8 * INDEX.device) +
  MAIR.outerWriteBack * 2 ** (8 * INDEX.outerCache);

/** The halves of an entry, or of what entries have in common. */
export interface Entry {
  readonly low: number;
  readonly high: number;
}

const EXECUTE_NEVER = HIGH.PXN.at(1) + HIGH.XN.at(1);

/** All of a leaf entry but its type and address (arm_lpae_prot_to_pte). */
export const leafOf = (stage: 1 | 2, prot: number, quirks: number): Entry => {
  const may = (bit: number): boolean => hasBit(prot, bit);
  const isNs = hasBit(quirks, IoPgtableQuirk.ArmNs);
  const low =
    (stage === 1 ? stage1(may) : stage2(may)) +
    LOW.SH.at(may(IommuProt.Cache) ? SH.inner : SH.outer) +
    LOW.NS.at(isNs ? 1 : 0) +
    LOW.AF.at(1);
  return { low, high: may(IommuProt.NoExec) ? EXECUTE_NEVER : 0 };
};

const stage1 = (may: (prot: number) => boolean): number => {
  const isReadOnly = may(IommuProt.Read) && !may(IommuProt.Write);
  const memory = may(IommuProt.Cache) ? INDEX.cache : INDEX.nonCacheable;
  return (
    LOW.NG.at(1) +
    LOW.READ_ONLY.at(isReadOnly ? 1 : 0) +
    LOW.USER.at(may(IommuProt.Priv) ? 0 : 1) +
    LOW.ATTR_INDEX.at(may(IommuProt.Mmio) ? INDEX.device : memory)
  );
};

const stage2 = (may: (prot: number) => boolean): number => {
  const memory = may(IommuProt.Cache) ? MEM_ATTR.writeBack : MEM_ATTR.nonCacheable;
  return (
    LOW.READ.at(may(IommuProt.Read) ? 1 : 0) +
    LOW.WRITE.at(may(IommuProt.Write) ? 1 : 0) +
    LOW.MEM_ATTR.at(may(IommuProt.Mmio) ? MEM_ATTR.device : memory)
  );
};

const LOW_48 = 2 ** 16;

/** The address bits of an entry; those beyond 47 are in the low half (paddr_to_iopte). */
export const addressLow = (address: number): number =>
  lo32(address) + LOW_TOP_ADDRESS.at(Math.floor(hi32(address) / LOW_48));
export const addressHigh = (address: number): number => hi32(address) % LOW_48;

/** Where an entry leads; `granule` is a log2 (iopte_to_paddr). */
export const addressIn = (low: number, high: number, granule: number): number => {
  const address = HIGH.ADDRESS.of(high) * 2 ** 32 + LOW.ADDRESS.at(LOW.ADDRESS.of(low));
  if (granule !== 16) return address;
  const top = LOW_TOP_ADDRESS.of(low);
  return address - LOW_TOP_ADDRESS.at(top) + top * 2 ** 48;
};

/** What a leaf has beside its type and address (iopte_prot). */
export const protLow = (low: number): number =>
  low - LOW.TYPE.of(low) - LOW.ADDRESS.at(LOW.ADDRESS.of(low));
export const protHigh = (high: number): number => high - HIGH.ADDRESS.of(high);

/** The type of a leaf of a level. */
export const leafType = (level: number): number =>
  level === LAST_LEVEL ? ENTRY_TYPE.page : ENTRY_TYPE.block;

/** iopte_leaf(). */
export const isLeaf = (low: number, level: number): boolean => LOW.TYPE.of(low) === leafType(level);

/** An entry of a table (iopte_type). */
export const isTable = (low: number, level: number): boolean =>
  level < LAST_LEVEL && LOW.TYPE.of(low) === ENTRY_TYPE.table;
