import { NEVER } from './adversary';
import type { Adversary } from './adversary';

/** One plausible chip: nothing spontaneous, every operation completes at once. For cost figures. */
export class LruAdversary implements Adversary {
  readonly name = 'lru';
  readonly isQuiet = true;
  readonly tlbCapacity = 512;
  readonly delaysStores = false;
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

  whim(): number {
    return NEVER;
  }

  attend(countdown: number): number {
    return countdown;
  }
}
