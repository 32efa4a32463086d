import { NEVER } from '../../../drivers/base/hw/pulse';
import type { StateValue } from '../../../drivers/base/types/state';
import { expectName } from '../../../drivers/base/hw/state-arrays';
import type { Adversary } from './adversary';

/** One plausible chip: nothing spontaneous, every operation completes at once. For cost figures. */
export class LruAdversary implements Adversary {
  readonly name = 'lru';
  readonly isQuiet = true;
  readonly tlbCapacity = 512;
  readonly delaysStores = false;
  readonly storesFollow = false;
  readonly extraWays = 1;
  readonly delaysOuterWrites = false;

  start(): number {
    return NEVER;
  }

  delaysStore(): boolean {
    return false;
  }

  delaysMaintenance(): boolean {
    return false;
  }

  writesBackOnInvalidate(): boolean {
    return false;
  }

  passesBy(): boolean {
    return false;
  }

  whim(): number {
    return NEVER;
  }

  attend(countdown: number): number {
    return countdown;
  }

  saveState(): StateValue {
    return this.name;
  }

  restoreState(state: StateValue): void {
    expectName(state, 'the adversary', this.name);
  }
}
