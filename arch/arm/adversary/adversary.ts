import type { Pulse } from '../../../drivers/base/hw/pulse';
import type { Whims } from '../concrete/whims';

/** The machine that an adversary acts on. */
export interface AdversaryMachine {
  readonly pulse: Pulse;
  /** By CPU number. */
  readonly whims: readonly Whims[];
}

/** No whim comes before this many events. */
export const NEVER = 0x7fff_ffff;

/**
 * What a machine does that nobody asked for. A policy decides when and what; Whims carries it out
 * and keeps it within what the core's profile permits.
 */
export interface Adversary {
  readonly name: string;
  /** Nothing spontaneous ever happens: no whim, nothing delayed. Victims are chosen by LRU. */
  readonly isQuiet: boolean;
  /** Entries that a TLB may keep. */
  readonly tlbCapacity: number;
  /** Writes that leave the outer cache wait in its buffer. */
  readonly delaysOuterWrites: boolean;
  /** False if delaysStore is never true: stores may then take the fast path. */
  readonly delaysStores: boolean;
  /** Ways of every cache are multiplied by this; above 1, no line may leave for want of room. */
  readonly extraWays: number;
  /** The machine is there: once, before its first event. Answers the events to the first whim. */
  start(machine: AdversaryMachine): number;
  /** True: this store waits in the store buffer instead of going out at once. */
  delaysStore(cached: boolean): boolean;
  /** True: this maintenance operation stays pending until something completes it. */
  delaysMaintenance(): boolean;
  /** True: an invalidate of a dirty line writes it back first, on a core that may. */
  writesBackOnInvalidate(): boolean;
  /** The countdown ran out on this CPU: do something, and answer the next countdown. */
  whim(whims: Whims): number;
  /** Something worth a whim happened (maintenance, DMA, a doorbell); answers the countdown. */
  attend(countdown: number): number;
}
