import type { MemoryKind } from '../../../../arch/arm/coherence/profile';
import type { StateSets } from '../../../../arch/arm/coherence/sets';
import { done } from './brute-event';
import type { LineEvent, Outcome, World } from './brute-event';
import { perform, read, readBehind } from './brute-line';
import type { Answer, BruteMachine, Line, WaitingStore } from './brute-line';
import { tidy } from './brute-steps';

const answered = (answers: readonly Answer[], byte: number, line: Line): Outcome[] => {
  const own = [...line.stores].reverse().find(store => store.byte === byte && !store.isRest);
  return answers.map(answer => ({
    line: answer.line,
    version: own?.version ?? answer.bytes[byte] ?? -1,
  }));
};

const unforwarded = (answers: readonly Answer[], byte: number): Outcome[] =>
  answers.map(answer => ({ line: answer.line, version: answer.bytes[byte] ?? -1 }));

/** A CPU issues a store. */
const issue = (machine: BruteMachine, line: Line, store: WaitingStore): Line[] => {
  if (!machine.profile.storeBuffer) {
    const payload = { byte: store.byte, version: store.version };
    return perform(machine, line, store.kind, store.alias, payload);
  }
  const isOlder = (other: WaitingStore): boolean => other.byte === store.byte && !other.isRest;
  if (!machine.merging) return [{ ...line, stores: [...line.stores, store] }];
  const older = line.stores.findIndex(isOlder);
  const waiting = line.stores[older];
  if (waiting === undefined || (waiting.kind === store.kind && waiting.alias === store.alias)) {
    const kept = line.stores.filter(other => !isOlder(other));
    return [{ ...line, stores: tidy(machine, [...kept, store]) }];
  }
  // Without a rest: with one is what draining it earlier leads to.
  const left = line.stores.filter((_, n) => n !== older);
  const payload = { byte: waiting.byte, version: waiting.version };
  return perform(machine, line, waiting.kind, waiting.alias, payload).map(after => ({
    ...after,
    stores: tidy(machine, [...left, store]),
  }));
};

/** What a CPU and its table walker do to a byte. */
export const cpuEvents = (
  machine: BruteMachine,
  sets: StateSets,
  byte: number,
  kind: MemoryKind,
  k: number,
  alias: number,
): LineEvent[] => {
  const place = `byte ${byte}, ${kind.name} @${alias}`;
  const own = (rule: string, others: string) => (of: number) =>
    sets.eventOf(of === byte ? rule : others, k, alias);
  const load = (line: Line): Outcome[] => answered(read(machine, line, kind, alias), byte, line);
  const see = (line: Line, world: World): Outcome[] =>
    load(line).filter(({ version }) => version === world.latest[byte]);
  const events: LineEvent[] = [
    {
      name: `load ${place}`,
      byte,
      effect: 'reads',
      exactForOthers: true,
      eventFor: own('load', 'load of another byte'),
      apply: load,
    },
    {
      name: `see ${place}`,
      byte,
      effect: null,
      exactForOthers: false,
      eventFor: own('seen', 'load of another byte'),
      apply: see,
    },
    {
      name: `store ${place}`,
      byte,
      effect: 'stores',
      displaces: line =>
        line.stores.some(
          store => store.byte === byte && (store.kind !== kind || store.alias !== alias),
        ),
      exactForOthers: true,
      eventFor: own('store', 'store of another byte'),
      apply: (line, world) =>
        issue(machine, line, {
          byte,
          version: world.latest[byte] ?? 0,
          kind,
          alias,
          epoch: world.epoch,
          isRest: false,
        }).map(done),
    },
  ];
  const { aliases, deviceCache } = machine.profile;
  if (kind.inner !== 0 && aliases === 1 && !deviceCache) {
    events.push({
      name: `see ${place}, and so its neighbours`,
      byte,
      effect: null,
      exactForOthers: false,
      followsDevice: true,
      eventFor: own('seen', 'seen another byte'),
      apply: see,
    });
  }
  if (machine.profile.storeBuffer) {
    events.push({
      name: `load by another CPU ${place}`,
      byte,
      effect: 'reads',
      exactForOthers: true,
      eventFor: own('load by another CPU', 'load of another byte'),
      apply: line => unforwarded(read(machine, line, kind, alias), byte),
    });
  }
  if (sets.eventOf('table walk', k, alias) >= 0) {
    events.push({
      name: `walk ${place}`,
      byte,
      effect: null,
      exactForOthers: true,
      eventFor: own('table walk', 'table walk of another byte'),
      apply: line => {
        const copy = kind.inner === 0 ? null : (line.inner[0] ?? null);
        const beyond = readBehind(machine, line, kind);
        const near = copy === null ? [] : [{ line, bytes: copy.bytes }];
        const far = copy === null || machine.profile.walker === 'l2' ? [beyond] : [];
        return unforwarded([...near, ...far], byte);
      },
    });
  }
  return events;
};
