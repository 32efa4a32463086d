import fc from 'fast-check';
import test from 'ava';
import { EINVAL } from '../../../../drivers/base/kernel/errno';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { dmaAddr } from '../../../../drivers/base/types/address';
import { CommandPool } from '../../../../drivers/gpu/vivante/driver/command-pool';
import { CommandWriter } from '../../../../drivers/gpu/vivante/driver/commands';
import {
  GpuContext,
  KERNEL_START,
  USER_START,
  makeKernelTables,
} from '../../../../drivers/gpu/vivante/driver/context';
import { Events, seqnoAfter } from '../../../../drivers/gpu/vivante/driver/events';
import { VivanteGpu } from '../../../../drivers/gpu/vivante/driver/gpu';
import { Ring } from '../../../../drivers/gpu/vivante/driver/ring';
import { TableWriter } from '../../../../drivers/gpu/vivante/driver/tables';
import {
  ADDRESSES,
  MOST_WORDS,
  PERMITTED,
  copyStream,
  refusalOf,
} from '../../../../drivers/gpu/vivante/driver/validate';
import { Opcode, OPCODE, loadState } from '../../../../drivers/gpu/vivante/regs/command-stream';
import { DE } from '../../../../drivers/gpu/vivante/regs/de';
import { PE } from '../../../../drivers/gpu/vivante/regs/pe';
import { RS } from '../../../../drivers/gpu/vivante/regs/rs';
import { ENTRY, MMUV2, addressOf } from '../../../../drivers/gpu/vivante/regs/page-tables';
import { GC_STATES } from '../../../../drivers/gpu/vivante/regs/states';
import { boot } from '../../../support/booted';

/* The parts of the GPU's driver without a GPU: what they leave in memory, and what they refuse. */

const machine = boot('versatile-pb', 16 * 2 ** 20);
const [master] = machine.masters;
if (master === undefined) throw new Error('the board has no master');
const { dev } = master.device;

const word = (address: number): number => machine.hardware.debugPort().read32(address);

/** What a walk of the tables in memory finds: an address, or null where nothing is. */
const walk = (root: number, va: number): { address: number; isWritable: boolean } | null => {
  const master = word(root + 4 * Math.floor(va / MMUV2.TABLE_SPAN));
  if (ENTRY.PRESENT.of(master) === 0) return null;
  const entry = word(addressOf(master) + 4 * (Math.floor(va / PAGE_SIZE) % MMUV2.ENTRIES));
  if (ENTRY.PRESENT.of(entry) === 0) return null;
  return {
    address: addressOf(entry) + (va % PAGE_SIZE),
    isWritable: ENTRY.WRITEABLE.of(entry) === 1,
  };
};

for (const memory of ['wc', 'cached'] as const) {
  test(`tables in ${memory} memory lead where they were told, and nowhere else`, t => {
    const used = machine.kernel.usedPages;
    const writer = new TableWriter(dev, memory);
    const pool = CommandPool.make(dev);
    const kernel = pool && makeKernelTables(writer, pool);
    const context = kernel && GpuContext.make('a', writer, kernel);
    if (pool === null || context === null) throw new Error('no memory');
    const { barriers } = machine.kernel.mm;
    barriers.wmb();
    t.deepEqual(walk(context.table, KERNEL_START + 0x1004), {
      address: pool.dmaAddr + 0x1004,
      isWritable: false,
    });
    t.is(walk(context.table, USER_START), null);
    const runs = [
      { address: dmaAddr(0x1_2345_6000), size: PAGE_SIZE },
      { address: dmaAddr(0x40_0000), size: 2 * PAGE_SIZE },
    ];
    const object = { size: 3 * PAGE_SIZE, runs };
    // From the last page of one table to the first of the next.
    const start = 2 * MMUV2.TABLE_SPAN - PAGE_SIZE;
    const seq = context.flushSeq;
    t.is(context.bind({ start, size: 3 * PAGE_SIZE, offset: 0 }, object), 0);
    t.is(context.flushSeq, seq + 1);
    barriers.wmb();
    t.deepEqual(walk(context.table, start + 8), { address: 0x1_2345_6008, isWritable: true });
    t.deepEqual(walk(context.table, start + 0x1000), { address: 0x40_0000, isWritable: true });
    t.deepEqual(walk(context.table, start + 0x2ffc), { address: 0x40_1ffc, isWritable: true });
    t.is(walk(context.table, start + 0x3000), null);
    context.unbind({ start, size: 2 * PAGE_SIZE });
    barriers.wmb();
    t.is(walk(context.table, start), null);
    t.is(walk(context.table, start + 0x1000), null);
    t.is(walk(context.table, start + 0x2000)?.address, 0x40_1000);
    context.free();
    kernel?.free();
    pool.release();
    t.is(writer.tables, 0);
    t.is(machine.kernel.usedPages, used);
  });
}

test('an address that is no client address, or beyond its object, is not bound', t => {
  const writer = new TableWriter(dev, 'wc');
  const pool = CommandPool.make(dev);
  const kernel = pool && makeKernelTables(writer, pool);
  const context = kernel && GpuContext.make('a', writer, kernel);
  if (pool === null || context === null) throw new Error('no memory');
  const object = { size: PAGE_SIZE, runs: [{ address: dmaAddr(0x1000), size: PAGE_SIZE }] };
  const before = writer.words;
  for (const [start, size, offset] of [
    [0, PAGE_SIZE, 0],
    [USER_START - PAGE_SIZE, PAGE_SIZE, 0],
    [KERNEL_START, PAGE_SIZE, 0],
    [KERNEL_START - PAGE_SIZE, 2 * PAGE_SIZE, 0],
    [USER_START + 4, PAGE_SIZE, 0],
    [USER_START, 100, 0],
    [USER_START, 0, 0],
    [USER_START, PAGE_SIZE, PAGE_SIZE],
  ] as const) {
    t.is(context.bind({ start, size, offset }, object), -EINVAL);
  }
  t.is(writer.words, before);
  context.free();
  kernel?.free();
  pool.release();
});

test('the ring is the words that a Vivante GPU has been seen to run', t => {
  const pool = CommandPool.make(dev);
  const [page, job] = [pool?.alloc(PAGE_SIZE), pool?.alloc(64)];
  if (pool === null || !page || !job) throw new Error('no memory');
  const ring = new Ring(dev.services, page, 0x1028_1000);
  const { barriers } = machine.kernel.mm;
  t.is(ring.init(), 2);
  const at = (index: number): string => word(page.dmaAddr + 4 * index).toString(16);
  t.deepEqual([at(0), at(2), at(3)], ['380000c8', '40000002', '10281000']);
  const writer = new CommandWriter(dev.services.io, job.cpuAddr, job.size);
  for (let i = 0; i < 6; i++) writer.word(OPCODE.at(Opcode.Nop));
  ring.queue({ va: 0x19ce_0000, writer, event: 5, mmu: { table: null, flush: false } });
  barriers.wmb();
  t.deepEqual([at(0), at(1)], ['40000004', '19ce0000']);
  // A LINK back to eight words, the last two a WAIT and the LINK to it.
  t.is(word(job.dmaAddr + 24).toString(16), '40000008');
  t.is(word(job.dmaAddr + 28), 0x1028_1010);
  t.is(at(14), loadState(GC_STATES.registers.EVENT.at, 1).toString(16));
  t.is(word(page.dmaAddr + 4 * 15) % 32, 5);
  t.deepEqual([at(16), at(18), at(19)], ['380000c8', '40000002', '10281040']);
  pool.release();
});

test('jobs go round the ring, and a TLB flush goes before those that need one', t => {
  const pool = CommandPool.make(dev);
  const [page, job] = [pool?.alloc(PAGE_SIZE), pool?.alloc(64)];
  if (pool === null || !page || !job) throw new Error('no memory');
  const ring = new Ring(dev.services, page, 0x1000);
  ring.init();
  const seen = new Set<number>();
  for (let i = 0; i < 100; i++) {
    const writer = new CommandWriter(dev.services.io, job.cpuAddr, job.size);
    writer.word(OPCODE.at(Opcode.Nop));
    writer.word(0);
    const flush = i % 3 === 0;
    ring.queue({
      va: 0x9000,
      writer,
      event: i % 30,
      mmu: { table: i % 7 === 0 ? 0x4000 : null, flush },
    });
    machine.kernel.mm.barriers.wmb();
    const back = word(job.dmaAddr + 12);
    t.true(back >= 0x1000 && back + 64 <= 0x2000);
    seen.add(back);
  }
  t.true(seen.size > 30);
  pool.release();
});

test('events end in any order, and what is done is the latest', t => {
  const property = (): void => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(30).keys()], { minLength: 1 }), order => {
        const events = new Events<{ seqno: number }>();
        const base = 2 ** 32 - 10;
        events.completed = base - 1;
        for (let i = 0; i < 30; i++) events.give({ seqno: base + i });
        if (events.hasFree) return false;
        let latest = -1;
        for (const event of order) {
          const before = latest;
          latest = Math.max(latest, event);
          if (events.take(event)?.seqno !== base + event) return false;
          if (events.take(event) !== null) return false;
          if (events.completed !== base + Math.max(before, latest)) return false;
        }
        const left = events.takeAll().map(({ seqno }) => seqno);
        return left.length === 30 - order.length && !events.pending.length && isSorted(left);
      }),
      { numRuns: 30 },
    );
  };
  t.notThrows(property);
});

const isSorted = (list: readonly number[]): boolean =>
  list.every((one, i) => i === 0 || seqnoAfter(one, list[i - 1] ?? 0));

test('a front end that goes round its WAIT has not moved, and one that finished a job has', t => {
  const seen = { address: 0x1000, completed: 5 };
  const moved = (address: number, completed: number): boolean =>
    VivanteGpu.hasMoved(seen, { address, completed });
  t.false(moved(0x1000, 5));
  t.false(moved(0x1010, 5));
  t.true(moved(0x1018, 5));
  t.true(moved(0xff8, 5));
  t.true(moved(0x1000, 6));
});

/** LOAD_STATE of one state. */
const state = (offset: number, value = 0): readonly number[] => [loadState(offset, 1), value];

test('a stream of what a client may do is taken', t => {
  const stream = [
    ...state(GC_STATES.registers.PIPE_SELECT.at),
    ...state(RS.registers.DEST_ADDR.at, 0x40_0000),
    ...[loadState(RS.registers.FILL_VALUE.at, 3), 1, 2, 3],
    ...[OPCODE.at(Opcode.Nop), 0],
    ...[OPCODE.at(Opcode.Stall), 0x701],
    ...[OPCODE.at(Opcode.Draw2d) + 0x100, 0, 0, 0],
    ...[OPCODE.at(Opcode.DrawPrimitives), 4, 0, 1],
  ];
  t.is(refusalOf(stream, null), null);
});

test('a client cannot lead the front end elsewhere, or touch what is the kernel’s', t => {
  const ok = state(RS.registers.FILL_VALUE.at);
  for (const opcode of [0, 2, 7, 8, 10, 11, 13, 14, 21, 31]) {
    const refusal = refusalOf([...ok, OPCODE.at(opcode), 0x1000], null);
    t.like(refusal, { word: 2, text: `opcode ${opcode} is not for clients` });
  }
  const { registers } = GC_STATES;
  for (const { at } of [
    registers.EVENT,
    registers.MMUV2_CONFIGURATION,
    registers.MMUV2_SAFE_ADDRESS,
    registers.X_AS_SELECT,
  ]) {
    t.is(refusalOf([...ok, ...state(at)], null)?.word, 3);
    t.false(PERMITTED.has(at));
  }
  // The state before a forbidden one does not open the way to it.
  t.is(refusalOf([loadState(registers.PIPE_SELECT.at, 3), 0, 0x41, 0], null)?.word, 2);
  t.is(refusalOf([loadState(RS.registers.FILL_VALUE.at, 1)], null)?.text, 'a command is cut off');
  t.is(refusalOf([loadState(0x3800, 1024), 0], null)?.text, 'a command is cut off');
  // A draw takes the words that the front end takes: what follows is not hidden in it.
  const data = OPCODE.at(Opcode.Draw2d) + 0x100 + 2 * 0x1_0000;
  t.is(refusalOf([data, 0, 0, 0, 0, 0, OPCODE.at(Opcode.End), 0], null)?.word, 6);
  for (const token of [0x705, 0x101, 0x501]) {
    t.is(refusalOf([OPCODE.at(Opcode.Stall), token], null)?.word, 1);
    t.is(refusalOf(state(registers.SEMAPHORE_TOKEN.at, token), null)?.word, 1);
  }
});

test('an address is one that the kernel has put there, where clients share a space', t => {
  const at = RS.registers.SOURCE_ADDR.at;
  const stream = [...state(RS.registers.CONFIG.at), ...state(at, 0x1000), ...state(at, 0x2000)];
  t.is(refusalOf(stream, null), null);
  t.is(refusalOf(stream, [])?.word, 3);
  t.is(refusalOf(stream, [12])?.word, 5);
  t.is(refusalOf(stream, [12, 20]), null);
  const fixp = [loadState(at, 1) + 2 ** 26, 0];
  t.is(refusalOf(fixp, null)?.text, 'an address is made a float');
  for (const address of [RS.registers.DEST_ADDR.at, PE.registers.FE_VERTEX_STREAM_BASE_ADDR.at]) {
    t.true(ADDRESSES.has(address));
  }
  t.true(
    [...ADDRESSES].some(offset => offset >= 0x1200 && offset < 0x1300),
    DE.name,
  );
});

test('no stream of any words makes the validator pass what it does not permit, or stop', t => {
  const property = (): void => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 32 - 1), { maxLength: 40 }), words => {
        const refusal = refusalOf(words, null);
        return refusal === null || (refusal.word >= 0 && refusal.word < words.length);
      }),
      { numRuns: 200 },
    );
  };
  t.notThrows(property);
});

test('each word of a stream is read once: what is checked is what runs', t => {
  let reads = 0;
  const changing = { length: 4, word: (index: number) => (++reads > 4 ? 0x4000_0000 : index) };
  t.deepEqual(copyStream(changing), [0, 1, 2, 3]);
  t.is(reads, 4);
  for (const length of [0, -2, 1, 3, 0.5, MOST_WORDS + 2, NaN, Infinity]) {
    t.is(copyStream({ length, word: () => 0 }), -EINVAL);
  }
});
