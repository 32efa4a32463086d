import { at } from '../../../drivers/base/types/arrays';
import { Cacheability } from '../mmu/attributes';
import { accesses, isCached, kindAt } from './event-rule';
import type { EventRule, EventVariant } from './event-rule';
import type { CheckerProfile, StoreTarget } from './profile';
import { Copy, NO_STORE, copyState, isLatest, isLost, overtakeAll } from './state';
import type { ByteState } from './state';
import { load, readBeyond, storeArrives } from './transfers';
import type { Emit } from './transfers';

const targetOf = (profile: CheckerProfile, variant: EventVariant): number =>
  profile.targets.findIndex(
    ({ kind, alias }) => kind === kindAt(profile, variant) && alias === variant.alias,
  );

/** A store of this byte is issued. */
const issueStore = (state: ByteState, profile: CheckerProfile, index: number, emit: Emit): void => {
  const put = (before: ByteState): void => {
    overtakeAll(before);
    if (!profile.storeBuffer) {
      storeArrives(before, profile, at(profile.targets, index), true, true, emit);
      return;
    }
    before.store = index;
    before.storeLatest = true;
    emit(before);
  };
  const { store, storeLatest } = state;
  if (store === NO_STORE || store === index) {
    put(state);
    return;
  }
  // Stores to one byte stay in order; one for another place does not merge with what waits.
  state.store = NO_STORE;
  state.storeLatest = false;
  storeArrives(state, profile, at(profile.targets, store), true, storeLatest, put);
};

const otherStore = (
  state: ByteState,
  profile: CheckerProfile,
  target: StoreTarget,
  emit: Emit,
): void => {
  if (!profile.storeBuffer) {
    storeArrives(state, profile, target, false, false, emit);
    return;
  }
  state.others |= target.dirties;
  emit(state);
};

const walks = (profile: CheckerProfile): readonly EventVariant[] =>
  accesses(
    profile,
    kind => !isCached(kind) || (profile.aliases === 1 && profile.walker !== 'memory'),
  );

/** The walker reads; what its CPU has not drained it does not see. */
const walk = (
  state: ByteState,
  profile: CheckerProfile,
  variant: EventVariant,
  emit: Emit,
): void => {
  const kind = kindAt(profile, variant);
  const [inner = Copy.absent] = state.inner;
  const looks = isCached(kind) && inner !== Copy.absent;
  if (looks) emit(copyState(state), isLatest(inner));
  // One that starts at the second level does not see what only the first has.
  if (!looks || profile.walker === 'l2') readBeyond(state, profile, kind, emit);
};

/** What the CPUs and their table walkers do: loads, stores, polls, walks. */
export const CPU_EVENTS = Object.freeze<EventRule[]>([
  {
    name: 'load',
    source: 'ARM DDI 0406C B2.2; a waiting store of the same CPU is forwarded',
    effect: 'read',
    variants: profile => accesses(profile, () => true),
    apply: (state, profile, variant, emit) => {
      const { store, storeLatest } = state;
      load(state, profile, kindAt(profile, variant), variant.alias, (after, latest) => {
        emit(after, store === NO_STORE ? latest : storeLatest);
      });
    },
  },
  {
    name: 'load by another CPU',
    source: 'ARM DDI 0406C A3.8: a store that waits is seen by its own CPU only',
    effect: 'read',
    variants: profile => accesses(profile, () => profile.storeBuffer),
    apply: (state, profile, variant, emit) => {
      load(state, profile, kindAt(profile, variant), variant.alias, emit);
    },
  },
  {
    name: 'load of another byte',
    source: 'a load that misses fills the whole line',
    variants: profile =>
      accesses(profile, kind => isCached(kind) || kind.outer !== Cacheability.none),
    apply: (state, profile, variant, emit) => {
      load(state, profile, kindAt(profile, variant), variant.alias, after => {
        emit(after);
      });
    },
  },
  {
    name: 'seen',
    source: 'DESIGN 5, polls: once the new value is seen, older copies are gone',
    variants: profile => accesses(profile, () => true),
    apply: (state, profile, variant, emit) => {
      const { store, storeLatest } = state;
      load(state, profile, kindAt(profile, variant), variant.alias, (after, latest = true) => {
        if (store === NO_STORE ? latest : storeLatest) emit(after);
      });
    },
  },
  {
    name: 'seen another byte',
    // What the cache of a device writes back later may be newer than the value that was seen.
    source: 'DESIGN 5, polls: what was read with the new value is as new',
    variants: profile => (profile.deviceCache ? [] : accesses(profile, isCached)),
    apply: (state, profile, variant, emit) => {
      // What this CPU stored and has not drained is in no copy yet; what is lost, in none.
      const waits = state.store !== NO_STORE;
      load(state, profile, kindAt(profile, variant), variant.alias, (after, latest = true) => {
        if (latest || waits || isLost(after)) emit(after);
      });
    },
  },
  {
    name: 'store',
    source: 'ARM DDI 0406C B2.2; writes to one place stay in order',
    effect: 'stored',
    variants: profile => accesses(profile, () => true),
    apply: (state, profile, variant, emit) => {
      issueStore(state, profile, targetOf(profile, variant), emit);
    },
  },
  {
    name: 'store of another byte',
    source: 'a store makes the whole line present and dirty',
    variants: profile =>
      accesses(profile, () => true).filter(
        variant => at(profile.targets, targetOf(profile, variant)).dirties !== 0,
      ),
    apply: (state, profile, variant, emit) => {
      otherStore(state, profile, at(profile.targets, targetOf(profile, variant)), emit);
    },
  },
  {
    name: 'table walk',
    source: 'core table, `walker`: the nearest cache that the walker looks into',
    variants: walks,
    apply: walk,
  },
  {
    name: 'table walk of another byte',
    source: 'a walk that misses fills the line of the outer cache',
    variants: profile =>
      profile.outer === 'inclusive'
        ? walks(profile).filter(variant => kindAt(profile, variant).outer !== Cacheability.none)
        : [],
    apply: (state, profile, variant, emit) => {
      walk(state, profile, variant, after => {
        emit(after);
      });
    },
  },
]);
