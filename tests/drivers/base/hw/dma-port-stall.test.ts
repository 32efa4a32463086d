import test from 'ava';
import type { DmaPort, DmaTiming, IommuHook } from '../../../../drivers/base/hw/dma-port';
import { TxResult } from '../../../../drivers/base/hw/mmio';
import { Stall } from '../../../../drivers/base/hw/stall';
import { dmaAddr, ticks } from '../../../../drivers/base/types/address';
import { BenchError, UnmodelledError } from '../../../../drivers/base/types/errors';
import { DmaBench, RAM_BASE } from '../../../support/dma-bench';

const PIECE = 0x100;

/** A port behind an IOMMU that translates in pieces, and stalls what is written to `stalls`. */
const behindStalls = (timing: DmaTiming) => {
  const bench = new DmaBench();
  const stalls = new Map<number, Stall>();
  const asked: number[] = [];
  const iommu: IommuHook = {
    mayStall: true,
    translate: address => {
      asked.push(address);
      const length = PIECE - (address % PIECE);
      const stall = stalls.get(address - (address % PIECE)) ?? null;
      return { address: RAM_BASE + address, length, result: TxResult.Ok, stall };
    },
  };
  const port = bench.port({ iommu, timing });
  const pass = (nanoseconds: number): void => {
    bench.events.advanceTo(ticks(bench.events.now + nanoseconds));
  };
  return { bench, stalls, asked, port, pass };
};

/** What a device does: it reads 16 bytes at 0 and copies them to 0x1f8, over the end of a piece. */
const copyTo = (port: DmaPort) => {
  const told: (TxResult | 'complete')[] = [];
  const data = new Uint8Array(16);
  const timer = port.transfer(
    100,
    () => {
      const result = port.read(dmaAddr(0), 16, data);
      told.push(result);
      if (result === TxResult.Ok) told.push(port.write(dmaAddr(0x1f8), 16, data));
    },
    () => told.push('complete'),
  );
  return { told, timer };
};

const WORDS = Array.from({ length: 16 }, (_, i) => i + 1);

for (const timing of ['earliest', 'latest'] as const) {
  test(`a transfer (${timing}) waits for its stalled transaction and moves each byte once`, t => {
    const { bench, stalls, asked, port, pass } = behindStalls(timing);
    bench.poke(RAM_BASE, WORDS);
    const stall = new Stall();
    stalls.set(0x200, stall);
    const { told } = copyTo(port);
    pass(1000);
    t.deepEqual(told, [TxResult.Ok, TxResult.Error], 'it is not complete');
    t.deepEqual(bench.peek(RAM_BASE + 0x1f8, 9), [...WORDS.slice(0, 8), 0], 'what came before is');
    bench.poke(RAM_BASE, [99]);
    bench.poke(RAM_BASE + 0x1f8, [77]);
    stalls.delete(0x200);
    stall.end('retry');
    pass(0);
    t.deepEqual(told.slice(2), [TxResult.Ok, TxResult.Ok, 'complete']);
    t.deepEqual(bench.peek(RAM_BASE + 0x200, 8), WORDS.slice(8), 'as read before the stall');
    t.deepEqual(bench.peek(RAM_BASE + 0x1f8, 1), [77], 'and not written again');
    t.deepEqual(asked, [0, 0x1f8, 0x200, 0x200]);
    t.is(port.transactions, 2);
    t.is(port.bytes, 32);
    t.throws(
      () => {
        stall.end('abort');
      },
      { instanceOf: BenchError },
    );
  });
}

test('a stalled transaction can be ended with an error, or as if nothing were wrong', t => {
  for (const [how, results] of [
    ['abort', [TxResult.Ok, TxResult.Error, 'complete']],
    ['ignore', [TxResult.Ok, TxResult.Ok, 'complete']],
  ] as const) {
    const { bench, stalls, port, pass } = behindStalls('latest');
    bench.poke(RAM_BASE, WORDS);
    const stall = new Stall();
    stalls.set(0x200, stall);
    const { told } = copyTo(port);
    pass(100);
    stall.end(how);
    pass(0);
    t.deepEqual(told.slice(2), [...results]);
    t.deepEqual(bench.peek(RAM_BASE + 0x200, 1), [0], 'nothing was written');
  }
  const { bench, stalls, port, pass } = behindStalls('latest');
  bench.poke(RAM_BASE, WORDS);
  const stall = new Stall();
  stalls.set(0, stall);
  const into = new Uint8Array(4).fill(9);
  port.transfer(
    1,
    () => {
      port.read(dmaAddr(0), 4, into);
    },
    () => undefined,
  );
  pass(1);
  stall.end('ignore');
  pass(0);
  t.deepEqual([...into], [0, 0, 0, 0], 'zeros are read');
});

test('a transfer may stall again, and one that has stalled early completes when its time is over', t => {
  const { stalls, port, pass } = behindStalls('earliest');
  const first = new Stall();
  const second = new Stall();
  stalls.set(0, first);
  const { told } = copyTo(port);
  stalls.set(0, second);
  first.end('retry');
  pass(10);
  t.deepEqual(told, [TxResult.Error, TxResult.Error]);
  stalls.clear();
  second.end('retry');
  pass(10);
  t.deepEqual(told.slice(2), [TxResult.Ok, TxResult.Ok]);
  pass(80);
  t.deepEqual(told.slice(4), ['complete']);
});

test('a transfer that is aborted while it waits, or goes on, is heard of no more', t => {
  for (const isResuming of [false, true]) {
    const { bench, stalls, port, pass } = behindStalls('latest');
    const stall = new Stall();
    stalls.set(0, stall);
    const { told, timer } = copyTo(port);
    pass(100);
    if (isResuming) stall.end('retry');
    port.abort(timer);
    if (!isResuming) stall.end('retry');
    pass(100);
    t.deepEqual(told, [TxResult.Error]);
    t.is(bench.events.pending, 0);
  }
});

test('what is no part of a transfer cannot wait', t => {
  const { stalls, port } = behindStalls('latest');
  stalls.set(0, new Stall());
  t.throws(() => port.read(dmaAddr(0), 4, new Uint8Array(4)), { instanceOf: UnmodelledError });
});
