import type { CheckerProfile, MemoryKind } from '../../../../arch/arm/coherence/profile';
import type { StateSets } from '../../../../arch/arm/coherence/sets';
import { cpuEvents } from './brute-cpu-events';
import { deviceEvents } from './brute-device-events';
import type { LineEvent } from './brute-event';
import type { BruteMachine } from './brute-line';
import { maintenanceEvents, orderEvents } from './brute-order-events';

const aliasesOf = (profile: CheckerProfile, kind: MemoryKind): number[] =>
  Array.from({ length: kind.inner === 0 ? 1 : profile.aliases }, (_, alias) => alias);

/** Everything that can happen to a line of so many bytes, with its counterparts in the tables. */
export const lineEvents = (
  machine: BruteMachine,
  sets: StateSets,
  bytes: number,
): readonly LineEvent[] => {
  const events: LineEvent[] = [];
  const { profile } = machine;
  for (let byte = 0; byte < bytes; byte++) {
    profile.kinds.forEach((kind, k) => {
      for (const alias of aliasesOf(profile, kind)) {
        events.push(...cpuEvents(machine, sets, byte, kind, k, alias));
      }
    });
    events.push(...deviceEvents(machine, sets, byte));
  }
  events.push(...maintenanceEvents(machine, sets));
  events.push(...orderEvents(machine, sets, bytes));
  return events;
};
