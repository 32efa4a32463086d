import test from 'ava';
import fc from 'fast-check';
import { EINTR, EINVAL, ENOMEM, ENOSPC } from '../../../../drivers/base/kernel/errno';
import { Scheduler, roundRobin } from '../../../../drivers/base/kernel/scheduler';
import { preemptionPoint } from '../../../../drivers/base/kernel/task';
import type { Task } from '../../../../drivers/base/kernel/task';
import { WwClass } from '../../../../drivers/base/kernel/ww-class';
import { submit } from '../../../../drivers/gpu/drm/exec';
import type { ExecResult } from '../../../../drivers/gpu/drm/exec';
import { AddressPolicy, POLICIES } from '../../../../drivers/gpu/drm/policies';
import type { PolicyName } from '../../../../drivers/gpu/drm/policies';
import type { ExecObject } from '../../../../drivers/gpu/drm/submission';
import { AddressSpace } from '../../../../drivers/gpu/drm/vm';
import type { JobFence } from '../../../../drivers/gpu/drm/vma';
import { LightGpu, LightObject } from '../../../../tools/explore/livelock/light-gpu';

const PAGE = 4096;
const NAMES = Object.keys(POLICIES) as PolicyName[];

/** A GPU whose jobs are done when the test says so, and that logs what is asked of it. */
class SlowGpu extends LightGpu {
  readonly log: string[] = [];
  readonly jobs: { isSignaled: boolean }[] = [];
  /** What the next calls answer. */
  failing: 'bind' | 'moveToGpu' | 'validate' | null = null;
  isFast = true;

  override bind(): number {
    this.log.push('bind');
    return this.failing === 'bind' ? -ENOMEM : 0;
  }

  override unbind(): void {
    this.log.push('unbind');
  }

  override flushTlb(): void {
    this.log.push('flush');
  }

  override moveToGpu(): number {
    return this.failing === 'moveToGpu' ? -ENOMEM : 0;
  }

  override validate(): number {
    return this.failing === 'validate' ? -EINVAL : 0;
  }

  /** Asked when a job is handed over. */
  onEmit: () => void = () => undefined;

  override emit(): JobFence {
    this.log.push('emit');
    this.onEmit();
    const fence = { isSignaled: this.isFast };
    this.jobs.push(fence);
    return fence;
  }
}

class Bench {
  readonly wwClass: WwClass;
  readonly gpu = new SlowGpu(1);
  readonly vm: AddressSpace<LightObject>;
  readonly scheduler = new Scheduler();
  readonly objects: LightObject[] = [];
  readonly #policy: AddressPolicy;

  constructor(pages: number, policy: PolicyName = 'all-or-nothing', injectsDeadlocks = false) {
    this.wwClass = new WwClass('reservation_ww_class', 'wait-die', { injectsDeadlocks });
    this.vm = new AddressSpace('vm', { start: 0, end: pages * PAGE }, this.gpu);
    this.#policy = new AddressPolicy(policy, () => preemptionPoint('msleep'));
  }

  object(pages = 1): LightObject {
    const object = new LightObject(this.wwClass, `o${this.objects.length}`, pages * PAGE);
    this.objects.push(object);
    return object;
  }

  some(count: number, pages = 1): ExecObject<LightObject>[] {
    return Array.from({ length: count }, () => ({ object: this.object(pages) }));
  }

  start(objects: readonly ExecObject<LightObject>[]): Task<ExecResult<JobFence>> {
    const { vm, gpu: ops, wwClass } = this;
    const context = { vm, ops, wwClass, policy: this.#policy };
    return this.scheduler.spawn('client', submit(context, { objects, job: { client: 0 } }));
  }

  /** Runs to the end, or to where nobody can go on; what the task answers. */
  run(objects: readonly ExecObject<LightObject>[]): number | undefined {
    const task = this.start(objects);
    this.scheduler.run(roundRobin(this.scheduler));
    return task.value?.error;
  }

  /** What a submission that has ended must not leave. */
  get leaks(): readonly string[] {
    return this.objects.flatMap(object => {
      const vma = this.vm.vmaOf(object);
      const isLeft = object.resv.isLocked || vma.pins > 0 || vma.claims.size > 0;
      return isLeft ? [vma.digest()] : [];
    });
  }
}

const starts = ({ vm, objects }: Bench): number[] => objects.map(object => vm.vmaOf(object).start);

for (const name of NAMES) {
  test(`${name}: -EDEADLK at any lock, where there is no deadlock, leaves nothing behind`, t => {
    const bench = new Bench(8, name, true);
    const [six, others] = [bench.some(6), bench.some(6)];
    bench.gpu.onEmit = () => {
      t.is(bench.objects.filter(({ resv }) => resv.isLocked).length, 6, 'all are locked again');
    };
    // Stamps 1 to 16 and more: the first -EDEADLK comes at each lock of the six in turn.
    for (let i = 0; i < 18; i++) {
      t.is(bench.run(i % 2 === 0 ? six : others), 0);
      t.deepEqual(bench.leaks, []);
    }
  });

  test(`${name}: a job that fits alone is handed over, and one that never can is refused`, t => {
    const bench = new Bench(8, name);
    const six = bench.some(6);
    t.is(bench.run(six), 0);
    t.is(bench.run(six), 0);
    t.is(bench.vm.counts.binds, 6, 'what is bound stays so');
    t.is(bench.run(bench.some(6)), 0, 'the room of idle ones is free to take');
    t.is(bench.run(bench.some(9)), -ENOSPC);
    t.deepEqual(bench.leaks, []);
  });

  test(`${name}: a signal at any sleep leaves nothing pinned, locked or claimed`, t => {
    let interrupted = 0;
    for (let at = 0; at < 40; at++) {
      const bench = new Bench(4, name);
      const [first, second] = [bench.start(bench.some(3)), bench.start(bench.some(3))];
      const choose = roundRobin(bench.scheduler);
      for (let step = 0; !bench.scheduler.isDone; step++) {
        if (step === at) second.signal();
        const runnable = bench.scheduler.runnable();
        if (runnable.length === 0 || step > 500) break;
        bench.scheduler.step(choose(runnable));
      }
      // Where they would starve each other, a signal is what ends it.
      if (!first.isDead) first.signal();
      bench.scheduler.run(choose, { steps: 500 });
      for (const { value } of [first, second]) {
        t.true(value === undefined || value.error === 0 || value.error === -EINTR, name);
        if (value?.error === -EINTR) interrupted++;
      }
      if (first.isDead && second.isDead) t.deepEqual(bench.leaks, []);
    }
    t.true(interrupted > 0 || !SLEEPS.includes(name));
  });
}

/** Policies under which somebody sleeps interruptibly in this contest. */
const SLEEPS: readonly PolicyName[] = ['pin-wait', 'oldest-ticket', 'global-lock', 'min-residency'];

test('the TLB is flushed once for all that a job has bound, and not for one that binds nothing', t => {
  const bench = new Bench(8);
  const objects = bench.some(3);
  t.is(bench.run(objects), 0);
  t.deepEqual(bench.gpu.log, ['bind', 'bind', 'bind', 'flush', 'emit']);
  bench.run(objects);
  t.deepEqual(bench.gpu.log.slice(5), ['emit']);
});

test('what the hardware side refuses is answered, and nothing is left of the job', t => {
  const expected = { bind: -ENOMEM, moveToGpu: -ENOMEM, validate: -EINVAL } as const;
  for (const failing of ['bind', 'moveToGpu', 'validate'] as const) {
    const bench = new Bench(8);
    bench.gpu.failing = failing;
    const objects = bench.some(3);
    t.is(bench.run(objects), expected[failing]);
    t.deepEqual([bench.leaks, bench.gpu.jobs], [[], []]);
    bench.gpu.failing = null;
    t.is(bench.run(objects), 0);
  }
});

test('a request that cannot be meant is refused', t => {
  const bench = new Bench(8);
  const [a, b] = [bench.object(2), bench.object(2)];
  const wrong: ExecObject<LightObject>[][] = [
    [{ object: a }, { object: a }],
    [
      { object: a, at: 0 },
      { object: b, at: PAGE },
    ],
    [{ object: a, at: 7 * PAGE }],
    [{ object: a, at: -PAGE }],
    [{ object: a, at: PAGE, alignment: 2 * PAGE }],
    [{ object: a, padTo: PAGE }],
    [{ object: a, below: 9 * PAGE }],
    [{ object: a, alignment: -1 }],
  ];
  for (const objects of wrong) t.is(bench.run(objects), -EINVAL);
  t.is(bench.vm.counts.binds, 0);
});

test('softpinned objects change places on demand', t => {
  const bench = new Bench(4);
  const [a, b] = [bench.object(2), bench.object(2)];
  const at = (first: number, second: number): ExecObject<LightObject>[] => [
    { object: a, at: first },
    { object: b, at: second },
  ];
  t.is(bench.run(at(0, 2 * PAGE)), 0);
  t.deepEqual(starts(bench), [0, 2 * PAGE]);
  t.is(bench.run(at(2 * PAGE, 0)), 0);
  t.deepEqual(starts(bench), [2 * PAGE, 0]);
  t.is(
    bench.run([{ object: a, at: PAGE }, { object: bench.object(2) }]),
    -ENOSPC,
    'one page each side',
  );
  t.is(bench.run([{ object: a, at: 0 }, { object: bench.object(2) }]), 0);
  t.deepEqual(bench.leaks, []);
});

test('alignment, padding and a limit are kept, and where they are not the object moves', t => {
  const bench = new Bench(16);
  const object = bench.object();
  const { vm } = bench;
  t.is(bench.run([{ object: bench.object(), at: 0 }, { object }]), 0);
  t.is(bench.run([{ object, alignment: 4 * PAGE }]), 0);
  t.is(vm.vmaOf(object).start % (4 * PAGE), 0);
  t.is(bench.run([{ object, padTo: 3 * PAGE }]), 0);
  t.is(vm.vmaOf(object).size, 3 * PAGE);
  t.is(bench.run([{ object, at: 12 * PAGE }]), 0);
  t.is(bench.run([{ object, below: 4 * PAGE }]), 0);
  t.true(vm.vmaOf(object).start < 4 * PAGE);
});

test('addresses that the GPU uses are waited for, but the first pass takes others rather', t => {
  const bench = new Bench(4);
  bench.gpu.isFast = false;
  const busy = bench.some(2);
  t.is(bench.run(busy), 0);
  bench.gpu.isFast = true;
  const idle = bench.some(2);
  t.is(bench.run(idle), 0);
  t.is(bench.run(bench.some(2)), 0);
  t.true(busy.every(({ object }) => bench.vm.vmaOf(object).isBound));
  t.is(bench.run(bench.some(3)), undefined, 'it sleeps');
  t.regex(bench.scheduler.describeBlocked(), /i915_vma_sync/);
  for (const job of bench.gpu.jobs) job.isSignaled = true;
  t.is(bench.scheduler.run(roundRobin(bench.scheduler)), 'done');
  t.deepEqual(bench.leaks, []);
});

test("an object that somebody has locked is waited for, and never answered by 'no space'", t => {
  const bench = new Bench(4);
  const others = bench.some(4);
  t.is(bench.run(others), 0);
  const [locked] = others;
  t.true(locked?.object.resv.tryLock(null));
  const task = bench.start(bench.some(4));
  bench.scheduler.run(roundRobin(bench.scheduler));
  t.false(task.isDead);
  t.regex(bench.scheduler.describeBlocked(), /ww_mutex_lock/);
  const impatient = bench.start(bench.some(4));
  impatient.signal();
  bench.scheduler.run(roundRobin(bench.scheduler));
  t.is(impatient.value?.error, -EINTR);
  locked?.object.resv.unlock();
  bench.scheduler.run(roundRobin(bench.scheduler));
  t.is(task.value?.error, 0);
  t.deepEqual(bench.leaks, []);
});

test('what is pinned for good is never evicted, and without it there is no space', t => {
  const bench = new Bench(4);
  const [ring] = bench.some(1);
  t.is(bench.run(ring === undefined ? [] : [ring]), 0);
  bench.vm.bound[0]?.pin();
  t.is(bench.run(bench.some(4)), -ENOSPC);
  t.is(bench.run(bench.some(3)), 0);
  t.is(bench.vm.bound.length, 4);
});

test('locks are backed off from, and the ticket is kept until the job runs', t => {
  const bench = new Bench(8);
  const [a, b] = [bench.object(), bench.object()];
  const tasks = [
    bench.start([{ object: a }, { object: b }]),
    bench.start([{ object: b }, { object: a }]),
  ];
  t.is(bench.scheduler.run(roundRobin(bench.scheduler)), 'done');
  t.deepEqual(
    tasks.map(({ value }) => value?.error),
    [0, 0],
  );
});

const wishes = fc.array(
  fc.record({
    pages: fc.integer({ min: 1, max: 5 }),
    alignment: fc.constantFrom(0, 1, 2, 4),
  }),
  { minLength: 1, maxLength: 6 },
);

test("'no space' is answered exactly where all of a job could not fit if it were alone", t => {
  fc.assert(
    fc.property(
      wishes,
      wishes,
      fc.array(fc.nat({ max: 15 }), { maxLength: 3 }),
      (before, after, places) => {
        const bench = new Bench(16);
        const make = (all: typeof before): ExecObject<LightObject>[] =>
          all.map(({ pages, alignment }) => ({
            object: bench.object(pages),
            alignment: alignment * PAGE,
          }));
        for (const at of places) bench.run([{ object: bench.object(), at: at * PAGE }]);
        bench.run(make(before));
        const padded = after.map(
          ({ pages, alignment }) =>
            Math.ceil(pages / Math.max(1, alignment)) * Math.max(1, alignment),
        );
        const sum = padded.reduce((total, each) => total + each, 0);
        const least = after.reduce((total, { pages }) => total + pages, 0);
        const error = bench.run(make(after));
        if (bench.leaks.length > 0) return false;
        if (sum <= 16) return error === 0;
        return least > 16 ? error === -ENOSPC : true;
      },
    ),
    { numRuns: 150 },
  );
  t.pass();
});

test('a vma that is pinned or in use cannot be unbound, nor one bound twice', t => {
  const bench = new Bench(4);
  bench.gpu.isFast = false;
  t.is(bench.run(bench.some(1)), 0);
  const [vma] = bench.vm.bound;
  if (vma === undefined) return t.fail();
  t.throws(
    () => {
      bench.vm.unbind(vma);
    },
    { message: /the GPU uses it/ },
  );
  for (const job of bench.gpu.jobs) job.isSignaled = true;
  vma.pin();
  t.throws(
    () => {
      bench.vm.unbind(vma);
    },
    { message: /pinned/ },
  );
  vma.unpin();
  t.throws(
    () => {
      vma.unpin();
    },
    { message: /more often/ },
  );
  t.throws(() => bench.vm.bind(vma, { at: null, size: PAGE, alignment: 0, end: 4 * PAGE }), {
    message: /bound twice/,
  });
  bench.vm.forget(vma.object);
  t.is(bench.vm.bound.length, 0);
  t.is(bench.vm.digest(), '||0|f');
});
