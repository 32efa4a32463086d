import { i32 } from '../../../drivers/base/types/arrays';
import { UnmodelledError } from '../../../drivers/base/types/errors';

/** Numbers of barriers that lines keep are 32 bits wide. */
const MOST = 2 ** 31 - 1;

/**
 * What is known of the order in which the CPUs' stores and loads take effect. A store carries the
 * epoch of its CPU; lines learn what a barrier meant for them when they are next used.
 */
export class Barriers {
  /** Per CPU: the epoch of its next store. Epoch 0 is before all stores, or of all that never wait. */
  readonly epoch: Int32Array;
  /** Per CPU: a number that only its present epoch has, and only since the last outer sync. */
  readonly stamp: Int32Array;
  /** Per CPU: stores of this epoch and earlier ones have drained. */
  readonly drained: Int32Array;
  /** Per CPU: stores of this epoch and earlier ones are in memory, whatever way they went. */
  readonly reached: Int32Array;
  /** How many `dsb` there were, and per CPU which of them was its last. */
  syncs = 0;
  readonly synced: Int32Array;
  /** `drained` and `synced` as they were when the outer buffer was last drained. */
  readonly drainedBefore: Int32Array;
  readonly syncedBefore: Int32Array;
  /** How many times the outer buffer was drained. */
  outerSyncs = 0;
  /** Counts device writes, those between two read barriers as one; a line and a barrier keep it. */
  deviceWrites = 0;
  /** A read barrier has come since the last of them. */
  #isReadBehind = true;
  /** Per CPU: loads from here on see at least what devices had written at that count. */
  readonly #readBarrier: Int32Array;
  readonly #storesWait: boolean;
  #lastStamp: number;

  /** `storesWait`: in the CPU, or in a buffer that keeps their order. */
  constructor(cpus: number, storesWait: boolean) {
    this.epoch = new Int32Array(cpus).fill(storesWait ? 1 : 0);
    this.stamp = Int32Array.from({ length: cpus }, (_, cpu) => cpu);
    this.#lastStamp = cpus - 1;
    this.drained = new Int32Array(cpus);
    this.reached = new Int32Array(cpus);
    this.synced = new Int32Array(cpus);
    this.drainedBefore = new Int32Array(cpus);
    this.syncedBefore = new Int32Array(cpus);
    this.#readBarrier = new Int32Array(cpus);
    this.#storesWait = storesWait;
  }

  /** A `dmb` that orders stores. */
  orderStores(cpu: number): void {
    if (!this.#storesWait) return;
    this.epoch[cpu] = i32(this.epoch, cpu) + 1;
    this.#renew(cpu);
  }

  /** A `dmb` that orders loads, or a register read that later loads depend on. */
  orderLoads(cpu: number): void {
    this.#readBarrier[cpu] = this.deviceWrites;
    this.#isReadBehind = true;
  }

  dsb(cpu: number): void {
    this.drained[cpu] = i32(this.epoch, cpu);
    this.syncs = following(this.syncs);
    this.synced[cpu] = this.syncs;
    this.orderStores(cpu);
    this.orderLoads(cpu);
  }

  /** A store of this epoch was observed, or must have drained: all of earlier epochs have too. */
  observe(cpu: number, epoch: number): void {
    if (epoch - 1 > i32(this.drained, cpu)) this.drained[cpu] = epoch - 1;
  }

  /** As observe, of a store that was observed in memory. */
  reach(cpu: number, epoch: number): void {
    this.observe(cpu, epoch);
    if (epoch - 1 > i32(this.reached, cpu)) this.reached[cpu] = epoch - 1;
  }

  /** A store to a device leaves the CPU. */
  deviceStore(cpu: number): void {
    this.observe(cpu, i32(this.epoch, cpu));
  }

  /** A device writes memory: the number of the write. */
  deviceWrite(): number {
    if (this.#isReadBehind) this.deviceWrites = following(this.deviceWrites);
    this.#isReadBehind = false;
    return this.deviceWrites;
  }

  /** A load may have been performed before a device wrote at that count. */
  isEarly(cpu: number, deviceWrite: number): boolean {
    return deviceWrite > i32(this.#readBarrier, cpu);
  }

  /**
   * The outer buffer is empty: what had left the CPUs before is in memory. Stores come after it from
   * now on, so that no line is open to them before it has learnt of it.
   */
  outerSync(): void {
    for (let cpu = 0; cpu < this.stamp.length; cpu++) this.#renew(cpu);
    this.outerSyncs = following(this.outerSyncs);
    this.drainedBefore.set(this.drained);
    this.syncedBefore.set(this.synced);
  }

  #renew(cpu: number): void {
    this.#lastStamp = following(this.#lastStamp);
    this.stamp[cpu] = this.#lastStamp;
  }
}

const following = (count: number): number => {
  if (count < MOST) return count + 1;
  throw new UnmodelledError('long runs', `more than ${MOST} barriers or device writes`);
};
