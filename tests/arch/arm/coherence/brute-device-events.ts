import type { StateSets } from '../../../../arch/arm/coherence/sets';
import { done } from './brute-event';
import type { Effect, LineEvent, Outcome, World } from './brute-event';
import { memoryBehind, performSnooped, replaceAt } from './brute-line';
import type { BruteMachine, Line } from './brute-line';

/** What bus masters do to a byte. */
export const deviceEvents = (machine: BruteMachine, sets: StateSets, byte: number): LineEvent[] => {
  const { profile } = machine;
  const row = (
    name: string,
    rule: string,
    others: string,
    effect: Effect,
    exactForOthers: boolean,
    apply: LineEvent['apply'],
  ): LineEvent => ({
    name: `${name} byte ${byte}`,
    byte,
    effect,
    exactForOthers,
    eventFor: of => (of === byte ? sets.eventOf(rule) : others === '' ? -1 : sets.eventOf(others)),
    apply,
  });
  const latestOf = (world: World): number => world.latest[byte] ?? 0;
  const plain = (line: Line): Outcome => ({ line, version: line.memory[byte] ?? -1 });
  const snooped = (line: Line): Outcome => {
    const bytes = line.inner[0]?.bytes ?? line.outer?.bytes ?? memoryBehind(line);
    return { line, version: bytes[byte] ?? -1 };
  };
  const events = [
    row('device read', 'device read', '', 'reads', true, line => [plain(line)]),
    row('device saw', 'device saw', '', null, false, (line, world) =>
      [plain(line)].filter(({ version }) => version === latestOf(world)),
    ),
    row('device write', 'device write', '', 'writes as a device', true, (line, world) => [
      done({ ...line, memory: replaceAt(line.memory, byte, latestOf(world)) }),
    ]),
    row('forget', 'forget', '', 'forgets', true, (line, world) => [
      done(rewrite(line, byte, latestOf(world))),
    ]),
  ];
  if (profile.snoopedWrite !== 'none') {
    const others = 'snooped device write of another byte';
    events.push(
      row('snooped read', 'snooped device read', '', 'reads', true, line => [snooped(line)]),
      row('snooping device saw', 'device saw, snooping', '', null, false, (line, world) =>
        [snooped(line)].filter(({ version }) => version === latestOf(world)),
      ),
      row(
        'snooped write',
        'snooped device write',
        others,
        'writes as a device',
        true,
        (line, world) => [done(performSnooped(machine, line, byte, latestOf(world)))],
      ),
    );
  }
  if (profile.deviceCache) {
    const bring = (line: Line): Line =>
      line.device === null ? { ...line, device: { dirty: false, bytes: line.memory } } : line;
    const readOther = 'read another byte through the cache of the device';
    const writeOther = 'write another byte into the cache of the device';
    events.push(
      row('GPU read', 'read through the cache of the device', readOther, 'reads', true, line => {
        const after = bring(line);
        return [{ line: after, version: after.device?.bytes[byte] ?? -1 }];
      }),
      row(
        'GPU write',
        'write into the cache of the device',
        writeOther,
        'writes as a device',
        true,
        (line, world) => {
          const bytes = bring(line).device?.bytes ?? [];
          return [
            done({
              ...line,
              device: { dirty: true, bytes: replaceAt(bytes, byte, latestOf(world)) },
            }),
          ];
        },
      ),
    );
  }
  return events;
};

/** One byte of every copy becomes a version: undefined contents are all alike. */
const rewrite = (line: Line, byte: number, version: number): Line => {
  const bytesOf = (bytes: readonly number[]): readonly number[] => replaceAt(bytes, byte, version);
  const copyOf = (copy: Line['outer']): Line['outer'] =>
    copy && { ...copy, bytes: bytesOf(copy.bytes) };
  return {
    ...line,
    memory: bytesOf(line.memory),
    inner: line.inner.map(copyOf),
    outer: copyOf(line.outer),
    device: copyOf(line.device),
    stores: line.stores.map(store => (store.byte === byte ? { ...store, version } : store)),
    buffer: line.buffer.map(write => (write.byte === byte ? { ...write, version } : write)),
  };
};
