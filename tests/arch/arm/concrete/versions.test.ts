import assert from 'node:assert/strict';
import test from 'ava';
import { RandomAdversary } from '../../../../arch/arm/adversary/random';
import type { StaleAccess } from '../../../../arch/arm/concrete/versions';
import { CORES } from '../../../../arch/arm/cores';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { Random } from '../../../../drivers/base/types/random';
import { HoldingAdversary } from '../holding';
import { ArmMachine } from '../machine';
import type { ArmMachineOptions } from '../machine';
import { CALLS, ProgramRun, randomOps, receivingOps } from '../programs';
import type { Call } from '../programs';

/** Machines of every core, with what stands beside it. */
const MACHINES: readonly ArmMachineOptions[] = CORES.flatMap(core => {
  const { architecture, l1d, l2, multiprocessor } = core;
  const mayHaveOuter = ['v6', 'v7'].includes(architecture) && l1d !== null && l2 === null;
  return (mayHaveOuter ? [false, true] : [false]).flatMap(outer =>
    (multiprocessor ? [1, 3] : [1]).map(cpus => ({ core, outer, cpus, tiny: true })),
  );
});

const nameOf = ({ core, outer, cpus }: ArmMachineOptions): string =>
  `${typeof core === 'string' ? core : core.name} x${cpus}${outer === true ? ' + PL310' : ''}`;

const STEPS = 120;

interface Run {
  readonly difference: string | null;
  readonly machine: ArmMachine;
}

const runOf = (options: ArmMachineOptions, seed: number, without: Call | 'none'): Run => {
  const adversary = new RandomAdversary(new Random(seed));
  const machine = new ArmMachine({ versions: true, ...options, adversary, seed });
  const make = without === 'barrier after completion' ? receivingOps : randomOps;
  const ops = make(new Random(seed + 1000), STEPS);
  return { difference: new ProgramRun(machine, without).run(ops), machine };
};

const staleOf = ({ complex }: ArmMachine) => complex.versions?.stale ?? [];

test('a right program reads the latest version only, and no byte of it is lost', t => {
  for (const options of MACHINES) {
    for (let seed = 1; seed <= 2; seed++) {
      const { difference, machine } = runOf(options, seed, 'none');
      assert.equal(difference, null);
      assert.deepEqual(staleOf(machine), [], `${nameOf(options)}, seed ${seed}`);
      for (let at = 0; at < 768; at += 7) {
        const address = machine.pageAt(0) + at;
        assert.equal(machine.complex.versions?.isLost(address), false, `${nameOf(options)} ${at}`);
      }
    }
  }
  t.pass();
});

test('a program reads other values than flat memory where versions say stale, and only there', t => {
  let wrong = 0;
  for (const options of MACHINES) {
    CALLS.forEach((call, n) => {
      const { difference, machine } = runOf(options, 11 + n, call);
      const differs = staleOf(machine).some(({ valuesDiffer }) => valuesDiffer);
      assert.equal(difference !== null, differs, `${nameOf(options)} without "${call}"`);
      if (difference !== null) wrong++;
    });
  }
  t.true(wrong > 100, `${wrong} programs went wrong`);
});

test('check mode changes nothing that a machine does, and counts the same events', t => {
  for (const options of MACHINES) {
    const without = CALLS[options.cpus ?? 0] ?? 'none';
    const [on, off] = [true, false].map(versions => runOf({ ...options, versions }, 5, without));
    assert.equal(on?.difference, off?.difference, nameOf(options));
    assert.equal(on?.machine.complex.pulse.now, off?.machine.complex.pulse.now, nameOf(options));
    assert.equal(on?.machine.trace.hash, off?.machine.trace.hash, nameOf(options));
  }
  t.pass();
});

/** A machine in check mode on which nothing happens unasked. */
const quiet = (core: string, outer = false): { machine: ArmMachine; page: number; at: number } => {
  const machine = new ArmMachine({
    core,
    outer,
    versions: true,
    adversary: new HoldingAdversary(),
  });
  return { machine, page: machine.page(0, 'cached'), at: machine.pageAt(0) };
};

test('a stale byte that happens to have the value of the latest is stale, and said to be equal', t => {
  const { machine, page, at } = quiet('cortex-a9');
  const { cpu } = machine;
  const port = machine.port(false);
  cpu.load32(page);
  port.write(dmaAddr(at + 1), 2, Uint8Array.of(0, 0));
  cpu.load8(page);
  t.deepEqual(staleOf(machine), []);
  cpu.load32(page);
  const event = machine.complex.pulse.now;
  const by = { kind: 'cpu', cpu: 0 } as const;
  const expected = { event, by, access: 'load', address: at + 1, size: 2, valuesDiffer: false };
  t.deepEqual(staleOf(machine), [expected]);
  port.write(dmaAddr(at + 1), 1, Uint8Array.of(9));
  cpu.load16(page);
  t.deepEqual(staleOf(machine)[1], { ...expected, event: event + 2, size: 1, valuesDiffer: true });
});

test('two hundred and fifty-six versions later an old one is still old', t => {
  const { machine, page, at } = quiet('cortex-a9');
  for (let n = 1; n <= 256; n++) machine.cpu.store8(page, n);
  machine.port(false).read(dmaAddr(at), 1, new Uint8Array(1));
  const [found] = staleOf(machine);
  t.like(found, { access: 'device read', address: at, size: 1, valuesDiffer: false });
  t.deepEqual(found?.by, { kind: 'device', name: 'device', snoops: false });
});

test('a byte is lost once no copy of it is the latest, wherever that was', t => {
  const { machine, page, at } = quiet('cortex-a9', true);
  const { cpu, complex } = machine;
  const isLost = (): boolean => complex.versions?.isLost(at) ?? false;
  cpu.store32(page, 7);
  t.false(isLost(), 'dirty in the first level');
  cpu.cacheOp(CacheOp.CIVAC, page);
  cpu.dsb();
  t.false(isLost(), 'dirty in the outer cache');
  machine.outerWrite(cpu, 'CLEAN_INV_PA', at);
  t.false(isLost(), 'in the buffer of the outer cache');
  machine.outerWrite(cpu, 'CACHE_SYNC', 0);
  t.false(isLost(), 'in memory');
  cpu.store32(page, 8);
  cpu.cacheOp(CacheOp.IVAC, page);
  cpu.dsb();
  t.true(isLost(), 'it was dropped');
  complex.versions?.forget(at, 4);
  t.false(isLost(), 'what is undefined cannot be lost');
  cpu.load32(page);
  t.deepEqual(staleOf(machine), []);
});

test('a waiting store is a copy, and an old one once a device has written over it', t => {
  const adversary = new HoldingAdversary();
  const machine = new ArmMachine({ core: 'cortex-a9', versions: true, adversary });
  const { cpu, complex } = machine;
  const page = machine.page(0, 'non-cached');
  const at = machine.pageAt(0);
  adversary.holdsStores = true;
  cpu.store32(page, 7);
  t.false(complex.versions?.isLost(at) ?? true);
  machine.port(false).write(dmaAddr(at), 4, Uint8Array.of(1, 2, 3, 4));
  t.false(complex.versions?.isLost(at) ?? true);
  cpu.load32(page);
  t.like(staleOf(machine)[0], { access: 'load', address: at, size: 4 });
  cpu.dsb();
  t.true(complex.versions?.isLost(at), 'the store came late and wrote over it');
});

test('what was read early is as old as it was then', t => {
  const machine = new ArmMachine({
    core: 'cortex-a9',
    versions: true,
    adversary: new HoldingAdversary(),
  });
  const { cpu } = machine;
  const page = machine.page(0, 'non-cached');
  const at = machine.pageAt(0);
  cpu.load32(page);
  t.true(cpu.memory.readEarly(machine.ram.wordOf(at)));
  machine.port(false).write(dmaAddr(at), 1, Uint8Array.of(1));
  cpu.load32(page);
  t.like(staleOf(machine)[0], { access: 'load', address: at, size: 1 });
  cpu.load32(page);
  t.is(staleOf(machine).length, 1);
});

test('a walker that does not see what the first level has is told of, at once too', t => {
  const { machine } = quiet('arm1176jzf-s');
  const { cpu, complex } = machine;
  const told: StaleAccess[] = [];
  if (complex.versions !== null) complex.versions.onStale = access => told.push(access);
  const other = machine.page(1, 'cached');
  const entry = machine.tables.entryOf(other);
  const window = machine.page(0, 'cached') + 2 * 4096;
  machine.tables.map(window, entry - (entry % 4096), 'cached');
  const inWindow = window + (entry % 4096);
  cpu.store32(inWindow, cpu.load32(inWindow));
  cpu.load32(other);
  t.is(told.length, 1);
  t.like(told[0], { access: 'table walk', address: entry, size: 4, valuesDiffer: false });
  t.deepEqual(told[0]?.by, { kind: 'walker', cpu: 0 });
  t.deepEqual(staleOf(machine), told);
});

test('stale accesses beyond some thousands are counted', t => {
  const { machine, page, at } = quiet('cortex-a9');
  machine.cpu.load32(page);
  machine.port(false).write(dmaAddr(at), 1, Uint8Array.of(1));
  for (let n = 0; n < 5000; n++) machine.cpu.load8(page);
  t.is(staleOf(machine).length + (machine.complex.versions?.dropped ?? 0), 5000);
  t.true(staleOf(machine).length < 5000);
});

test('a machine in check mode cannot be saved', t => {
  const { machine } = quiet('cortex-a9');
  t.throws(() => machine.complex.saveState(), { name: 'UnmodelledError', message: /check mode/ });
});
