import type { DmaPort } from '../../../base/hw/dma-port';
import type { Timer } from '../../../base/hw/event-queue';
import { UnmodelledError } from '../../../base/types/errors';
import type { Client } from './address-spaces';
import type { Progress } from './unit';
import type { GpuUnit, UnitWork } from './unit';

/** Work that a unit takes before the front end has to wait. _Assumed_. */
const FIFO = 8;

export interface LaneParts {
  readonly unit: GpuUnit;
  readonly client: Client;
  readonly port: DmaPort;
  /** Accesses from now on are the client's. */
  readonly enter: (client: Client) => void;
  /** A work is done, or the unit is dead, or waits. */
  readonly onChange: () => void;
}

/** One unit and its work, carried out in order, each within a transfer of its own. */
export class Lane {
  readonly unit: GpuUnit;
  /** Works that were ever taken on, and done. */
  issued = 0;
  completed = 0;
  /** An access of it ended as a fault: it does nothing any more. */
  isDead = false;
  readonly #parts: LaneParts;
  readonly #works: UnitWork[] = [];
  #transfer: Timer | null = null;
  #waits = false;
  /** How often it was told to try again: it may be while the transfer that waits is not over. */
  #resumes = 0;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.unit = parts.unit;
  }

  get isIdle(): boolean {
    return this.#works.length === 0 && !this.isDead;
  }

  get isFull(): boolean {
    return this.#works.length >= FIFO || this.isDead;
  }

  add(work: UnitWork): void {
    this.issued++;
    this.#works.push(work);
    if (this.#works.length === 1) this.#begin();
  }

  /** What waits for a fault is tried again. */
  resume(): void {
    this.#resumes++;
    if (!this.#waits) return;
    this.#waits = false;
    this.#begin();
  }

  /** Gives everything up. */
  reset(): void {
    if (this.#transfer !== null) this.#parts.port.abort(this.#transfer);
    this.#transfer = null;
    this.#works.length = 0;
    this.#waits = false;
    this.issued = 0;
    this.completed = 0;
    this.isDead = false;
  }

  #begin(): void {
    const { port, client, enter, unit } = this.#parts;
    const [work] = this.#works;
    if (work === undefined || this.isDead) return;
    let progress: Progress | null = null;
    const resumes = this.#resumes;
    this.#transfer = port.transfer(
      work.nanoseconds,
      () => {
        if (progress !== null) {
          throw new UnmodelledError(`${unit.name} of a GPU`, 'a stall of an IOMMU before it');
        }
        enter(client);
        progress = work.run();
      },
      () => {
        this.#transfer = null;
        this.#end(progress ?? 'fault', resumes);
      },
    );
  }

  #end(progress: Progress, resumes: number): void {
    if (progress === 'wait') {
      this.#waits = resumes === this.#resumes;
      if (!this.#waits) this.#begin();
      return;
    }
    this.#works.shift();
    if (progress === 'fault') this.isDead = true;
    else this.completed++;
    if (!this.isDead) this.#begin();
    this.#parts.onChange();
  }
}

/** What all units have been told to do by some moment. */
type Snapshot = ReadonlyMap<Lane, number>;

/** All units, and who waits for them. */
export class Pipeline {
  readonly lanes: readonly Lane[];
  /** Semaphores that are armed, by TOKEN.TO. */
  readonly #semaphores = new Map<number, Snapshot>();
  /** What is to be done when all work up to a moment is. */
  #waiters: { readonly snapshot: Snapshot; readonly then: () => void }[] = [];

  constructor(lanes: readonly Lane[]) {
    this.lanes = lanes;
  }

  get isIdle(): boolean {
    return this.lanes.every(lane => lane.isIdle);
  }

  /** A semaphore is on its way through the units `lanes`. */
  arm(to: number, lanes: readonly Lane[]): void {
    this.#semaphores.set(to, snapshotOf(lanes));
  }

  isArmed(to: number): boolean {
    return this.#semaphores.has(to);
  }

  /** True if the semaphore has come to its unit; it is then armed no more. */
  take(to: number): boolean {
    const snapshot = this.#semaphores.get(to);
    if (snapshot === undefined || !isReached(snapshot)) return false;
    return this.#semaphores.delete(to);
  }

  /** Calls back once all units have done what they have now; at once if they have. */
  whenDone(then: () => void): void {
    this.#waiters.push({ snapshot: snapshotOf(this.lanes), then });
    this.changed();
  }

  /** Some work is done: in order, whoever waited for it. */
  changed(): void {
    const reached = this.#waiters.filter(({ snapshot }) => isReached(snapshot));
    this.#waiters = this.#waiters.filter(waiter => !reached.includes(waiter));
    for (const { then } of reached) then();
  }

  resume(): void {
    for (const lane of this.lanes) lane.resume();
  }

  reset(): void {
    for (const lane of this.lanes) {
      lane.reset();
      lane.unit.reset();
    }
    this.#semaphores.clear();
    this.#waiters = [];
  }
}

const snapshotOf = (lanes: readonly Lane[]): Snapshot =>
  new Map(lanes.map(lane => [lane, lane.issued]));

const isReached = (snapshot: Snapshot): boolean =>
  [...snapshot].every(([lane, issued]) => lane.completed >= issued);
