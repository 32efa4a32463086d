import { i32, u16, u8 } from '../../../drivers/base/types/arrays';
import { UnmodelledError } from '../../../drivers/base/types/errors';
import type { Barriers } from './barriers';
import { ANYONE_LOADS, CalmPairs, EARLY_LOADS, OWNER_LOADS } from './calm-pairs';
import { DeviceWrites } from './device-writes';
import { MAPPING } from './event-list';
import { NO_EVENT } from './event-numbers';
import type { EventNumbers } from './event-numbers';
import { LineEvents } from './line-events';
import type { BesideVerdict, LineRecorder } from './line-events';
import { DEVICE_HIGH, DEVICE_LOW, DEVICE_WRITE, OWNER } from './line-store';
import type { LineStore } from './line-store';
import { NO_STEP, PairSteps } from './pair-steps';
import type { StateSets } from './sets';
import { CLEAN, CLEAN_INVALIDATE } from './state';
import { BESIDE, EARLY, MAY_STALE, UNWRITTEN, WATCHED } from './verdicts';

/**
 * The possible states of every line of a machine. Lines are numbered from RAM's word indices;
 * bytes of a line are a mask in two halves (`low` bytes 0 to 31). An *access* is the index of a
 * StoreTarget: memory of a kind through an alias. Each call answers a verdict: bits of verdicts.ts,
 * 0 if nothing can be wrong. Nothing here allocates once the tables are built.
 */
export class LineStates {
  readonly sets: StateSets;
  readonly barriers: Barriers;
  /** For the fast path: see loadsCalmly and storesCalmly. */
  readonly lineStore: LineStore;
  readonly #lines: LineEvents;
  readonly #numbers: EventNumbers;
  readonly #calm: CalmPairs;
  readonly #steps: PairSteps;
  readonly #deviceWrites: DeviceWrites;
  readonly #accesses: number;
  /** Per access: a load may be performed before its time; an alias whose maintenance it follows. */
  readonly #isEarly: readonly boolean[];
  readonly #follows: Int32Array;
  /** The loads that may be performed before their time, as events. */
  readonly #earlyLoads: Int32Array;

  /** `live`: what translations reach before anything is mapped (INNER_LIVE, OUTER_LIVE). */
  constructor(sets: StateSets, lineBytes: number, cpus: number, live = 0) {
    const { targets, kinds, earlyLoads } = sets.profile;
    const initial = sets.next(sets.initial, sets.eventOf(MAPPING, 0, 0, live));
    this.sets = sets;
    this.#lines = new LineEvents(sets, lineBytes, cpus, initial);
    this.lineStore = this.#lines.store;
    this.#numbers = this.#lines.numbers;
    this.barriers = this.#lines.barriers;
    this.#calm = new CalmPairs(sets, this.lineStore.known, this.#numbers, cpus);
    this.#steps = new PairSteps(sets, this.lineStore.known, this.#numbers, this.#calm);
    this.#deviceWrites = new DeviceWrites(this.lineStore, lineBytes);
    this.#accesses = targets.length;
    this.#isEarly = targets.map(({ kind }) => earlyLoads && kind.inner === 0);
    this.#earlyLoads = this.#numbers.load.filter((_, access) => this.#isEarly[access]);
    this.#follows = Int32Array.from(targets, ({ kind, alias }) =>
      kind.inner === 0 ? NO_EVENT : i32(this.#numbers.follow, alias),
    );
    this.accessOf = (kind, alias) =>
      targets.findIndex(target => target.kind === kinds[kind] && target.alias === alias);
  }

  /** The access of a kind (profile.ts, kindOf) through an alias; -1 if there is none. */
  readonly accessOf: (kind: number, alias: number) => number;

  get recorder(): LineRecorder | null {
    return this.#lines.recorder;
  }

  set recorder(recorder: LineRecorder | null) {
    this.#lines.recorder = recorder;
  }

  /** What stores since the last call mean for neighbours of their lines: verdict BESIDE. */
  takeBeside(): readonly BesideVerdict[] {
    const { beside } = this.#lines;
    this.#lines.beside = [];
    return beside;
  }

  /** From now on the recorder is told of each event of the line. */
  record(line: number): void {
    this.lineStore.reach(line);
    this.lineStore.record(line);
  }

  /** From now on each access of a CPU to the line has the bit WATCHED in its verdict; calls nest. */
  watch(line: number): void {
    this.lineStore.reach(line);
    this.lineStore.watch(line, true);
  }

  unwatch(line: number): void {
    this.lineStore.reach(line);
    this.lineStore.watch(line, false);
  }

  isWatched(line: number): boolean {
    return this.lineStore.isWatched(line);
  }

  load(line: number, low: number, high: number, access: number, cpu: number): number {
    const store = this.lineStore;
    if (line < store.size) {
      const pair = store.pairOf(line);
      if (pair >= 0) {
        const calm = u8(store.known.calm, pair * this.#accesses + access);
        if ((calm & ANYONE_LOADS) !== 0) {
          store.refresh(line);
          return 0;
        }
        if ((calm & (OWNER_LOADS | EARLY_LOADS)) !== 0 && store.get(line, OWNER) === cpu) {
          return (calm & OWNER_LOADS) !== 0 ? 0 : this.#earliness(line, low, high, cpu);
        }
      }
    }
    return this.#slowLoad(line, low, high, access, cpu);
  }

  /** A load whose value may be late, or nobody's yet: what it decides on is seen by `see`. */
  poll(line: number, low: number, high: number, access: number, cpu: number): number {
    return this.load(line, low, high, access, cpu) & ~(UNWRITTEN | EARLY);
  }

  store(line: number, low: number, high: number, access: number, cpu: number): number {
    const store = this.lineStore;
    const pair = line < store.size ? store.pairOf(line) : -1;
    if (pair >= 0 && !this.#mayBeEarly(line, cpu)) {
      const isCalm = ((u16(store.known.stores, pair) >>> access) & 1) !== 0;
      if (isCalm && this.#lines.join(line, pair, low, high, cpu)) return 0;
      const step = this.#steps.of(pair, access);
      if (step !== NO_STEP && this.#lines.step(line, step, low, high, cpu)) return 0;
    }
    return this.#slowStore(line, low, high, access, cpu);
  }

  /**
   * A poll got the value of the last write: what contradicts it is gone, for the bytes read and,
   * if a device wrote them last of all, for the copy they were read from.
   */
  see(line: number, low: number, high: number, access: number, cpu: number): void {
    this.lineStore.reach(line);
    const { seen, seenOther, loadOther } = this.#numbers;
    const store = this.lineStore;
    const isLast =
      ((store.get(line, DEVICE_LOW) & low) | (store.get(line, DEVICE_HIGH) & high)) !== 0;
    const concludes = isLast && this.sets.profile.aliases === 1;
    const others = concludes ? i32(seenOther, access) : NO_EVENT;
    if (cpu !== store.get(line, OWNER)) this.#lines.observe(line, low, high);
    this.#lines.open(line);
    this.#lines.follow(cpu, i32(this.#follows, access));
    this.#lines.change(low, high, i32(seen, access), others < 0 ? i32(loadOther, access) : others);
    this.#lines.close();
  }

  /** A walker of translation tables reads. */
  walk(line: number, low: number, high: number, access: number): number {
    const { walk, walkOther } = this.#numbers;
    const event = this.#modelled(i32(walk, access), 'a walk of such memory');
    return this.#lines.apply(line, low, high, event, i32(walkOther, access));
  }

  /** By address to the point of coherency, CLEAN and INVALIDATE; after the CPU's stores of it. */
  maintain(line: number, operation: number, alias: number, cpu: number): number {
    const own = i32(this.#numbers.maintain, 4 * alias + operation);
    if (own < 0) return this.#watched(line);
    const foreign = i32(this.#numbers.maintainForeign, 4 * alias + operation);
    this.#lines.open(line);
    const verdict = this.#lines.maintain(cpu, own, foreign);
    this.#lines.close();
    return verdict | this.#watched(line);
  }

  /** By set and way at the last level: for each line that it may concern. */
  maintainSetWay(line: number, operation: number): number {
    return this.#lines.everywhere(line, i32(this.#numbers.maintainSetWay, operation));
  }

  /**
   * By its registers, which nothing orders with loads: one that no first level keeps may be performed
   * before, and answer what it would have answered then.
   */
  maintainOuter(line: number, operation: number): number {
    const event = i32(this.#numbers.maintainOuter, operation);
    if (event < 0) return 0;
    const lines = this.#lines;
    lines.open(line);
    lines.find(this.#earlyLoads, MAY_STALE);
    if ((lines.foundLow | lines.foundHigh) !== 0) {
      const { foundLow, foundHigh } = lines;
      this.#deviceWrites.note(line, foundLow, foundHigh, this.barriers.deviceWrite());
    }
    const verdict = lines.change(-1, -1, event, NO_EVENT);
    lines.close();
    return verdict;
  }

  /** As it is where nothing is kept: cleaned and invalidated, at no particular time. */
  bypassOuter(line: number): void {
    this.#lines.everywhere(line, i32(this.#numbers.maintainOuter, CLEAN_INVALIDATE));
  }

  deviceRead(line: number, low: number, high: number, snooped: boolean): number {
    const { deviceRead, snoopedRead } = this.#numbers;
    const event = snooped ? this.#modelled(snoopedRead, 'a snooping master') : deviceRead;
    return this.#lines.apply(line, low, high, event, NO_EVENT);
  }

  /** A read of a device that waits for a value: see `poll`, and `deviceSaw`. */
  devicePoll(line: number, low: number, high: number, snooped: boolean): number {
    return this.deviceRead(line, low, high, snooped) & ~UNWRITTEN;
  }

  /** A device acted on the last value of these bytes: it saw it, and all of earlier epochs. */
  deviceSaw(line: number, low: number, high: number, snooped: boolean): void {
    const { deviceSaw, snoopedSaw } = this.#numbers;
    const event = snooped ? this.#modelled(snoopedSaw, 'a snooping master') : deviceSaw;
    this.#lines.observe(line, low, high, !snooped);
    this.#lines.apply(line, low, high, event, NO_EVENT);
  }

  deviceWrite(line: number, low: number, high: number, snooped: boolean): number {
    const { deviceWrite, snoopedWrite, snoopedWriteOther } = this.#numbers;
    const event = snooped ? this.#modelled(snoopedWrite, 'a snooping master') : deviceWrite;
    return this.#written(line, low, high, event, snooped ? snoopedWriteOther : NO_EVENT);
  }

  /** Through a cache of the device's own. */
  cachedDeviceRead(line: number, low: number, high: number): number {
    const { cachedRead, cachedReadOther } = this.#numbers;
    const event = this.#modelled(cachedRead, 'a device with a cache');
    return this.#lines.apply(line, low, high, event, cachedReadOther);
  }

  cachedDeviceWrite(line: number, low: number, high: number): number {
    const { cachedWrite, cachedWriteOther } = this.#numbers;
    const event = this.#modelled(cachedWrite, 'a device with a cache');
    return this.#written(line, low, high, event, cachedWriteOther);
  }

  /** What it cleans reaches memory now. */
  maintainDevice(line: number, operation: number): number {
    this.lineStore.reach(line);
    if ((operation & CLEAN) !== 0 && this.sets.profile.earlyLoads) {
      this.#deviceWrites.note(line, -1, -1, this.barriers.deviceWrite());
    }
    return this.#lines.everywhere(line, i32(this.#numbers.maintainDevice, operation));
  }

  /** The contents of these bytes become undefined. */
  forget(line: number, low: number, high: number): void {
    this.lineStore.reach(line);
    this.#deviceWrites.note(line, low, high, 0);
    this.#lines.apply(line, low, high, this.#numbers.forget, NO_EVENT);
  }

  /** As map, of lines that nothing has happened to yet. */
  begin(line: number, count: number, live: number): void {
    const { sets } = this;
    const event = i32(this.#numbers.map, live);
    this.lineStore.reach(line + count - 1);
    this.lineStore.begin(line, count, sets.next(sets.initial, event));
    if (this.recorder === null) return;
    for (let n = line; n < line + count; n++) {
      if (this.lineStore.isRecorded(n)) this.recorder.applied(n, -1, -1, event, NO_EVENT);
    }
  }

  /** Which levels live translations reach: INNER_LIVE, OUTER_LIVE. */
  map(line: number, live: number): number {
    const lines = this.#lines;
    lines.open(line);
    const verdict = lines.change(-1, -1, i32(this.#numbers.map, lines.mapped(live)), NO_EVENT);
    lines.close();
    return verdict;
  }

  /** Stores of the line are known to have drained, by other evidence than barriers. */
  drain(line: number): void {
    this.#lines.everywhere(line, this.#numbers.storesDrained);
  }

  /** The set of one byte, with all that barriers have brought about since. */
  setOf(line: number, byte: number): number {
    this.#lines.open(line);
    const set = this.#lines.setOf(byte);
    this.#lines.close();
    return set;
  }

  #earliness(line: number, low: number, high: number, cpu: number): number {
    if (!this.#mayBeEarly(line, cpu)) return 0;
    return this.barriers.isEarly(cpu, this.#deviceWrites.lastOf(line, low, high)) ? EARLY : 0;
  }

  /** No read barrier of the CPU has come after a device wrote bytes of the line. */
  #mayBeEarly(line: number, cpu: number): boolean {
    return this.barriers.isEarly(cpu, this.lineStore.get(line, DEVICE_WRITE));
  }

  #slowLoad(line: number, low: number, high: number, access: number, cpu: number): number {
    const { load, foreignLoad, loadOther } = this.#numbers;
    this.lineStore.reach(line);
    this.#lines.open(line);
    const isOwn = this.#lines.takeOver(cpu);
    this.#lines.follow(cpu, i32(this.#follows, access));
    const event = i32(isOwn ? load : foreignLoad, access);
    const verdict = this.#lines.change(low, high, event, i32(loadOther, access));
    this.#lines.close();
    this.#calm.learn(this.lineStore.pairOf(line), access);
    this.lineStore.refresh(line);
    const isEarly = this.#isEarly[access] === true;
    return verdict | (isEarly ? this.#earliness(line, low, high, cpu) : 0) | this.#watched(line);
  }

  #slowStore(line: number, low: number, high: number, access: number, cpu: number): number {
    const { store, storeOther } = this.#numbers;
    const epoch = i32(this.barriers.epoch, cpu);
    this.lineStore.reach(line);
    this.#lines.open(line);
    this.#lines.takeAway(cpu);
    this.#lines.follow(cpu, i32(this.#follows, access));
    if (this.#mayBeEarly(line, cpu)) this.#deviceWrites.note(line, low, high, 0);
    const others = i32(storeOther, access);
    const verdict = this.#lines.change(low, high, i32(store, access), others, epoch);
    this.#lines.stored(cpu, epoch);
    this.#lines.close();
    this.#calm.learn(this.lineStore.pairOf(line), access);
    this.lineStore.refresh(line);
    return verdict | this.#watched(line) | (this.#lines.beside.length === 0 ? 0 : BESIDE);
  }

  #written(line: number, low: number, high: number, own: number, others: number): number {
    this.lineStore.reach(line);
    this.#lines.open(line);
    const verdict = this.#lines.change(low, high, own, others);
    this.#lines.written(low, high);
    this.#lines.close();
    if (this.sets.profile.earlyLoads) {
      this.#deviceWrites.note(line, low, high, this.barriers.deviceWrite());
    }
    return verdict;
  }

  #watched(line: number): number {
    return this.lineStore.isWatched(line) ? WATCHED : 0;
  }

  #modelled(event: number, feature: string): number {
    if (event < 0)
      throw new UnmodelledError(feature, 'the cores of this machine have no part in it');
    return event;
  }
}
