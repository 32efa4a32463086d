import { Cacheability } from '../../../../arch/arm/mmu/attributes';
import type { CheckerProfile, MemoryKind } from '../../../../arch/arm/coherence/profile';

/*
 * A whole cache line, slow and obvious: bytes with version numbers wherever a copy of them is, and
 * lists of what waits. Written from the description of the hardware, not from the checker's rules.
 */

export interface CachedLine {
  readonly dirty: boolean;
  readonly bytes: readonly number[];
}

export interface WaitingStore {
  readonly byte: number;
  readonly version: number;
  readonly kind: MemoryKind;
  readonly alias: number;
  readonly epoch: number;
  /** The value has arrived; a part of the access that touches other bytes has not. */
  readonly isRest: boolean;
}

export interface BufferedWrite {
  readonly byte: number;
  readonly version: number;
  /** It is a store, which keeps its place among others; else it is of a line that left a cache. */
  readonly isStore: boolean;
}

export interface Line {
  readonly memory: readonly number[];
  readonly inner: readonly (CachedLine | null)[];
  readonly outer: CachedLine | null;
  readonly stores: readonly WaitingStore[];
  /** Writes between the outer cache and memory, oldest first. */
  readonly buffer: readonly BufferedWrite[];
  /** Per alias, maintenance that has not completed, oldest first. */
  readonly pending: readonly (readonly Operation[])[];
  readonly device: CachedLine | null;
}

export type Operation = 'clean' | 'invalidate' | 'clean+invalidate';

/**
 * `merging`: what waits for one place is one: stores of one byte merge, a store may arrive in
 * parts, maintenance of one line is one operation. That is the granularity of the tables. Without
 * it, everything is a queue of its own, stores keep the order of their epochs.
 */
export interface BruteMachine {
  readonly profile: CheckerProfile;
  readonly merging: boolean;
}

export const replaceAt = <T>(list: readonly T[], index: number, item: T): readonly T[] =>
  list.map((old, n) => (n === index ? item : old));

export const freshLine = (profile: CheckerProfile, bytes: number): Line => ({
  memory: Array.from({ length: bytes }, () => 0),
  inner: Array.from({ length: profile.aliases }, () => null),
  outer: null,
  stores: [],
  buffer: [],
  pending: Array.from({ length: profile.aliases }, () => []),
  device: null,
});

const cachedKey = (line: CachedLine | null): string =>
  line === null ? '-' : `${line.dirty ? 'd' : 'c'}${line.bytes.join('.')}`;

export const keyOf = (line: Line): string => {
  const stores = line.stores.map(
    s => `${s.byte}=${s.version}>${s.kind.name}@${s.alias}e${s.epoch}${s.isRest ? 'r' : ''}`,
  );
  const buffer = line.buffer.map(
    ({ byte, version, isStore }) => `${byte}=${version}${isStore ? 's' : ''}`,
  );
  return [
    line.memory.join('.'),
    line.inner.map(cachedKey).join(),
    cachedKey(line.outer),
    stores.join(),
    buffer.join(),
    line.pending.join('|'),
    cachedKey(line.device),
  ].join(' ');
};

const hasOuter = ({ profile }: BruteMachine): boolean => profile.outer !== 'none';

/** Memory as a master behind the outer buffer sees it. */
export const memoryBehind = (line: Line): readonly number[] => {
  const bytes = [...line.memory];
  for (const { byte, version } of line.buffer) bytes[byte] = version;
  return bytes;
};

/** Some bytes leave the caches for memory. */
const sendToMemory = (
  machine: BruteMachine,
  line: Line,
  bytes: readonly (readonly [byte: number, version: number])[],
  isStore = false,
): Line => {
  if (!hasOuter(machine)) {
    const memory = [...line.memory];
    for (const [byte, version] of bytes) memory[byte] = version;
    return { ...line, memory };
  }
  let buffer = [...line.buffer];
  for (const [byte, version] of bytes) {
    if (machine.merging) buffer = buffer.filter(waiting => waiting.byte !== byte);
    buffer.push({ byte, version, isStore });
  }
  if (machine.merging) buffer.sort((a, b) => a.byte - b.byte);
  return { ...line, buffer };
};

const wholeLine = (bytes: readonly number[]): (readonly [number, number])[] =>
  bytes.map((version, byte) => [byte, version]);

export const bringOuter = (line: Line): Line =>
  line.outer !== null ? line : { ...line, outer: { dirty: false, bytes: memoryBehind(line) } };

/** Brings the line into an inner cache that does not have it. */
export const bringInner = (machine: BruteMachine, line: Line, alias: number): Line => {
  let after = line;
  let bytes = memoryBehind(line);
  if (machine.profile.outer === 'inclusive') after = bringOuter(line);
  if (after.outer !== null) {
    bytes = after.outer.bytes;
    if (machine.profile.outer === 'exclusive') {
      if (after.outer.dirty) after = sendToMemory(machine, after, wholeLine(bytes));
      after = { ...after, outer: null };
    }
  }
  return { ...after, inner: replaceAt(after.inner, alias, { dirty: false, bytes }) };
};

/** An inner cache writes its dirty line to what is behind it, and has it clean. */
export const flushInner = (machine: BruteMachine, line: Line, alias: number): Line => {
  const copy = line.inner[alias];
  if (copy?.dirty !== true) return line;
  const inner = replaceAt(line.inner, alias, { ...copy, dirty: false });
  return hasOuter(machine)
    ? { ...line, inner, outer: copy }
    : { ...line, inner, memory: copy.bytes };
};

export const dropInner = (line: Line, alias: number): Line => ({
  ...line,
  inner: replaceAt(line.inner, alias, null),
});

export const flushOuter = (machine: BruteMachine, line: Line): Line => {
  const { outer } = line;
  if (outer?.dirty !== true) return line;
  return sendToMemory(
    machine,
    { ...line, outer: { ...outer, dirty: false } },
    wholeLine(outer.bytes),
  );
};

const put = (copy: CachedLine, byte: number, version: number): CachedLine => ({
  ...copy,
  bytes: replaceAt(copy.bytes, byte, version),
});

/** Bytes that an access brings: none if what is left of it touches other bytes only. */
type Payload = { readonly byte: number; readonly version: number } | null;

const merge = (copy: CachedLine, payload: Payload): CachedLine =>
  payload === null ? copy : put(copy, payload.byte, payload.version);

const isThroughL2 = (machine: BruteMachine, kind: MemoryKind): boolean =>
  machine.profile.twoInnerLevels && kind.outer !== Cacheability.none;

/** A store reaches the caches: every line that can come of it. */
export const perform = (
  machine: BruteMachine,
  line: Line,
  kind: MemoryKind,
  alias: number,
  payload: Payload,
): Line[] => {
  const { ncLookup, severalCpus, twoInnerLevels } = machine.profile;
  if (kind.inner === Cacheability.none) {
    const beyond = performBeyond(machine, line, kind, payload);
    const updated = { ...line, inner: line.inner.map(copy => copy && merge(copy, payload)) };
    const updatedBeyond = performBeyond(machine, updated, kind, payload);
    const atL1 = ncLookup === 'hits';
    const atL2 = isThroughL2(machine, kind);
    // The line may be in the first level of another CPU, into which this one does not look.
    if (severalCpus && (atL1 || atL2)) return [beyond, updatedBeyond];
    if (!twoInnerLevels) return [atL1 ? updatedBeyond : beyond];
    // The line is in the first level, the second, or both, and only some of them are looked up.
    if (atL1 && atL2) return [updatedBeyond];
    return atL1 || atL2 ? [beyond, updatedBeyond] : [beyond];
  }
  let after = line;
  if (after.inner[alias] === null && kind.inner === Cacheability.writeBackAllocate) {
    after = bringInner(machine, after, alias);
  }
  const copy = after.inner[alias] ?? null;
  if (copy === null) return [performBeyond(machine, after, kind, payload)];
  const merged = merge(copy, payload);
  if (kind.inner === Cacheability.writeThrough) {
    after = { ...after, inner: replaceAt(after.inner, alias, merged) };
    return [performBeyond(machine, after, kind, payload)];
  }
  return [{ ...after, inner: replaceAt(after.inner, alias, { ...merged, dirty: true }) }];
};

const performBeyond = (
  machine: BruteMachine,
  line: Line,
  kind: MemoryKind,
  payload: Payload,
): Line => {
  const out = (of: Line): Line =>
    payload === null ? of : sendToMemory(machine, of, [[payload.byte, payload.version]], true);
  if (!hasOuter(machine)) return out(line);
  const allocates =
    kind.outer === Cacheability.writeBackAllocate && machine.profile.outer === 'inclusive';
  const after = allocates ? bringOuter(line) : line;
  const looks = kind.outer !== Cacheability.none || kind.hitsOuter;
  if (after.outer === null || !looks) return out(after);
  const merged = merge(after.outer, payload);
  if (kind.outer >= Cacheability.writeBack) return { ...after, outer: { ...merged, dirty: true } };
  return out({ ...after, outer: merged });
};

/** A master that snoops writes one byte. */
export const performSnooped = (
  machine: BruteMachine,
  line: Line,
  byte: number,
  version: number,
): Line => {
  const copy = line.inner[0] ?? null;
  if (copy !== null && machine.profile.snoopedWrite === 'updates') {
    return { ...line, inner: [{ ...put(copy, byte, version), dirty: true }] };
  }
  const without = dropInner(flushInner(machine, line, 0), 0);
  if (without.outer === null) return sendToMemory(machine, without, [[byte, version]]);
  return { ...without, outer: { ...put(without.outer, byte, version), dirty: true } };
};

/** What a load finds: the line after it and the bytes it saw. */
export interface Answer {
  readonly line: Line;
  readonly bytes: readonly number[];
}

export const read = (
  machine: BruteMachine,
  line: Line,
  kind: MemoryKind,
  alias: number,
): Answer[] => {
  if (kind.inner !== Cacheability.none) {
    const after = line.inner[alias] === null ? bringInner(machine, line, alias) : line;
    return [{ line: after, bytes: after.inner[alias]?.bytes ?? [] }];
  }
  const { ncLookup, severalCpus, twoInnerLevels } = machine.profile;
  const present = line.inner.find(copy => copy !== null) ?? null;
  const beyond = readBehind(machine, line, kind);
  if (present === null) return [beyond];
  const hit = { line, bytes: present.bytes };
  const atL1 = ncLookup !== 'ignores';
  const atL2 = isThroughL2(machine, kind);
  if (severalCpus && (atL1 || atL2)) return [hit, beyond];
  if (!twoInnerLevels) return [atL1 ? hit : beyond];
  if (atL1 && atL2) return [hit];
  return atL1 || atL2 ? [hit, beyond] : [beyond];
};

export const readBehind = (machine: BruteMachine, line: Line, kind: MemoryKind): Answer => {
  const isCacheable = kind.outer !== Cacheability.none;
  const allocates = machine.profile.outer === 'inclusive' && isCacheable;
  const after = allocates ? bringOuter(line) : line;
  const looks = hasOuter(machine) && (isCacheable || kind.hitsOuter);
  const bytes = looks && after.outer !== null ? after.outer.bytes : memoryBehind(after);
  return { line: after, bytes };
};
