import type { EventQueue, Timer } from '../../../base/hw/event-queue';
import { rowsOf, rowsState } from '../../../base/hw/state-arrays';
import { invariant } from '../../../base/types/errors';
import { StateReader } from '../../../base/types/state';
import type { StateValue } from '../../../base/types/state';
import type { KeptCondition, KeptEntry } from '../../hw/kept';
import type { Lookup } from '../../hw/lookup';

/** Nanoseconds from a synchronisation to its end. */
const SYNC_NANOSECONDS = 100;
/** Invalidations that nobody has waited for; the oldest of more takes effect by itself. */
const MOST_PENDING = 256;

/** Where an invalidation or a synchronisation was asked for: the global registers, or a bank. */
export const GLOBAL = -1;

/** What the entries of a TLB are told apart by, as one number: KeptEntry.context. */
export const tagOf = (stage: 1 | 2, vmid: number, asid: number): number =>
  (stage * 2 ** 8 + vmid) * 2 ** 16 + asid;

const stageOfTag = (tag: number): number => Math.floor(tag / 2 ** 24);
const vmidOfTag = (tag: number): number => Math.floor(tag / 2 ** 16) % 2 ** 8;

/** What an invalidation command is of. */
export const Scope = {
  All: 0,
  /** Of both stages. */
  Vmid: 1,
  /** Of one stage, of every ASID. */
  StageOfVmid: 2,
  Asid: 3,
  /** One address of one ASID. */
  Address: 4,
  /** One address of every ASID. */
  AddressOfVmid: 5,
} as const;
export type Scope = (typeof Scope)[keyof typeof Scope];

/** One command. */
export interface Invalidation {
  readonly scope: Scope;
  /** By tagOf; what the scope leaves open is meaningless. */
  readonly tag: number;
  readonly address: number;
  /** Steps of walks are left alone: only last levels have changed. */
  readonly isLeaf: boolean;
}

type Row = readonly [from: number, scope: number, tag: number, address: number, leaf: number];
const ROW = 5;

const holdsFor = ({ start, size }: KeptEntry, address: number): boolean =>
  address >= start && address - start < size;

const sameVmid = (a: number, b: number): boolean =>
  stageOfTag(a) === stageOfTag(b) && vmidOfTag(a) === vmidOfTag(b);

const conditionOf = ([, scope, tag, address]: Row): KeptCondition | null => {
  switch (scope) {
    case Scope.Vmid:
      return ({ context }) => vmidOfTag(context) === vmidOfTag(tag);
    case Scope.StageOfVmid:
      return ({ context }) => sameVmid(context, tag);
    case Scope.Asid:
      return ({ context }) => context === tag;
    case Scope.Address:
      return entry => entry.context === tag && holdsFor(entry, address);
    case Scope.AddressOfVmid:
      return entry => sameVmid(entry.context, tag) && holdsFor(entry, address);
    default:
      return null;
  }
};

/**
 * Invalidations that were asked for and need not have happened yet: each has when a synchronisation
 * that was asked for after it has ended, of the same context bank or of all.
 */
export class Invalidations {
  readonly #name: string;
  readonly #lookup: Lookup;
  readonly #events: EventQueue;
  #pending: Row[] = [];
  /** Synchronisations under way, by where they were asked for. */
  readonly #syncs = new Map<number, { readonly timer: Timer; rows: readonly Row[] }>();

  constructor(name: string, lookup: Lookup, events: EventQueue) {
    this.#name = name;
    this.#lookup = lookup;
    this.#events = events;
  }

  /** `from`: the context bank that was asked, or GLOBAL. */
  add(from: number, { scope, tag, address, isLeaf }: Invalidation): void {
    this.#pending.push([from, scope, tag, address, isLeaf ? 1 : 0]);
    if (this.#pending.length > MOST_PENDING) this.#apply(this.#pending.splice(0, 1));
  }

  /** Begins a synchronisation; one that is under way there goes on as part of it. */
  sync(from: number, done: () => void): void {
    const isMeant = (row: Row): boolean => from === GLOBAL || row[0] === from;
    const before = this.#syncs.get(from);
    if (before !== undefined) this.#events.cancel(before.timer);
    const rows = [...(before?.rows ?? []), ...this.#pending.filter(isMeant)];
    this.#pending = this.#pending.filter(row => !isMeant(row));
    const timer = this.#events.after(SYNC_NANOSECONDS, `${this.#name} TLB sync`, () => {
      this.#syncs.delete(from);
      this.#apply(rows);
      done();
    });
    this.#syncs.set(from, { timer, rows });
  }

  /** Everything is forgotten, and nothing is under way any more. */
  reset(): void {
    for (const { timer } of this.#syncs.values()) this.#events.cancel(timer);
    this.#syncs.clear();
    this.#pending = [];
    this.#lookup.clear();
  }

  /** BenchError during a synchronisation: what its timer will do cannot be saved. */
  saveState(): StateValue {
    invariant(this.#syncs.size === 0, `${this.#name}: a snapshot during a TLB sync`);
    return { pending: rowsState(this.#pending), kept: this.#lookup.saveState() };
  }

  /** A synchronisation that was under way is given up. */
  restoreState(state: StateValue): void {
    const reader = new StateReader(state, `TLB of ${this.#name}`);
    const rows = rowsOf(reader.numbers('pending'), ROW, this.#name);
    const kept = reader.value('kept');
    this.reset();
    this.#pending = rows.map(([from = 0, scope = 0, tag = 0, address = 0, leaf = 0]) => [
      from,
      scope,
      tag,
      address,
      leaf,
    ]);
    this.#lookup.restoreState(kept);
  }

  #apply(rows: readonly Row[]): void {
    this.#forget(rows, false);
    this.#forget(rows, true);
  }

  #forget(rows: readonly Row[], leaf: boolean): void {
    const meant = rows.filter(row => (row[4] === 1) === leaf);
    if (meant.length === 0) return;
    const conditions = meant.map(conditionOf);
    const isAll = conditions.includes(null);
    const isEnded: KeptCondition = entry =>
      conditions.some(condition => condition?.(entry) === true);
    this.#lookup.invalidate(isAll ? null : isEnded, leaf);
  }
}
