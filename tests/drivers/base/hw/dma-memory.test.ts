import test from 'ava';
import fc from 'fast-check';
import { TxResult, orResults } from '../../../../drivers/base/hw/mmio';
import { UnmodelledError } from '../../../../drivers/base/types/errors';
import { AddressSpace } from '../../../../drivers/base/hw/address-space';
import { IoBus } from '../../../../drivers/base/hw/io-bus';
import { MemoryRegion } from '../../../../drivers/base/hw/memory-region';
import { RamBlock } from '../../../../drivers/base/hw/ram';
import { DmaBench, IO_BASE, IO_END, IO_GOOD, RAM_BASE, RAM_SIZE } from '../../../support/dma-bench';

const END = IO_END + 64;

/** What the bus answers for the bytes of a range, whatever the splits. */
const resultOf = (address: number, length: number): number => {
  const touches = (start: number, end: number): boolean =>
    length > 0 && address < end && address + length > start;
  return (
    (touches(IO_BASE + IO_GOOD, IO_END) ? TxResult.AccessError : 0) |
    (touches(IO_END, END) ? TxResult.DecodeError : 0)
  );
};

const transfer = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: RAM_BASE, max: RAM_BASE + 200 }),
      fc.integer({ min: RAM_BASE + RAM_SIZE / 2 - 100, max: RAM_BASE + RAM_SIZE / 2 + 100 }),
      fc.integer({ min: IO_BASE - 100, max: END - 1 }),
    ),
    fc.integer({ min: 0, max: 150 }),
    fc.boolean(),
  )
  .map(([address, length, write]) => ({
    address,
    length: Math.min(length, END - address),
    write,
  }));

test('a range is moved whatever it straddles, and results are ORed over its parts', t => {
  fc.assert(
    fc.property(fc.array(transfer, { maxLength: 30 }), transfers => {
      const { memory } = new DmaBench();
      const model = new Uint8Array(RAM_SIZE + IO_GOOD);
      let next = 1;
      for (const { address, length, write } of transfers) {
        const data = Uint8Array.from({ length }, () => next++);
        const known = Math.max(0, Math.min(length, RAM_BASE + model.length - address));
        const expected = resultOf(address, length);
        if (write) {
          t.is(memory.write(address, length, data, 0), expected as TxResult);
          model.set(
            data.subarray(0, known),
            address - RAM_BASE < model.length ? address - RAM_BASE : 0,
          );
        } else {
          const into = new Uint8Array(length);
          t.is(memory.read(address, length, into, 0), expected as TxResult);
          t.deepEqual(
            [...into.subarray(0, known)],
            [...model.subarray(address - RAM_BASE, address - RAM_BASE + known)],
          );
        }
      }
    }),
    { numRuns: 60 },
  );
  t.pass();
});

test('a part of a buffer is moved, and the rest of both sides stays', t => {
  const bench = new DmaBench();
  bench.poke(RAM_BASE + 28, [1, 2, 3, 4, 5, 6, 7, 8]);
  const into = new Uint8Array(8).fill(0xee);
  t.is(bench.memory.read(RAM_BASE + 30, 4, into, 2), TxResult.Ok);
  t.deepEqual([...into], [0xee, 0xee, 3, 4, 5, 6, 0xee, 0xee]);
  t.is(bench.memory.write(RAM_BASE + 31, 2, Uint8Array.of(9, 10, 11, 12), 1), TxResult.Ok);
  t.deepEqual(bench.peek(RAM_BASE + 28, 8), [1, 2, 3, 10, 11, 6, 7, 8]);
});

test('what cannot be read leaves the buffer as it was', t => {
  const { memory } = new DmaBench();
  const into = new Uint8Array(8).fill(0xee);
  t.is(memory.read(IO_END - 4, 8, into, 0), orResults(TxResult.AccessError, TxResult.DecodeError));
  t.deepEqual([...into], new Array<number>(8).fill(0xee));
});

test('registers are accessed by aligned words, and by bytes before and after them', t => {
  const { memory, accesses } = new DmaBench();
  memory.write(IO_BASE + 2, 8, new Uint8Array(8), 0);
  t.deepEqual(accesses, [
    'write 1 at 0x2',
    'write 1 at 0x3',
    'write 4 at 0x4',
    'write 1 at 0x8',
    'write 1 at 0x9',
  ]);
});

test('every line that is touched is told of, once, and registers are not', t => {
  const { memory, touched, ram } = new DmaBench();
  memory.read(RAM_BASE + 20, 60, new Uint8Array(60), 0);
  memory.write(IO_BASE - 4, 8, new Uint8Array(8), 0);
  const first = ram.wordOf(RAM_BASE);
  t.deepEqual(touched, [first + 5, first + 8, first + 16, ram.wordOf(IO_BASE - 4)]);
});

test('a hole answers a decode error, ROM refuses writes and is not read', t => {
  const system = MemoryRegion.container('system', 0x10000);
  const rom = new RamBlock('rom', 0x1000);
  system.add(0, MemoryRegion.rom('rom', rom));
  system.add(0x2000, MemoryRegion.ram('ram', new RamBlock('ram', 0x1000)));
  const io = new IoBus(new AddressSpace('system', system));
  t.is(io.read(0x1000, 4), -TxResult.DecodeError);
  t.is(io.write(0x1000, 4, 0), TxResult.DecodeError);
  t.is(io.write(0, 4, 0), TxResult.AccessError);
  t.throws(() => io.read(0, 4), { instanceOf: UnmodelledError, message: /rom rom/ });
  t.throws(() => io.write(0x2000, 4, 0), { instanceOf: UnmodelledError, message: /ram ram/ });
});

test('a walker reads descriptors of 32 and of 64 bits, each as one event', t => {
  const bench = new DmaBench();
  const { memory, touched } = bench;
  bench.poke(RAM_BASE + 8, [1, 2, 3, 0x84, 5, 6, 7, 0x88]);
  t.is(memory.readTable(RAM_BASE + 8), 0x8403_0201);
  t.is(memory.readTable64(RAM_BASE + 8), 0x8403_0201);
  t.is(memory.tableHigh, 0x8807_0605);
  t.is(touched.length, 2);
  t.is(memory.readTable64(IO_BASE), null);
});
