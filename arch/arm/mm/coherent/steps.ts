import type { CpuAddr, PhysAddr } from '../../../../drivers/base/types/address';
import type { ArmMm } from '../init';
import type { EntryChange } from '../pgtable';

/*
 * Changing how memory is mapped, step by step. The order is data: whoever watches, counts or breaks
 * it gets the list and answers another one.
 */

/** What a change is for. */
export type Purpose =
  /** Cacheable pages become uncacheable where they are, with nothing of them left in any cache. */
  | 'make uncached'
  /** And cacheable again, after the last use as what they were. */
  | 'make cached'
  /** A cacheable mapping goes away; the rest of it, when there is another; and it comes back. */
  | 'unmap'
  | 'finish unmap'
  | 'map'
  /** Memory leaves the caches, and its mappings stay as they are. */
  | 'flush'
  /** A block of the linear map becomes a table of smaller entries. */
  | 'split';

export type StepName =
  | 'clear entries'
  | 'write entries'
  | 'publish entries'
  | 'invalidate TLB'
  | 'complete'
  | 'flush inner caches'
  | 'flush outer cache';

/** One step, ready to be taken. */
export interface MappingStep {
  readonly name: StepName;
  readonly run: () => void;
}

/** The steps that are taken of those that are due. */
export type StepOrder = (purpose: Purpose, due: readonly MappingStep[]) => readonly MappingStep[];

/** The kernel as it is: all of them, in this order. */
export const IN_ORDER: StepOrder = (_purpose, due) => due;

/** What a change is of: entries, and the memory whose lines go. */
export interface Change {
  readonly entries: EntryChange | null;
  /** A mapping of the memory at the time when the caches are flushed, and where the memory is. */
  readonly flushed: { readonly address: CpuAddr; readonly phys: PhysAddr; readonly size: number };
}

const FLUSH = ['flush inner caches', 'flush outer cache'] as const;
const INVALIDATE = ['publish entries', 'invalidate TLB', 'complete'] as const;
const CLEAR = ['clear entries', ...INVALIDATE] as const;
/** An entry that was invalid is in no TLB. */
const WRITE = ['write entries', 'publish entries', 'complete'] as const;
const BREAK_AND_MAKE = [...CLEAR, ...WRITE] as const;
const OVERWRITE = ['write entries', ...INVALIDATE] as const;

/**
 * The names of the steps of a change, in order.
 *
 * Caches are flushed when no translation is left by which a core could fill them again: inner first,
 * for what it writes back lands in the outer. Up to ARMv6 it is the other way round: no core there
 * fills anything unasked, and a line with a virtual tag or colour is reached by the address that
 * brought it, so that one must still be mapped.
 *
 * A valid entry is replaced by another through an invalid one on arm64, whose TLB may else hold both
 * (break before make: DDI 0487 D8.16). 32-bit Linux stores the new attributes over the old
 * (__dma_update_pte, arch/arm/mm/dma-mapping.c): the addresses are nobody's at that time, and no
 * entry of another size covers them. A block that becomes a table is broken first on every core.
 */
export const stepsOf = (purpose: Purpose, { info }: Pick<ArmMm, 'info'>): readonly StepName[] => {
  const flushesFirst = info.type === 'v4wb' || info.type === 'v6';
  const flushed = (steps: readonly StepName[]): readonly StepName[] =>
    flushesFirst ? [...FLUSH, ...steps] : [...steps, ...FLUSH];
  const replace = info.type === 'v8' ? BREAK_AND_MAKE : OVERWRITE;
  switch (purpose) {
    case 'make uncached':
      return flushed(replace);
    case 'make cached':
      return replace;
    case 'unmap':
      return flushesFirst ? [...FLUSH, ...CLEAR] : CLEAR;
    case 'map':
      return WRITE;
    case 'finish unmap':
      return flushesFirst ? [] : FLUSH;
    case 'flush':
      return FLUSH;
    case 'split':
      return BREAK_AND_MAKE;
  }
};
