import { NEVER } from '../../../drivers/base/hw/pulse';
import type { Adversary } from '../../../arch/arm/adversary/adversary';
import type { StateValue } from '../../../drivers/base/types/state';

/** Does nothing unasked, and lets stores or maintenance wait for as long as a test wants. */
export class HoldingAdversary implements Adversary {
  readonly name = 'holding';
  readonly isQuiet = false;
  readonly tlbCapacity = 1 << 16;
  readonly delaysOuterWrites = true;
  readonly delaysStores = true;
  readonly extraWays = 1;
  holdsStores = false;
  holdsMaintenance = false;

  start(): number {
    return NEVER;
  }

  delaysStore(): boolean {
    return this.holdsStores;
  }

  delaysMaintenance(): boolean {
    return this.holdsMaintenance;
  }

  writesBackOnInvalidate(): boolean {
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

  restoreState(): void {
    this.holdsStores = false;
    this.holdsMaintenance = false;
  }
}
