import type { AccessKind, HardwareObserver } from '../../../drivers/base/types/observer';
import type { TlbOp } from '../../../drivers/base/types/isa';
import type { Ram } from '../../../drivers/base/hw/ram';
import type { Mmu } from '../mmu/mmu';
import type { CoreProfile } from '../profile';

/** In the place of a CPU: what is written is in memory at once. */
export const NO_WRITER = -1;

/** Which levels live translations of a frame of RAM reach: what a core may fill unasked. */
export interface LiveMap {
  /** A sum of INNER_LIVE and OUTER_LIVE; asked when the frame is first touched. */
  liveOf(frame: number): number;
}

/**
 * What the checked machine tells of everything that bears on translations. It is told after the
 * thing has happened, before the next access.
 */
export interface TranslationHooks extends LiveMap {
  /**
   * A CPU stored to a word of a frame that holds tables, or to two in one; by physical address. -1:
   * a device did.
   */
  tableStored(cpu: number, address: number): void;
  /** TLB maintenance was issued by a CPU; it completes at the CPU's next `dsb`. */
  tlbMaintained(cpu: number, op: TlbOp, operand: number, asid: number): void;
  /** A CPU has executed a `dsb`. */
  synchronised(cpu: number): void;
  /** A system register of a CPU was written. */
  registerWritten(cpu: number): void;
  /**
   * The translation of a page is about to be used, or found missing: told when the page goes into
   * the micro-TLB. True: of every other access to the page, too.
   */
  used(cpu: number, va: number, access: AccessKind): boolean;
}

/** What is to be done where translations change. */
export interface TranslationsListener {
  /** Live translations reach other levels of a frame that was asked about before. */
  liveChanged(frame: number, live: number): void;
  /** A frame holds tables, or no longer: stores to it are to be told. */
  tableChanged(frame: number, isTable: boolean): void;
  /** What was looked up of a page may no longer be so: its translation, what `used` answered. */
  translationsChanged(): void;
}

export interface TranslationsParts {
  /** By number. */
  readonly cpus: readonly { readonly profile: CoreProfile; readonly mmu: Mmu }[];
  readonly ram: Ram;
  readonly listener: TranslationsListener;
  readonly observer: () => HardwareObserver | null;
  /** The number of the event. */
  readonly now: () => number;
}
