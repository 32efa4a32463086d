import test from 'ava';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import {
  AsCommand,
  FAULT_ENTRY,
  FAULT_FLAGS,
  FaultMode,
  MmuException,
  StopCause,
} from '../../../../drivers/gpu/vivante/regs';
import { Recipient } from '../../../../drivers/gpu/vivante/regs/command-stream';
import { ENTRY, MMUV1, PAGE } from '../../../../drivers/gpu/vivante/regs/page-tables';
import { GC_STATES } from '../../../../drivers/gpu/vivante/regs/states';
import {
  DATA,
  END,
  GpuBench,
  MASTER_TABLE,
  QUEUE,
  RAM_BASE,
  RING,
  SAFE,
  SLAVE_TABLE,
  event,
  fill,
  page,
  stall,
  state,
} from './gpu-bench';
import type { GpuBenchOptions } from './gpu-bench';

const { registers: STATES } = GC_STATES;
const { FLUSH, MODE_MASK, ADDRESS_MASK } = STATES.MMUV2_CONFIGURATION.fields;
const FLUSH_TLB = FLUSH.at(1) + MODE_MASK.at(1) + ADDRESS_MASK.at(1);
const OTHER = DATA + PAGE;
/** Entries of the page at 0, which has the stream, and of the page at PAGE, which the engine fills. */
const STREAM = page(RING, false);

const make = (target: number, options: GpuBenchOptions = {}): GpuBench => {
  const bench = new GpuBench(options);
  bench.enableMmu(STREAM, target);
  return bench;
};

/** Fills the second page, and raises event 1 when that is done. */
const run = (bench: GpuBench, word: number, address = PAGE): void => {
  const stream = [...fill(address, word), ...stall(Recipient.PE), ...event(1, 'FROM_FE'), ...END];
  bench.poke(RING, ...stream);
  bench.start(0, stream.length / 2);
  bench.pass();
};

const isDone = (bench: GpuBench): boolean => bench.regs.INTR_ACKNOWLEDGE.read().value % 4 === 2;

test('addresses go through two tables; what the front end fetches, too', t => {
  const bench = make(page(DATA));
  run(bench, 7);
  t.is(bench.peek(DATA), 7);
  t.true(isDone(bench));
  t.deepEqual(bench.guestErrors, []);
});

test('a page of more than 32 bits is nobody here: a bus error, and the engine is stuck', t => {
  const bench = make(page(2 ** 32 + DATA));
  run(bench, 7);
  t.deepEqual(bench.regs.INTR_ACKNOWLEDGE.read().value, 2 ** 31);
  t.is(bench.regs.AXI_STATUS.read().DET_WR_ERR, 1);
});

test('an entry that was changed is used until the stream flushes; a checked MMU tells', t => {
  for (const looksPast of [false, true]) {
    const bench = make(page(DATA), { looksPast });
    run(bench, 7);
    bench.poke(SLAVE_TABLE + 4, page(OTHER));
    run(bench, 8);
    t.deepEqual([bench.peek(DATA), bench.peek(OTHER)], looksPast ? [7, 8] : [8, 0]);
    t.is(bench.stale.length > 0, looksPast);
    if (looksPast) {
      const told = { iommu: 'gpu MMU', master: 'gpu', write: true, older: DATA, newer: OTHER };
      t.like(bench.stale[0], { ...told, address: PAGE, what: 'translation' });
    }
    bench.poke(RING, ...state(STATES.MMUV2_CONFIGURATION.at, FLUSH_TLB), ...END);
    bench.start(0, 2);
    bench.pass();
    bench.stale.length = 0;
    run(bench, 9);
    t.is(bench.peek(OTHER), 9);
    t.deepEqual(bench.stale, []);
  }
});

test('another root, and what the old one led to is kept until the flush', t => {
  const bench = make(page(DATA), { looksPast: true });
  run(bench, 7);
  const table = SLAVE_TABLE + 0x8000;
  bench.poke(MASTER_TABLE + 0x8000, table + 1);
  bench.poke(table, STREAM, page(OTHER));
  bench.poke(RING, ...state(STATES.MMUV2_CONFIGURATION.at, MASTER_TABLE + 0x8000), ...END);
  bench.start(0, 2);
  bench.pass();
  run(bench, 8);
  t.is(bench.peek(OTHER), 8);
  t.true(bench.stale.some(({ what }) => what === 'walk'));
});

for (const [title, entry, code] of [
  ['a page that is not there', ENTRY.EXCEPTION.at(1), MmuException.PageNotPresent],
  ['a page that may not be written', page(DATA, false), MmuException.WriteViolation],
] as const) {
  test(`${title} is an exception: the first is kept, the engine is stuck, a reset ends it`, t => {
    const bench = make(entry);
    bench.regs.INTR_ENBL.write(2 ** 30);
    run(bench, 7, PAGE + 0x40);
    t.true(bench.irq.level);
    t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 2 ** 30, 'and event 1 never comes');
    t.is(bench.regs.MMU_STATUS.read().EXCEPTION1, code);
    t.is(bench.regs.MMU_EXCEPTION_ADDR(1).read().value, PAGE + 0x40);
    t.is(bench.peek(DATA), 0);
    t.is((bench.regs.IDLE_STATE.read().value >>> 2) & 1, 0);
    bench.regs.CLOCK_CONTROL.write({ SOFT_RESET: 1 });
    bench.regs.CLOCK_CONTROL.write({});
    t.is(bench.regs.MMU_STATUS.read().value + bench.regs.MMU_CONTROL.read().value, 0);
    bench.execute(RING, ...fill(DATA, 9));
    t.is(bench.peek(DATA), 9);
  });
}

test('an address without a slave table, and a fetch of the front end that the MMU refuses', t => {
  const bench = make(page(DATA));
  run(bench, 7, 0x40_0000);
  t.is(bench.regs.MMU_STATUS.read().value, 0, 'an empty entry leads to the safe address');
  bench.poke(MASTER_TABLE + 4, ENTRY.EXCEPTION.at(1));
  run(bench, 7, 0x40_0000);
  t.is(bench.regs.MMU_STATUS.read().EXCEPTION1, MmuException.SlaveNotPresent);
  bench.poke(SLAVE_TABLE + 8, ENTRY.EXCEPTION.at(1));
  bench.start(2 * PAGE, 4);
  bench.pass();
  t.is(bench.regs.MMU_STATUS.read().EXCEPTION0, MmuException.PageNotPresent);
  t.is(bench.regs.X_FE_STOP.read().CAUSE, StopCause.Fault);
});

test('an entry that is empty leads to the safe address: reads get it, writes are lost', t => {
  const bench = make(0);
  bench.poke(SAFE, ...event(5, 'FROM_FE'), ...END);
  run(bench, 7);
  t.true(isDone(bench), 'as if all were well');
  const [header] = fill(PAGE, 7);
  t.deepEqual([bench.peek(RING), bench.peek(SAFE + 32)], [header, 0]);
  t.is(bench.regs.MMU_STATUS.read().value, 0);
  bench.start(PAGE, 2);
  bench.pass();
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 32);
});

test('the safe address is taken once; the MMU is switched off by a reset only', t => {
  const bench = make(0);
  bench.poke(RING, ...state(STATES.MMUV2_SAFE_ADDRESS.at, DATA), ...END);
  bench.start(0, 2);
  bench.pass();
  t.is(bench.regs.MMU_SAFE_ADDRESS.read().value, SAFE);
  t.is(bench.guestErrors.length, 1);
  bench.regs.MMU_CONTROL.write(0);
  t.is(bench.regs.MMU_CONTROL.read().ENABLE, 1);
});

test('a master table of 1 KiB is declared and not modelled', t => {
  const bench = new GpuBench();
  t.throws(
    () => {
      bench.execute(RING, ...state(STATES.MMUV2_CONFIGURATION.at, 1));
    },
    { instanceOf: UnmodelledError },
  );
});

/** The GPU with a fault queue, in a mode. */
const faulting = (mode: FaultMode, target = 0, entries = 4): GpuBench => {
  const bench = make(target);
  const { X_AS, X_FAULTQ_ADDRESS, X_FAULTQ_ENTRIES, X_INTR_ENBL } = bench.regs;
  X_AS(0).FAULT_CTRL.write({ MODE: mode });
  X_FAULTQ_ADDRESS.write(QUEUE);
  X_FAULTQ_ENTRIES.write({ COUNT: entries });
  X_INTR_ENBL.write(7);
  return bench;
};

test('X- terminate: an empty entry is an exception, too', t => {
  const bench = faulting(FaultMode.Terminate);
  run(bench, 7);
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 2 ** 30);
});

test('X- safe page: an entry that asks for an exception has none', t => {
  const bench = faulting(FaultMode.SafePage, ENTRY.EXCEPTION.at(1));
  run(bench, 7);
  t.true(isDone(bench));
  const { FAULT_ADDRESS } = bench.regs.X_AS(0);
  t.is(FAULT_ADDRESS.read().value, PAGE + 192, 'but the last is noted');
});

test('X- replay: the engine waits, the queue says for what, and then it goes on', t => {
  const bench = faulting(FaultMode.Replay);
  run(bench, 7);
  t.true(bench.irq.level);
  t.like(bench.regs.X_INTR.read(), { FAULT: 1, OVERFLOW: 0, STALLED: 0 });
  t.false(isDone(bench));
  const flags = bench.peek(QUEUE + FAULT_ENTRY.FLAGS);
  t.deepEqual(
    [FAULT_FLAGS.VALID, FAULT_FLAGS.WRITE, FAULT_FLAGS.CODE].map(field => field.of(flags)),
    [1, 1, MmuException.PageNotPresent],
  );
  t.is(bench.peek(QUEUE + FAULT_ENTRY.ADDRESS), PAGE);
  bench.regs.X_INTR.write(7);
  t.false(bench.irq.level);
  bench.poke(SLAVE_TABLE + 4, page(DATA));
  bench.pass();
  t.is(bench.peek(DATA), 0, 'nobody has said that it may go on');
  bench.regs.X_REPLAY.write({ RETRY: 1 });
  bench.pass();
  t.is(bench.peek(DATA), 7);
  t.true(isDone(bench));
});

test('X- replay: a fault that was not seen to comes again, one that is given up is an exception', t => {
  const bench = faulting(FaultMode.Replay);
  run(bench, 7);
  bench.regs.X_REPLAY.write({ RETRY: 1 });
  bench.pass();
  t.is(bench.regs.X_FAULTQ_PUT.read().value, 2);
  t.is(bench.peek(QUEUE + FAULT_ENTRY.SIZE + FAULT_ENTRY.SEQUENCE), 1);
  bench.regs.X_REPLAY.write({ CANCEL: 1 });
  bench.pass();
  t.is(bench.regs.MMU_STATUS.read().EXCEPTION1, MmuException.PageNotPresent);
});

test('X- replay: what finds no room in the queue is lost, and comes again by a replay', t => {
  const bench = faulting(FaultMode.Replay, 0, 2);
  run(bench, 7);
  bench.regs.X_REPLAY.write({ RETRY: 1 });
  bench.pass();
  t.like(bench.regs.X_INTR.read(), { FAULT: 1, OVERFLOW: 1 });
  t.is(bench.regs.X_FAULTS_LOST.read().value, 1);
  bench.regs.X_FAULTQ_GET.write({ INDEX: 1 });
  bench.regs.X_REPLAY.write({ RETRY: 1 });
  bench.pass();
  t.is(bench.regs.X_FAULTQ_PUT.read().value, 0);
  t.is(bench.regs.X_FAULTS_LOST.read().value, 1);
});

test('X- replay: the front end waits for its commands, too', t => {
  const bench = faulting(FaultMode.Replay);
  bench.poke(DATA, ...event(3, 'FROM_FE'), ...END);
  bench.start(PAGE, 2);
  bench.pass();
  t.is(FAULT_FLAGS.WRITE.of(bench.peek(QUEUE)), 0);
  bench.poke(SLAVE_TABLE + 4, page(DATA));
  bench.regs.X_REPLAY.write({ RETRY: 1 });
  bench.pass();
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 8);
});

test('X- stall: software looks at what waits, then has it tried again or terminated', t => {
  for (const [code, isFilled] of [
    [AsCommand.ResumeRetry, true],
    [AsCommand.ResumeTerminate, false],
  ] as const) {
    const bench = faulting(FaultMode.Stall);
    run(bench, 7);
    t.like(bench.regs.X_INTR.read(), { FAULT: 0, STALLED: 1 });
    const { FAULT_ADDRESS, FAULT_STATUS, STATUS, COMMAND } = bench.regs.X_AS(0);
    t.like(FAULT_STATUS.read(), { CODE: MmuException.PageNotPresent, WRITE: 1, MMU: 1 });
    t.deepEqual([FAULT_ADDRESS.read().value, STATUS.read().WAITING], [PAGE, 1]);
    if (isFilled) bench.poke(SLAVE_TABLE + 4, page(DATA));
    COMMAND.write({ CODE: code });
    bench.pass();
    t.is(bench.peek(DATA), isFilled ? 7 : 0);
    t.is(isDone(bench), isFilled);
    t.is(bench.regs.MMU_STATUS.read().value === 0, isFilled);
  }
});

test('X- grow: faults in the heap are for the software, others terminate', t => {
  for (const [base, isHeap] of [
    [PAGE, true],
    [2 * PAGE, false],
  ] as const) {
    const bench = faulting(FaultMode.Grow);
    bench.regs.X_AS(0).HEAP_BASE.write(base);
    bench.regs.X_AS(0).HEAP_SIZE.write(PAGE);
    run(bench, 7);
    t.is(bench.regs.X_INTR.read().FAULT, isHeap ? 1 : 0);
    t.is(bench.regs.MMU_STATUS.read().value !== 0, !isHeap);
  }
});

test('X- slots: each has tables and a TLB of its own, and the stream selects one', t => {
  const bench = make(page(DATA));
  const table = SLAVE_TABLE + 0x8000;
  bench.poke(MASTER_TABLE + 0x8000, table + 1);
  bench.poke(table, STREAM, page(OTHER));
  bench.regs.X_AS(2).TABLE.write(MASTER_TABLE + 0x8000);
  bench.regs.X_AS(2).COMMAND.write({ CODE: AsCommand.Update });
  run(bench, 7);
  bench.poke(RING, ...state(STATES.X_AS_SELECT.at, 2), ...END);
  bench.start(0, 2);
  bench.pass();
  run(bench, 8);
  t.deepEqual([bench.peek(DATA), bench.peek(OTHER)], [7, 8]);
  bench.poke(table + 4, page(DATA));
  run(bench, 9);
  t.is(bench.peek(OTHER), 9, 'what was kept is used');
  bench.regs.X_AS(2).COMMAND.write({ CODE: AsCommand.Update });
  run(bench, 10);
  t.is(bench.peek(DATA), 10, 'until it is told of tables anew');
});

test('X- LOCK: accesses to the region wait, FLUSH forgets what was kept of it, UNLOCK lets them go', t => {
  const bench = make(page(DATA));
  run(bench, 7);
  const { LOCKADDR, COMMAND, STATUS } = bench.regs.X_AS(0);
  LOCKADDR.write(PAGE + 12);
  COMMAND.write({ CODE: AsCommand.Lock });
  run(bench, 8);
  t.is(bench.peek(DATA), 7);
  t.is(STATUS.read().LOCKED, 1);
  bench.poke(SLAVE_TABLE + 4, page(OTHER));
  COMMAND.write({ CODE: AsCommand.FlushPt });
  COMMAND.write({ CODE: AsCommand.Unlock });
  bench.pass();
  t.deepEqual([bench.peek(DATA), bench.peek(OTHER)], [7, 8]);
});

test('MMUv1: below its base everything goes to memory, above it any word is an address', t => {
  const bench = new GpuBench({ version: 1 });
  for (const name of ['FE', 'TX', 'PE', 'PEZ', 'RA'] as const) {
    bench.regs[`MEMORY_BASE_ADDR_${name}`].write(RAM_BASE);
    bench.regs[`MMU_${name}_PAGE_TABLE`].write(SLAVE_TABLE);
  }
  bench.poke(SLAVE_TABLE, DATA);
  bench.poke(RING, ...fill(OTHER - RAM_BASE, 3), ...fill(MMUV1.PAGED_BASE, 4), ...END);
  bench.start(0, 64);
  bench.pass();
  t.deepEqual([bench.peek(OTHER), bench.peek(DATA)], [3, 4]);
  bench.poke(SLAVE_TABLE, OTHER);
  bench.start(0, 64);
  bench.pass();
  t.is(bench.peek(OTHER), 3, 'the old entry is used');
  bench.poke(RING, ...state(STATES.FLUSH_MMU.at, 0x1f), ...fill(MMUV1.PAGED_BASE, 5), ...END);
  bench.start(0, 64);
  bench.pass();
  t.is(bench.peek(OTHER), 5);
  bench.regs.MMU_TX_PAGE_TABLE.write(0);
  t.throws(
    () => {
      bench.start(0, 64);
      bench.pass();
    },
    { instanceOf: UnmodelledError },
  );
});

test('a snapshot has tables and slots in it, and is refused while the front end runs', t => {
  const bench = make(page(DATA));
  const saved = bench.gpu.saveState();
  const other = new GpuBench();
  other.gpu.restoreState(saved);
  other.poke(SLAVE_TABLE, STREAM, page(OTHER));
  other.poke(MASTER_TABLE, SLAVE_TABLE + 1);
  run(other, 8);
  t.is(other.peek(OTHER), 8);
  bench.start(0, 2);
  t.throws(() => bench.gpu.saveState(), { message: /while the front end runs/ });
});
