import { at } from '../../../drivers/base/types/arrays';
import { invariant } from '../../../drivers/base/types/errors';
import type { CheckerProfile } from './profile';

/*
 * The state of one byte: where copies of it are, which are dirty, and which hold the latest, that
 * is the last write in program order. Presence, dirtiness and what is pending belong to the line,
 * freshness to the byte; what a step does to presence never depends on freshness, which is
 * why the bytes of a line can be followed one by one.
 */

/** A copy in a cache. The odd ones hold the latest. */
export const Copy = { absent: 0, clean: 1, cleanStale: 2, dirty: 3, dirtyStale: 4 } as const;
export type Copy = (typeof Copy)[keyof typeof Copy];

/** A write on its way from the outer cache to memory. */
export const Buffered = { none: 0, latest: 1, stale: 2 } as const;
export type Buffered = (typeof Buffered)[keyof typeof Buffered];

/** Maintenance of the line that was issued and has not completed: a sum of the two. */
export const CLEAN = 1;
export const INVALIDATE = 2;
export const CLEAN_INVALIDATE = CLEAN | INVALIDATE;

export const NO_STORE = -1;

export interface ByteState {
  /** Memory holds the latest. */
  memory: boolean;
  /** One per alias. */
  inner: Copy[];
  outer: Copy;
  /** A store to this byte waits: the index of its target, or NO_STORE. */
  store: number;
  /** What waits there is the latest; else it was overtaken by another's write. */
  storeLatest: boolean;
  /** Stores to other bytes of the line wait: StoreTarget.dirties of their targets. */
  others: number;
  buffer: Buffered;
  /** What waits there is a store, and keeps its place among those of its CPU; else it left a cache. */
  bufferKeepsOrder: boolean;
  /** Per alias: CLEAN and INVALIDATE. */
  pending: number[];
  /** In the cache of a device. */
  device: Copy;
}

/** Nothing anywhere but in memory. */
export const atRest = ({ aliases }: CheckerProfile): ByteState => ({
  memory: true,
  inner: Array.from({ length: aliases }, () => Copy.absent),
  outer: Copy.absent,
  store: NO_STORE,
  storeLatest: false,
  others: 0,
  buffer: Buffered.none,
  bufferKeepsOrder: false,
  pending: Array.from({ length: aliases }, () => 0),
  device: Copy.absent,
});

export const copyState = (state: ByteState): ByteState => ({
  ...state,
  inner: [...state.inner],
  pending: [...state.pending],
});

export const isDirty = (copy: Copy): boolean => copy >= Copy.dirty;
export const isClean = (copy: Copy): boolean => copy === Copy.clean || copy === Copy.cleanStale;
export const isLatest = (copy: Copy): boolean => copy === Copy.clean || copy === Copy.dirty;
export const cleanCopy = (latest: boolean): Copy => (latest ? Copy.clean : Copy.cleanStale);
export const dirtyCopy = (latest: boolean): Copy => (latest ? Copy.dirty : Copy.dirtyStale);
/** A present copy, as dirty as before, that now holds the latest or does not. */
export const holding = (copy: Copy, latest: boolean): Copy =>
  isDirty(copy) ? dirtyCopy(latest) : cleanCopy(latest);
const overtaken = (copy: Copy): Copy => (isLatest(copy) ? holding(copy, false) : copy);
const renewed = (copy: Copy): Copy => (copy === Copy.absent ? copy : holding(copy, true));

/** Someone writes: whatever was the latest is so no more. The writer then places the new one. */
export const overtakeAll = (state: ByteState): void => {
  state.memory = false;
  state.inner = state.inner.map(overtaken);
  state.outer = overtaken(state.outer);
  state.storeLatest = false;
  if (state.buffer === Buffered.latest) state.buffer = Buffered.stale;
  state.device = overtaken(state.device);
};

/** Contents become undefined: any of them is as good as the other. */
export const renewAll = (state: ByteState): void => {
  state.memory = true;
  state.inner = state.inner.map(renewed);
  state.outer = renewed(state.outer);
  state.storeLatest = state.store !== NO_STORE;
  if (state.buffer === Buffered.stale) state.buffer = Buffered.latest;
  state.device = renewed(state.device);
};

/** No copy holds the latest any more. */
export const isLost = (state: ByteState): boolean =>
  !state.memory &&
  !state.storeLatest &&
  state.buffer !== Buffered.latest &&
  !isLatest(state.outer) &&
  !isLatest(state.device) &&
  !state.inner.some(isLatest);

/** A step put what is not the latest where the latest was: a dirty line, a late write. */
export const isOverwritten = (before: ByteState, after: ByteState): boolean =>
  (before.memory && !after.memory) ||
  before.inner.some((copy, alias) => isRuined(copy, at(after.inner, alias))) ||
  isRuined(before.outer, after.outer) ||
  isRuined(before.device, after.device) ||
  (before.buffer === Buffered.latest && after.buffer === Buffered.stale);

const isRuined = (before: Copy, after: Copy): boolean =>
  isLatest(before) && after !== Copy.absent && !isLatest(after);

/** Nothing that time alone brings to an end is under way. */
export const isSettled = (state: ByteState): boolean =>
  state.store === NO_STORE &&
  state.others === 0 &&
  state.buffer === Buffered.none &&
  state.pending.every(pending => pending === 0);

/** What waits in the outer buffer has no place among stores. */
const isLoose = ({ buffer, bufferKeepsOrder }: ByteState): boolean =>
  buffer !== Buffered.none && !bufferKeepsOrder;

/** A ByteState in at most 31 bits. */
export type Packed = number;

interface Field {
  readonly shift: number;
  readonly mask: number;
}

/** Packs the states of a profile: each component takes bits only where the profile has it. */
export class StateLayout {
  readonly bits: number;
  readonly #aliases: number;
  readonly #inner: readonly Field[];
  readonly #outer: Field;
  readonly #store: Field;
  readonly #others: Field;
  readonly #buffer: Field;
  readonly #bufferOrder: Field;
  readonly #pending: readonly Field[];
  readonly #device: Field;

  constructor(profile: CheckerProfile) {
    let shift = 1;
    const field = (width: number): Field => {
      const made = { shift, mask: 2 ** width - 1 };
      shift += width;
      return made;
    };
    const { aliases, targets, storeBuffer, outer, pendingMaintenance } = profile;
    const each = (width: number): readonly Field[] =>
      Array.from({ length: aliases }, () => field(width));
    const dirtying = targets.filter(({ dirties }) => dirties !== 0).length;
    this.#aliases = aliases;
    this.#inner = each(3);
    this.#outer = field(outer === 'none' ? 0 : 3);
    this.#store = field(storeBuffer ? Math.ceil(Math.log2(1 + 2 * targets.length)) : 0);
    this.#others = field(storeBuffer ? dirtying : 0);
    this.#buffer = field(outer === 'none' ? 0 : 2);
    this.#bufferOrder = field(outer === 'none' ? 0 : 1);
    this.#pending = each(pendingMaintenance ? 2 : 0);
    this.#device = field(profile.deviceCache ? 3 : 0);
    this.bits = shift;
    invariant(shift <= 31, `the state of a byte takes ${shift} bits`);
  }

  pack(state: ByteState): Packed {
    const store = state.store === NO_STORE ? 0 : 1 + 2 * state.store + (state.storeLatest ? 0 : 1);
    let packed = state.memory ? 1 : 0;
    for (let alias = 0; alias < this.#aliases; alias++) {
      packed |= at(state.inner, alias) << at(this.#inner, alias).shift;
      packed |= at(state.pending, alias) << at(this.#pending, alias).shift;
    }
    return (
      packed |
      (state.outer << this.#outer.shift) |
      (store << this.#store.shift) |
      (state.others << this.#others.shift) |
      (state.buffer << this.#buffer.shift) |
      ((state.bufferKeepsOrder ? 1 : 0) << this.#bufferOrder.shift) |
      (state.device << this.#device.shift)
    );
  }

  unpack(packed: Packed): ByteState {
    const get = ({ shift, mask }: Field): number => (packed >>> shift) & mask;
    const store = get(this.#store);
    return {
      memory: (packed & 1) !== 0,
      inner: this.#inner.map(field => get(field) as Copy),
      outer: get(this.#outer) as Copy,
      store: store === 0 ? NO_STORE : (store - 1) >> 1,
      storeLatest: store !== 0 && (store & 1) === 1,
      others: get(this.#others),
      buffer: get(this.#buffer) as Buffered,
      bufferKeepsOrder: get(this.#bufferOrder) !== 0,
      pending: this.#pending.map(get),
      device: get(this.#device) as Copy,
    };
  }
}

/**
 * For people: `M! Id O- W2+ Bw~ P-`; `!` marks what is not the latest, `+` others that wait, `~` a
 * write that was no store.
 */
export const showState = (state: ByteState): string => {
  const copies = ['-', 'c', 'c!', 'd', 'd!'];
  const maintenance = ['-', 'C', 'I', 'CI'];
  const store = state.store === NO_STORE ? '-' : `${state.store}${state.storeLatest ? '' : '!'}`;
  return [
    `M${state.memory ? '' : '!'}`,
    `I${state.inner.map(copy => at(copies, copy)).join('/')}`,
    `O${at(copies, state.outer)}`,
    `W${store}${state.others === 0 ? '' : `+${state.others}`}`,
    `B${at(['-', 'w', 'w!'], state.buffer)}${isLoose(state) ? '~' : ''}`,
    `P${state.pending.map(pending => at(maintenance, pending)).join('/')}`,
    `D${at(copies, state.device)}`,
  ].join(' ');
};
