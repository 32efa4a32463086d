import type { IoRegisters } from '../../../base/kernel/registers';
import type { SMMU_V3 } from '../regs';

/** The registers as the driver has them. */
export type SmmuRegisters = IoRegisters<typeof SMMU_V3>;

/** Reads of a register until what is waited for has happened, after which the hardware has failed. */
const MOST_READS = 10_000;

/**
 * Waits without sleeping, as mappings end in interrupt handlers, too: each look reads a register, and
 * so takes time. False if it never comes.
 */
export const pollUntil = (isDone: () => boolean): boolean => {
  for (let reads = 0; reads < MOST_READS; reads++) if (isDone()) return true;
  return false;
};

/** An index of a queue one further; the wrap bit is above the index. */
export const nextIndex = (index: number, log2Size: number): number =>
  (index + 1) % 2 ** (log2Size + 1);

/** Same index, other wrap bit. */
export const isFull = (producer: number, consumer: number, log2Size: number): boolean =>
  (producer + 2 ** log2Size) % 2 ** (log2Size + 1) === consumer;

/** True if a consumer that was nowhere behind `index` has come past it. */
export const isPast = (consumer: number, index: number, log2Size: number): boolean => {
  const around = 2 ** (log2Size + 1);
  const ahead = (consumer - index + around) % around;
  return ahead > 0 && ahead <= 2 ** log2Size;
};
