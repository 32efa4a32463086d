import test from 'ava';
import { EINVAL, EIO, ENOENT, ENOMEM, ERESTARTSYS } from '../../../drivers/base/kernel/errno';
import { GFP_ATOMIC, GFP_KERNEL } from '../../../drivers/base/kernel/gfp';
import { KernelOops } from '../../../drivers/base/kernel/oops';
import { preemptionPoint } from '../../../drivers/base/kernel/task';
import type { Sleeping } from '../../../drivers/base/kernel/task';
import { seeded } from '../../../drivers/base/kernel/scheduler';
import { Random } from '../../../drivers/base/types/random';
import { FenceArray } from '../../../mm/dma-buf/fence-array';
import { SoftwareFence, laterFence, stubFence, waitAnyTimeout } from '../../../mm/dma-buf/fence';
import { DmaResv, reservationWwClass, resvUsageRw } from '../../../mm/dma-buf/resv';
import type { ResvUsage } from '../../../mm/dma-buf/resv';
import { FenceBench } from './fence-bench';

/* The kernel's own selftests of fences (drivers/dma-buf/st-dma-fence.c of 6.12), by name. */

const counter = (): { calls: number; func: () => void } => {
  const callback = {
    calls: 0,
    func: () => {
      callback.calls++;
    },
  };
  return callback;
};

test('st-dma-fence sanitycheck: a fence can be made and signalled', t => {
  const fence = new FenceBench().fence();
  t.is(fence.label, 'test t1 1:1');
  t.true(fence.enableSwSignaling());
  t.is(fence.signal(), 0);
});

test('st-dma-fence test_signaling: it is signalled once', t => {
  const fence = new FenceBench().fence();
  t.false(fence.isSignaled);
  t.is(fence.signal(), 0);
  t.true(fence.isSignaled);
  t.is(fence.signal(), -EINVAL);
});

test('st-dma-fence test_add_callback: who asked before is called once', t => {
  const fence = new FenceBench().fence();
  const callback = counter();
  t.is(fence.addCallback(callback), 0);
  t.is(callback.calls, 0);
  fence.signal();
  fence.signal();
  t.is(callback.calls, 1);
});

test('st-dma-fence test_late_add_callback: who asks after is told, and not called', t => {
  const fence = new FenceBench().fence();
  const callback = counter();
  fence.signal();
  t.is(fence.addCallback(callback), -ENOENT);
  t.is(callback.calls, 0);
});

test('st-dma-fence test_rm_callback: who asked no more is not called', t => {
  const fence = new FenceBench().fence();
  const callback = counter();
  fence.addCallback(callback);
  t.true(fence.removeCallback(callback));
  fence.signal();
  t.is(callback.calls, 0);
});

test('st-dma-fence test_late_rm_callback: who was called cannot be taken back', t => {
  const fence = new FenceBench().fence();
  const callback = counter();
  fence.addCallback(callback);
  fence.signal();
  t.false(fence.removeCallback(callback));
  t.is(callback.calls, 1);
});

test('st-dma-fence test_status: 0 before the signal, 1 after', t => {
  const fence = new FenceBench().fence();
  t.is(fence.status, 0);
  fence.signal();
  t.is(fence.status, 1);
});

test('st-dma-fence test_error: an error shows with the signal, and cannot be set after', t => {
  const fence = new FenceBench().fence();
  fence.setError(-EIO);
  t.is(fence.status, 0);
  fence.signal();
  t.is(fence.status, -EIO);
  t.throws(
    () => {
      fence.setError(-EIO);
    },
    { instanceOf: KernelOops, message: /was signalled already/ },
  );
  t.throws(
    () => {
      new FenceBench().fence().setError(EIO);
    },
    { message: /5 is no error/ },
  );
});

test('st-dma-fence test_wait: no wait is over before the signal', t => {
  const bench = new FenceBench();
  const fence = bench.fence();
  t.is(bench.now(fence.waitTimeout(false, 0)), 0);
  const waiter = bench.spawn(fence.wait(false));
  t.is(bench.run(), 'deadlock');
  t.is(bench.scheduler.describeBlocked(), 'task in dma_fence_wait/wait_event');
  fence.signal();
  t.is(bench.run(), 'done');
  t.is(waiter.value, 0);
  t.is(bench.now(fence.waitTimeout(false, 0)), 1);
  t.is(bench.now(fence.waitTimeout(false, -1)), -EINVAL);
});

test('st-dma-fence test_wait_timeout: what is left of the time is told, or that it is over', t => {
  const bench = new FenceBench();
  const { timers } = bench.time;
  const fence = bench.fence();
  timers.after(400, () => fence.signal());
  t.is(bench.now(fence.waitTimeout(false, 300)), 0);
  t.is(bench.now(fence.waitTimeout(false, 300)), 200);
  t.is(fence.timestamp, 400);
  t.is(timers.nextAt, null);
});

test('st-dma-fence test_stub: stubs are signalled from the beginning', t => {
  const { timelines } = new FenceBench();
  for (let i = 0; i < 4; i++) t.true(stubFence(timelines).isSignaled);
});

function* signalling(fences: readonly SoftwareFence[]): Sleeping<void> {
  for (const fence of fences) {
    yield* preemptionPoint('race');
    fence.signal();
  }
}

/** Asks for a callback before or after the signal: how often it was called, where it must be once. */
function* callingBack(fences: readonly SoftwareFence[]): Sleeping<number[]> {
  const calls: number[] = [];
  for (const fence of fences) {
    yield* preemptionPoint('race');
    const callback = counter();
    const error = fence.addCallback(callback);
    yield* fence.wait(false);
    calls.push(error === 0 ? callback.calls : callback.calls + 1);
  }
  return calls;
}

test('st-dma-fence race_signal_callback: a callback is called, or its asker told, in any order', t => {
  for (let seed = 1; seed <= 5; seed++) {
    const bench = new FenceBench();
    const fences = Array.from({ length: 20 }, () => bench.fence());
    bench.spawn(signalling(fences), 'signal');
    const asker = bench.spawn(callingBack(fences), 'callback');
    t.is(bench.scheduler.run(seeded(new Random(seed))), 'done');
    t.deepEqual(
      asker.value,
      fences.map(() => 1),
    );
  }
});

test('a signal ends an interruptible wait and no other', t => {
  const bench = new FenceBench();
  const fence = bench.fence();
  const tasks = [true, false].map(interruptible => bench.spawn(fence.wait(interruptible)));
  bench.run();
  for (const task of tasks) task.signal();
  bench.run();
  t.deepEqual(
    tasks.map(task => task.value),
    [-ERESTARTSYS, undefined],
  );
});

test('who waits for any of several is told which', t => {
  const bench = new FenceBench();
  const fences = [bench.fence(), bench.fence(), bench.fence()];
  bench.time.timers.after(70, () => fences[1]?.signal());
  t.deepEqual(bench.now(waitAnyTimeout(fences, false, 50)), { place: null, left: 0 });
  t.deepEqual(bench.now(waitAnyTimeout(fences, false, 50)), { place: 1, left: 30 });
  t.deepEqual(bench.now(waitAnyTimeout(fences, false, 50)), { place: 1, left: 50 });
  t.deepEqual(bench.now(waitAnyTimeout([], false, 50)), { place: null, left: -EINVAL });
});

test('of two of a context the later one counts, also where numbers wrap', t => {
  const bench = new FenceBench();
  const [old, young] = [bench.fence(9, 2 ** 32 - 1), bench.fence(9, 3)];
  t.true(young.isLaterThan(old));
  t.false(old.isLaterThan(young));
  t.false(old.isLaterThan(old));
  t.is(laterFence(old, young), young);
  young.signal();
  t.is(laterFence(old, young), null);
  t.throws(() => old.isLaterThan(bench.fence()), { message: /of two contexts/ });
});

/* The contract: what stands between a fence and its signal. */

const FORBIDDEN: Readonly<Record<string, (bench: FenceBench) => Sleeping<unknown>>> = {
  dma_fence_wait: bench => stubFence(bench.timelines).wait(false),
  dma_fence_wait_any_timeout: bench => waitAnyTimeout([stubFence(bench.timelines)], false, 1),
  dma_resv_lock: bench => new DmaResv(bench.timelines, reservationWwClass(), 'bo').lock(null),
  'alloc_pages with GFP_KERNEL': function* (bench) {
    yield* preemptionPoint('alloc');
    bench.timelines.mayAlloc('alloc_pages', GFP_KERNEL);
  },
};

function* annotated(bench: FenceBench, inner: Sleeping<unknown>): Sleeping<void> {
  bench.contract.beginSignalling();
  yield* preemptionPoint('before');
  yield* inner;
  bench.contract.endSignalling();
}

for (const [call, inner] of Object.entries(FORBIDDEN)) {
  test(`the contract forbids ${call} on the way to a signal, and to nobody else meanwhile`, t => {
    const bench = new FenceBench();
    const signaller = bench.spawn(annotated(bench, inner(bench)), 'signaller');
    bench.scheduler.step(signaller);
    t.notThrows(() => bench.now(inner(bench)), 'another task');
    t.throws(() => bench.run(), {
      instanceOf: KernelOops,
      message: new RegExp(`^${call} on the way to a fence's signal`),
    });
  });
}

test('atomic memory and a trylock are allowed on the way to a signal, and sections nest', t => {
  const { contract, timelines } = new FenceBench();
  contract.beginSignalling();
  contract.beginSignalling();
  contract.endSignalling();
  t.true(contract.isSignalling);
  t.true(timelines.mayAlloc('kmalloc', GFP_ATOMIC));
  t.true(new DmaResv(timelines, reservationWwClass(), 'bo').tryLock());
  contract.endSignalling();
  t.false(contract.isSignalling);
  t.throws(
    () => {
      contract.endSignalling();
    },
    { message: /without its beginning/ },
  );
});

test('callbacks are on the way to a signal', t => {
  const bench = new FenceBench();
  const fence = bench.fence();
  fence.addCallback({
    func: () => {
      bench.timelines.mayAlloc('kmalloc', GFP_KERNEL);
    },
  });
  t.throws(() => fence.signal(), { message: /^kmalloc with GFP_KERNEL on the way/ });
  t.false(bench.contract.isSignalling, 'and the section has ended');
});

test('fences that nobody signals are told by name once their time is over', t => {
  const bench = new FenceBench();
  const [lost, done] = [bench.fence(), bench.fence()];
  done.signal();
  t.deepEqual(bench.contract.overdue(500, 1000), []);
  t.deepEqual(bench.contract.overdue(1000, 1000), [lost.label]);
  lost.signal();
  t.deepEqual(bench.contract.overdue(1000), []);
});

test('fences that wait for each other are an oops that tells the cycle', t => {
  const bench = new FenceBench();
  const [a, b, c] = [bench.fence(), bench.fence(), bench.fence()];
  const both = new FenceArray([b, stubFence(bench.timelines)], { context: 99, seqno: 1 });
  bench.contract.dependsOn(a, both);
  bench.contract.dependsOn(b, c);
  t.notThrows(() => {
    bench.contract.dependsOn(a, c);
  });
  t.throws(
    () => {
      bench.contract.dependsOn(c, a);
    },
    {
      instanceOf: KernelOops,
      message: /: test t3 3:1 waits for test t1 1:1 waits for .* waits for test t3 3:1$/,
    },
  );
  b.signal();
  bench.contract.dependsOn(c, both);
});

/* Reservation objects (drivers/dma-buf/st-dma-resv.c of 6.12), by name, for each usage. */

const USAGES: readonly ResvUsage[] = ['kernel', 'write', 'read', 'bookkeep'];

const lockedResv = (bench: FenceBench): DmaResv => {
  const resv = new DmaResv(bench.timelines, reservationWwClass(), 'bo');
  if (!resv.tryLock()) throw new Error('not free');
  return resv;
};

for (const usage of USAGES) {
  test(`st-dma-resv sanitycheck: a fence is added in a reserved place and signalled: ${usage}`, t => {
    const bench = new FenceBench();
    const resv = lockedResv(bench);
    const fence = bench.fence();
    t.is(resv.reserveFences(1), 0);
    resv.addFence(fence, usage);
    fence.signal();
    resv.unlock();
    t.false(resv.isLocked);
  });

  test(`st-dma-resv test_signaling: it is signalled when the fence is, for its usages: ${usage}`, t => {
    const bench = new FenceBench();
    const resv = lockedResv(bench);
    const fence = bench.fence();
    resv.reserveFences(1);
    resv.addFence(fence, usage);
    resv.unlock();
    const asked = USAGES.map(one => resv.testSignaled(one));
    t.deepEqual(
      asked,
      USAGES.map((_, i) => i < USAGES.indexOf(usage)),
    );
    fence.signal();
    t.true(resv.testSignaled(usage));
  });

  test(`st-dma-resv test_for_each: under the lock each is found once, with its usage: ${usage}`, t => {
    const bench = new FenceBench();
    const resv = lockedResv(bench);
    const fence = bench.fence();
    resv.reserveFences(1);
    resv.addFence(fence, usage);
    t.deepEqual(resv.fences(usage), [{ fence, usage }]);
    fence.signal();
    t.is(resv.fences(usage).length, 1, 'signalled ones too');
  });

  test(`st-dma-resv test_for_each_unlocked: without it, again after a change: ${usage}`, t => {
    const bench = new FenceBench();
    const resv = lockedResv(bench);
    const [fence, other, added] = [bench.fence(), bench.fence(), bench.fence()];
    resv.reserveFences(3);
    resv.addFence(fence, usage);
    resv.addFence(other, usage);
    const found: [unknown, boolean][] = [];
    for (const entry of resv.unlocked(usage)) {
      found.push([entry.fence, entry.isRestarted]);
      if (found.length === 1) resv.addFence(added, usage);
    }
    t.deepEqual(found, [
      [fence, true],
      [fence, true],
      [other, false],
      [added, false],
    ]);
  });

  test(`st-dma-resv test_get_fences: a copy of what is not signalled: ${usage}`, t => {
    const bench = new FenceBench();
    const resv = lockedResv(bench);
    const fence = bench.fence();
    t.is(resv.getSingleton(usage), null);
    resv.reserveFences(1);
    resv.addFence(fence, usage);
    t.deepEqual(resv.getFences(usage), [fence]);
    t.is(resv.getSingleton(usage), fence);
  });
}

test('no fence is added without a place, and places are lost with the lock', t => {
  const bench = new FenceBench();
  const resv = lockedResv(bench);
  t.is(resv.reserveFences(0), -EINVAL);
  t.is(resv.reserveFences(1), 0);
  resv.unlock();
  const add = (): void => {
    resv.addFence(bench.fence(), 'read');
  };
  t.throws(add, { message: /is not locked/ });
  t.true(resv.tryLock());
  t.throws(add, { message: /dma_resv_add_fence: bo: no place/ });
  bench.timelines.failNth = 1;
  t.is(resv.reserveFences(1), -ENOMEM);
  t.is(resv.reserveFences(1), 0);
  add();
});

test('an older fence of a context gives way, unless it is for more than the new one', t => {
  const bench = new FenceBench();
  const resv = lockedResv(bench);
  resv.reserveFences(3);
  resv.addFence(bench.fence(7, 1), 'read');
  resv.addFence(bench.fence(7, 2), 'read');
  t.is(resv.getFences('bookkeep').length, 1);
  resv.addFence(bench.fence(7, 3), 'bookkeep');
  t.is(resv.getFences('bookkeep').length, 2, 'readers still have theirs');
  resv.addFence(bench.fence(7, 4), 'write');
  t.deepEqual(
    resv.fences('bookkeep').map(({ fence, usage }) => [fence.seqno, usage]),
    [
      [4, 'write'],
      [3, 'bookkeep'],
    ],
  );
  resv.replaceFences(7, stubFence(bench.timelines), 'bookkeep');
  t.true(resv.testSignaled('bookkeep'));
});

test('a reader waits for writers, a writer for readers too, both for the kernel', t => {
  t.is(resvUsageRw(false), 'write');
  t.is(resvUsageRw(true), 'read');
  const bench = new FenceBench();
  const resv = lockedResv(bench);
  resv.reserveFences(4);
  const [kernel, read, explicit] = [bench.fence(), bench.fence(), bench.fence()];
  resv.addFence(kernel, 'kernel');
  resv.addFence(read, 'read');
  resv.addFence(explicit, 'bookkeep');
  resv.unlock();
  const reader = bench.spawn(resv.waitTimeout(resvUsageRw(false), true, null), 'reader');
  const writer = bench.spawn(resv.waitTimeout(resvUsageRw(true), true, null), 'writer');
  bench.run();
  t.false(reader.isDead || writer.isDead);
  kernel.signal();
  bench.run();
  t.true(reader.isDead && !writer.isDead);
  read.signal();
  bench.run();
  t.is(writer.value, 1);
  t.is(bench.now(resv.waitTimeout('bookkeep', true, 25)), 0);
  t.true(resv.tryLock());
  const more = bench.fence();
  resv.addFence(more, 'bookkeep');
  bench.time.timers.after(10, () => explicit.signal());
  bench.time.timers.after(30, () => more.signal());
  t.is(bench.now(resv.waitTimeout('bookkeep', true, 25)), 0, 'one time for all of them');
  t.is(bench.now(resv.waitTimeout('bookkeep', true, 25)), 20);
  t.is(resv.fences('bookkeep').length, 3, 'a new one took the place of one that was signalled');
});

test('the fences of one object are copied to another, less those that are signalled', t => {
  const bench = new FenceBench();
  const [from, to] = [lockedResv(bench), lockedResv(bench)];
  const [done, left] = [bench.fence(), bench.fence()];
  from.reserveFences(2);
  from.addFence(done, 'write');
  from.addFence(left, 'read');
  done.signal();
  t.is(to.copyFences(from), 0);
  t.deepEqual(to.fences('bookkeep'), [{ fence: left, usage: 'read' }]);
  bench.timelines.failNth = 1;
  t.is(to.copyFences(from), -ENOMEM);
});

test('no fence of work that resolves page faults, and no container, goes into an object', t => {
  const bench = new FenceBench();
  const resv = lockedResv(bench);
  resv.reserveFences(2);
  class Faulting extends SoftwareFence {
    override get isOfFaultingWork(): boolean {
      return true;
    }
  }
  const fence = new Faulting(bench.timelines, { context: 5, seqno: 1 }, ['gc', 'compute']);
  t.throws(
    () => {
      resv.addFence(fence, 'bookkeep');
    },
    { message: /dma_resv_add_fence: gc compute 5:1 is of work that resolves page faults/ },
  );
  const array = new FenceArray([bench.fence(), bench.fence()], { context: 6, seqno: 1 });
  t.throws(
    () => {
      resv.addFence(array, 'read');
    },
    { message: /is made of others/ },
  );
});
