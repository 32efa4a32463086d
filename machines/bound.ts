import type { Driver } from '../drivers/base/kernel/device';
import type { Machine } from './machine';

/** What a driver has made of the devices that it has taken, in the order of the tree. */
export const boundBy = <Bound>({ devices }: Machine, { name }: Driver<Bound>): Bound[] =>
  devices.filter(({ dev }) => dev.driver === name).map(({ bound }) => bound as Bound);
