import { always, operations, when } from './event-rule';
import type { EventRule } from './event-rule';
import { CLEAN, Copy, INVALIDATE, cleanCopy, isDirty, isLatest } from './state';
import { overtakeAll, renewAll } from './state';
import { snoopedRead, snoopedWrite } from './transfers';

/** What bus masters do, with and without a cache of their own, and memory that changes hands. */
export const DEVICE_EVENTS = Object.freeze<EventRule[]>([
  {
    name: 'device read',
    source: 'DESIGN 4: a master that does not snoop reads memory',
    effect: 'read',
    variants: always,
    apply: (state, _profile, _variant, emit) => {
      emit(state, state.memory);
    },
  },
  {
    name: 'snooped device read',
    source: 'ARM IHI 0022 (ACE), Cortex-A9 MPCore TRM DDI 0407 (ACP)',
    effect: 'read',
    variants: ({ snoopedWrite: snoops }) => when(snoops !== 'none'),
    apply: (state, _profile, _variant, emit) => {
      emit(state, snoopedRead(state));
    },
  },
  {
    name: 'device saw',
    source: 'DESIGN 5: a device that acts on a word has seen it, and all of earlier epochs',
    variants: always,
    apply: (state, _profile, _variant, emit) => {
      if (state.memory) emit(state);
    },
  },
  {
    name: 'device saw, snooping',
    source: 'DESIGN 5, as above',
    variants: ({ snoopedWrite: snoops }) => when(snoops !== 'none'),
    apply: (state, _profile, _variant, emit) => {
      if (snoopedRead(state)) emit(state);
    },
  },
  {
    name: 'device write',
    source: 'DESIGN 4: a master that does not snoop writes memory',
    effect: 'written by a device',
    variants: always,
    apply: (state, _profile, _variant, emit) => {
      overtakeAll(state);
      state.memory = true;
      emit(state);
    },
  },
  {
    name: 'snooped device write',
    source: 'core table, `snoopedWrite`: what it leaves in the caches',
    effect: 'written by a device',
    variants: ({ snoopedWrite: snoops }) => when(snoops !== 'none'),
    apply: (state, profile, _variant, emit) => {
      overtakeAll(state);
      snoopedWrite(state, profile, true);
      emit(state);
    },
  },
  {
    name: 'snooped device write of another byte',
    source: 'core table, `snoopedWrite`: the whole line is looked up',
    variants: ({ snoopedWrite: snoops }) => when(snoops !== 'none'),
    apply: (state, profile, _variant, emit) => {
      snoopedWrite(state, profile, false);
      emit(state);
    },
  },
  {
    name: 'read through the cache of the device',
    source: 'DESIGN 5: a device with its own cache adds a copy',
    effect: 'read',
    variants: ({ deviceCache }) => when(deviceCache),
    apply: (state, _profile, _variant, emit) => {
      if (state.device === Copy.absent) state.device = cleanCopy(state.memory);
      emit(state, isLatest(state.device));
    },
  },
  {
    name: 'read another byte through the cache of the device',
    source: 'a read that misses fills the whole line',
    variants: ({ deviceCache }) => when(deviceCache),
    apply: (state, _profile, _variant, emit) => {
      if (state.device === Copy.absent) state.device = cleanCopy(state.memory);
      emit(state);
    },
  },
  {
    name: 'write into the cache of the device',
    source: 'DESIGN 5: a device with its own cache adds a copy',
    effect: 'written by a device',
    variants: ({ deviceCache }) => when(deviceCache),
    apply: (state, _profile, _variant, emit) => {
      overtakeAll(state);
      state.device = Copy.dirty;
      emit(state);
    },
  },
  {
    name: 'write another byte into the cache of the device',
    source: 'a write that misses fills the whole line',
    variants: ({ deviceCache }) => when(deviceCache),
    apply: (state, _profile, _variant, emit) => {
      const { device, memory } = state;
      const latest = device === Copy.absent ? memory : isLatest(device);
      state.device = latest ? Copy.dirty : Copy.dirtyStale;
      emit(state);
    },
  },
  {
    name: 'maintain the cache of the device',
    source: 'a device with its own cache flushes and invalidates it on command',
    variants: ({ deviceCache }) => (deviceCache ? operations(1) : []),
    apply: (state, _profile, { operation }, emit) => {
      if ((operation & CLEAN) !== 0 && isDirty(state.device)) {
        state.memory = isLatest(state.device);
        state.device = cleanCopy(state.memory);
      }
      if ((operation & INVALIDATE) !== 0) state.device = Copy.absent;
      emit(state);
    },
  },
  {
    name: 'forget',
    source: 'DESIGN 5: contents become undefined; presence and dirtiness stay',
    effect: 'undefined',
    variants: always,
    apply: (state, _profile, _variant, emit) => {
      renewAll(state);
      emit(state);
    },
  },
]);
