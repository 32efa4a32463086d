import test from 'ava';
import { CmdState, GC_LITE, Interrupt, StopCause } from '../../../../drivers/gpu/vivante/regs';
import {
  CALL,
  LOAD_STATE,
  OPCODE,
  Opcode,
  Recipient,
} from '../../../../drivers/gpu/vivante/regs/command-stream';
import { RS } from '../../../../drivers/gpu/vivante/regs/rs';
import { GC_STATES } from '../../../../drivers/gpu/vivante/regs/states';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import { deviceModelConformance } from '../../../conformance/device-model';
import {
  DATA,
  END,
  GpuBench,
  NOP,
  QUEUE,
  RAM_BASE,
  RING,
  event,
  fill,
  link,
  stall,
  state,
  wait,
} from './gpu-bench';

const { registers: STATES } = GC_STATES;
const JOB = RING + 0x400;
const POISON = 0xaaaa_aaaa;

deviceModelConformance(test, 'vivante', () => {
  const bench = new GpuBench();
  return {
    device: bench.gpu,
    windows: [{ sheet: GC_LITE, region: 0, offset: 0 }],
    irqs: [bench.irq],
    guestErrors: bench.guestErrors,
    dynamic: ['CLOCK_CONTROL', 'IDLE_STATE', 'X_FAULTQ_ENTRIES'].map(name => `gc-lite.${name}`),
    stir: bus => {
      const base = bus.baseOf(0);
      bench.poke(RING, ...event(7, 'FROM_FE'), ...fill(DATA, 1), POISON, 0);
      bus.write(base + GC_LITE.registers.INTR_ENBL.at, 4, 0xff);
      bus.write(base + GC_LITE.registers.COMMAND_ADDRESS.at, 4, RING);
      bus.write(base + GC_LITE.registers.COMMAND_CONTROL.at, 4, 0x1_0020);
      bench.pass();
    },
    release: () => undefined,
  };
});

test('the ring goes round until its WAIT becomes a LINK: nobody rings a doorbell', t => {
  const bench = new GpuBench();
  bench.poke(RING, ...wait(200), ...link(RING, 2));
  bench.poke(JOB, ...fill(DATA, 0x1234_5678), ...END);
  bench.start(RING, 2);
  bench.pass();
  t.is(bench.peek(DATA), 0);
  t.is(bench.regs.IDLE_STATE.read().value % 2, 0, 'the front end is busy');
  t.true(
    [CmdState.WAIT, CmdState.LINK].includes(bench.regs.DMA_DEBUG_STATE.read().CMD_STATE as 18),
  );
  bench.poke(RING + 4, JOB);
  bench.poke(RING, link(0, 8)[0] ?? 0);
  bench.pass();
  t.is(bench.peek(DATA), 0x1234_5678);
  t.is(bench.peek(DATA + 255 - 3), 0x1234_5678);
  t.is(bench.peek(DATA + 256), 0);
  t.is(bench.regs.DMA_DEBUG_STATE.read().CMD_STATE, CmdState.END);
  t.deepEqual(bench.guestErrors, []);
});

test('an idle ring is looked at less and less often, and within 16 us', t => {
  const bench = new GpuBench();
  bench.poke(RING, ...wait(200), ...link(RING, 2));
  bench.start(RING, 2);
  bench.pass(200_000);
  const looks = new Set<number>();
  for (let i = 0; i < 32; i++) {
    looks.add(bench.events.timers()[0]?.time ?? 0);
    bench.pass(1000);
  }
  t.true(looks.size <= 6, `${looks.size} times in 32 us, a jump each`);
  bench.poke(RING, ...event(1, 'FROM_FE'));
  bench.pass(16_100);
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 2);
});

test('0xAAAAAAAA is opcode 21: the front end stops at it and says where', t => {
  const bench = new GpuBench();
  bench.poke(RING, ...wait(200), ...link(RING, 2));
  bench.start(RING, 2);
  bench.pass();
  bench.poke(RING + 8, POISON, POISON);
  bench.pass();
  t.deepEqual(bench.guestErrors, [
    `gpu: the front end stops at 0x${(RING + 8).toString(16)}: opcode 21 of 0xaaaaaaaa is none`,
  ]);
  t.like(bench.regs.X_FE_STOP.read(), { CAUSE: StopCause.IllegalOpcode, OPCODE: 21 });
  t.is(bench.regs.DMA_ADDRESS.read().value, RING + 8);
  t.is(bench.regs.DMA_LOW.read().value, POISON);
  t.is(bench.regs.IDLE_STATE.read().value % 2, 0, 'it hangs');
  t.false(bench.irq.level);
});

test('what the front end cannot make sense of stops it, by cause', t => {
  const cases: readonly (readonly [words: readonly number[], cause: StopCause])[] = [
    [state(0x1_0000, 0), StopCause.IllegalState],
    [state(STATES.EVENT.at, 30 + 32), StopCause.IllegalState],
    [state(STATES.FLUSH_MMU.at, 1), StopCause.IllegalState],
    [[OPCODE.at(Opcode.ChipSelect), 0], StopCause.IllegalOpcode],
    [[OPCODE.at(Opcode.Return), 0], StopCause.IllegalOpcode],
    [[OPCODE.at(0), 0], StopCause.IllegalOpcode],
    [link(RING + 0x100, 0), StopCause.Starved],
    [link(RAM_BASE - 0x1000, 1), StopCause.BusError],
  ];
  for (const [words, cause] of cases) {
    const bench = new GpuBench();
    bench.execute(RING, ...words);
    t.is(bench.regs.X_FE_STOP.read().CAUSE, cause, words.join(' '));
    t.is(bench.guestErrors.length, 1);
    t.is(bench.regs.INTR_ACKNOWLEDGE.read().AXI_BUS_ERROR, cause === StopCause.BusError ? 1 : 0);
  }
});

test('states of an engine that are declared and not modelled are loud', t => {
  const bench = new GpuBench();
  const error = t.throws(
    () => {
      bench.execute(RING, ...state(RS.registers.DITHER.at, 1));
    },
    { instanceOf: UnmodelledError },
  );
  t.regex(error.message, /DITHER/);
});

test('no more words are taken than LINK says', t => {
  for (const [count, cause] of [
    [3, StopCause.Starved],
    [4, StopCause.None],
  ] as const) {
    const bench = new GpuBench();
    bench.poke(JOB, ...NOP, ...event(1, 'FROM_FE'), ...event(2, 'FROM_FE'), ...END);
    bench.execute(RING, ...link(JOB, count));
    t.is(bench.regs.X_FE_STOP.read().CAUSE, cause);
    t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 6);
  }
});

test('CALL comes back to where it says, and does not nest', t => {
  const call = (to: number, back: number): number[] => [
    OPCODE.at(Opcode.Call) + CALL.PREFETCH.at(2),
    to,
    2,
    back,
  ];
  const bench = new GpuBench();
  bench.poke(JOB, ...event(1, 'FROM_FE'), OPCODE.at(Opcode.Return), 0);
  bench.poke(JOB + 0x100, ...event(2, 'FROM_FE'), ...END);
  bench.execute(RING, ...call(JOB, JOB + 0x100));
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 6);
  t.deepEqual(bench.guestErrors, []);
  bench.poke(JOB + 0x100, OPCODE.at(Opcode.Return), 0);
  bench.execute(RING, ...call(JOB, JOB + 0x100));
  t.is(bench.regs.X_FE_STOP.read().CAUSE, StopCause.IllegalOpcode, 'once for each CALL');
  bench.poke(JOB, ...call(JOB, JOB));
  bench.execute(RING, ...call(JOB, JOB));
  t.is(bench.regs.X_FE_STOP.read().CAUSE, StopCause.IllegalOpcode);
});

test('LOAD_STATE of many states, of 1024 where it says 0, and of fixed-point numbers', t => {
  const bench = new GpuBench();
  const many = OPCODE.at(Opcode.LoadState) + LOAD_STATE.COUNT.at(2);
  bench.execute(RING, many + STATES.FLUSH_CACHE.at / 4 - 1, 0x701, 0, 0, ...event(1, 'FROM_FE'));
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 2, 'a word of padding is skipped');
  bench.execute(RING, OPCODE.at(Opcode.LoadState) + STATES.FLUSH_CACHE.at / 4, 0);
  t.is(bench.regs.X_FE_STOP.read().CAUSE, StopCause.Starved, 'there are no 1024');
  const fixed = OPCODE.at(Opcode.LoadState) + LOAD_STATE.FIXP.at(1) + LOAD_STATE.COUNT.at(1);
  bench.execute(RING, fixed + STATES.EVENT.at / 4, 0x1_8000);
  t.regex(bench.guestErrors.at(-1) ?? '', /0x18000 to state 0x3804/);
});

for (const timing of ['earliest', 'latest'] as const) {
  test(`${timing}: an event from PE comes after what the engines were told, one from FE need not`, t => {
    const bench = new GpuBench({ timing });
    bench.regs.INTR_ENBL.write(0xffff_ffff);
    const seen: number[] = [];
    bench.irq.connect(level => {
      if (level) seen.push(bench.regs.INTR_ACKNOWLEDGE.read().value, bench.peek(DATA));
    });
    bench.execute(RING, ...fill(DATA, 5), ...event(1, 'FROM_PE'), ...event(2, 'FROM_FE'));
    t.deepEqual(seen, [4, timing === 'latest' ? 0 : 5, 2, 5]);
  });
}

test('the front end waits at a STALL until its semaphore has come, and without one for ever', t => {
  const bench = new GpuBench();
  bench.regs.INTR_ENBL.write(0xffff_ffff);
  const seen: number[] = [];
  bench.irq.connect(level => {
    if (level) seen.push(bench.regs.INTR_ACKNOWLEDGE.read().value, bench.peek(DATA));
  });
  bench.execute(RING, ...fill(DATA, 5), ...stall(Recipient.PE), ...event(2, 'FROM_FE'));
  t.deepEqual(seen, [4, 5]);
  bench.execute(RING, ...stall(Recipient.PE).slice(2), ...event(2, 'FROM_FE'));
  t.deepEqual(seen, [4, 5]);
  t.is(bench.regs.DMA_DEBUG_STATE.read().CMD_STATE, CmdState.STALL);
  t.deepEqual(bench.guestErrors, [`gpu: STALL without a semaphore: unit ${Recipient.PE}`]);
});

test('works of one engine queue up, and the front end waits when they are many', t => {
  const bench = new GpuBench();
  const fills = Array.from({ length: 20 }, (_, i) => fill(DATA + 256 * i, i + 1)).flat();
  bench.poke(RING, ...fills, ...END);
  bench.start(RING, fills.length / 2 + 1);
  bench.pass(500);
  t.is(bench.regs.DMA_DEBUG_STATE.read().CMD_STATE, CmdState.WAITFIFO);
  bench.pass();
  for (let i = 0; i < 20; i++) t.is(bench.peek(DATA + 256 * i), i + 1);
});

test('reading INTR_ACKNOWLEDGE clears it, also what is not enabled', t => {
  const bench = new GpuBench();
  bench.regs.INTR_ENBL.write(2);
  bench.execute(RING, ...event(1, 'FROM_FE'), ...event(29, 'FROM_FE'));
  t.true(bench.irq.level);
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 2 + 2 ** 29);
  t.false(bench.irq.level);
  t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, 0);
  bench.execute(RING, ...event(29, 'FROM_FE'));
  t.false(bench.irq.level);
  t.true(Interrupt.MMU_EXCEPTION === 2 ** 30);
});

test('a soft reset ends everything: nothing of what was under way reaches memory', t => {
  const bench = new GpuBench();
  bench.poke(RING, ...fill(DATA, 5), ...wait(0xffff), ...link(RING, 32));
  bench.start(RING, 32);
  bench.pass(100);
  bench.regs.CLOCK_CONTROL.update({ SOFT_RESET: 1 });
  bench.regs.CLOCK_CONTROL.update({ SOFT_RESET: 0 });
  t.is(bench.events.pending, 0);
  bench.pass();
  t.is(bench.peek(DATA), 0);
  t.is(bench.regs.IDLE_STATE.read().value, 0x7fff_ffff);
  bench.execute(QUEUE, ...fill(DATA, 6));
  t.is(bench.peek(DATA), 6);
});

test('what was fetched ahead is executed, whatever memory says by then; a checked one tells', t => {
  for (const looksPast of [false, true]) {
    const bench = new GpuBench({ looksPast });
    bench.poke(RING, ...wait(2000), ...event(1, 'FROM_FE'), ...END);
    bench.start(RING, 3);
    bench.pass(1000);
    bench.poke(RING + 8, ...event(2, 'FROM_FE'));
    bench.pass();
    t.is(bench.regs.INTR_ACKNOWLEDGE.read().value, looksPast ? 4 : 2);
    const at = RING + 12;
    const told = { master: 'gpu', reader: 'FE', address: at, physical: at, length: 4 };
    const mismatch = { cache: 'prefetch', what: 'stale', ...told } as const;
    t.deepEqual(bench.mismatches, looksPast ? [mismatch] : []);
  }
});

test('behind windows of its bus it uses the addresses of the bus', t => {
  const bench = new GpuBench({ windows: [{ dma: 0, cpu: RAM_BASE, size: 0x2_0000 }] });
  bench.poke(RING, ...fill(DATA - RAM_BASE, 9), ...END);
  bench.start(0, 32);
  bench.pass();
  t.is(bench.peek(DATA), 9);
  t.deepEqual(bench.guestErrors, []);
});
