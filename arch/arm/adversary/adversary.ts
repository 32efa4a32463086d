import { NEVER } from '../../../drivers/base/hw/pulse';
import type { Pulse } from '../../../drivers/base/hw/pulse';
import type { Stateful } from '../../../drivers/base/types/state';
import type { Leeway } from '../concrete/leeway';
import type { Whims } from '../concrete/whims';

/** The machine that an adversary acts on. */
export interface AdversaryMachine {
  readonly pulse: Pulse;
  /** By CPU number. */
  readonly whims: readonly Whims[];
}

/**
 * What a machine does that nobody asked for. A policy decides when and what; Whims carries it out
 * and keeps it within what the core's profile permits.
 */
export interface Adversary extends Leeway, Stateful {
  readonly name: string;
  /** Nothing spontaneous ever happens: no whim, nothing delayed. Victims are chosen by LRU. */
  readonly isQuiet: boolean;
  /** Entries that a TLB may keep. */
  readonly tlbCapacity: number;
  /** Writes that leave the outer cache wait in its buffer. */
  readonly delaysOuterWrites: boolean;
  /** False if delaysStore is never true: stores may then take the fast path. */
  readonly delaysStores: boolean;
  /**
   * Ways of every cache and entries of every store buffer are multiplied by this; above 1, no line
   * may leave for want of room.
   */
  readonly extraWays: number;
  /** The machine is there: once, before its first event. Answers the events to the first whim. */
  start(machine: AdversaryMachine): number;
  /** The countdown ran out on this CPU: do something, and answer the next countdown. */
  whim(whims: Whims): number;
  /**
   * Something worth a whim happened on a CPU: cache maintenance, an access to a device, time spent
   * in a delay or asleep. Answers the countdown.
   */
  attend(countdown: number): number;
}

/** Lets the adversary act on a CPU, and arms the next whim: none other is due while it acts. */
export const takeWhim = (pulse: Pulse, adversary: Adversary, whims: Whims): void => {
  pulse.arm(NEVER);
  pulse.arm(adversary.whim(whims));
};
