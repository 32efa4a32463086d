import type { CoreProfile } from '../../../../arch/arm/profile';
import {
  READ,
  USER_READ,
  USER_WRITE,
  WRITE,
  innerOf,
  isNormal,
  isShareable,
  outerOf,
  typeOf,
} from '../../../../arch/arm/mmu/attributes';
import { Mmu } from '../../../../arch/arm/mmu/mmu';
import type { WalkResult } from '../../../../arch/arm/mmu/walk';
import type { TranslationRegisters } from '../../../../arch/arm/mmu/registers';
import { UnmodelledError } from '../../../../drivers/base/types/errors';

/** A walk's outcome in words, as the slow oracles write it. */
export type Outcome = Readonly<Record<string, string | number | boolean>>;

/** Bits high:low of a value, as the manual writes them. */
export const bits = (value: bigint, high: number, low: number): number =>
  Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));

/** Where a walk reads its entries; null is no RAM. */
export interface TableWords {
  word(address: number): number | null;
}

/** Memory full of noise that depends on the address and a seed; one page in sixteen is no RAM. */
export class Noise implements TableWords {
  readonly #seed: number;
  readonly #shape: (word: number, address: number) => number;

  constructor(seed: number, shape: (word: number, address: number) => number = word => word) {
    this.#seed = seed;
    this.#shape = shape;
  }

  word(address: number): number | null {
    if (this.#hash(Math.floor(address / 4096), 1) >>> 28 === 0) return null;
    return this.#shape(this.#hash(address, 2), address);
  }

  #hash(address: number, salt: number): number {
    let h = this.#seed ^ salt;
    for (const half of [address % 2 ** 32, Math.floor(address / 2 ** 32)]) {
      h = Math.imul(h ^ half, 0x9e37_79b1);
      h = Math.imul(h ^ (h >>> 15), 0x85eb_ca6b);
      h ^= h >>> 13;
    }
    return h;
  }
}

/** An MMU whose tables are noise, with these registers. */
export const mmuOver = (
  core: CoreProfile,
  noise: TableWords,
  registers: Partial<TranslationRegisters>,
): Mmu => {
  const memory = {
    readTableWord: (address: number) => noise.word(address),
    isRam: () => true,
  };
  const mmu = new Mmu(core, 64);
  mmu.attach(memory);
  Object.assign(mmu.registers, registers);
  return mmu;
};

const TYPES = ['strongly-ordered', 'device', 'normal'] as const;
const POLICIES = ['NC', 'WT', 'WB', 'WBWA'] as const;

/** What the product's walk answers, in the words of the oracles. */
export const outcomeOf = (mmu: Mmu, walk: () => WalkResult): Outcome => {
  let result: WalkResult;
  try {
    result = walk();
  } catch (error) {
    if (error instanceof UnmodelledError) return { unmodelled: error.feature };
    throw error;
  }
  if (!result.ok) return { fault: result.kind, level: result.level };
  const { va, span, pa, attributes, domain, asid } = result.entry;
  const rights = mmu.effectiveAttributes(result.entry);
  const memory = isNormal(attributes)
    ? {
        inner: POLICIES[innerOf(attributes)],
        outer: POLICIES[outerOf(attributes)],
        shareable: isShareable(attributes),
      }
    : {};
  return {
    va,
    span,
    pa,
    type: TYPES[typeOf(attributes)] ?? 'no type',
    ...memory,
    rights: showRights(
      (rights & READ) !== 0,
      (rights & WRITE) !== 0,
      (rights & USER_READ) !== 0,
      (rights & USER_WRITE) !== 0,
    ),
    domain,
    asid,
    isDomainFault: mmu.isDomainFault(result.entry),
  };
};

export const showRights = (
  read: boolean,
  write: boolean,
  userRead: boolean,
  userWrite: boolean,
): string =>
  `${read ? 'r' : '-'}${write ? 'w' : '-'}/${userRead ? 'r' : '-'}${userWrite ? 'w' : '-'}`;
