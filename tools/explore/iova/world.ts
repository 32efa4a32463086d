import { Scheduler } from '../../../drivers/base/kernel/scheduler';
import { preemptionPoint, sleepUntil, userMode } from '../../../drivers/base/kernel/task';
import type { LiveValue, Sleeping, Task } from '../../../drivers/base/kernel/task';
import type { Timers } from '../../../drivers/base/kernel/timers';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { FlushQueue } from '../../../mm/iommu/flush-queue';
import { IovaDomain } from '../../../mm/iova';
import { symmetriesOf } from '../scenario';
import type { Scenario, World, WorldState } from '../scenario';

/** How a device gets addresses for a list, and what it does when there are too few. */
export const MAPPINGS = {
  'piecewise-keep': 'each piece by itself; without room it keeps what it has, and waits',
  'piecewise-give-back': 'each piece by itself; without room it gives back all, and tries again',
  'all-at-once': 'one range for the whole list; without room it has nothing, and waits',
} as const;

export type MappingName = keyof typeof MAPPINGS;

/** What the devices need, and what there is of it. */
export interface IovaScope {
  readonly mapping: MappingName;
  /** Frames of the aperture. */
  readonly slots: number;
  /** Pieces of one frame in each device's list. */
  readonly clients: readonly number[];
  /** A reserved region parts the aperture into two halves. */
  readonly isFragmented: boolean;
  /** What was unmapped waits in a flush queue until everything is invalidated. */
  readonly isLazy: boolean;
}

/** First frames of the halves: aligned to any list, with a hole between for any half. */
export const HALVES = [64, 128] as const;

/** A time that is any time: the explorer chooses when it has come. */
class AnyTime implements Timers {
  #due: (() => void) | null = null;

  get isPending(): boolean {
    return this.#due !== null;
  }

  after(_nanoseconds: number, expired: () => void): void {
    this.#due = expired;
  }

  expire(): void {
    const due = this.#due;
    this.#due = null;
    due?.();
  }
}

/** A range that a device has: as allocFast was asked for it. */
interface Held {
  readonly pfn: number;
  readonly frames: number;
}

/**
 * Devices in one IOVA domain, all on one CPU, that map a list, transfer, and unmap it, again and
 * again. With lazy invalidation the timer of the flush queue is one more task, the last.
 */
export class IovaWorld implements World {
  readonly scheduler = new Scheduler();
  readonly clients: readonly Task[];
  readonly completed: number[];
  /** What each device has. */
  readonly held: readonly Held[][];
  readonly #scope: IovaScope;
  readonly #iova: IovaDomain;
  readonly #timer = new AnyTime();
  readonly #queue: FlushQueue | null;
  /** Devices that sleep until somebody has given room back. */
  readonly #waiting = new Set<number>();

  constructor(scope: IovaScope) {
    const { clients, isLazy } = scope;
    const cpus = { online: 1, number: 0 };
    this.#scope = scope;
    this.#iova = new IovaDomain(spaceOf(scope), cpus);
    if (scope.isFragmented) this.#iova.reserve(HALVES[0] + firstHalf(scope), HALVES[1] - 1);
    const parts = { iova: this.#iova, timers: this.#timer, cpus, flushAll: () => undefined };
    this.#queue = isLazy ? new FlushQueue(parts) : null;
    this.held = clients.map(() => []);
    const devices = clients.map((pieces, device) =>
      this.scheduler.spawn(`device ${device}`, this.#device(device, pieces)),
    );
    const timer = isLazy ? [this.scheduler.spawn('fq_timer', this.#flushTimer())] : [];
    this.clients = [...devices, ...timer];
    this.completed = this.clients.map(() => 0);
  }

  get state(): WorldState {
    return {
      shared: `${this.#iova.digest()} ${this.#queue?.digest() ?? ''}`,
      clients: this.clients.map((task, client) => {
        const held = (this.held[client] ?? []).map(({ pfn }) => pfn);
        return `${task.digest()}[${held.join()}]`;
      }),
    };
  }

  isLocal(): boolean {
    return false;
  }

  *#device(device: number, pieces: number): Sleeping<never> {
    const { mapping } = this.#scope;
    const [count, frames] = mapping === 'all-at-once' ? [1, pieces] : [pieces, 1];
    const held = this.held[device] ?? [];
    const live = (): LiveValue[] => [held.length];
    yield* userMode('ioctl');
    for (;;) {
      while (held.length < count) {
        const pfn = this.#iova.allocFast(frames, HALVES[1] * 2, true);
        if (pfn !== null) held.push({ pfn, frames });
        else if (mapping === 'piecewise-give-back') this.#giveBack(device);
        else yield* this.#roomCame(device);
        yield* preemptionPoint('dma_map_sg', live);
      }
      this.completed[device] = (this.completed[device] ?? 0) + 1;
      this.#giveBack(device);
      yield* userMode('ioctl');
    }
  }

  *#roomCame(device: number): Sleeping<void> {
    this.#waiting.add(device);
    const until = (): boolean => !this.#waiting.has(device);
    const live = (): LiveValue[] => [this.held[device]?.length ?? 0, until() ? 'woken' : 'asleep'];
    yield* sleepUntil('wait_for_iova', until, { live });
  }

  *#flushTimer(): Sleeping<never> {
    for (;;) {
      yield* sleepUntil('fq_flush_timeout', () => this.#timer.isPending);
      this.#timer.expire();
      this.#waiting.clear();
    }
  }

  #giveBack(device: number): void {
    for (const { pfn, frames } of this.held[device]?.splice(0) ?? []) {
      if (this.#queue === null) this.#iova.freeFast(pfn, frames);
      else this.#queue.queue(pfn, frames);
    }
    if (this.#queue === null) this.#waiting.clear();
  }
}

const firstHalf = ({ slots }: IovaScope): number => Math.ceil(slots / 2);

const spaceOf = (scope: IovaScope): ConstructorParameters<typeof IovaDomain>[0] => {
  const [first, second] = HALVES;
  const { slots, isFragmented } = scope;
  const endPfn = isFragmented ? second + slots - firstHalf(scope) : first + slots;
  return { granule: PAGE_SIZE, startPfn: first, endPfn };
};

/** The scenario of a scope: devices with lists of equal length are alike. */
export const iovaScenario = (scope: IovaScope): Scenario => {
  const kinds = [...scope.clients, ...(scope.isLazy ? ['fq_timer'] : [])];
  return {
    clients: kinds.length,
    symmetries: symmetriesOf(kinds),
    make: () => new IovaWorld(scope),
  };
};
