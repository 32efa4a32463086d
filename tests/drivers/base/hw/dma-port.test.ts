import test from 'ava';
import fc from 'fast-check';
import type { BusWindow } from '../../../../drivers/base/hw/dma-port';
import { TxResult, orResults } from '../../../../drivers/base/hw/mmio';
import { dmaAddr, ticks } from '../../../../drivers/base/types/address';
import { BenchError, InputError } from '../../../../drivers/base/types/errors';
import { DmaBench, IO_END, RAM_BASE } from '../../../support/dma-bench';

/** The second window comes first in memory, and a hole lies between them on the bus. */
const WINDOWS: readonly BusWindow[] = [
  { dma: 0x1000, cpu: RAM_BASE + 0x1000, size: 0x100 },
  { dma: 0x1200, cpu: RAM_BASE, size: 0x100 },
];

const physicalOf = (address: number): number | null => {
  const window = WINDOWS.find(({ dma, size }) => address >= dma && address < dma + size);
  return window === undefined ? null : window.cpu + address - window.dma;
};

test('without windows a bus address is a physical address', t => {
  const bench = new DmaBench();
  const port = bench.port();
  t.is(port.write(dmaAddr(RAM_BASE + 1), 3, Uint8Array.of(1, 2, 3)), TxResult.Ok);
  t.deepEqual(bench.peek(RAM_BASE, 5), [0, 1, 2, 3, 0]);
  t.is(port.read(dmaAddr(IO_END), 4, new Uint8Array(4)), TxResult.DecodeError);
});

test('each byte goes through the window that holds it, and nobody answers between them', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0xf80, max: 0x1340 }),
      fc.integer({ min: 0, max: 0x300 }),
      (address, length) => {
        const bench = new DmaBench();
        const port = bench.port({ windows: WINDOWS });
        const data = Uint8Array.from({ length }, (_, i) => 1 + (i % 255));
        const places = Array.from({ length }, (_, i) => physicalOf(address + i));
        const expected = places.includes(null) ? TxResult.DecodeError : TxResult.Ok;
        t.is(port.write(dmaAddr(address), length, data), expected);
        const into = new Uint8Array(length);
        t.is(port.read(dmaAddr(address), length, into), expected);
        places.forEach((place, i) => {
          t.is(into[i], place === null ? 0 : data[i]);
          if (place !== null) t.deepEqual(bench.peek(place, 1), [data[i] ?? 0]);
        });
      },
    ),
    { numRuns: 40 },
  );
  t.pass();
});

test('an IOMMU is asked for each piece, its faults are ORed, and its answers pass no window', t => {
  const bench = new DmaBench();
  const asked: string[] = [];
  const port = bench.port({
    windows: WINDOWS,
    iommu: {
      translate: (address, write) => {
        asked.push(`${write ? 'write' : 'read'} ${address}`);
        const page = Math.floor(address / 16);
        const result =
          page === 1 ? TxResult.AccessError : page === 3 ? TxResult.Error : TxResult.Ok;
        return { address: RAM_BASE + 0x800 + address, length: 16 - (address % 16), result };
      },
    },
  });
  const data = Uint8Array.from({ length: 56 }, (_, i) => i + 1);
  t.is(port.write(dmaAddr(8), 56, data), orResults(TxResult.AccessError, TxResult.Error));
  t.deepEqual(asked, ['write 8', 'write 16', 'write 32', 'write 48']);
  t.deepEqual(bench.peek(RAM_BASE + 0x808, 8), [1, 2, 3, 4, 5, 6, 7, 8]);
  t.deepEqual(bench.peek(RAM_BASE + 0x810, 16), new Array<number>(16).fill(0));
  t.deepEqual(bench.peek(RAM_BASE + 0x820, 2), [25, 26]);
  asked.length = 0;
  port.read(dmaAddr(0), 4, new Uint8Array(4));
  t.deepEqual(asked, ['read 0']);
});

test('an IOMMU whose answer holds for no byte is a defect of the bench', t => {
  const iommu = { translate: () => ({ address: RAM_BASE, length: 0, result: TxResult.Ok }) };
  const port = new DmaBench().port({ iommu });
  t.throws(() => port.read(dmaAddr(0), 4, new Uint8Array(4)), { instanceOf: BenchError });
});

test('a buffer that is too short is a defect of the device model', t => {
  const port = new DmaBench().port();
  t.throws(() => port.read(dmaAddr(RAM_BASE), 5, new Uint8Array(4)), { instanceOf: BenchError });
  t.throws(() => port.write(dmaAddr(RAM_BASE), 4, new Uint8Array(4), 1), {
    instanceOf: BenchError,
  });
});

for (const [timing, expected] of [
  ['earliest', ['access at 100', 'doorbell left at 100', 'complete at 150']],
  ['latest', ['doorbell left at 100', 'access at 150', 'complete at 150']],
] as const) {
  test(`${timing}: memory is touched at that end of the transfer, once`, t => {
    const bench = new DmaBench();
    const seen: string[] = [];
    const tell = (what: string): void => {
      seen.push(`${what} at ${bench.events.now}`);
    };
    bench.events.advanceTo(ticks(100));
    const timer = bench.port({ timing }).transfer(
      50,
      () => {
        tell('access');
      },
      () => {
        tell('complete');
      },
    );
    tell('doorbell left');
    t.is(timer.name, 'port transfer');
    bench.events.advanceTo(ticks(1000));
    t.deepEqual(seen, [...expected]);
    t.is(bench.events.pending, 0);
  });
}

test('a transfer that is cancelled completes never, and touches nothing later', t => {
  const bench = new DmaBench();
  const seen: string[] = [];
  const timer = bench.port({ timing: 'latest' }).transfer(
    50,
    () => seen.push('access'),
    () => seen.push('complete'),
  );
  bench.events.advanceTo(ticks(49));
  bench.events.cancel(timer);
  bench.events.advanceTo(ticks(200));
  t.deepEqual(seen, []);
});

test('what is moved, and what comes of it, is in the trace', t => {
  const hashOf = (body: (bench: DmaBench) => void): string => {
    const bench = new DmaBench();
    body(bench);
    return bench.trace.hash;
  };
  const write = (address: number, byte: number) => (bench: DmaBench) => {
    bench.port().write(dmaAddr(address), 1, Uint8Array.of(byte));
  };
  const hashes = [
    hashOf(write(RAM_BASE, 1)),
    hashOf(write(RAM_BASE, 2)),
    hashOf(write(RAM_BASE + 1, 1)),
    hashOf(bench => bench.port().read(dmaAddr(RAM_BASE), 1, new Uint8Array(1))),
    hashOf(bench => bench.port().read(dmaAddr(IO_END), 1, new Uint8Array(1))),
  ];
  t.is(new Set(hashes).size, hashes.length);
  t.is(hashes[0], hashOf(write(RAM_BASE, 1)));
});

test('transactions and bytes are counted, saved and restored', t => {
  const bench = new DmaBench();
  const port = bench.port({ windows: WINDOWS });
  port.read(dmaAddr(0x1000), 0x300, new Uint8Array(0x300));
  port.write(dmaAddr(0x1000), 1, new Uint8Array(1));
  t.deepEqual([port.transactions, port.bytes], [2, 0x301]);
  const again = bench.port();
  again.restoreState(port.saveState());
  t.deepEqual([again.transactions, again.bytes], [2, 0x301]);
  t.throws(
    () => {
      again.restoreState({ transactions: 1 });
    },
    { instanceOf: InputError, message: /snapshot of port\.bytes/ },
  );
});

test('a poll reads what a read would, and a port that is strapped reads elsewhere', t => {
  const bench = new DmaBench();
  const other = new DmaBench();
  const port = bench.port();
  port.write(dmaAddr(RAM_BASE), 4, Uint8Array.of(1, 2, 3, 4));
  const into = new Uint8Array(4);
  t.is(port.poll(dmaAddr(RAM_BASE), 4, into), TxResult.Ok);
  t.deepEqual([...into], [1, 2, 3, 4]);
  port.strap(other.memory);
  port.poll(dmaAddr(RAM_BASE), 4, into);
  t.deepEqual([...into], [0, 0, 0, 0]);
});
