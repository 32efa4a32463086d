import { EDEADLK } from '../../../../drivers/base/kernel/errno';
import { preemptionPoint } from '../../../../drivers/base/kernel/task';
import type { Sleeping } from '../../../../drivers/base/kernel/task';
import type { WwAcquireCtx, WwClass } from '../../../../drivers/base/kernel/ww-class';
import type { WwMutex } from '../../../../drivers/base/kernel/ww-mutex';

/** How a worker behaves, and what it counts. */
export interface Worker {
  readonly wwClass: WwClass;
  /** The locks that it takes, in this order. */
  readonly locks: readonly WwMutex[];
  readonly rounds: number;
  /** Told of each answer, before anything else happens. */
  readonly onAnswer?: (ctx: WwAcquireCtx, lock: WwMutex, answer: number) => void;
  /** Asked before each request. */
  readonly onRequest?: (ctx: WwAcquireCtx, lock: WwMutex) => void;
}

/** Takes all locks as the design document says, works, and releases them; how often it backed off. */
export function* takeAll({
  wwClass,
  locks,
  rounds,
  onAnswer,
  onRequest,
}: Worker): Sleeping<number> {
  let backOffs = 0;
  for (let round = 0; round < rounds; round++) {
    const ctx = wwClass.acquireInit();
    const held = new Set<WwMutex>();
    for (let i = 0; i < locks.length; i++) {
      const lock = locks[i];
      if (lock === undefined || held.has(lock)) continue;
      onRequest?.(ctx, lock);
      const answer = yield* lock.lock(ctx);
      onAnswer?.(ctx, lock, answer);
      if (answer === 0) {
        held.add(lock);
        continue;
      }
      if (answer !== -EDEADLK) throw new Error(`unexpected answer ${answer}`);
      backOffs++;
      for (const one of held) one.unlock();
      held.clear();
      yield* lock.lockSlow(ctx);
      held.add(lock);
      i = -1;
    }
    ctx.done();
    yield* preemptionPoint('work');
    for (const lock of held) lock.unlock();
    ctx.fini();
  }
  return backOffs;
}
