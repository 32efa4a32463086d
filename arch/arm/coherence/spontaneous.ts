import { at } from '../../../drivers/base/types/arrays';
import type { CheckerProfile } from './profile';
import { Buffered, Copy, NO_STORE } from './state';
import { copyState, isClean, isDirty, isLatest, cleanCopy, dirtyCopy } from './state';
import type { ByteState } from './state';
import {
  cleanInner,
  cleanOuter,
  fillInner,
  fillOuter,
  performInner,
  storeArrives,
} from './transfers';
import type { Emit } from './transfers';

/** Which levels a live, cacheable translation reaches: a sum. A TLB entry not yet gone counts. */
export const INNER_LIVE = 1;
export const OUTER_LIVE = 2;
/** A neighbour in a wider line farther out may be dirty: when it is written back, this line is too. */
export const BESIDE_DIRTY = 4;
/** Number of sums of the above. */
export const MAPPABILITIES = 8;

/** Something that the machine may do at any moment, unasked. */
export interface SpontaneousRule {
  readonly name: string;
  readonly source: string;
  applies(profile: CheckerProfile): boolean;
  /** Emits what can become of the state; may change the one it is given. */
  step(state: ByteState, profile: CheckerProfile, live: number, emit: Emit): void;
}

const hasOuter = ({ outer }: CheckerProfile): boolean => outer !== 'none';
const buffersStores = ({ storeBuffer }: CheckerProfile): boolean => storeBuffer;

/** For each alias whose copy satisfies the predicate, on a state of its own. */
const eachInner = (
  state: ByteState,
  applies: (copy: Copy) => boolean,
  step: (state: ByteState, alias: number) => void,
): void => {
  state.inner.forEach((copy, alias) => {
    if (applies(copy)) step(copyState(state), alias);
  });
};

/** The table of spontaneous steps. A set of states is closed under those of its profile. */
export const SPONTANEOUS = Object.freeze<SpontaneousRule[]>([
  {
    name: 'drain a store of this byte',
    source: 'ARM DDI 0406C A3.8: a store is observed some time after its execution; DESIGN 5',
    applies: buffersStores,
    step: (state, profile, _live, emit) => {
      if (state.store === NO_STORE) return;
      const target = at(profile.targets, state.store);
      const { storeLatest, others } = state;
      state.store = NO_STORE;
      state.storeLatest = false;
      // An access of several bytes may arrive in parts: the rest of it is a store of others.
      for (const rest of new Set([others, others | target.dirties])) {
        const drained = copyState(state);
        drained.others = rest;
        storeArrives(drained, profile, target, true, storeLatest, emit);
      }
    },
  },
  {
    name: 'drain a store of another byte',
    source: 'ARM DDI 0406C A3.8; a store makes the whole line present and dirty',
    applies: buffersStores,
    step: (state, profile, _live, emit) => {
      for (const target of profile.targets) {
        if ((state.others & target.dirties) === 0) continue;
        for (const rest of [state.others, state.others & ~target.dirties]) {
          const drained = copyState(state);
          drained.others = rest;
          storeArrives(drained, profile, target, false, false, emit);
        }
      }
    },
  },
  {
    name: 'drain the outer buffer',
    source: 'PL310 TRM DDI 0246 2.4: store and eviction buffers, drained by time or a cache sync',
    applies: hasOuter,
    step: (state, _profile, _live, emit) => {
      if (state.buffer === Buffered.none) return;
      state.memory = state.buffer === Buffered.latest;
      state.buffer = Buffered.none;
      state.bufferKeepsOrder = false;
      emit(state);
    },
  },
  {
    name: 'complete pending maintenance',
    source: 'ARM DDI 0406C B2.2.7: completion is known after a DSB only',
    applies: ({ pendingMaintenance, hasCache }) => pendingMaintenance && hasCache,
    step: (state, profile, _live, emit) => {
      state.pending.forEach((operation, alias) => {
        if (operation === 0) return;
        const completed = copyState(state);
        completed.pending[alias] = 0;
        performInner(completed, profile, alias, operation, emit);
      });
    },
  },
  {
    name: 'drop a clean inner copy',
    source: 'ARM DDI 0406C B2.2.1: a line may be evicted at any time',
    applies: ({ hasCache }) => hasCache,
    step: (state, profile, _live, emit) => {
      eachInner(state, isClean, (dropped, alias) => {
        const latest = isLatest(at(dropped.inner, alias));
        dropped.inner[alias] = Copy.absent;
        if (profile.outer === 'exclusive' && dropped.outer === Copy.absent) {
          dropped.outer = cleanCopy(latest);
        }
        emit(dropped);
      });
    },
  },
  {
    name: 'write a dirty inner copy back',
    source: 'ARM DDI 0406C B2.2.1: a dirty line may be written back at any time',
    applies: ({ hasCache }) => hasCache,
    step: (state, profile, _live, emit) => {
      eachInner(state, isDirty, (written, alias) => {
        cleanInner(written, profile, alias);
        // What an exclusive outer cache takes over, the inner level gives up.
        if (profile.outer === 'exclusive') written.inner[alias] = Copy.absent;
        emit(written);
      });
    },
  },
  {
    name: 'fill the inner cache',
    source: 'ARM DDI 0406C A3.5.3: speculative reads of Normal memory with a valid translation',
    applies: ({ speculativeFill }) => speculativeFill,
    step: (state, profile, live, emit) => {
      if ((live & INNER_LIVE) === 0 || state.inner[0] !== Copy.absent) return;
      fillInner(state, profile, 0);
      emit(state);
    },
  },
  {
    name: 'be written back with a neighbour',
    source: 'ARM DDI 0406C B2.2.1, CTR.CWG: what an eviction of modified memory may overwrite',
    applies: ({ neighbours }) => neighbours > 1,
    step: (state, profile, live, emit) => {
      if ((live & BESIDE_DIRTY) === 0 || isDirty(at(state.inner, 0))) return;
      // Where it is not there, it comes with the rest of the line.
      if (state.inner[0] === Copy.absent) fillInner(state, profile, 0);
      emit(copyState(state));
      state.inner[0] = dirtyCopy(isLatest(at(state.inner, 0)));
      cleanInner(state, profile, 0);
      emit(state);
    },
  },
  {
    name: 'drop a clean outer copy',
    source: 'PL310 TRM DDI 0246: replacement',
    applies: hasOuter,
    step: (state, _profile, _live, emit) => {
      if (!isClean(state.outer)) return;
      state.outer = Copy.absent;
      emit(state);
    },
  },
  {
    name: 'write a dirty outer copy back',
    source: 'PL310 TRM DDI 0246: replacement; what it writes waits in the eviction buffer',
    applies: hasOuter,
    step: (state, profile, _live, emit) => {
      if (!isDirty(state.outer)) return;
      cleanOuter(state, profile);
      emit(state);
    },
  },
  {
    name: 'fill the outer cache',
    source: 'PL310 TRM DDI 0246: instruction and data prefetch; DESIGN 5',
    applies: profile => hasOuter(profile) && profile.speculativeFill,
    step: (state, profile, live, emit) => {
      if ((live & OUTER_LIVE) === 0 || state.outer !== Copy.absent) return;
      if (profile.outer === 'exclusive' && state.inner[0] !== Copy.absent) return;
      fillOuter(state);
      emit(state);
    },
  },
  {
    name: 'drop a clean line of the device',
    source: 'a device with a cache of its own may evict at any time',
    applies: ({ deviceCache }) => deviceCache,
    step: (state, _profile, _live, emit) => {
      if (!isClean(state.device)) return;
      state.device = Copy.absent;
      emit(state);
    },
  },
  {
    name: 'write a dirty line of the device back',
    source: 'a device with a cache of its own may write back at any time',
    applies: ({ deviceCache }) => deviceCache,
    step: (state, _profile, _live, emit) => {
      if (!isDirty(state.device)) return;
      state.memory = isLatest(state.device);
      state.device = cleanCopy(state.memory);
      emit(state);
    },
  },
]);

/** The rules of a profile. */
export const spontaneousRules = (
  profile: CheckerProfile,
  rules: readonly SpontaneousRule[] = SPONTANEOUS,
): readonly SpontaneousRule[] => rules.filter(rule => rule.applies(profile));
