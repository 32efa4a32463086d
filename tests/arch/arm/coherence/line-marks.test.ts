import test from 'ava';
import { LineStates } from '../../../../arch/arm/coherence/line-states';
import { checkedLines, checkerProfile } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { CLEAN, INVALIDATE } from '../../../../arch/arm/coherence/state';
import {
  EARLY,
  MAY_STALE,
  STUCK,
  UNWRITTEN,
  VERDICT_BITS,
  WATCHED,
  showVerdict,
} from '../../../../arch/arm/coherence/verdicts';
import { CORES, coreNamed } from '../../../../arch/arm/cores';
import { BenchError, UnmodelledError } from '../../../../drivers/base/types/errors';
import { machine } from './one-cpu';

test('bytes are never written from when they are forgotten until anyone writes them', t => {
  const { lines, cached, uncached } = machine('cortex-m4');
  const access = Math.max(cached, uncached);
  t.is(lines.load(0, 15, 0, access, 0), 0);
  lines.forget(0, 0xff, 0);
  t.is(lines.load(0, 15, 0, access, 0), UNWRITTEN);
  t.is(lines.poll(0, 15, 0, access, 0), 0);
  t.is(lines.deviceRead(0, 15, 0, false), UNWRITTEN);
  t.is(lines.devicePoll(0, 15, 0, false), 0);
  t.is(lines.load(0, 0xf00, 0, access, 0), 0, 'another byte of the line');
  lines.store(0, 3, 0, access, 0);
  t.is(lines.load(0, 3, 0, access, 0), 0);
  t.is(lines.load(0, 15, 0, access, 0), UNWRITTEN, 'half of it');
  lines.deviceWrite(0, 0xfc, 0, false);
  lines.barriers.dsb(0);
  t.is(lines.load(0, 0xff, 0, access, 0), 0);
});

test('what a CPU has stored since, or nobody has written, it cannot read too early', t => {
  const { lines, uncached } = machine('cortex-a53');
  const earlyBytes = (): number[] =>
    Array.from({ length: 64 }, (_, byte) => byte).filter(byte => {
      const low = byte < 32 ? 1 << byte : 0;
      const high = byte < 32 ? 0 : 1 << (byte - 32);
      return (lines.load(0, low, high, uncached, 0) & EARLY) !== 0;
    });
  lines.deviceWrite(0, -1, -1, false);
  t.is(earlyBytes().length, 64);
  // One after the other by whichever way: the first, one that splits the line, those that join.
  for (const byte of [0, 4, 8, 12]) lines.store(0, 15 << byte, 0, uncached, 0);
  t.is(earlyBytes()[0], 16);
  t.is(earlyBytes().length, 48);
  lines.forget(0, 0, -1);
  t.deepEqual([earlyBytes()[0], earlyBytes().length], [16, 16]);
  lines.forget(0, -1, 0);
  t.is(lines.load(0, -1, -1, uncached, 0) & EARLY, 0);
  lines.deviceWrite(0, 1, 0, false);
  lines.barriers.orderLoads(0);
  lines.deviceWrite(0, 2, 0, false);
  lines.store(0, 2, 0, uncached, 0);
  t.is(lines.load(0, 3, 0, uncached, 0) & EARLY, 0, 'only the first is the device’s still');
});

test('a device reads through its own cache what nobody has written', t => {
  const profile = checkerProfile(coreNamed('cortex-a53'), { deviceCache: true });
  const lines = new LineStates(new StateSets(profile), 64, 1);
  lines.forget(0, 15, 0);
  t.is(lines.cachedDeviceRead(0, 15, 0), UNWRITTEN);
  lines.cachedDeviceWrite(0, 15, 0);
  t.is(lines.cachedDeviceRead(0, 15, 0), 0);
});

test('the device sees what the CPU wrote only once its own cache is invalidated', t => {
  const profile = checkerProfile(coreNamed('cortex-m4'), { deviceCache: true });
  const lines = new LineStates(new StateSets(profile), 64, 1);
  lines.cachedDeviceRead(0, 15, 0);
  lines.store(0, 15, 0, 0, 0);
  lines.barriers.dsb(0);
  t.is(lines.cachedDeviceRead(0, 15, 0), MAY_STALE | STUCK);
  lines.maintainDevice(0, INVALIDATE);
  t.is(lines.cachedDeviceRead(0, 15, 0), 0);
});

test('the CPU sees what the device wrote only once the device has written it back', t => {
  const profile = checkerProfile(coreNamed('cortex-m4'), { deviceCache: true });
  const lines = new LineStates(new StateSets(profile), 64, 1);
  lines.cachedDeviceWrite(0, 15, 0);
  lines.barriers.orderLoads(0);
  t.is(lines.load(0, 15, 0, 0, 0), MAY_STALE | STUCK);
  lines.maintainDevice(0, CLEAN);
  t.is(lines.load(0, 15, 0, 0, 0), EARLY);
  lines.barriers.orderLoads(0);
  t.is(lines.load(0, 15, 0, 0, 0), 0);
});

test('a watched line tells of each access until nobody watches it any more', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.load(0, 15, 0, cached, 0);
  lines.watch(0);
  lines.watch(0);
  t.true(lines.isWatched(0));
  t.false(lines.isWatched(1));
  t.is(lines.load(0, 15, 0, cached, 0), WATCHED);
  t.is(lines.load(1, 15, 0, cached, 0), 0);
  lines.unwatch(0);
  t.is(lines.store(0, 15, 0, cached, 0), WATCHED);
  t.is(lines.maintain(0, CLEAN, 0, 0), WATCHED);
  t.is(lines.deviceRead(0, 15, 0, false) & WATCHED, 0);
  lines.unwatch(0);
  t.false(lines.isWatched(0));
  t.is(lines.store(0, 15, 0, cached, 0), 0);
  t.throws(
    () => {
      lines.unwatch(0);
    },
    { instanceOf: BenchError },
  );
});

test('a store on the fast path of a line is as good as one that is watched', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.watch(1);
  for (const line of [0, 1]) {
    for (let n = 0; n < 8; n++) lines.store(line, 15 << (4 * n), 0, cached, 0);
    lines.maintain(line, CLEAN, 0, 0);
  }
  lines.barriers.dsb(0);
  for (let byte = 0; byte < 64; byte++) t.is(lines.setOf(0, byte), lines.setOf(1, byte));
});

test('a store finds drained what was stored before another that somebody saw', t => {
  for (const [core, outer] of [
    ['pj4a', 'none'],
    ['cortex-a7', 'inclusive'],
  ] as const) {
    const sets = new StateSets(checkerProfile(coreNamed(core), { outer }));
    sets.profile.targets.forEach(({ kind }, access) => {
      const uncached = sets.profile.targets.findIndex(({ kind: { name } }) => name === 'uncached');
      const lines = new LineStates(sets, 64, 1, 3);
      // On the watched line every store takes the long way.
      lines.watch(1);
      const store = (by: number, low: number, high: number): void => {
        for (const line of [0, 1]) lines.store(line, low, high, by, 0);
      };
      store(uncached, -1, -1);
      lines.barriers.orderStores(0);
      store(access, 15, 0);
      store(access, 0xf0, 0);
      lines.store(2, 15, 0, uncached, 0);
      lines.deviceSaw(2, 15, 0, false);
      store(access, 0, 15);
      for (let byte = 0; byte < 64; byte++) {
        t.is(lines.setOf(0, byte), lines.setOf(1, byte), `${core}, ${kind.name}: ${byte}`);
      }
    });
  }
});

test('a store that takes a short way leads to lines that the fast path knows', t => {
  const { lines, cached } = machine('cortex-a53');
  const { lineStore, barriers } = lines;
  const isFast = (granule: number): boolean =>
    lineStore.loadsCalmly(granule, 1 << cached) &&
    lineStore.storesCalmly(granule, 1 << cached, barriers.stamp[0] ?? -1, 15, 4);
  for (const byte of [0, 8]) lines.store(0, 15 << byte, 0, cached, 0);
  t.true(isFast(0));
});

test('a master that snoops where no port is cannot be modelled', t => {
  const { lines } = machine('cortex-m4');
  t.throws(() => lines.deviceRead(0, 15, 0, true), { instanceOf: UnmodelledError });
  t.throws(() => lines.deviceWrite(0, 15, 0, true), { instanceOf: UnmodelledError });
  t.throws(
    () => {
      lines.deviceSaw(0, 15, 0, true);
    },
    { instanceOf: UnmodelledError },
  );
  t.throws(() => lines.cachedDeviceRead(0, 15, 0), { instanceOf: UnmodelledError });
});

test('lines that are wider behind the first level are those of three cores; others are declared', t => {
  const wide = CORES.filter(({ l1d, l2 }) => l1d !== null && l2 !== null && l2.line > l1d.line);
  t.deepEqual(
    wide.map(core => [core.name, checkedLines([core], null)]),
    [
      ['krait', { bytes: 64, neighbours: 1 }],
      ['scorpion', { bytes: 32, neighbours: 1 }],
      ['apple-m1', { bytes: 64, neighbours: 2 }],
    ],
  );
  const a15 = coreNamed('cortex-a15');
  const a9 = coreNamed('cortex-a9');
  t.deepEqual(checkedLines([a15], 32), { bytes: 64, neighbours: 1 });
  const refused = { instanceOf: UnmodelledError };
  t.throws(() => checkedLines([a9], 64), refused, 'a wider outer cache');
  t.throws(() => checkedLines([a9, a15], null), refused, 'lines of two lengths');
  const krait = { ...coreNamed('krait'), speculativeFill: false };
  t.throws(() => checkedLines([krait], null), refused, 'wider lines that nobody fills unasked');
});

test('every bit of a verdict has a name, and they are told apart', t => {
  const all = VERDICT_BITS.reduce((sum, [bit]) => sum | bit, 0);
  t.is(all, 2 ** VERDICT_BITS.length - 1);
  t.is(showVerdict(0), 'fine');
  t.is(showVerdict(MAY_STALE | WATCHED), 'may be stale, watched');
});

test('no core has a virtual first level before a physical second one', t => {
  const virtual = CORES.filter(({ l1d }) => l1d?.indexing === 'vivt');
  t.true(virtual.length > 0 && virtual.every(({ l2 }) => l2 === null));
  const built = { ...coreNamed('feroceon'), l2: coreNamed('kryo').l2 };
  t.throws(() => checkerProfile(built), { instanceOf: BenchError });
});

test('an uncached load of one CPU may miss what another has in its first level', t => {
  const core = coreNamed('cortex-a9');
  for (const [severalCpus, verdict] of [
    [false, 0],
    [true, MAY_STALE | STUCK],
  ] as const) {
    const sets = new StateSets(checkerProfile(core, { severalCpus }));
    const lines = new LineStates(sets, 32, 2, 3);
    const uncached = sets.profile.targets.findIndex(({ kind }) => kind.name === 'uncached');
    lines.store(0, 15, 0, 0, 1);
    lines.barriers.dsb(1);
    t.is(lines.load(0, 15, 0, uncached, 0) & ~EARLY, verdict);
  }
});
