import test from 'ava';
import { parseScript } from '../../../../arch/arm/adversary/script';
import { ScriptAdversary } from '../../../../arch/arm/adversary/scripted';
import { LineCache } from '../../../../arch/arm/cache/line-cache';
import { OuterCache } from '../../../../arch/arm/cache/outer-cache';
import { Pl310 } from '../../../../arch/arm/cache/pl310/model';
import { PL310 } from '../../../../arch/arm/cache/pl310/regs';
import { EventQueue } from '../../../../drivers/base/hw/event-queue';
import { Trace } from '../../../../drivers/base/hw/trace';
import { dmaAddr, ticks } from '../../../../drivers/base/types/address';
import { BenchError, UnmodelledError } from '../../../../drivers/base/types/errors';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { Random } from '../../../../drivers/base/types/random';
import { ArmMachine } from '../machine';

const OLD = 0x1010_1010;
const NEW = 0x6666_6666;
const ALL_WAYS = 0xff;
const AUX = PL310.registers.AUX_CTRL.fields;

/** A script that never comes to its only step: the outer buffer keeps what it gets. */
const holding = (): ScriptAdversary =>
  new ScriptAdversary(
    parseScript('{"event":1000000000,"step":"drain-outer","line":"0x80000000"}', 'script'),
  );

interface Bench {
  readonly machine: ArmMachine;
  readonly pl310: Pl310;
  readonly va: number;
  readonly pa: number;
}

const makeBench = (cpus = 1, holds = false): Bench => {
  const machine = new ArmMachine({
    core: 'cortex-a9',
    cpus,
    outer: true,
    ...(holds ? { adversary: holding() } : {}),
  });
  const { pl310 } = machine;
  if (pl310 === null) throw new Error('a machine with an outer cache has a PL310');
  machine.setMemoryWord(machine.pageAt(0), OLD);
  return { machine, pl310, va: machine.page(0, 'cached'), pa: machine.pageAt(0) };
};

const write = (pl310: Pl310, register: keyof typeof PL310.registers, value: number): number =>
  pl310.registers.write(PL310.registers[register].at, 4, value);

const read = (pl310: Pl310, register: keyof typeof PL310.registers): number =>
  pl310.registers.read(PL310.registers[register].at, 4);

/** Stores NEW and lets it leave the first level: it is dirty in the outer cache. */
const dirtyOutside = ({ machine, va }: Bench): void => {
  machine.cpu.store32(va, NEW);
  machine.cpu.cacheOp(CacheOp.CIVAC, va);
  machine.cpu.dsb();
};

test('maintenance by address cleans, drops, or both, and nothing else does', t => {
  for (const [register, memory, loaded] of [
    ['CLEAN_PA', NEW, NEW],
    ['INV_PA', OLD, OLD],
    ['CLEAN_INV_PA', NEW, NEW],
  ] as const) {
    const bench = makeBench();
    const { machine, pl310, va, pa } = bench;
    dirtyOutside(bench);
    t.is(machine.memoryWord(pa), OLD, 'a clean by the core ends at the outer cache');
    write(pl310, register, pa + 32);
    t.is(machine.memoryWord(pa), OLD, 'another line');
    write(pl310, register, pa);
    t.is(machine.memoryWord(pa), memory, register);
    t.is(machine.cpu.load32(va), loaded, register);
    machine.cpu.cacheOp(CacheOp.IVAC, va);
    machine.setMemoryWord(pa, 5);
    t.is(machine.cpu.load32(va), loaded, 'the line is (again) in the outer cache');
  }
});

test('an operation by way runs in the background and reads as busy until it is done', t => {
  for (const [register, memory] of [
    ['CLEAN_WAY', NEW],
    ['INV_WAY', OLD],
    ['CLEAN_INV_WAY', NEW],
  ] as const) {
    const bench = makeBench();
    const { machine, pl310, pa } = bench;
    dirtyOutside(bench);
    write(pl310, register, ALL_WAYS);
    t.is(read(pl310, register), ALL_WAYS);
    t.is(machine.memoryWord(pa), OLD, 'nothing has happened yet');
    const begun = machine.events.now;
    machine.events.advanceTo(ticks(begun + 1999));
    t.is(read(pl310, register), ALL_WAYS);
    machine.events.advanceTo(ticks(begun + 2000));
    t.is(read(pl310, register), 0);
    t.is(machine.memoryWord(pa), memory, register);
    const kept = machine.complex.outer?.lines.occupied().next().done === false;
    t.is(kept, register === 'CLEAN_WAY', register);
    t.is(write(pl310, 'CACHE_SYNC', 0), 0);
  }
});

test('other maintenance while ways are worked on is a named error', t => {
  for (const other of ['CACHE_SYNC', 'INV_PA', 'CLEAN_WAY'] as const) {
    const { pl310 } = makeBench();
    write(pl310, 'INV_WAY', ALL_WAYS);
    t.throws(() => write(pl310, other, 0), { instanceOf: UnmodelledError }, other);
  }
});

test('an operation by way touches the ways of its mask only', t => {
  const bench = makeBench();
  dirtyOutside(bench);
  const { machine, pl310, pa } = bench;
  const slot = machine.complex.outer?.find(machine.ram.wordOf(pa)) ?? -1;
  const way = slot % 8;
  write(pl310, 'CLEAN_WAY', ALL_WAYS & ~(1 << way));
  machine.cpu.relax(5000);
  t.is(machine.memoryWord(pa), OLD);
  write(pl310, 'CLEAN_WAY', 1 << way);
  machine.cpu.relax(5000);
  t.is(machine.memoryWord(pa), NEW);
});

test('the buffer outlives a dsb and ends with a cache sync, in the order of the stores', t => {
  const bench = makeBench(1, true);
  const { machine, pl310, pa } = bench;
  const nc = machine.page(1, 'non-cached');
  const ncPa = machine.pageAt(1);
  dirtyOutside(bench);
  write(pl310, 'CLEAN_PA', pa);
  machine.cpu.store32(nc, 1);
  machine.cpu.store32(nc, 2);
  machine.cpu.store8(nc + 1, 3);
  machine.cpu.dsb();
  t.is(machine.memoryWord(pa), OLD);
  t.is(machine.memoryWord(ncPa), 0);
  t.is(machine.cpu.load32(nc), 0x302, 'the CPU sees through the buffer');
  t.is(machine.complex.outer?.bufferedWords().length, 8 + 3);
  write(pl310, 'CACHE_SYNC', 0);
  t.is(machine.complex.outer?.bufferedWords().length, 0);
  t.is(machine.memoryWord(pa), NEW);
  t.is(machine.memoryWord(ncPa), 0x302);
});

test('the buffer holds 48 words: one more, and the oldest goes', t => {
  const { machine } = makeBench(1, true);
  const nc = machine.page(1, 'non-cached');
  const ncPa = machine.pageAt(1);
  for (let n = 0; n < 48; n++) machine.cpu.store32(nc + 4 * n, n + 1);
  t.is(machine.memoryWord(ncPa), 0);
  machine.cpu.store32(nc + 400, 1);
  t.is(machine.memoryWord(ncPa), 1);
  t.is(machine.memoryWord(ncPa + 4), 0);
});

test('a non-cacheable shared access hits unless the override says no', t => {
  for (const [override, found, isMerged] of [
    [0, NEW, true],
    [1, OLD, false],
  ] as const) {
    const bench = makeBench(2);
    const { machine, pl310, pa } = bench;
    write(pl310, 'CTRL', 0);
    write(pl310, 'AUX_CTRL', read(pl310, 'AUX_CTRL') | (override << 22));
    write(pl310, 'CTRL', 1);
    const alias = machine.page(1, 'non-cached');
    machine.tables.map(alias, pa, 'non-cached');
    dirtyOutside(bench);
    t.is(machine.cpu.load32(alias), found);
    machine.cpu.store32(alias, 9);
    t.is(machine.memoryWord(pa), 9, 'a non-cacheable store goes to memory in any case');
    t.is(machine.cpu.load32(bench.va), isMerged ? 9 : NEW);
  }
});

test('AUX_CTRL tells the geometry, which cannot be changed, nor anything while it is on', t => {
  const { pl310 } = makeBench();
  const aux = read(pl310, 'AUX_CTRL');
  t.is(aux & AUX.WAY_SIZE.mask, AUX.WAY_SIZE.at(1), '16 KiB a way');
  t.is(aux & AUX.ASSOCIATIVITY.mask, 0, '8 ways');
  const unmodelled = { instanceOf: UnmodelledError };
  t.throws(() => write(pl310, 'AUX_CTRL', aux ^ (1 << 28)), unmodelled);
  t.is(write(pl310, 'CTRL', 0), 0);
  t.throws(() => write(pl310, 'AUX_CTRL', aux ^ (1 << 16)), unmodelled);
  t.throws(() => write(pl310, 'AUX_CTRL', aux ^ (1 << 17)), unmodelled);
});

test('every geometry that the controller has is told, and no other is built', t => {
  const { machine } = makeBench();
  const make = (kib: number, ways: number, line = 32): number => {
    const geometry = { size: kib * 1024, ways, line };
    const lines = new LineCache('outer', geometry, 'lru', new Random(1));
    const cache = new OuterCache(lines, machine.ram, new Trace());
    const onGuestError = (): void => undefined;
    const { ram } = machine;
    const model = new Pl310({ name: 'l2', cache, ram, events: new EventQueue(), onGuestError });
    model.reset.pulse();
    return read(model, 'AUX_CTRL');
  };
  for (const ways of [8, 16]) {
    for (let field = 1; field <= 6; field++) {
      const aux = make(ways * 8 * 2 ** field, ways);
      t.is((aux >>> 17) & 7, field);
      t.is((aux >>> 16) & 1, ways === 16 ? 1 : 0);
    }
  }
  t.throws(() => make(256, 4), { instanceOf: BenchError });
  t.throws(() => make(64, 8), { instanceOf: BenchError });
  t.throws(() => make(8 * 1024, 8), { instanceOf: BenchError });
  t.throws(() => make(256, 8, 64), { instanceOf: BenchError });
});

test('switched off it is looked up no more; reset switches it off and stops what runs', t => {
  const bench = makeBench();
  const { machine, pl310, va, pa } = bench;
  dirtyOutside(bench);
  write(pl310, 'CTRL', 0);
  t.is(machine.cpu.load32(va), OLD);
  machine.cpu.cacheOp(CacheOp.IVAC, va);
  write(pl310, 'CTRL', 1);
  t.is(machine.cpu.load32(va), NEW);
  write(pl310, 'CLEAN_WAY', ALL_WAYS);
  pl310.reset.pulse();
  t.is(read(pl310, 'CTRL'), 0);
  t.is(read(pl310, 'CLEAN_WAY'), 0);
  machine.cpu.relax(5000);
  t.is(machine.memoryWord(pa), OLD, 'the operation by way was stopped');
  t.is(read(pl310, 'AUX_CTRL') & 0xf_0000, 0x2_0000);
});

test('a port that snoops sees the outer cache, one that does not sees memory', t => {
  const bench = makeBench();
  dirtyOutside(bench);
  const { machine, pa } = bench;
  for (const [coherent, expected] of [
    [true, NEW],
    [false, OLD],
  ] as const) {
    const bytes = new Uint8Array(4);
    machine.port(coherent).read(dmaAddr(pa), 4, bytes);
    t.is(new DataView(bytes.buffer).getInt32(0, true), expected);
  }
});

test('maintenance by address is never busy: its register reads as 0, whatever was written', t => {
  const { pl310, pa } = makeBench();
  for (const register of ['INV_PA', 'CLEAN_PA', 'CLEAN_INV_PA'] as const) {
    t.is(write(pl310, register, (pa | 1) >>> 0), 0);
    t.is(read(pl310, register), 0, register);
  }
});

test('bits of an address register that are neither address nor busy are misuse', t => {
  const { machine, pl310, pa } = makeBench();
  write(pl310, 'CLEAN_PA', pa + 4);
  t.deepEqual(machine.guestErrors.length, 1);
  t.regex(machine.guestErrors[0] ?? '', /^pl310\.CLEAN_PA: write of .* sets reserved 0x4$/);
});

test('to disable linefill or write-back is a named error', t => {
  const { pl310 } = makeBench();
  t.is(write(pl310, 'DEBUG_CTRL', 0), 0);
  const linefill = t.throws(() => write(pl310, 'DEBUG_CTRL', 1), { instanceOf: UnmodelledError });
  t.regex(linefill.message, /DEBUG_CTRL\.DISABLE_LINEFILL/);
  const writeBack = t.throws(() => write(pl310, 'DEBUG_CTRL', 2), { instanceOf: UnmodelledError });
  t.regex(writeBack.message, /DEBUG_CTRL\.DISABLE_WRITE_BACK/);
});

test('CACHE_TYPE tells the geometry twice, for data and instructions', t => {
  const { machine } = makeBench();
  const typeOf = (kib: number, ways: number): number => {
    const geometry = { size: kib * 1024, ways, line: 32 };
    const lines = new LineCache('outer', geometry, 'lru', new Random(1));
    const cache = new OuterCache(lines, machine.ram, new Trace());
    const onGuestError = (): void => undefined;
    const { ram } = machine;
    const model = new Pl310({ name: 'l2', cache, ram, events: new EventQueue(), onGuestError });
    model.reset.pulse();
    return read(model, 'CACHE_TYPE');
  };
  t.is(typeOf(8 * 16, 8), 0x1c10_0100);
  t.is(typeOf(16 * 64, 16), 0x1c34_0340);
  t.is(typeOf(8 * 512, 8), 0x1c60_0600);
});

/** Two words in two lines, a dmb between their stores, and what holds the first. */
const separated = (...steps: readonly object[]): { machine: ArmMachine; words: () => number[] } => {
  const fresh = new ArmMachine({ core: 'cortex-a9', outer: true });
  const { now } = fresh.complex.pulse;
  const lines = steps.map(step => JSON.stringify({ event: now + 1, ...step }));
  const adversary = new ScriptAdversary(parseScript(lines.join('\n'), 'script'));
  const machine = new ArmMachine({ core: 'cortex-a9', outer: true, adversary });
  const nc = machine.page(1, 'non-cached');
  machine.cpu.store32(nc, 1);
  machine.cpu.dmb('st');
  machine.cpu.store32(nc + 64, 2);
  machine.cpu.dsb();
  const at = machine.pageAt(1);
  return { machine, words: () => [machine.memoryWord(at), machine.memoryWord(at + 64)] };
};

test('a store of a later epoch waits behind one that is held, and goes when that goes', t => {
  const line = `0x${new ArmMachine({ core: 'cortex-a9' }).pageAt(1).toString(16)}`;
  const { machine, words } = separated({ step: 'hold-outer', line });
  t.deepEqual(words(), [0, 0]);
  machine.complex.outer?.drainLine(machine.ram.wordOf(machine.pageAt(1)));
  t.deepEqual(words(), [1, 2]);
});

test('to drain a store takes along those of earlier epochs, and of its CPU only', t => {
  const { machine, words } = separated({ step: 'hold-outer' });
  t.deepEqual(words(), [0, 0]);
  const saved = machine.complex.outer?.saveState() ?? null;
  machine.complex.outer?.drainLine(machine.ram.wordOf(machine.pageAt(1) + 64));
  t.deepEqual(words(), [1, 2]);
  const other = separated({ step: 'hold-outer' });
  other.machine.complex.outer?.restoreState(saved);
  other.machine.complex.outer?.drainLine(other.machine.ram.wordOf(machine.pageAt(1) + 64));
  t.deepEqual(other.words(), [1, 2], 'a snapshot keeps the order');
});

test('what waits for nothing but a store that has to make room goes with it', t => {
  const line = `0x${new ArmMachine({ core: 'cortex-a9' }).pageAt(1).toString(16)}`;
  const { machine, words } = separated({ step: 'hold-outer', line });
  const nc = machine.page(1, 'non-cached');
  for (let n = 2; n < 48; n++) machine.cpu.store32(nc + 64 * n, 3);
  t.deepEqual(words(), [0, 0]);
  machine.cpu.store32(nc + 64 * 48, 3);
  t.deepEqual(words(), [1, 2]);
  t.is(machine.memoryWord(machine.pageAt(1) + 64 * 48), 3);
});

test('a snapshot keeps which lines are held', t => {
  const machine = new ArmMachine({ core: 'cortex-a9', outer: true });
  const { outer } = machine.complex;
  const nc = machine.page(1, 'non-cached');
  const word = machine.ram.wordOf(machine.pageAt(1));
  const stored = (value: number): number => {
    machine.cpu.store32(nc, value);
    machine.cpu.dsb();
    return machine.memoryWord(machine.pageAt(1));
  };
  const free = outer?.saveState() ?? null;
  outer?.holdLine(word);
  const held = outer?.saveState() ?? null;
  outer?.restoreState(free);
  t.is(stored(1), 1);
  outer?.restoreState(held);
  t.is(stored(2), 1);
});

test('what no barrier separates, or another CPU stored, may pass in the buffer', t => {
  const machine = new ArmMachine({ core: 'cortex-a9', cpus: 2, outer: true });
  const { outer } = machine.complex;
  if (outer === null) return t.fail('no outer cache');
  outer.holdsWrites = true;
  const nc = machine.page(1, 'non-cached');
  const at = machine.pageAt(1);
  machine.cpu.store32(nc, 1);
  machine.cpu.store32(nc + 64, 2);
  machine.cpus[1]?.dmb('st');
  machine.cpus[1]?.store32(nc + 128, 3);
  for (const offset of [128, 64]) outer.drainLine(machine.ram.wordOf(at + offset));
  t.deepEqual(
    [0, 64, 128].map(offset => machine.memoryWord(at + offset)),
    [0, 2, 3],
  );
});
