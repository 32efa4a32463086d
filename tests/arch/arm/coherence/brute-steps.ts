import type { CheckerProfile } from '../../../../arch/arm/coherence/profile';
import {
  bringInner,
  bringOuter,
  dropInner,
  flushInner,
  flushOuter,
  perform,
  replaceAt,
} from './brute-line';
import type { BruteMachine, Line, Operation, WaitingStore } from './brute-line';

/** Whether the store makes its line dirty, and so concerns the other bytes. */
export const isDirtying = (profile: CheckerProfile, store: WaitingStore): boolean =>
  profile.targets.some(
    ({ kind, alias, dirties }) => kind === store.kind && alias === store.alias && dirties !== 0,
  );

const orderOf = (store: WaitingStore): string =>
  `${store.isRest ? 1 : 0} ${store.byte} ${store.kind.name} ${store.alias}`;

/** What is left of merged accesses is one thing per place, in an order that means nothing. */
export const tidy = (machine: BruteMachine, stores: readonly WaitingStore[]): WaitingStore[] => {
  if (!machine.merging) return [...stores];
  const plain = stores.map(store =>
    store.isRest ? { ...store, byte: -1, version: -1, epoch: 0 } : { ...store, epoch: 0 },
  );
  const byOrder = new Map(plain.map(store => [orderOf(store), store]));
  return [...byOrder.keys()].sort().flatMap(key => byOrder.get(key) ?? []);
};

/** One waiting store arrives. */
export const drainStore = (machine: BruteMachine, line: Line, index: number): Line[] => {
  const store = line.stores[index];
  if (store === undefined) return [];
  const left = line.stores.filter((_, n) => n !== index);
  const payload = store.isRest ? null : { byte: store.byte, version: store.version };
  const arrived = perform(machine, line, store.kind, store.alias, payload);
  const lines = arrived.map(after => ({ ...after, stores: tidy(machine, left) }));
  if (!machine.merging || !isDirtying(machine.profile, store)) return lines;
  const withRest = tidy(machine, [...left, { ...store, isRest: true }]);
  return [...lines, ...arrived.map(after => ({ ...after, stores: withRest }))];
};

const mayDrain = (machine: BruteMachine, line: Line, index: number): boolean => {
  const store = line.stores[index];
  if (store === undefined || machine.merging) return store !== undefined;
  return line.stores.every(
    (other, n) => other.epoch >= store.epoch && (n >= index || other.byte !== store.byte),
  );
};

/** Maintenance takes effect on one inner line. */
export const maintain = (
  machine: BruteMachine,
  line: Line,
  alias: number,
  operation: Operation,
): Line[] => {
  const flushed = flushInner(machine, line, alias);
  if (operation === 'clean') return [flushed];
  if (operation === 'clean+invalidate') return [dropInner(flushed, alias)];
  const dropped = dropInner(line, alias);
  return machine.profile.invalidateMayWriteBack ? [dropped, dropInner(flushed, alias)] : [dropped];
};

const leaveInner = (machine: BruteMachine, line: Line, alias: number): Line[] => {
  const copy = line.inner[alias] ?? null;
  const isExclusive = machine.profile.outer === 'exclusive';
  if (copy === null) return [];
  if (copy.dirty) {
    const flushed = flushInner(machine, line, alias);
    return [isExclusive ? dropInner(flushed, alias) : flushed];
  }
  const dropped = dropInner(line, alias);
  return [isExclusive && line.outer === null ? { ...dropped, outer: copy } : dropped];
};

const outerSteps = (machine: BruteMachine, line: Line): Line[] => {
  const lines: Line[] = [];
  if (line.outer?.dirty === true) lines.push(flushOuter(machine, line));
  if (line.outer?.dirty === false) lines.push({ ...line, outer: null });
  line.buffer.forEach(({ byte, version }, n) => {
    if (line.buffer.findIndex(write => write.byte === byte) !== n) return;
    lines.push({
      ...line,
      memory: replaceAt(line.memory, byte, version),
      buffer: line.buffer.filter((_, other) => other !== n),
    });
  });
  return lines;
};

/** Everything that a machine may do to a line unasked, one step each. */
export const steps = (
  machine: BruteMachine,
  line: Line,
  innerLive: boolean,
  outerLive: boolean,
): Line[] => {
  const { profile } = machine;
  const lines = outerSteps(machine, line);
  line.stores.forEach((_, n) => {
    if (mayDrain(machine, line, n)) lines.push(...drainStore(machine, line, n));
  });
  line.pending.forEach((operations, alias) => {
    const [first, ...rest] = operations;
    if (first === undefined) return;
    const begun = { ...line, pending: replaceAt(line.pending, alias, rest) };
    lines.push(...maintain(machine, begun, alias, first));
  });
  line.inner.forEach((copy, alias) => {
    lines.push(...leaveInner(machine, line, alias));
    if (copy === null && profile.speculativeFill && innerLive) {
      lines.push(bringInner(machine, line, alias));
    }
  });
  const isShut = profile.outer === 'exclusive' && line.inner[0] !== null;
  if (profile.outer !== 'none' && profile.speculativeFill && outerLive && !isShut) {
    lines.push(bringOuter(line));
  }
  const { device } = line;
  if (device?.dirty === false) lines.push({ ...line, device: null });
  if (device?.dirty === true) {
    lines.push({ ...line, memory: device.bytes, device: { ...device, dirty: false } });
  }
  return lines;
};
