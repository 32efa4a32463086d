import { at } from '../../../drivers/base/types/arrays';
import { always, eachAlias, operations, storesWait, when } from './event-rule';
import type { EventRule } from './event-rule';
import { Buffered, CLEAN, Copy, INVALIDATE, NO_STORE } from './state';
import { copyState } from './state';
import type { ByteState } from './state';
import { cleanOuter, performInner } from './transfers';

/** What is under way on a line when one more operation is issued: they complete as one. */
const joined = (before: number, operation: number): number =>
  before === INVALIDATE ? INVALIDATE : before | operation;

/** Barriers, what follows from them and from being observed, and maintenance. */
export const ORDER_EVENTS = Object.freeze<EventRule[]>([
  {
    name: 'the store has drained',
    source: 'DESIGN 5: whoever observes a store of an epoch observes all earlier ones',
    variants: ({ storeBuffer }) => when(storeBuffer),
    apply: (state, _profile, _variant, emit) => {
      if (state.store === NO_STORE) emit(state);
    },
  },
  {
    name: 'stores of the line have drained',
    source: 'DESIGN 5: the same, where every store of the line is of an earlier epoch',
    variants: ({ storeBuffer }) => when(storeBuffer),
    apply: (state, _profile, _variant, emit) => {
      if (!storesWait(state)) emit(state);
    },
  },
  {
    name: 'dsb',
    source: 'ARM DDI 0406C A3.8.3: drains all stores and completes all maintenance before it',
    variants: always,
    apply: (state, _profile, _variant, emit) => {
      if (!storesWait(state) && state.pending.every(operation => operation === 0)) emit(state);
    },
  },
  {
    name: 'maintenance has completed',
    source: 'ARM DDI 0406C B2.2.7: the DSB of the CPU that issued it, whoever stores meanwhile',
    variants: ({ pendingMaintenance, hasCache }) => when(pendingMaintenance && hasCache),
    apply: (state, _profile, _variant, emit) => {
      if (state.pending.every(operation => operation === 0)) emit(state);
    },
  },
  {
    name: 'an access follows maintenance of its line',
    source: 'ARM DDI 0487 D7.5.8: a cacheable access of the same CPU through the same address',
    variants: profile =>
      profile.pendingMaintenance && profile.hasCache ? eachAlias(profile.aliases) : [],
    apply: (state, _profile, { alias }, emit) => {
      if (at(state.pending, alias) === 0) emit(state);
    },
  },
  {
    name: 'outer sync',
    source: 'PL310 TRM DDI 0246 3.3.10: Cache Sync drains the buffers; DSB does not',
    variants: ({ outer }) => when(outer !== 'none'),
    apply: (state, _profile, _variant, emit) => {
      if (state.buffer === Buffered.none) emit(state);
    },
  },
  {
    name: 'the store has reached memory',
    // What a dmb separates does not pass each other there: *assumed*, for dma_wmb() is no more than
    // that in Linux (arch/arm/include/asm/barrier.h), and meant for rings that devices poll
    // (1077fa36f23e). The manual (PL310 TRM DDI 0246 2.5) promises no order of its store buffer.
    source: 'Linux, dma_wmb() on ARMv7: dmb(oshst) without outer_sync()',
    variants: ({ outer }) => when(outer !== 'none'),
    apply: (state, _profile, _variant, emit) => {
      if (!state.bufferKeepsOrder) emit(state);
    },
  },
  {
    name: 'maintain the inner line',
    source: 'ARM DDI 0406C B2.2.6 and B2.2.7: to the point of coherency, after own stores of it',
    variants: ({ hasCache, aliases }) => (hasCache ? operations(aliases) : []),
    apply: (state, profile, { alias, operation }, emit) => {
      if (storesWait(state)) return;
      if (!profile.pendingMaintenance) {
        performInner(state, profile, alias, operation, emit);
        return;
      }
      state.pending[alias] = joined(at(state.pending, alias), operation);
      emit(state);
    },
  },
  {
    name: 'maintain the inner line from another CPU',
    source: 'ARM DDI 0406C B2.2.7: neither stores nor maintenance of one CPU wait for the other’s',
    variants: ({ hasCache, aliases, storeBuffer, pendingMaintenance }) =>
      hasCache && (storeBuffer || pendingMaintenance) ? operations(aliases) : [],
    apply: (state, profile, { alias, operation }, emit) => {
      const before = at(state.pending, alias);
      if (!profile.pendingMaintenance || before !== 0) {
        performInner(copyState(state), profile, alias, operation, emit);
      }
      if (!profile.pendingMaintenance) return;
      for (const both of new Set([joined(before, operation), joined(operation, before)])) {
        const issued = copyState(state);
        issued.pending[alias] = both;
        emit(issued);
      }
    },
  },
  {
    name: 'maintain the inner line by set and way',
    source: 'ARM DDI 0406C B2.2.6: of this core; lines of others, or that move, are not reached',
    variants: ({ hasCache }) => (hasCache ? operations(1) : []),
    apply: (state, profile, { operation }, emit) => {
      if (!profile.setWayCounts) emit(copyState(state));
      let states = [state];
      for (let alias = 0; alias < profile.aliases; alias++) {
        const after: ByteState[] = [];
        for (const each of states) {
          performInner(each, profile, alias, operation, done => after.push(done));
        }
        states = after;
      }
      for (const each of states) emit(each);
    },
  },
  {
    name: 'maintain the outer line',
    source: 'PL310 TRM DDI 0246 3.3.10: by physical address, atomic; its writes pass the buffer',
    variants: ({ outer }) => (outer === 'none' ? [] : operations(1)),
    apply: (state, profile, { operation }, emit) => {
      if ((operation & CLEAN) !== 0) cleanOuter(state, profile);
      if ((operation & INVALIDATE) !== 0) state.outer = Copy.absent;
      emit(state);
    },
  },
]);
