import test from 'ava';
import fc from 'fast-check';
import { ECANCELED, EINVAL, EIO, ENOMEM, ESRCH } from '../../../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../../../drivers/base/kernel/gfp';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { inFrame, preemptionPoint } from '../../../../drivers/base/kernel/task';
import type { Sleeping } from '../../../../drivers/base/kernel/task';
import { DmaResv, reservationWwClass } from '../../../../mm/dma-buf/resv';
import { stubFence } from '../../../../mm/dma-buf/fence';
import type { DmaFence, SoftwareFence } from '../../../../mm/dma-buf/fence';
import { FenceArray } from '../../../../mm/dma-buf/fence-array';
import { FenceChain } from '../../../../mm/dma-buf/fence-chain';
import { SchedBench, TIMEOUT, ends } from './sched-bench';
import type { TestJob } from './sched-bench';

test('jobs of an entity run in order, and their fences tell when each began and ended', t => {
  const bench = new SchedBench();
  const entity = bench.entity('a');
  const jobs = ['a1', 'a2', 'a3'].map(name => bench.push(entity, name));
  t.is(bench.run(), 'done');
  t.deepEqual(bench.ran, ['a1', 'a2', 'a3']);
  t.deepEqual(bench.freed, bench.ran);
  t.deepEqual(
    jobs.map(({ fence }) => [fence.scheduled.timestamp, fence.finished.timestamp]),
    [
      [0, 10],
      [0, 20],
      [10, 30],
    ],
  );
  t.deepEqual(bench.contract.overdue(Infinity), []);
});

test('whose job waits longest is next, or each in turn, and priority goes before both', t => {
  const order = (policy: 'fifo' | 'round-robin'): string => {
    const bench = new SchedBench({ policy, creditLimit: 1 });
    const [a, b] = [bench.entity('a'), bench.entity('b')];
    for (const name of ['a1', 'a2', 'a3']) {
      bench.push(a, name);
      bench.time.now++;
    }
    bench.push(b, 'b1');
    bench.push(b, 'b2');
    bench.push(bench.entity('low', { priority: 'low' }), 'l');
    bench.push(bench.entity('high', { priority: 'high' }), 'h');
    bench.push(bench.entity('kernel', { priority: 'kernel' }), 'k');
    bench.run();
    return bench.ran.join(' ');
  };
  t.is(order('fifo'), 'k h a1 a2 a3 b1 b2 l');
  t.is(order('round-robin'), 'k h a1 b1 a2 b2 a3 l');
});

test('the hardware gets no more credits than it has, and a large job is not overtaken', t => {
  const bench = new SchedBench({ creditLimit: 3 });
  const [a, b] = [bench.entity('a'), bench.entity('b')];
  bench.push(a, 'a1', { credits: 2 });
  bench.time.now++;
  bench.push(b, 'b1', { credits: 3 });
  bench.time.now++;
  bench.push(a, 'a2');
  const huge = bench.push(a, 'a3', { credits: 99 });
  t.is(huge.credits, 3);
  bench.push(bench.entity('low', { priority: 'low' }), 'l1');
  bench.settle();
  t.deepEqual(bench.ran, ['a1'], 'there is room for a2 and l1, but b1 came before');
  bench.run();
  t.deepEqual(bench.ran, ['a1', 'b1', 'a2', 'a3', 'l1']);
});

test('a job waits for what it depends on, and the latest of a context is enough', t => {
  const bench = new SchedBench();
  const [first, second] = [bench.fence(70, 1), bench.fence(70, 2)];
  const job = bench.push(bench.entity('a'), 'a1', { after: [second, first] });
  t.deepEqual(job.dependencies, [second]);
  const other = bench.job('other');
  for (const fence of [first, second, first]) t.is(other.addDependency(fence), 0);
  t.deepEqual(other.dependencies, [second]);
  bench.push(bench.entity('b'), 'b1');
  bench.run();
  t.deepEqual(bench.ran, ['b1'], 'nobody else waits with it');
  first.signal();
  bench.run();
  t.deepEqual(bench.ran, ['b1']);
  second.signal();
  bench.run();
  t.deepEqual(bench.ran, ['b1', 'a1']);
  t.is(job.addDependency(bench.fence()), -EINVAL, 'armed already');
});

test('jobs of one scheduler wait for each other to be handed over only, of another for the end', t => {
  const [bench, other] = [new SchedBench(), new SchedBench()];
  const before = bench.push(bench.entity('a'), 'a1', { takes: 50 });
  const foreign = other.push(other.entity('x'), 'x1');
  bench.push(bench.entity('b'), 'b1', { after: [before.fence.finished] });
  bench.push(bench.entity('c'), 'c1', { after: [foreign.fence.finished] });
  bench.settle();
  t.deepEqual(bench.ran, ['a1', 'b1']);
  t.is(bench.time.now, 0);
  bench.run();
  t.deepEqual(bench.ran, ['a1', 'b1']);
  other.run();
  bench.run();
  t.deepEqual(bench.ran, ['a1', 'b1', 'c1']);
});

test('what a driver prepares for a job is waited for too', t => {
  const bench = new SchedBench();
  const fence = bench.fence();
  bench.prepare = () => (fence.wasSignaled ? null : fence);
  bench.push(bench.entity('a'), 'a1');
  bench.run();
  t.deepEqual(bench.ran, []);
  fence.signal();
  bench.run();
  t.deepEqual(bench.ran, ['a1']);
});

test('a job waits for readers and writers of the buffers it uses', t => {
  const bench = new SchedBench();
  const resv = new DmaResv(bench.timelines, reservationWwClass(), 'bo');
  const [writer, reader] = [bench.fence(), bench.fence()];
  t.true(resv.tryLock());
  resv.reserveFences(2);
  resv.addFence(writer, 'write');
  resv.addFence(reader, 'read');
  const [reads, writes] = [bench.job('r'), bench.job('w')];
  t.is(reads.addImplicitDependencies(resv, false), 0);
  t.is(writes.addImplicitDependencies(resv, true), 0);
  t.deepEqual(reads.dependencies, [writer]);
  t.deepEqual(writes.dependencies, [writer, reader]);
  bench.timelines.failNth = 2;
  t.is(bench.job('f').addImplicitDependencies(resv, true), -ENOMEM);
});

test('a job that is not handed over is over at once, with the error of the driver or without', t => {
  const bench = new SchedBench();
  const entity = bench.entity('a');
  bench.onRun = job => {
    if (job.name === 'bad') return -EIO;
    return job.name === 'fast' ? stubFence(bench.timelines) : null;
  };
  const jobs = ['good', 'bad', 'fast'].map(name => bench.push(entity, name));
  bench.run();
  t.deepEqual(ends(jobs), [1, -EIO, 1]);
  t.deepEqual(bench.freed, ['good', 'bad', 'fast']);
});

test('a hang is reset: the guilty job is cancelled, its context with it, the innocent run again', t => {
  const bench = new SchedBench({ creditLimit: 4 });
  const guilty = { isGuilty: false };
  const [a, b] = [bench.entity('a', { guilty }), bench.entity('b')];
  const hung = bench.push(a, 'hang', { takes: null });
  const same = bench.push(a, 'same');
  const innocent = bench.push(b, 'innocent');
  bench.run();
  t.is(bench.resets, 1);
  t.deepEqual(ends([hung, same, innocent]), [-ECANCELED, -ECANCELED, 1]);
  t.deepEqual(bench.ran, ['hang', 'same', 'innocent', 'innocent']);
  t.is(hung.fence.finished.timestamp, TIMEOUT);
  t.is(innocent.fence.finished.timestamp, TIMEOUT + 10);
  t.true(guilty.isGuilty);
  const later = bench.push(a, 'later');
  bench.run();
  t.deepEqual(ends([later]), [-ECANCELED]);
  t.false(bench.ran.includes('later'));
  t.deepEqual(bench.freed.toSorted(), ['hang', 'innocent', 'later', 'same']);
  t.true(bench.sched.digest().startsWith('0[]'), 'all credits are back');
  t.deepEqual(bench.contract.overdue(Infinity), []);
});

test('a job may hang as often as the limit says, and a kernel job is never to blame', t => {
  const bench = new SchedBench({ hangLimit: 2 });
  const hung = bench.push(bench.entity('a'), 'hang', { takes: null });
  bench.run();
  t.is(hung.karma, 3);
  t.is(bench.resets, 3);
  t.is(hung.fence.finished.timestamp, 3 * TIMEOUT);

  const kernel = new SchedBench();
  const job = kernel.push(kernel.entity('k', { priority: 'kernel' }), 'k1', { takes: null });
  while (kernel.resets < 4) {
    kernel.settle();
    t.true(kernel.time.idle());
  }
  t.is(job.karma, 0);
  t.is(job.fence.finished.status, 0);
});

test('the time of a job begins when it is the first', t => {
  const bench = new SchedBench();
  const entity = bench.entity('a');
  const jobs = ['a1', 'a2', 'a3'].map(name => bench.push(entity, name, { takes: TIMEOUT - 1 }));
  bench.run();
  t.is(bench.resets, 0);
  t.deepEqual(ends(jobs), [1, 1, 1]);
});

test('a timeout without a hang changes nothing, also if the job ends meanwhile', t => {
  for (const takes of [TIMEOUT + 500, TIMEOUT + 1]) {
    const bench = new SchedBench();
    bench.onTimeout = function* () {
      if (takes === TIMEOUT + 1) {
        bench.time.now += 1;
        bench.time.timers.run();
      }
      yield* preemptionPoint('look');
      return 'no-hang';
    };
    const job = bench.push(bench.entity('a'), 'slow', { takes });
    bench.run();
    t.deepEqual(ends([job]), [1]);
    t.is(job.fence.finished.timestamp, takes);
    t.deepEqual(bench.freed, ['slow']);
    t.deepEqual(bench.ran, ['slow']);
  }
});

test('a job that is over when the scheduler stops is freed once, by whoever deals with it', t => {
  const bench = new SchedBench();
  bench.onTimeout = function* (bad) {
    bench.time.now += 5;
    bench.time.timers.run();
    return yield* bench.recover(bad);
  };
  const jobs = [
    bench.push(bench.entity('a'), 'late', { takes: TIMEOUT + 5 }),
    bench.push(bench.entity('b'), 'next'),
  ];
  bench.run();
  t.deepEqual(ends(jobs), [1, 1]);
  t.deepEqual(bench.freed, ['late', 'next']);
});

test('a device that is gone is not asked again', t => {
  const bench = new SchedBench();
  let asked = 0;
  bench.onTimeout = function* () {
    asked++;
    yield* preemptionPoint('gone');
    return 'enodev';
  };
  const job = bench.push(bench.entity('a'), 'hang', { takes: null });
  bench.push(bench.entity('b'), 'other', { takes: null });
  bench.run();
  t.is(asked, 1);
  t.true(bench.contract.overdue(Infinity).includes(job.fence.finished.label), 'nobody signals it');
});

test('hardware that notices a fault itself does not wait for the time to be over', t => {
  const bench = new SchedBench();
  const job = bench.push(bench.entity('a'), 'fault', { takes: null });
  bench.time.timers.after(40, () => {
    bench.sched.fault();
  });
  bench.run();
  t.is(job.fence.finished.timestamp, 40);
});

test('nothing is handed over while the scheduler is stopped', t => {
  const bench = new SchedBench();
  bench.push(bench.entity('a'), 'a1');
  bench.sched.stop(null);
  bench.push(bench.entity('b'), 'b1');
  bench.run();
  t.deepEqual(bench.ran, []);
  bench.sched.start();
  bench.run();
  t.deepEqual(bench.ran, ['a1', 'b1']);
});

test('a stopped scheduler has no timeout, and one that goes on has', t => {
  const bench = new SchedBench();
  const hung = bench.push(bench.entity('a'), 'hang', { takes: null });
  bench.settle();
  bench.sched.stop(null);
  bench.run();
  t.is(bench.resets, 0);
  t.is(bench.time.now, 0);
  bench.sched.resubmitJobs();
  bench.sched.start();
  bench.run();
  t.is(bench.resets, 1);
  t.deepEqual(ends([hung]), [-ECANCELED]);
});

test('jobs of a client that is gone end with -ESRCH, in order, after what they wait for', t => {
  const bench = new SchedBench({ creditLimit: 1 });
  const [entity, fence] = [bench.entity('a'), bench.fence()];
  const jobs = [
    bench.push(entity, 'runs'),
    bench.push(entity, 'waits', { after: [fence] }),
    bench.push(entity, 'behind'),
  ];
  bench.run();
  entity.kill();
  bench.run();
  t.deepEqual(ends(jobs), [1, 0, 0]);
  fence.signal();
  t.deepEqual(ends(jobs), [1, -ESRCH, -ESRCH]);
  t.deepEqual(bench.freed.toSorted(), ['behind', 'runs', 'waits']);
  t.deepEqual(ends([bench.push(entity, 'late')]), [-ESRCH]);
  t.deepEqual(bench.ran, ['runs']);
});

test('a job is armed once, before it is pushed', t => {
  const bench = new SchedBench();
  const [entity, job] = [bench.entity('a'), bench.job('a1')];
  t.throws(
    () => {
      entity.push(job);
    },
    { instanceOf: KernelOops, message: /a1 is not armed/ },
  );
  entity.arm(job);
  t.throws(
    () => {
      entity.arm(job);
    },
    { message: /drm_sched_job_arm: a1 twice/ },
  );
  t.throws(() => bench.job('none', 10, 0), { message: /no credits/ });
});

test('a driver that allocates where a fence waits for it is an oops', t => {
  const runs = new SchedBench();
  runs.onRun = () => {
    runs.timelines.mayAlloc('kmalloc', GFP_KERNEL);
    return null;
  };
  runs.push(runs.entity('a'), 'a1');
  t.throws(() => runs.run(), { message: /^kmalloc with GFP_KERNEL on the way/ });

  const hangs = new SchedBench();
  hangs.onTimeout = function* (bad) {
    yield* preemptionPoint('dump');
    hangs.timelines.mayAlloc('coredump', GFP_KERNEL);
    return yield* hangs.recover(bad);
  };
  hangs.push(hangs.entity('a'), 'a1', { takes: null });
  t.throws(() => hangs.run(), { message: /^coredump with GFP_KERNEL on the way/ });
});

test('a job whose fence somebody waits for, for whom it waits itself, is an oops', t => {
  const bench = new SchedBench();
  const fence = bench.fence();
  const job = bench.push(bench.entity('a'), 'a1', { after: [fence] });
  t.throws(
    () => {
      bench.contract.dependsOn(fence, job.fence.finished);
    },
    { instanceOf: KernelOops, message: /^fences wait for each other: test .* waits for drm_sched/ },
  );
});

test('nobody may wait for a job that resolves page faults', t => {
  const bench = new SchedBench();
  const compute = bench.push(bench.entity('compute', { isFaulting: true }), 'c1');
  t.throws(() => bench.job('3d').addDependency(compute.fence.finished), {
    instanceOf: KernelOops,
    message: /drm_sched_job_add_dependency: .*compute.* resolves page faults: it cannot use fences/,
  });
  const inArray = new FenceArray([bench.fence(), compute.fence.finished], {
    context: 99,
    seqno: 1,
  });
  const inChain = new FenceChain(new FenceChain(null, inArray, 1), bench.fence(), 2);
  for (const container of [inArray, inChain]) {
    t.throws(() => bench.job('3d').addDependency(container), { message: /cannot use fences/ });
  }
  bench.run();
  t.deepEqual(ends([compute]), [1]);
});

/** Memory for a page that the GPU touched: to be had when the 3D job is over (reclaim). */
function* serviceFault(until: DmaFence, resolved: SoftwareFence): Sleeping<void> {
  yield* inFrame('reclaim', () => [], until.wait(false));
  resolved.signal();
}

test('a draw behind a compute job that faults, whose memory waits for the draw, is a deadlock', t => {
  const bench = new SchedBench();
  const resolved = bench.fence();
  bench.onRun = ({ name }) => (name === 'compute' ? resolved : null);
  // Planted: it resolves page faults, and does not say so.
  const compute = bench.push(bench.entity('compute', { isFaulting: false }), 'compute');
  const draw = bench.job('draw');
  // Two engines: it is not enough that the compute job was handed over.
  const merged = new FenceArray([compute.fence.finished], { context: 99, seqno: 1 });
  t.is(draw.addDependency(merged), 0);
  const entity = bench.entity('3d');
  entity.arm(draw);
  entity.push(draw);
  bench.spawn(serviceFault(draw.fence.finished, resolved), 'fault service');
  t.is(bench.settle(), 'deadlock');
  t.regex(bench.scheduler.describeBlocked(), /fault service in reclaim\/dma_fence_wait/);
  t.deepEqual(bench.contract.overdue(Infinity), [
    resolved.label,
    compute.fence.finished.label,
    draw.fence.scheduled.label,
    draw.fence.finished.label,
  ]);
});

interface Push {
  readonly client: number;
  readonly takes: number | null;
  readonly credits: number;
  /** Which of the jobs before it waits for. */
  readonly after: number | null;
}

test('random clients with hangs and dependencies: all ends, once, in order, and nothing is left', t => {
  const push: fc.Arbitrary<Push> = fc.record({
    client: fc.nat(2),
    takes: fc.constantFrom(1, 10, 200, null),
    credits: fc.integer({ min: 1, max: 3 }),
    after: fc.option(fc.nat(20)),
  });
  const run = (pushes: readonly Push[]): void => {
    const bench = new SchedBench({ creditLimit: 3 });
    const entities = ['a', 'b', 'c'].map(name => bench.entity(name));
    const jobs: TestJob[] = [];
    for (const { client, takes, credits, after } of pushes) {
      const entity = entities[client] ?? bench.entity('x');
      const before = after === null ? undefined : jobs[after];
      const fences = before === undefined ? [] : [before.fence.finished];
      jobs.push(
        bench.push(entity, `${entity.name}${jobs.length}`, { takes, credits, after: fences }),
      );
      if (jobs.length % 3 === 0) bench.settle();
    }
    if (bench.run() !== 'done') throw new Error(bench.scheduler.describeBlocked());
    const left = bench.contract.overdue(Infinity);
    if (left.length > 0) throw new Error(`never signalled: ${left.join(', ')}`);
    const names = jobs.map(({ name }) => name).toSorted();
    t.deepEqual(bench.freed.toSorted(), names);
    for (const job of jobs) {
      const { status } = job.fence.finished;
      if (job.takes === null ? status !== -ECANCELED : status !== 1 && status !== -ECANCELED) {
        throw new Error(`${job.name} ended with ${status}`);
      }
    }
    for (const entity of entities) {
      const own = jobs.filter(({ name }) => name.startsWith(entity.name));
      const ended = own.map(({ fence }) => fence.finished.timestamp ?? Infinity);
      t.deepEqual(
        ended,
        ended.toSorted((x, y) => x - y),
        entity.name,
      );
    }
  };
  fc.assert(fc.property(fc.array(push, { maxLength: 20 }), run), { numRuns: 100 });
});

test('the digest of a state does not tell how it was reached', t => {
  const bench = new SchedBench();
  const entity = bench.entity('a');
  bench.settle();
  const states: string[] = [];
  for (let round = 0; round < 3; round++) {
    bench.push(entity, 'job');
    states.push(bench.sched.digest());
    bench.settle();
    states.push(bench.sched.digest());
    bench.run();
    states.push(bench.sched.digest());
  }
  t.is(new Set(states).size, 3);
  t.deepEqual(states.slice(0, 3), states.slice(6));
});
