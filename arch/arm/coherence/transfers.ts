/*
 * How a byte moves between the components of a state: the vocabulary of the rules. Everything here
 * changes the state that it is given.
 */

import { at } from '../../../drivers/base/types/arrays';
import { Cacheability } from '../mmu/attributes';
import { innerLookup } from './profile';
import type { CheckerProfile, MemoryKind, StoreTarget } from './profile';
import { Buffered, CLEAN, Copy, INVALIDATE } from './state';
import { cleanCopy, copyState, dirtyCopy, holding, isDirty, isLatest } from './state';
import type { ByteState } from './state';

const { none, writeThrough, writeBack, writeBackAllocate } = Cacheability;

/** Takes a state that a rule leads to; `latest` is false if what was read was not the latest. */
export type Emit = (state: ByteState, latest?: boolean) => void;

/** Memory holds the latest, seen from the caches: behind the writes that wait in the outer buffer. */
const memoryIsLatest = (state: ByteState): boolean =>
  state.buffer === Buffered.none ? state.memory : state.buffer === Buffered.latest;

/**
 * A write leaves the caches: a store on its way, or a line. With an outer cache it waits; an
 * earlier one of the byte goes first.
 */
const writeMemory = (
  state: ByteState,
  profile: CheckerProfile,
  latest: boolean,
  isStore: boolean,
): void => {
  if (profile.outer === 'none') {
    state.memory = latest;
    return;
  }
  state.buffer = latest ? Buffered.latest : Buffered.stale;
  state.bufferKeepsOrder = isStore;
};

export const fillOuter = (state: ByteState): void => {
  if (state.outer === Copy.absent) state.outer = cleanCopy(memoryIsLatest(state));
};

/** Fills an absent inner copy: from the outer one, which an exclusive cache gives up, or memory. */
export const fillInner = (state: ByteState, profile: CheckerProfile, alias: number): void => {
  if (profile.outer === 'inclusive') fillOuter(state);
  const fromOuter = state.outer !== Copy.absent;
  const latest = fromOuter ? isLatest(state.outer) : memoryIsLatest(state);
  if (fromOuter && profile.outer === 'exclusive') {
    if (isDirty(state.outer)) writeMemory(state, profile, latest, false);
    state.outer = Copy.absent;
  }
  state.inner[alias] = cleanCopy(latest);
};

/** The inner copy, if dirty, is written to the next level and stays. */
export const cleanInner = (state: ByteState, profile: CheckerProfile, alias: number): void => {
  const copy = at(state.inner, alias);
  if (!isDirty(copy)) return;
  if (profile.outer === 'none') state.memory = isLatest(copy);
  else state.outer = dirtyCopy(isLatest(copy));
  state.inner[alias] = cleanCopy(isLatest(copy));
};

export const cleanOuter = (state: ByteState, profile: CheckerProfile): void => {
  if (!isDirty(state.outer)) return;
  writeMemory(state, profile, isLatest(state.outer), false);
  state.outer = cleanCopy(isLatest(state.outer));
};

/** Maintenance of the inner line takes effect. */
export const performInner = (
  state: ByteState,
  profile: CheckerProfile,
  alias: number,
  operation: number,
  emit: Emit,
): void => {
  const writesBack = (operation & CLEAN) !== 0;
  const drops = (operation & INVALIDATE) !== 0;
  if (!writesBack && profile.invalidateMayWriteBack) {
    performInner(copyState(state), profile, alias, operation | CLEAN, emit);
  }
  if (writesBack) cleanInner(state, profile, alias);
  if (drops) state.inner[alias] = Copy.absent;
  emit(state);
};

/** A store of this byte (`latest`: still the last write) or, `own` false, of another arrives. */
export const storeArrives = (
  state: ByteState,
  profile: CheckerProfile,
  { kind, alias }: StoreTarget,
  own: boolean,
  latest: boolean,
  emit: Emit,
): void => {
  if (kind.inner === none) {
    storeUncached(state, profile, kind, own, latest, emit);
    return;
  }
  if (kind.inner === writeBackAllocate && at(state.inner, alias) === Copy.absent) {
    fillInner(state, profile, alias);
  }
  const copy = at(state.inner, alias);
  const isPresent = copy !== Copy.absent;
  if (isPresent && own) state.inner[alias] = holding(copy, latest);
  if (isPresent && kind.inner >= writeBack) {
    state.inner[alias] = dirtyCopy(isLatest(at(state.inner, alias)));
  } else {
    storeBeyond(state, profile, kind, own, latest);
  }
  emit(state);
};

const storeUncached = (
  state: ByteState,
  profile: CheckerProfile,
  kind: MemoryKind,
  own: boolean,
  latest: boolean,
  emit: Emit,
): void => {
  const lookup = innerLookup(profile, kind, true);
  if (lookup !== 'hits') {
    const missed = copyState(state);
    storeBeyond(missed, profile, kind, own, latest);
    emit(missed);
  }
  if (lookup === 'misses') return;
  if (own) {
    state.inner = state.inner.map(copy => (copy === Copy.absent ? copy : holding(copy, latest)));
  }
  storeBeyond(state, profile, kind, own, latest);
  emit(state);
};

/** A store that the inner level did not keep. */
export const storeBeyond = (
  state: ByteState,
  profile: CheckerProfile,
  kind: MemoryKind,
  own: boolean,
  latest: boolean,
): void => {
  const hasOuter = profile.outer !== 'none';
  if (kind.outer === writeBackAllocate && profile.outer === 'inclusive') fillOuter(state);
  const looksUp = hasOuter && (kind.outer !== none || kind.hitsOuter);
  const hits = looksUp && state.outer !== Copy.absent;
  const writesBack = hits && kind.outer >= writeBack;
  if (hits && own) state.outer = holding(state.outer, latest);
  if (writesBack) state.outer = dirtyCopy(isLatest(state.outer));
  else if (own) writeMemory(state, profile, latest, true);
};

/** A load: the caches and memory answer, and what allocates on loads does. */
export const load = (
  state: ByteState,
  profile: CheckerProfile,
  kind: MemoryKind,
  alias: number,
  emit: Emit,
): void => {
  if (kind.inner >= writeThrough) {
    if (at(state.inner, alias) === Copy.absent) fillInner(state, profile, alias);
    emit(state, isLatest(at(state.inner, alias)));
    return;
  }
  const lookup = innerLookup(profile, kind, false);
  const found = lookup === 'misses' ? undefined : state.inner.find(copy => copy !== Copy.absent);
  if (found !== undefined) emit(copyState(state), isLatest(found));
  if (found === undefined || lookup === 'either') readBeyond(state, profile, kind, emit);
};

/** A read that no inner cache answered. */
export const readBeyond = (
  state: ByteState,
  profile: CheckerProfile,
  kind: MemoryKind,
  emit: Emit,
): void => {
  const looksUp = profile.outer !== 'none' && (kind.outer !== none || kind.hitsOuter);
  if (looksUp && kind.outer !== none && profile.outer === 'inclusive') fillOuter(state);
  const hits = looksUp && state.outer !== Copy.absent;
  emit(state, hits ? isLatest(state.outer) : memoryIsLatest(state));
};

/** What a master on the snooping port reads: the nearest copy that is present. */
export const snoopedRead = (state: ByteState): boolean => {
  const [inner = Copy.absent] = state.inner;
  if (inner !== Copy.absent) return isLatest(inner);
  return state.outer === Copy.absent ? memoryIsLatest(state) : isLatest(state.outer);
};

/**
 * A snooped write of this byte or of another. Bytes of a dirty line that it does not replace
 * survive: where the line leaves the inner level it is written back first.
 */
export const snoopedWrite = (state: ByteState, profile: CheckerProfile, own: boolean): void => {
  const [inner = Copy.absent] = state.inner;
  if (profile.snoopedWrite === 'updates' && inner !== Copy.absent) {
    state.inner[0] = dirtyCopy(own || isLatest(inner));
    return;
  }
  cleanInner(state, profile, 0);
  state.inner[0] = Copy.absent;
  if (state.outer !== Copy.absent) state.outer = dirtyCopy(own || isLatest(state.outer));
  else if (own) writeMemory(state, profile, true, false);
};
