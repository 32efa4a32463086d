import { ECANCELED, EINVAL } from '../../../drivers/base/kernel/errno';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { USER_START } from '../../../drivers/gpu/vivante/driver/context';
import { waitForJob } from '../../../drivers/gpu/vivante/driver/render-fault';
import type { FaultingClient } from '../../../drivers/gpu/vivante/driver/render-fault';
import type { Case, CaseContext } from '../suite';
import { renderCase, streamOf } from './render-bench';
import type { RenderBench } from './render-bench';
import { BLOCK, copy, fill } from './streams';

/* xe_exec_fault_mode: nothing is bound before the GPU touches it. */

const SOURCE = USER_START;
const TARGET = USER_START + 64 * PAGE_SIZE;

/** Runs a job of a client in fault mode to its end: 0, or a negative errno. */
const run = (bench: RenderBench, client: FaultingClient, words: readonly number[]): number => {
  const job = bench.run(client.submit(streamOf(words)));
  return typeof job === 'number' ? job : bench.run(waitForJob(job));
};

const basic = (name: string, times: number, service: 'page' | 'object'): Case =>
  renderCase(name, (t, bench) => {
    const client = bench.faultingClient('faults', service);
    const [from, to] = [bench.object(4 * PAGE_SIZE), bench.object(4 * PAGE_SIZE)];
    t.equal(client.attach(from, SOURCE) || client.attach(to, TARGET), 0, 'the error of attaching');
    bench.write(from, 0, 0x1234_5678);
    bench.write(from, 3 * PAGE_SIZE, 0x9abc);
    for (let i = 0; i < times; i++) {
      const before = bench.device.counts.faults;
      t.equal(run(bench, client, copy(TARGET, SOURCE, 4 * PAGE_SIZE)), 0, 'the error of the copy');
      const faults = bench.device.counts.faults - before;
      t.ok(
        i === 0 ? faults > 0 : faults === 0,
        `faults the first time only, not ${faults} in ${i}`,
      );
    }
    t.equal(bench.read(to, 0), 0x1234_5678, 'what was copied');
    t.equal(bench.read(to, 3 * PAGE_SIZE), 0x9abc, 'what was copied last');
    checkCount(t, bench, service);
  });

/** One fault for each page, or for each object. */
const checkCount = (t: CaseContext, { device }: RenderBench, service: 'page' | 'object'): void => {
  const { faults } = device.counts;
  if (service === 'object') t.equal(faults, 2, 'the faults');
  else t.ok(faults >= 8, `a fault for each page, not ${faults}`);
};

/** What is taken away faults again, and what was there is there. */
const invalidate = renderCase('xe_exec_fault_mode_once_invalidate', (t, bench) => {
  const client = bench.faultingClient('faults', 'object');
  const object = bench.object();
  t.equal(client.attach(object, SOURCE), 0, 'the error of attaching');
  for (let i = 0; i < 4; i++) {
    t.equal(run(bench, client, fill(SOURCE + BLOCK * i, BLOCK, i + 1)), 0, `the error of job ${i}`);
    client.zap(object);
  }
  t.equal(bench.device.counts.faults, 4, 'the faults');
  for (let i = 0; i < 4; i++) t.equal(bench.read(object, BLOCK * i), i + 1, `what job ${i} wrote`);
});

/** Another object at the address: what was kept of the first is not used. */
const rebind = renderCase('xe_exec_fault_mode_once_rebind', (t, bench) => {
  const client = bench.faultingClient('faults', 'object');
  const [a, b] = [bench.object(), bench.object()];
  for (const [object, value] of [
    [a, 1],
    [b, 2],
    [a, 3],
  ] as const) {
    t.equal(client.attach(object, SOURCE), 0, 'the error of attaching');
    t.equal(run(bench, client, fill(SOURCE, BLOCK, value)), 0, 'the error of the job');
    client.detach(object);
  }
  t.equal(bench.read(a, 0), 3, 'what the first has');
  t.equal(bench.read(b, 0), 2, 'what the second has');
});

const invalidFault = renderCase('xe_exec_fault_mode_once_basic_invalid_va', (t, bench) => {
  const client = bench.faultingClient('lost', 'object');
  const other = bench.client('innocent');
  const object = bench.object();
  t.equal(run(bench, client, fill(TARGET, BLOCK, 1)), -ECANCELED, 'the error of a lost job');
  const request = { objects: [{ object, at: SOURCE, isWrite: true }] };
  t.equal(bench.exec(other, fill(SOURCE, BLOCK, 4), request), 0, 'that of somebody else');
  t.equal(bench.read(object, 0), 4, 'what somebody else has written');
  t.machine.hardware.guestErrors.take();
});

/** A fence is promised in finite time; a fault takes memory, which takes waiting for fences. */
const fenceExclusion = renderCase('a_job_that_may_fault_has_no_fence', (t, bench) => {
  const client = bench.faultingClient('faults', 'object');
  const words = streamOf(fill(SOURCE, BLOCK, 1));
  const refused = bench.run(client.submit(words, { wantsFence: true }));
  t.equal(typeof refused === 'number' ? refused : 0, -EINVAL, 'the error of asking for one');
});

/** The first fault of a job brings all that it touches: the others never come. */
const batch = renderCase('xe_exec_fault_mode_once_basic_prefetch', (t, bench) => {
  const client = bench.faultingClient('faults', 'set');
  const objects = Array.from({ length: 4 }, () => bench.object(2 * PAGE_SIZE));
  const starts = objects.map((_, i) => SOURCE + 2 * i * PAGE_SIZE);
  objects.forEach((object, i) => {
    t.equal(client.attach(object, starts[i] ?? 0), 0, 'the error of attaching');
  });
  const words = starts.flatMap((start, i) => fill(start, BLOCK, i + 1));
  const job = bench.run(client.submit(streamOf(words), { set: objects.slice(0, 3) }));
  t.equal(typeof job === 'number' ? job : bench.run(waitForJob(job)), 0, 'the error of the job');
  t.equal(bench.device.counts.faults, 2, 'the faults: of the set, and of what is not in it');
  objects.forEach((object, i) => {
    t.equal(bench.read(object, 0), i + 1, `what object ${i} has`);
  });
});

/** Two clients that fault, in hardware address spaces of their own, at the same addresses. */
const twoClients = renderCase('xe_exec_fault_mode_many_basic', (t, bench) => {
  const clients = [bench.faultingClient('one', 'page'), bench.faultingClient('other', 'object')];
  const objects = clients.map(() => bench.object(2 * PAGE_SIZE));
  clients.forEach((client, i) => {
    const [object] = objects.slice(i);
    if (object !== undefined) t.equal(client.attach(object, SOURCE), 0, 'the error of attaching');
  });
  for (let round = 0; round < 3; round++) {
    clients.forEach((client, i) => {
      const error = run(bench, client, fill(SOURCE, 2 * PAGE_SIZE, 16 * i + round));
      t.equal(error, 0, `the error of client ${i}`);
    });
  }
  objects.forEach((object, i) => {
    t.equal(bench.read(object, PAGE_SIZE), 16 * i + 2, `what client ${i} has written`);
  });
});

export const FAULT: readonly Case[] = [
  basic('xe_exec_fault_mode_once_basic', 1, 'page'),
  basic('xe_exec_fault_mode_twice_basic', 2, 'object'),
  ...[invalidate, rebind, invalidFault, fenceExclusion, batch, twoClients],
];
