import test from 'ava';
import { LineStates } from '../../../../arch/arm/coherence/line-states';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { CLEAN, CLEAN_INVALIDATE, INVALIDATE } from '../../../../arch/arm/coherence/state';
import {
  EARLY,
  MAY_LOSE,
  MAY_OVERWRITE,
  MAY_STALE,
  MUST_STALE,
  STUCK,
} from '../../../../arch/arm/coherence/verdicts';
import { coreNamed } from '../../../../arch/arm/cores';
import { machine } from './one-cpu';

test('a buffer that is cleaned with a dsb can be read by a device; without one it may be stale', t => {
  const { lines, cached } = machine('cortex-a53');
  for (const line of [0, 1]) t.is(lines.store(line, -1, -1, cached, 0), 0);
  t.is(lines.maintain(0, CLEAN, 0, 0), 0);
  lines.barriers.dsb(0);
  t.is(lines.deviceRead(0, -1, -1, false), 0);
  t.is(lines.deviceRead(1, -1, -1, false), MAY_STALE | STUCK);
});

test('a clean without a dsb is seen late, but not for ever', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, 15, 0, cached, 0);
  lines.maintain(0, CLEAN, 0, 0);
  t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE);
});

test('a device that writes below a dirty line may lose what it wrote', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, 15, 0, cached, 0);
  t.is(lines.deviceWrite(0, 0xf0, 0, false), MAY_LOSE | MAY_OVERWRITE);
});

test('what a speculating core refilled since the invalidate is stale', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, -1, -1, cached, 0);
  lines.maintain(0, CLEAN_INVALIDATE, 0, 0);
  lines.barriers.dsb(0);
  t.is(lines.deviceWrite(0, -1, -1, false), 0);
  t.is(lines.load(0, 15, 0, cached, 0), MAY_STALE | STUCK);
  const again = machine('cortex-a53');
  again.lines.store(0, -1, -1, cached, 0);
  again.lines.maintain(0, CLEAN_INVALIDATE, 0, 0);
  again.lines.barriers.dsb(0);
  again.lines.deviceWrite(0, -1, -1, false);
  again.lines.maintain(0, INVALIDATE, 0, 0);
  again.lines.barriers.dsb(0);
  t.is(again.lines.load(0, 15, 0, cached, 0), 0);
});

test('a descriptor is seen whole by a device that saw the word stored after a barrier', t => {
  const { lines, uncached } = machine('cortex-a53');
  lines.store(0, 0xff, 0, uncached, 0);
  lines.barriers.orderStores(0);
  lines.store(0, 0xf00, 0, uncached, 0);
  t.is(lines.deviceRead(0, 0xff, 0, false), MAY_STALE);
  t.is(lines.deviceRead(0, 0xf00, 0, false), MAY_STALE);
  lines.deviceSaw(0, 0xf00, 0, false);
  t.is(lines.deviceRead(0, 0xff, 0, false), 0);
  t.is(lines.deviceRead(0, 0xf00, 0, false), 0);
});

test('without the barrier, a device that saw the last word may not have seen the others', t => {
  const { lines, uncached } = machine('cortex-a53');
  lines.store(0, 0xff, 0, uncached, 0);
  lines.store(0, 0xf00, 0, uncached, 0);
  lines.deviceSaw(0, 0xf00, 0, false);
  t.is(lines.deviceRead(0, 0xff, 0, false), MAY_STALE);
});

test('a doorbell after a barrier pushes the descriptor out, one without does not', t => {
  const { lines, uncached } = machine('cortex-a53');
  lines.store(0, 0xff, 0, uncached, 0);
  lines.barriers.deviceStore(0);
  t.is(lines.deviceRead(0, 0xff, 0, false), MAY_STALE);
  lines.barriers.orderStores(0);
  lines.barriers.deviceStore(0);
  t.is(lines.deviceRead(0, 0xff, 0, false), 0);
});

test('the neighbours of a status that was polled and seen in a copy are as new', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.load(0, 15, 0, cached, 0);
  lines.deviceWrite(0, 0xff, 0, false);
  t.is(lines.load(0, 0xf0, 0, cached, 0), MAY_STALE | STUCK);
  lines.see(0, 0xf0, 0, cached, 0);
  t.is(lines.load(0, 0x0f, 0, cached, 0), 0);
});

test('a load after a polled status is early until a read barrier', t => {
  const { lines, uncached } = machine('cortex-a53');
  lines.deviceWrite(0, 15, 0, false);
  t.is(lines.load(0, 15, 0, uncached, 0), EARLY);
  lines.barriers.orderLoads(0);
  t.is(lines.load(0, 15, 0, uncached, 0), 0);
});

test('what a device writes beside bytes makes no load of these early', t => {
  const { lines, uncached } = machine('cortex-a53');
  lines.deviceWrite(0, 15, 0, false);
  lines.deviceWrite(0, 0, 15, false);
  lines.barriers.orderLoads(0);
  lines.deviceWrite(0, 0xf0, 0, false);
  t.is(lines.load(0, 15, 0, uncached, 0), 0, 'it was written before the barrier');
  t.is(lines.load(0, 0, 15, uncached, 0), 0);
  t.is(lines.load(0, 0xf00, 0, uncached, 0), 0, 'nobody has written it');
  t.is(lines.load(0, 0xff, 0, uncached, 0), EARLY, 'half of it was');
  lines.barriers.orderLoads(0);
  t.is(lines.load(0, 0xff, 0, uncached, 0), 0);
  lines.deviceWrite(0, -1, 0, false);
  lines.deviceWrite(0, 0, -1, false);
  t.is(lines.load(0, 0, 15, uncached, 0), EARLY);
});

test('a read barrier of one CPU says nothing of the loads of another', t => {
  const { sets, uncached } = machine('cortex-a53');
  const lines = new LineStates(sets, 64, 2, 3);
  lines.deviceWrite(0, 15, 0, false);
  lines.barriers.orderLoads(1);
  t.is(lines.load(0, 15, 0, uncached, 1), 0);
  t.is(lines.load(0, 15, 0, uncached, 0), EARLY);
  lines.deviceWrite(0, 0xf0, 0, false);
  t.is(lines.load(0, 15, 0, uncached, 1), 0);
  t.is(lines.load(0, 0xf0, 0, uncached, 1), EARLY);
});

test('without caches a load is never stale', t => {
  const { lines, uncached } = machine('cortex-m4');
  t.is(lines.deviceWrite(0, 15, 0, false), 0);
  lines.barriers.orderLoads(0);
  t.is(lines.load(0, 15, 0, uncached, 0), 0);
});

test('an ARM926 that did not invalidate reads stale data only if it had the line', t => {
  const { lines, cached } = machine('arm926ej-s');
  t.is(lines.deviceWrite(0, 15, 0, false), 0);
  t.is(lines.load(0, 15, 0, cached, 0), 0);
  lines.deviceWrite(0, 15, 0, false);
  t.is(lines.load(0, 15, 0, cached, 0) & MAY_STALE, MAY_STALE);
  t.is(lines.load(0, 15, 0, cached, 0) & MUST_STALE, 0);
});

test('a store to one more byte of a dirty line says nothing of overwriting', t => {
  const { lines, cached } = machine('cortex-a53');
  t.is(lines.store(0, 15, 0, cached, 0), 0);
  lines.barriers.dsb(0);
  t.is(lines.store(0, 0xf0, 0, cached, 0), 0);
  t.is(lines.store(0, 15, 0, cached, 0), 0);
});

test('each write of a device under a dirty line may be overwritten, not only the first', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, -1, -1, cached, 0);
  lines.barriers.dsb(0);
  for (let n = 0; n < 2; n++) {
    t.is(lines.deviceWrite(0, 15, 0, false), MAY_LOSE | MAY_OVERWRITE);
  }
});

test('what a device writes under a line that is dirty because of its neighbour may be lost', t => {
  const { lines, cached } = machine('arm926ej-s');
  lines.load(0, 1, 0, cached, 0);
  lines.store(0, 0xf0, 0, cached, 0);
  t.is(lines.deviceWrite(0, 15, 0, false), MAY_LOSE | MAY_OVERWRITE);
});

test('invalidating somebody else’s dirty bytes may lose them, on every kind of core', t => {
  for (const core of ['arm926ej-s', 'arm1136jf-s', 'cortex-a9', 'cortex-a53']) {
    const { lines, cached } = machine(core);
    lines.load(0, 1, 0, cached, 0);
    lines.store(0, 15, 0, cached, 0);
    t.is(lines.maintain(0, INVALIDATE, 0, 0), MAY_LOSE, core);
    t.is(lines.maintain(0, INVALIDATE, 0, 0), 0, `${core}: it is lost only once`);
  }
});

test('cleaning before invalidating loses nothing', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, 15, 0, cached, 0);
  t.is(lines.maintain(0, CLEAN, 0, 0), 0);
  lines.barriers.dsb(0);
  t.is(lines.maintain(0, INVALIDATE, 0, 0), 0);
});

test('an uncached store beside a dirty cached line of the same bytes may be lost', t => {
  const { lines, cached, uncached } = machine('cortex-a53');
  lines.store(0, 15, 0, cached, 0);
  lines.barriers.dsb(0);
  t.is(lines.store(0, 15, 0, uncached, 0), MAY_LOSE);
  t.is(lines.store(0, 15, 0, uncached, 0), MAY_LOSE, 'and so may the next one');
});

test('once contents are undefined nothing of them is lost, until somebody writes', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, -1, -1, cached, 0);
  lines.forget(0, -1, -1);
  t.is(lines.maintain(0, INVALIDATE, 0, 0), 0);
  lines.barriers.dsb(0);
  lines.store(0, -1, -1, cached, 0);
  t.is(lines.maintain(0, INVALIDATE, 0, 0), MAY_LOSE);
});

test('an old dirty line still lurks under contents that are undefined', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.store(0, -1, -1, cached, 0);
  lines.forget(0, -1, -1);
  t.is(lines.deviceWrite(0, 15, 0, false), MAY_LOSE | MAY_OVERWRITE);
});

test('a cacheable load waits for the CPU’s own invalidate, another CPU’s does not', t => {
  const { sets } = machine('cortex-a53');
  const lines = new LineStates(sets, 64, 2, 0);
  for (const [cpu, verdict] of [
    [0, 0],
    [1, MAY_STALE],
  ] as const) {
    lines.load(cpu, 15, 0, 0, 0);
    lines.deviceWrite(cpu, 15, 0, false);
    lines.maintain(cpu, INVALIDATE, 0, 0);
    t.is(lines.load(cpu, 15, 0, 0, cpu), verdict);
  }
});

test('an uncached load does not wait for maintenance', t => {
  const { lines, cached, uncached } = machine('cortex-a53');
  lines.store(0, 15, 0, cached, 0);
  lines.maintain(0, CLEAN, 0, 0);
  t.is(lines.load(0, 15, 0, uncached, 0) & MAY_STALE, MAY_STALE);
  lines.load(0, 0xf0, 0, cached, 0);
  t.is(lines.load(0, 15, 0, uncached, 0) & MAY_STALE, 0);
});

test('a polled status that was stale is fresh once the poll has seen it', t => {
  const { lines, cached } = machine('cortex-a53');
  lines.load(0, 15, 0, cached, 0);
  lines.deviceWrite(0, 15, 0, false);
  t.is(lines.poll(0, 15, 0, cached, 0), MAY_STALE | STUCK);
  lines.see(0, 15, 0, cached, 0);
  t.is(lines.poll(0, 15, 0, cached, 0), 0);
  t.is(lines.load(0, 15, 0, cached, 0), 0);
});

test('what a CPU has stored since the device wrote, a poll of the device’s bytes does not prove', t => {
  const { lines, cached, uncached } = machine('cortex-a53');
  lines.load(0, 15, 0, cached, 0);
  lines.deviceWrite(0, 0xff, 0, false);
  lines.store(0, 0xf0, 0, uncached, 0);
  lines.barriers.dsb(0);
  lines.see(0, 15, 0, cached, 0);
  t.is(lines.load(0, 15, 0, cached, 0), 0);
  t.is(lines.load(0, 0xf0, 0, cached, 0), MAY_STALE | STUCK);
});

test('another CPU that sees the flag proves that the data before the barrier has left', t => {
  for (const isSeen of [true, false]) {
    const { sets, uncached } = machine('cortex-a53');
    const lines = new LineStates(sets, 64, 2, 3);
    lines.store(0, 15, 0, uncached, 0);
    lines.barriers.orderStores(0);
    lines.store(1, 15, 0, uncached, 0);
    if (isSeen) lines.see(1, 15, 0, uncached, 1);
    t.is(lines.deviceRead(0, 15, 0, false), isSeen ? 0 : MAY_STALE);
  }
});

test('a CPU’s own load waits for its clean, also where another CPU has loaded meanwhile', t => {
  const { sets, cached } = machine('cortex-a53');
  const lines = new LineStates(sets, 64, 2, 3);
  lines.store(0, 15, 0, cached, 0);
  lines.barriers.dsb(0);
  lines.maintain(0, CLEAN, 0, 0);
  for (let n = 0; n < 3; n++) lines.load(0, 15, 0, cached, 1);
  t.is(lines.deviceRead(0, 15, 0, false) & MAY_STALE, MAY_STALE);
  lines.load(0, 15, 0, cached, 0);
  t.is(lines.deviceRead(0, 15, 0, false), 0);
});

test('an outer sync takes along what a dsb before it has drained, and nothing that came after', t => {
  for (const [first, verdict] of [
    ['dsb', 0],
    ['sync', MAY_STALE],
  ] as const) {
    const profile = checkerProfile(coreNamed('cortex-a9'), { outer: 'inclusive' });
    const sets = new StateSets(profile);
    const lines = new LineStates(sets, 32, 1);
    const uncached = sets.profile.targets.findIndex(({ kind }) => kind.name === 'uncached');
    lines.store(0, 15, 0, uncached, 0);
    if (first === 'sync') lines.barriers.outerSync();
    lines.barriers.dsb(0);
    if (first === 'dsb') lines.barriers.outerSync();
    t.is(lines.deviceRead(0, 15, 0, false), verdict);
  }
});

test('a store to a part of a line leaves the rest its place in the outer buffer', t => {
  const sets = new StateSets(checkerProfile(coreNamed('cortex-a9'), { outer: 'inclusive' }));
  const lines = new LineStates(sets, 32, 1);
  const uncached = sets.profile.targets.findIndex(({ kind }) => kind.name === 'uncached');
  for (let round = 0; round < 3; round++) {
    lines.store(0, -1, 0, uncached, 0);
    lines.barriers.dsb(0);
    t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE, 'it has left the core');
    lines.store(0, 15, 0, uncached, 0);
    t.is(lines.deviceRead(0, 0xf0, 0, false), MAY_STALE);
    lines.barriers.outerSync();
  }
});

/** An operand, a dmb, and OWN in another line, by a CPU behind a PL310; nothing is in its own buffer. */
const published = (cpus = 1): { lines: LineStates; uncached: number } => {
  const sets = new StateSets(checkerProfile(coreNamed('cortex-a9'), { outer: 'inclusive' }));
  const lines = new LineStates(sets, 32, cpus);
  const uncached = sets.profile.targets.findIndex(({ kind }) => kind.name === 'uncached');
  lines.store(0, 15, 0, uncached, 0);
  lines.barriers.orderStores(0);
  lines.store(1, 15, 0, uncached, 0);
  return { lines, uncached };
};

test('the buffer of an outer cache lets no store pass one from before a dmb', t => {
  const { lines } = published();
  t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE);
  lines.deviceSaw(1, 15, 0, false);
  t.is(lines.deviceRead(0, 15, 0, false), 0, 'whoever saw OWN in memory sees the operand');
});

test('a doorbell passes what is in the buffer of an outer cache, and so does a dsb', t => {
  const { lines } = published();
  lines.barriers.dsb(0);
  lines.barriers.deviceStore(0);
  t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE);
});

test('what is seen in a cache proves nothing of memory', t => {
  const { lines, uncached } = published(2);
  lines.see(1, 15, 0, uncached, 1);
  t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE);
  lines.deviceSaw(1, 15, 0, true);
  t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE);
});

test('what another CPU stored to the line since does not stand for the place of the first', t => {
  const { lines, uncached } = published(2);
  lines.barriers.dsb(0);
  lines.load(0, 15, 0, uncached, 1);
  lines.deviceSaw(1, 15, 0, false);
  t.is(lines.deviceRead(0, 15, 0, false), 0, 'a load changes nothing');
  const again = published(2);
  again.lines.barriers.dsb(0);
  for (let n = 0; n < 3; n++) again.lines.barriers.orderStores(1);
  again.lines.store(0, 0xf0, 0, again.uncached, 1);
  again.lines.barriers.orderStores(1);
  again.lines.store(2, 15, 0, again.uncached, 1);
  again.lines.deviceSaw(2, 15, 0, false);
  t.is(again.lines.deviceRead(0, 0xf0, 0, false), 0, 'its own is in memory');
  t.is(again.lines.deviceRead(0, 15, 0, false), MAY_STALE);
  again.lines.store(2, 0xf0, 0, again.uncached, 1);
  again.lines.deviceSaw(0, 15, 0, false);
  t.is(again.lines.deviceRead(2, 0xf0, 0, false), MAY_STALE, 'nor does that one for its place');
});

test('so it is on a core without a store buffer, where the store is on the fast path', t => {
  const core = { ...coreNamed('cortex-a53'), storeBuffer: 0 };
  const sets = new StateSets(checkerProfile(core));
  const lines = new LineStates(sets, 64, 1, 3);
  const uncached = sets.profile.targets.findIndex(({ kind }) => kind.name === 'uncached');
  for (let n = 0; n < 3; n++) {
    lines.load(0, 15, 0, 0, 0);
    lines.deviceWrite(0, 0xff, 0, false);
    lines.store(0, 0xf0, 0, uncached, 0);
    lines.see(0, 15, 0, 0, 0);
    t.is(lines.load(0, 0xf0, 0, 0, 0), MAY_STALE | STUCK);
    lines.maintain(0, INVALIDATE, 0, 0);
    lines.barriers.dsb(0);
  }
});

test('a store after a barrier is of the later epoch, whatever happened to its line between', t => {
  const { lines, uncached } = machine('cortex-a53');
  for (let n = 0; n < 2; n++) lines.store(0, 15, 0, uncached, 0);
  lines.barriers.orderStores(0);
  lines.deviceRead(0, 0xf0, 0, false);
  lines.store(0, 15, 0, uncached, 0);
  lines.store(1, 15, 0, uncached, 0);
  lines.deviceSaw(1, 15, 0, false);
  t.is(lines.deviceRead(0, 15, 0, false), MAY_STALE);
});
