import type { StateSets } from '../../../../arch/arm/coherence/sets';
import { CLEAN, CLEAN_INVALIDATE, INVALIDATE } from '../../../../arch/arm/coherence/state';
import { OPERATIONS, ofLine } from './brute-event';
import type { LineEvent } from './brute-event';
import { flushOuter, memoryBehind, replaceAt } from './brute-line';
import type { BruteMachine, Line, Operation } from './brute-line';
import { drainStore, maintain } from './brute-steps';

const NAMES: Readonly<Record<Operation, number>> = {
  clean: CLEAN,
  invalidate: INVALIDATE,
  'clean+invalidate': CLEAN_INVALIDATE,
};

const issueMaintenance = (
  machine: BruteMachine,
  line: Line,
  alias: number,
  operation: Operation,
): Line[] => {
  if (!machine.profile.pendingMaintenance) return maintain(machine, line, alias, operation);
  const waiting = line.pending[alias] ?? [];
  let queue: readonly Operation[] = [...waiting, operation];
  const [first] = waiting;
  if (machine.merging && first !== undefined) {
    const isSame = first === operation || first === 'invalidate';
    queue = [isSame ? first : 'clean+invalidate'];
  }
  return [{ ...line, pending: replaceAt(line.pending, alias, queue) }];
};

/** Nobody says in which order it and what another CPU has issued take effect. */
const issueForeign = (
  machine: BruteMachine,
  line: Line,
  alias: number,
  operation: Operation,
): Line[] => {
  const waiting = line.pending[alias] ?? [];
  if (!machine.profile.pendingMaintenance || waiting.length === 0) {
    return issueMaintenance(machine, line, alias, operation);
  }
  const first = { ...line, pending: replaceAt(line.pending, alias, [operation]) };
  const behind = waiting.reduce(
    (lines, other) => lines.flatMap(each => issueMaintenance(machine, each, alias, other)),
    [first],
  );
  const done = maintain(machine, line, alias, operation);
  return [...behind, ...issueMaintenance(machine, line, alias, operation), ...done];
};

/** What maintenance does to a line. */
export const maintenanceEvents = (machine: BruteMachine, sets: StateSets): LineEvent[] => {
  const { profile } = machine;
  const events: LineEvent[] = [];
  for (const operation of OPERATIONS) {
    const code = NAMES[operation];
    for (let alias = 0; profile.hasCache && alias < profile.aliases; alias++) {
      const event = sets.eventOf('maintain the inner line', 0, alias, code);
      const foreign = sets.eventOf('maintain the inner line from another CPU', 0, alias, code);
      if (foreign >= 0) {
        events.push(
          ofLine(`${operation} @${alias} by another CPU`, foreign, line =>
            issueForeign(machine, line, alias, operation),
          ),
        );
      }
      events.push(
        ofLine(`${operation} @${alias}`, event, line => {
          // The CPU's own stores to the line go first.
          const drained = drainAll(machine, line);
          return drained.flatMap(each => issueMaintenance(machine, each, alias, operation));
        }),
      );
    }
    if (profile.hasCache) {
      const event = sets.eventOf('maintain the inner line by set and way', 0, 0, code);
      events.push(
        ofLine(`${operation} by set/way`, event, line => {
          let lines = [line];
          for (let alias = 0; alias < profile.aliases; alias++) {
            lines = lines.flatMap(each => maintain(machine, each, alias, operation));
          }
          return profile.setWayCounts ? lines : [line, ...lines];
        }),
      );
    }
    if (profile.outer !== 'none') {
      events.push(
        ofLine(`outer ${operation}`, sets.eventOf('maintain the outer line', 0, 0, code), line => {
          const flushed = operation === 'invalidate' ? line : flushOuter(machine, line);
          return [operation === 'clean' ? flushed : { ...flushed, outer: null }];
        }),
      );
    }
    if (profile.deviceCache) {
      const event = sets.eventOf('maintain the cache of the device', 0, 0, code);
      events.push(
        ofLine(`GPU ${operation}`, event, line => {
          let after = line;
          const { device } = line;
          if (operation !== 'invalidate' && device?.dirty === true) {
            after = { ...line, memory: device.bytes, device: { ...device, dirty: false } };
          }
          return [operation === 'clean' ? after : { ...after, device: null }];
        }),
      );
    }
  }
  return events;
};

/** All that waits arrives, in every order that is allowed. */
const drainAll = (machine: BruteMachine, line: Line): Line[] => {
  if (line.stores.length === 0) return [line];
  const { merging } = machine;
  const order = line.stores
    .map((store, n) => ({ n, epoch: store.epoch }))
    .sort((a, b) => a.epoch - b.epoch || a.n - b.n);
  const first = order[0]?.n ?? 0;
  return drainStore(machine, line, first)
    .filter(after => !merging || after.stores.length < line.stores.length)
    .flatMap(after => drainAll(machine, after));
};

/** What barriers, and what follows from being observed, say of a line; and translations. */
export const orderEvents = (machine: BruteMachine, sets: StateSets, bytes: number): LineEvent[] => {
  const { profile } = machine;
  const completeAlias = (line: Line, alias: number): Line[] => {
    let lines = [{ ...line, pending: replaceAt(line.pending, alias, []) }];
    for (const operation of line.pending[alias] ?? []) {
      lines = lines.flatMap(each => maintain(machine, each, alias, operation));
    }
    return lines;
  };
  const complete = (line: Line): Line[] =>
    line.pending.reduce(
      (lines, _, alias) => lines.flatMap(each => completeAlias(each, alias)),
      [line],
    );
  const settle = (line: Line): Line[] => drainAll(machine, line).flatMap(complete);
  const events = [ofLine('dsb', sets.eventOf('dsb'), settle)];
  const completed = sets.eventOf('maintenance has completed');
  if (completed >= 0) events.push(ofLine('maintenance completed', completed, complete));
  for (let alias = 0; completed >= 0 && alias < profile.aliases; alias++) {
    const follows = sets.eventOf('an access follows maintenance of its line', 0, alias);
    events.push(ofLine(`an access @${alias} waits`, follows, line => completeAlias(line, alias)));
  }
  if (profile.outer !== 'none') {
    events.push(
      ofLine('outer sync', sets.eventOf('outer sync'), line => [
        { ...line, memory: memoryBehind(line), buffer: [] },
      ]),
    );
    for (let byte = 0; byte < bytes; byte++) {
      events.push({
        ...ofLine(`store of byte ${byte} in memory`, -1, line =>
          line.buffer.some(write => write.byte === byte && write.isStore) ? [] : [line],
        ),
        byte,
        exactForOthers: false,
        eventFor: of => (of === byte ? sets.eventOf('the store has reached memory') : -1),
      });
    }
  }
  if (profile.storeBuffer) {
    events.push(
      ofLine('all stores drained', sets.eventOf('stores of the line have drained'), line =>
        drainAll(machine, line),
      ),
    );
    for (let byte = 0; byte < bytes; byte++) {
      events.push({
        ...ofLine(`store of byte ${byte} drained`, -1, line =>
          line.stores.some(store => store.byte === byte && !store.isRest) ? [] : [line],
        ),
        byte,
        exactForOthers: false,
        eventFor: of => (of === byte ? sets.eventOf('the store has drained') : -1),
      });
    }
  }
  for (let live = 0; profile.speculativeFill && live < 4; live++) {
    events.push({
      ...ofLine(`map ${live}`, sets.eventOf('mapping', 0, 0, live), line => [line]),
      live,
    });
  }
  return events;
};
