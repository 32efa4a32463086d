import { CPU_EVENTS } from './cpu-events';
import { DEVICE_EVENTS } from './device-events';
import type { EventRule } from './event-rule';
import { ORDER_EVENTS } from './order-events';

/**
 * The table of events: with SPONTANEOUS, all that the checker knows of caches. An access by the
 * CPU whose maintenance of the line is under way comes after `an access follows maintenance of its
 * line`, an event of its own: an access by another CPU does not wait for it.
 */
export const EVENTS: readonly EventRule[] = Object.freeze<EventRule[]>([
  ...CPU_EVENTS,
  ...ORDER_EVENTS,
  ...DEVICE_EVENTS,
]);
