import { NEVER } from '../../../drivers/base/hw/pulse';
import type { Adversary } from '../../../arch/arm/adversary/adversary';
import type { Whims } from '../../../arch/arm/concrete/whims';
import type { StateValue } from '../../../drivers/base/types/state';

/** Does nothing unasked but what a test asks for; stores or maintenance wait while it wants. */
export class HoldingAdversary implements Adversary {
  readonly name = 'holding';
  readonly isQuiet = false;
  readonly tlbCapacity = 1 << 16;
  readonly delaysOuterWrites = true;
  readonly delaysStores = true;
  readonly storesFollow = false;
  readonly extraWays = 1;
  holdsStores = false;
  holdsMaintenance = false;
  /** Events to the first whim, and what one does: it answers the events to the next. */
  first = NEVER;
  onWhim: (whims: Whims) => number = () => NEVER;

  start(): number {
    return this.first;
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

  passesBy(): boolean {
    return false;
  }

  whim(whims: Whims): number {
    return this.onWhim(whims);
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
