import { CLEAN_INVALIDATE } from './state';
import { MAPPING } from './event-list';
import type { StateSets } from './sets';
import { MAPPABILITIES } from './spontaneous';

/** A number for an event that a profile does not have. */
export const NO_EVENT = -1;

/** The numbers of the events of a profile, so that nobody asks for them by name while it runs. */
export class EventNumbers {
  /** Per access, that is index of a StoreTarget. */
  readonly load: Int32Array;
  readonly foreignLoad: Int32Array;
  readonly loadOther: Int32Array;
  readonly seen: Int32Array;
  readonly seenOther: Int32Array;
  readonly store: Int32Array;
  readonly storeOther: Int32Array;
  readonly walk: Int32Array;
  readonly walkOther: Int32Array;

  readonly storeDrained: number;
  readonly storesDrained: number;
  readonly storeReached: number;
  readonly maintained: number;
  readonly outerSync: number;
  readonly forget: number;
  /** Per alias. */
  readonly follow: Int32Array;
  /** Per alias and operation: four of an alias are together. */
  readonly maintain: Int32Array;
  readonly maintainForeign: Int32Array;
  /** Per operation. */
  readonly maintainSetWay: Int32Array;
  readonly maintainOuter: Int32Array;
  readonly maintainDevice: Int32Array;
  /** Per sum of levels that translations reach. */
  readonly map: Int32Array;

  readonly deviceRead: number;
  readonly deviceSaw: number;
  readonly deviceWrite: number;
  readonly snoopedRead: number;
  readonly snoopedSaw: number;
  readonly snoopedWrite: number;
  readonly snoopedWriteOther: number;
  readonly cachedRead: number;
  readonly cachedReadOther: number;
  readonly cachedWrite: number;
  readonly cachedWriteOther: number;

  constructor(sets: StateSets) {
    const { targets, kinds, aliases, storeBuffer } = sets.profile;
    const access = (rule: string): Int32Array =>
      Int32Array.from(targets, ({ kind, alias }) => sets.eventOf(rule, kinds.indexOf(kind), alias));
    const many = (count: number, eventOf: (n: number) => number): Int32Array =>
      Int32Array.from({ length: count }, (_, n) => eventOf(n));
    const operation = (rule: string): Int32Array =>
      many(CLEAN_INVALIDATE + 1, n => sets.eventOf(rule, 0, 0, n));
    this.load = access('load');
    this.foreignLoad = access(storeBuffer ? 'load by another CPU' : 'load');
    this.loadOther = access('load of another byte');
    this.seen = access('seen');
    this.seenOther = access('seen another byte');
    this.store = access('store');
    this.storeOther = access('store of another byte');
    this.walk = access('table walk');
    this.walkOther = access('table walk of another byte');
    this.storeDrained = sets.eventOf('the store has drained');
    this.storesDrained = sets.eventOf('stores of the line have drained');
    this.storeReached = sets.eventOf('the store has reached memory');
    this.maintained = sets.eventOf('maintenance has completed');
    this.outerSync = sets.eventOf('outer sync');
    this.forget = sets.eventOf('forget');
    this.follow = many(aliases, alias =>
      sets.eventOf('an access follows maintenance of its line', 0, alias),
    );
    const byAddress = (rule: string): Int32Array =>
      many(aliases * 4, n => sets.eventOf(rule, 0, n >> 2, n & 3));
    this.maintain = byAddress('maintain the inner line');
    this.maintainForeign = byAddress('maintain the inner line from another CPU');
    this.maintainSetWay = operation('maintain the inner line by set and way');
    this.maintainOuter = operation('maintain the outer line');
    this.maintainDevice = operation('maintain the cache of the device');
    this.map = many(MAPPABILITIES, live => sets.eventOf(MAPPING, 0, 0, live));
    this.deviceRead = sets.eventOf('device read');
    this.deviceSaw = sets.eventOf('device saw');
    this.deviceWrite = sets.eventOf('device write');
    this.snoopedRead = sets.eventOf('snooped device read');
    this.snoopedSaw = sets.eventOf('device saw, snooping');
    this.snoopedWrite = sets.eventOf('snooped device write');
    this.snoopedWriteOther = sets.eventOf('snooped device write of another byte');
    this.cachedRead = sets.eventOf('read through the cache of the device');
    this.cachedReadOther = sets.eventOf('read another byte through the cache of the device');
    this.cachedWrite = sets.eventOf('write into the cache of the device');
    this.cachedWriteOther = sets.eventOf('write another byte into the cache of the device');
  }
}
