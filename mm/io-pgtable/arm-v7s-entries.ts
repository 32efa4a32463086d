import { IommuProt } from '../iommu/types';
import {
  LARGE,
  SECTION,
  SECOND_TYPE,
  SMALL,
  FIRST_TYPE,
  SUPERSECTION,
  TABLE,
  TYPE,
} from '../../drivers/iommu/regs/v7s';
import { IoPgtableQuirk, hasBit } from './types';

/** Level 1 has sections and supersections, level 2 small and large pages. */
export type Level = 1 | 2;

/** What a leaf permits and what its memory is, as its bits have it. */
interface Meaning {
  readonly hasPerms: boolean;
  readonly isNs: boolean;
  readonly prot: number;
}

/** A word of a leaf without its address; `isRepeated`: of a larger page (arm_v7s_prot_to_pte). */
export const leafWord = (
  prot: number,
  quirks: number,
  level: Level,
  isRepeated: boolean,
): number => {
  const meaning = {
    hasPerms: !hasBit(quirks, IoPgtableQuirk.NoPerms),
    isNs: hasBit(quirks, IoPgtableQuirk.ArmNs),
    prot,
  };
  if (level === 1) return sectionWord(meaning) + SECTION.SUPER.at(isRepeated ? 1 : 0);
  return isRepeated ? largeWord(meaning) : smallWord(meaning);
};

/** Normal memory is TEX[0]; with B and C it is cached, without it is not. Device memory is B alone. */
const texOf = (prot: number): number => (hasBit(prot, IommuProt.Mmio) ? 0 : 1);
const bufferedOf = (prot: number): number =>
  hasBit(prot, IommuProt.Mmio) || hasBit(prot, IommuProt.Cache) ? 1 : 0;
const cachedOf = (prot: number): number =>
  !hasBit(prot, IommuProt.Mmio) && hasBit(prot, IommuProt.Cache) ? 1 : 0;
const isNever = ({ hasPerms, prot }: Meaning): number =>
  hasPerms && hasBit(prot, IommuProt.NoExec) ? 1 : 0;

const sectionWord = (meaning: Meaning): number => {
  const { hasPerms, isNs, prot } = meaning;
  return (
    TYPE.at(FIRST_TYPE.section) +
    SECTION.B.at(bufferedOf(prot)) +
    SECTION.C.at(cachedOf(prot)) +
    SECTION.XN.at(isNever(meaning)) +
    SECTION.TEX.at(texOf(prot)) +
    SECTION.AF.at(hasPerms ? 1 : 0) +
    SECTION.USER.at(hasPerms && !hasBit(prot, IommuProt.Priv) ? 1 : 0) +
    SECTION.READ_ONLY.at(hasPerms && !hasBit(prot, IommuProt.Write) ? 1 : 0) +
    SECTION.S.at(1) +
    SECTION.NG.at(1) +
    SECTION.NS.at(isNs ? 1 : 0)
  );
};

/** What both kinds of pages have at the same place. */
const pageBits = ({ hasPerms, prot }: Meaning): number =>
  SMALL.B.at(bufferedOf(prot)) +
  SMALL.C.at(cachedOf(prot)) +
  SMALL.AF.at(hasPerms ? 1 : 0) +
  SMALL.USER.at(hasPerms && !hasBit(prot, IommuProt.Priv) ? 1 : 0) +
  SMALL.READ_ONLY.at(hasPerms && !hasBit(prot, IommuProt.Write) ? 1 : 0) +
  SMALL.S.at(1) +
  SMALL.NG.at(1);

const smallWord = (meaning: Meaning): number =>
  TYPE.at(SECOND_TYPE.small) +
  SMALL.XN.at(isNever(meaning)) +
  SMALL.TEX.at(texOf(meaning.prot)) +
  pageBits(meaning);

const largeWord = (meaning: Meaning): number =>
  TYPE.at(SECOND_TYPE.large) +
  LARGE.XN.at(isNever(meaning)) +
  LARGE.TEX.at(texOf(meaning.prot)) +
  pageBits(meaning);

/** What a leaf was mapped with (arm_v7s_pte_to_prot). */
export const protOf = (word: number, level: Level): number => {
  const isLarge = isRepeated(word, level);
  const bits = level === 1 ? SECTION : SMALL;
  const tex = level === 2 && isLarge ? LARGE.TEX : bits.TEX;
  const xn = level === 2 && isLarge ? LARGE.XN : bits.XN;
  const isMmio = tex.of(word) === 0;
  return (
    IommuProt.Read +
    (bits.READ_ONLY.of(word) === 0 ? IommuProt.Write : 0) +
    (bits.USER.of(word) === 0 ? IommuProt.Priv : 0) +
    (isMmio ? IommuProt.Mmio : 0) +
    (!isMmio && bits.C.of(word) === 1 ? IommuProt.Cache : 0) +
    (xn.of(word) === 1 ? IommuProt.NoExec : 0)
  );
};

/** A first-level word that leads to a table. */
export const tableWord = (address: number, quirks: number): number =>
  TYPE.at(FIRST_TYPE.table) + TABLE.NS.at(hasBit(quirks, IoPgtableQuirk.ArmNs) ? 1 : 0) + address;

/** Neither a leaf nor a table. */
export const isInvalid = (word: number): boolean => TYPE.of(word) === 0;

export const isTable = (word: number, level: Level): boolean =>
  level === 1 && TYPE.of(word) === FIRST_TYPE.table;

/** One of the sixteen words of a supersection or a large page (arm_v7s_pte_is_cont). */
export const isRepeated = (word: number, level: Level): boolean =>
  level === 1
    ? TYPE.of(word) === FIRST_TYPE.section && SECTION.SUPER.of(word) === 1
    : TYPE.of(word) === SECOND_TYPE.large;

/** Where a leaf or a table leads (iopte_to_paddr). */
export const addressOf = (word: number, level: Level): number => {
  if (isTable(word, level)) return TABLE.ADDRESS.at(TABLE.ADDRESS.of(word));
  const isLarger = isRepeated(word, level);
  if (level === 1) {
    return isLarger
      ? SUPERSECTION.ADDRESS.at(SUPERSECTION.ADDRESS.of(word))
      : SECTION.ADDRESS.at(SECTION.ADDRESS.of(word));
  }
  return isLarger
    ? LARGE.ADDRESS.at(LARGE.ADDRESS.of(word))
    : SMALL.ADDRESS.at(SMALL.ADDRESS.of(word));
};
