import { EDEADLK } from '../../../../drivers/base/kernel/errno';
import type { Sleeping, YieldPoint } from '../../../../drivers/base/kernel/task';
import { WwClass } from '../../../../drivers/base/kernel/ww-class';
import type { WwAcquireCtx, WwAlgorithm } from '../../../../drivers/base/kernel/ww-class';
import { WwMutex } from '../../../../drivers/base/kernel/ww-mutex';

export const locksOf = (wwClass: WwClass, count: number): WwMutex[] =>
  Array.from({ length: count }, (_, i) => new WwMutex(wwClass, `l${i}`));

/** Somebody who takes and releases locks as the dice say, but keeps the contract. */
class Client {
  readonly #wwClass: WwClass;
  ctx: WwAcquireCtx;
  readonly held = new Set<WwMutex>();
  /** What it waits for, and the request that sleeps. */
  asked: WwMutex | null = null;
  request: Sleeping<unknown> | null = null;
  point: YieldPoint | null = null;
  /** It was told -EDEADLK here. */
  contended: WwMutex | null = null;
  /** The oracle's: somebody older that holds locks wants what it has. */
  isWounded = false;

  constructor(wwClass: WwClass) {
    this.#wwClass = wwClass;
    this.ctx = wwClass.acquireInit();
  }

  ask(lock: WwMutex): void {
    this.asked = lock;
    this.request = this.contended === lock ? lock.lockSlow(this.ctx) : lock.lock(this.ctx);
    this.request.next('run');
    this.point = null;
  }

  unlock(lock: WwMutex): void {
    this.held.delete(lock);
    lock.unlock();
  }

  /** Releases everything, and is young again. */
  renew(): void {
    for (const lock of this.held) this.unlock(lock);
    this.ctx.fini();
    this.ctx = this.#wwClass.acquireInit();
    this.isWounded = false;
  }

  get isAsleep(): boolean {
    return this.point?.until?.() === false;
  }
}

/** Random clients on few locks, and the rules that hold after each of their steps. */
export class WwProgram {
  readonly algorithm: WwAlgorithm;
  readonly locks: readonly WwMutex[];
  readonly clients: readonly Client[];
  deadlocks = 0;
  /** Who was handed a lock, and has not taken it yet. */
  readonly #promised = new Map<WwMutex, Client>();

  constructor(algorithm: WwAlgorithm) {
    this.algorithm = algorithm;
    const wwClass = new WwClass('ww', algorithm);
    this.locks = locksOf(wwClass, 3);
    this.clients = Array.from({ length: 4 }, () => new Client(wwClass));
  }

  /** One step of one client: which one, and which lock it thinks of. */
  step(who: number, dice: number): void {
    const client = this.clients[who % this.clients.length];
    const lock = this.locks[dice % this.locks.length];
    if (client === undefined || lock === undefined || client.isAsleep) return;
    if (client.request !== null) this.#goOn(client, client.request);
    else if (client.contended !== null) {
      for (const one of client.held) client.unlock(one);
      client.ask(client.contended);
    } else if (client.held.has(lock)) {
      if (dice < 3) client.unlock(lock);
    } else if (dice >= 12 && client.held.size > 0) client.renew();
    else client.ask(lock);
    this.check();
  }

  #goOn(client: Client, request: Sleeping<unknown>): void {
    const lock = client.asked;
    if (lock === null) throw new Error('nothing was asked for');
    const expected = this.#expected(client, lock);
    const step = request.next('run');
    const answer = step.done !== true ? 'wait' : step.value === -EDEADLK ? 'deadlock' : 'lock';
    if (answer !== expected) throw new Error(`${lock.name}: ${answer}, expected ${expected}`);
    client.point = step.done === true ? null : step.value;
    if (answer !== 'lock') this.#wounds(client, lock);
    if (answer !== 'wait') {
      client.request = null;
      client.asked = null;
      client.contended = answer === 'deadlock' ? lock : null;
      if (answer === 'lock') this.#acquired(client, lock);
      else this.#died(client);
    }
  }

  /**
   * Wait-Die: whoever holds locks waits for younger ones only, be it that they hold or wait.
   * Wound-Wait: whoever holds locks and is wounded does not wait.
   */
  #expected(client: Client, lock: WwMutex): 'lock' | 'deadlock' | 'wait' {
    if (!lock.isLocked || this.#promised.get(lock) === client) return 'lock';
    if (client.held.size === 0) {
      client.isWounded = false;
      return 'wait';
    }
    const others = this.clients.filter(one => one.held.has(lock) || this.#isQueued(one, lock));
    const older = others.some(one => one !== client && client.ctx.isYoungerThan(one.ctx));
    const dies = this.algorithm === 'wait-die' ? older : client.isWounded;
    return dies ? 'deadlock' : 'wait';
  }

  #isQueued(client: Client, lock: WwMutex): boolean {
    return client.asked === lock && client.point !== null;
  }

  /** A waiter that holds locks wounds a younger holder. */
  #wounds(waiter: Client, lock: WwMutex): void {
    if (waiter.held.size === 0) return;
    const holder = this.clients.find(one => one.held.has(lock));
    if (holder?.ctx.isYoungerThan(waiter.ctx) === true) holder.isWounded = true;
  }

  #acquired(client: Client, lock: WwMutex): void {
    if (client.held.size === 0) client.isWounded = false;
    this.#promised.delete(lock);
    client.held.add(lock);
    for (const one of this.clients) if (this.#isQueued(one, lock)) this.#wounds(one, lock);
  }

  #died(client: Client): void {
    this.deadlocks++;
    if (client.held.size === 0) throw new Error('-EDEADLK for one that holds nothing');
    // Who wounded it may have gone since, and have left it the oldest; it was younger then.
    const isVictim =
      this.algorithm === 'wound-wait'
        ? client.isWounded
        : this.clients.some(one => client.ctx.isYoungerThan(one.ctx));
    if (!isVictim) throw new Error('-EDEADLK for one that nobody older made give up');
  }

  /** What holds between any two steps. */
  check(): void {
    for (const lock of this.locks) {
      const holder = this.clients.find(one => one.held.has(lock));
      if (this.clients.filter(one => one.held.has(lock)).length > 1) throw new Error('two holders');
      const queued = this.clients.filter(one => this.#isQueued(one, lock));
      if (!lock.isLocked && queued.length > 0 && queued.every(one => one.isAsleep)) {
        throw new Error(`${lock.name} is free, and all sleep`);
      }
      this.#notePromise(lock, queued);
      const listed = /\[(.*)\]/.exec(lock.digest())?.[1] ?? '';
      const ranks = listed === '' ? [] : listed.split(',').map(parseFloat);
      if (ranks.some((one, i) => one < (ranks[i - 1] ?? 0))) throw new Error('not by age');
      if (ranks.length !== queued.length) throw new Error(`${ranks.length} waiters`);
      for (const one of queued) if (one.isAsleep) this.#checkSleep(one, holder, queued);
    }
    for (const { ctx, isWounded, held } of this.clients) {
      if (this.algorithm === 'wound-wait' && held.size > 0 && ctx.isWounded !== isWounded) {
        throw new Error(`wounded: ${ctx.isWounded}`);
      }
    }
  }

  /** Handed over to whoever was first then, also if an older one comes after. */
  #notePromise(lock: WwMutex, queued: readonly Client[]): void {
    if (!lock.digest().startsWith('pickup') || this.#promised.has(lock)) return;
    const first = queued.find(one => lock.digest().includes(`[${rank(one)}`));
    if (first === undefined) throw new Error('handed to nobody');
    this.#promised.set(lock, first);
  }

  /** Nobody that holds locks sleeps where it ought to give up. */
  #checkSleep(waiter: Client, holder: Client | undefined, queued: readonly Client[]): void {
    if (waiter.held.size === 0) return;
    const others = holder === undefined ? queued : [holder, ...queued];
    const older = others.some(one => waiter.ctx.isYoungerThan(one.ctx));
    if (this.algorithm === 'wait-die' ? older : waiter.isWounded) throw new Error('sleeps');
  }

  /** Everybody gives back what it has, or goes on: nobody is stuck. */
  drain(): void {
    for (let turn = 0; turn < 200; turn++) {
      for (const client of this.clients) {
        if (client.request !== null || client.contended !== null) {
          this.step(this.clients.indexOf(client), 0);
        } else if (client.held.size > 0) {
          client.renew();
          this.check();
        }
      }
    }
    if (this.locks.some(lock => lock.digest() !== 'free-[]')) throw new Error('stuck');
  }
}

const rank = ({ ctx }: Client): number => ctx.wwClass.rankOf(ctx);
