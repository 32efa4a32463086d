import { invariant } from '../types/errors';
import type { Stateful, StateValue } from '../types/state';
import type { MemoryRegion } from './memory-region';
import type { ResetNode } from './reset';

/** Told what the software did that no manual permits and the hardware survives. Never steers. */
export type GuestErrorSink = (text: string) => void;

/** What a machine needs of a device, whatever it is. */
export interface DeviceModel extends Stateful {
  readonly name: string;
  /** Its windows, in the order of the binding's `reg` entries. BenchError before realize. */
  readonly regions: readonly MemoryRegion[];
  readonly reset: ResetNode;
  /** Makes the device usable, once. A BenchError says what is wrong with how it was put together. */
  realize(): void;
}

/**
 * The common part of every model. A model takes its ports (DMA, interrupt lines, clock) in its
 * constructor and never hears of the machine.
 */
export abstract class Device implements DeviceModel {
  readonly name: string;
  abstract readonly reset: ResetNode;
  #regions: readonly MemoryRegion[] | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get regions(): readonly MemoryRegion[] {
    invariant(this.#regions !== null, `${this.name} is used before it was realized`);
    return this.#regions;
  }

  realize(): void {
    invariant(this.#regions === null, `${this.name} is realized twice`);
    this.#regions = this.createRegions();
  }

  abstract saveState(): StateValue;
  abstract restoreState(state: StateValue): void;

  /** Checks the ports and makes the windows; called once. */
  protected abstract createRegions(): readonly MemoryRegion[];
}
