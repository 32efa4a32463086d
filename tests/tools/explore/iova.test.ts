import test from 'ava';
import { IovaDomain } from '../../../mm/iova';
import { exploreIovaCell } from '../../../tools/explore/iova/iova';
import type { IovaCell } from '../../../tools/explore/iova/iova';
import type { MappingName } from '../../../tools/explore/iova/world';
import { main } from '../../../tools/main';
import { TestHost } from '../../support/host';

const host = new TestHost();

const cellOf = (
  mapping: MappingName,
  slots: number,
  isFragmented: boolean,
  isLazy: boolean,
): IovaCell | null =>
  exploreIovaCell({ mapping, slots, clients: [3, 3], isFragmented, isLazy }, 20_000, host);

test('four frames for lists of three: piece by piece deadlocks or livelocks, lazily in two parts too', t => {
  for (const both of [false, true]) {
    const keep = cellOf('piecewise-keep', 4, both, both);
    t.like(keep, { kind: 'deadlock', isWhole: true, isConfirmed: true, cycle: 0 });
    const giveBack = cellOf('piecewise-give-back', 4, both, both);
    t.like(giveBack, { kind: 'livelock', isWhole: true, isConfirmed: true });
  }
});

test('five frames are enough piece by piece: of two lists one always gets its third', t => {
  t.like(cellOf('piecewise-give-back', 5, true, false), { kind: 'progress', isWhole: true });
});

test('all at once makes progress, but only where a part holds an aligned range', t => {
  for (const isLazy of [false, true]) {
    t.like(cellOf('all-at-once', 4, false, isLazy), { kind: 'progress', isWhole: true });
    t.like(cellOf('all-at-once', 6, true, isLazy), { kind: 'deadlock', isConfirmed: true });
    t.like(cellOf('all-at-once', 8, true, isLazy), { kind: 'progress', isWhole: true });
  }
  t.not(cellOf('all-at-once', 4, false, false)?.starved, null);
  t.is(cellOf('all-at-once', 8, false, false)?.starved, null);
});

test('the timer of the flush queue is nobody who could starve', t => {
  const scope = { slots: 4, clients: [3], isFragmented: false, isLazy: true };
  const cell = exploreIovaCell({ ...scope, mapping: 'all-at-once' }, 1000, host);
  t.like(cell, { kind: 'progress', starved: null });
});

test('the digest of a domain tells who has what and what is cached, and not how it came to be', t => {
  const make = (): IovaDomain =>
    new IovaDomain({ granule: 4096, startPfn: 64, endPfn: 72 }, { online: 1, number: 0 });
  const [one, other] = [make(), make()];
  const fresh = one.digest();
  const pfn = one.allocFast(1, 127, true) ?? 0;
  const taken = one.digest();
  t.not(taken, fresh);
  one.freeFast(pfn, 1);
  t.false([fresh, taken].includes(one.digest()), 'a cache has it');
  one.flushCaches();
  t.is(one.digest(), fresh);
  const [high, low] = [one.alloc(1, 127, true), one.alloc(1, 70, true)];
  t.deepEqual([other.alloc(1, 70, true), other.alloc(1, 127, true)], [low, high]);
  t.is(one.digest(), other.digest());
});

test('the command tells the schedules of one mapping, and refuses what there is not', async t => {
  const own = new TestHost();
  t.is(await main(['explore', 'iova', '--policy', 'all-at-once'], own), 1);
  t.regex(own.out.text, /all-at-once +progress\* \d+ +DEADLOCK/);
  t.regex(own.out.text, /device 1 has none, sleeps in wait_for_iova/);
  for (const argv of [
    ['--policy', 'luck'],
    ['--slots', '2'],
  ]) {
    t.is(await main(['explore', 'iova', ...argv], new TestHost()), 2);
  }
});
