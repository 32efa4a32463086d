import type { StateValue, Stateful } from '../../../base/types/state';
import { StateReader } from '../../../base/types/state';
import { FIRST_SPI, SPURIOUS } from '../regs';
import { intidOf, NO_RANK, priorityOf, type InterruptBank, type Rank } from './interrupt-bank';

/** What an idle CPU interface says its running priority is. */
const IDLE_PRIORITY = 0xff;

/** What a CPU interface needs of the rest of the controller. */
export interface CpuInterfacePorts {
  readonly name: string;
  /** Most urgent interrupt for this CPU; NO_RANK if none, or if nothing may be forwarded. */
  readonly best: () => Rank;
  /** Interrupts of this CPU alone, and those that it shares with the others. */
  readonly bank: InterruptBank;
  readonly shared: InterruptBank;
  /** Interrupts of this priority and less urgent ones are held back. */
  readonly priorityMask: () => number;
  /** The bits of a priority that decide about preemption. */
  readonly groupMask: () => number;
}

/**
 * Prioritisation for one CPU: what is signalled, acknowledged and ended. The same for GICv2's
 * register window and GICv3's system registers (IHI 0048B, 3.3).
 */
export class CpuInterface implements Stateful {
  readonly #ports: CpuInterfacePorts;
  /** Acknowledged and not ended, the most urgent last. */
  #running: Rank[] = [];

  constructor(ports: CpuInterfacePorts) {
    this.#ports = ports;
  }

  /** What the interrupt line to the CPU is. */
  get signals(): boolean {
    return this.#signalled() !== NO_RANK;
  }

  /** Group priority of what is being handled. */
  get runningPriority(): number {
    const top = this.#running.at(-1);
    return top === undefined ? IDLE_PRIORITY : priorityOf(top) & this.#ports.groupMask();
  }

  /** The most urgent pending interrupt, whether or not it may preempt; or SPURIOUS. */
  highestPending(): number {
    const rank = this.#ports.best();
    return rank === NO_RANK ? SPURIOUS : intidOf(rank);
  }

  /** Takes the signalled interrupt: it becomes active and what runs. SPURIOUS if none is. */
  acknowledge(): number {
    const rank = this.#signalled();
    if (rank === NO_RANK) return SPURIOUS;
    this.#running.push(rank);
    const intid = intidOf(rank);
    this.#bankOf(intid).acknowledge(intid);
    return intid;
  }

  /**
   * Ends an interrupt: priority drop and deactivation. False if it was not the last acknowledged
   * one, which is UNPREDICTABLE; one that does run is ended all the same.
   */
  end(intid: number): boolean {
    const index = this.#running.findLastIndex(rank => intidOf(rank) === intid);
    if (index < 0) return false;
    const wasTop = index === this.#running.length - 1;
    this.#running.splice(index, 1);
    this.#bankOf(intid).deactivate(intid);
    return wasTop;
  }

  reset(): void {
    this.#running = [];
  }

  saveState(): StateValue {
    return { running: new Float64Array(this.#running) };
  }

  restoreState(state: StateValue): void {
    this.#running = [...new StateReader(state, this.#ports.name).numbers('running')];
  }

  #bankOf(intid: number): InterruptBank {
    return intid < FIRST_SPI ? this.#ports.bank : this.#ports.shared;
  }

  /** What gets past the mask and what runs; all that passes the mask is below IDLE_PRIORITY. */
  #signalled(): Rank {
    const rank = this.#ports.best();
    if (rank === NO_RANK) return NO_RANK;
    const priority = priorityOf(rank);
    if (priority >= this.#ports.priorityMask()) return NO_RANK;
    return (priority & this.#ports.groupMask()) < this.runningPriority ? rank : NO_RANK;
  }
}
