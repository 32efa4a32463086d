import { ECANCELED } from '../../../drivers/base/kernel/errno';
import { PAGE_SIZE } from '../../../drivers/base/types/bits';
import { USER_START } from '../../../drivers/gpu/vivante/driver/context';
import { CmdState, GC_LITE } from '../../../drivers/gpu/vivante/regs';
import type { Case } from '../suite';
import { renderCase } from './render-bench';
import { BLOCK, fill, hang } from './streams';

/* Jobs that never end: who pays, what is kept of it, and that the others do not notice. */

/** Where nobody has anything. */
const NOWHERE = USER_START + 1000 * PAGE_SIZE;

const recovery = renderCase('msm_recovery_hangcheck', (t, bench) => {
  const [guilty, innocent] = [bench.client('guilty'), bench.client('innocent')];
  const object = bench.object();
  const hanging = bench.submit(guilty, hang(), { objects: [] });
  const fences = Array.from({ length: 3 }, (_, i) =>
    bench.submit(innocent, fill(USER_START, BLOCK, 7 + i), {
      objects: [{ object, at: USER_START, isWrite: true }],
    }),
  );
  for (const fence of fences) {
    t.equal(
      typeof fence === 'number' ? fence : bench.wait(fence),
      0,
      'the error of an innocent job',
    );
  }
  if (typeof hanging !== 'number')
    t.equal(bench.wait(hanging), -ECANCELED, 'that of the guilty one');
  t.equal(bench.device.counts.hangs, 1, 'the hangs');
  t.equal(bench.device.counts.resubmitted, 3, 'the jobs that ran again');
  t.equal(bench.read(object, 0), 9, 'what the innocent have written');
  t.machine.hardware.guestErrors.take();
});

const dump = renderCase('gem_exec_capture_single', (t, bench) => {
  const client = bench.client('guilty');
  const words = [...fill(USER_START, BLOCK, 3), ...hang()];
  const object = bench.object();
  const fence = bench.submit(client, words, {
    objects: [{ object, at: USER_START, isWrite: true }],
  });
  if (typeof fence !== 'number') t.equal(bench.wait(fence), -ECANCELED, 'the error of the job');
  const { coredump } = bench.device;
  t.ok(coredump !== null, 'a coredump');
  if (coredump === null) return;
  t.ok(coredump.commands?.join() === words.join(), 'the commands of the job in it');
  t.equal(coredump.table ?? 0, client.context.table, 'where its tables were');
  const state = GC_LITE.registers.DMA_DEBUG_STATE.fields.CMD_STATE.of(
    coredump.registers['DMA_DEBUG_STATE'] ?? 0,
  );
  t.equal(state, CmdState.STALL, 'what the front end was at');
  t.ok(coredump.ring.length === PAGE_SIZE / 4, 'the ring in it');
  t.machine.hardware.guestErrors.take();
});

/** A page that is nobody's: the MMU stops the job, the hang check ends it, the next one works. */
const pageFault = renderCase('pan_unhandled_pagefault', (t, bench) => {
  const client = bench.client('lost');
  const object = bench.object();
  const request = { objects: [{ object, at: USER_START, isWrite: true }] };
  const lost = bench.exec(client, fill(NOWHERE, BLOCK, 1), request);
  t.equal(lost, -ECANCELED, 'the error of the job');
  t.equal(bench.gpu.lastException?.address ?? 0, NOWHERE, 'the address of the exception');
  t.equal(bench.exec(client, fill(USER_START, BLOCK, 2), request), 0, 'that of the next one');
  t.equal(bench.read(object, 0), 2, 'what the next one has written');
  t.machine.hardware.guestErrors.take();
});

/** The ring and the command buffers are every client's to read, and nobody's to write. */
const kernelBuffers = renderCase('msm_mapping_ring', (t, bench) => {
  const client = bench.client('malicious');
  const ring = bench.gpu.ringVa;
  const error = bench.exec(client, fill(ring, BLOCK, 0xaaaa_aaaa), { objects: [] });
  t.equal(error, -ECANCELED, 'the error of a job that writes the ring');
  t.ok(bench.gpu.lastException !== null, 'an exception of the MMU');
  t.equal(
    bench.exec(client, fill(USER_START, BLOCK, 1), {
      objects: [{ object: bench.object(), at: USER_START, isWrite: true }],
    }),
    0,
    'the error of the next one',
  );
  t.machine.hardware.guestErrors.take();
});

const closing = renderCase('pan_submit_and_close', (t, bench) => {
  const client = bench.client('hasty');
  const object = bench.object();
  const fence = bench.submit(client, fill(USER_START, PAGE_SIZE, 5), {
    objects: [{ object, at: USER_START, isWrite: true }],
  });
  t.equal(client.close(), 0, 'the error of closing');
  bench.forget(client);
  if (typeof fence !== 'number') t.equal(bench.wait(fence), 0, 'the error of the job');
  t.equal(bench.read(object, 0), 5, 'what the job has written');
});

export const HANG: readonly Case[] = [recovery, dump, pageFault, kernelBuffers, closing];
