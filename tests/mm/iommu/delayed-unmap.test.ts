import test from 'ava';
import { BenchError } from '../../../drivers/base/types/errors';
import { dmaAddr } from '../../../drivers/base/types/address';
import type { DmaAddr } from '../../../drivers/base/types/address';
import { DelayedUnmap } from '../../../mm/iommu/delayed-unmap';

/** Room for so many buffers, and what was done. */
const bench = (room: number, evicts = false) => {
  const told: string[] = [];
  const taken = new Map<DmaAddr, string>();
  const delayed = new DelayedUnmap<string>(
    {
      map: buffer => {
        const at = Array.from({ length: room }, (_, i) => dmaAddr(i)).find(
          each => !taken.has(each),
        );
        if (at === undefined) return null;
        taken.set(at, buffer);
        told.push(`map ${buffer}`);
        return at;
      },
      unmap: (buffer, address) => {
        taken.delete(address);
        told.push(`unmap ${buffer}`);
      },
      give: buffer => told.push(`give ${buffer}`),
      take: buffer => told.push(`take ${buffer}`),
    },
    { evicts },
  );
  return { delayed, told: () => told.splice(0), taken };
};

test('a buffer that is mapped again is where it was; its caches are maintained each time', t => {
  const { delayed, told } = bench(2);
  const first = delayed.map('a');
  delayed.unmap('a');
  t.is(delayed.map('a'), first);
  t.is(delayed.map('a'), first, 'a second user');
  delayed.unmap('a');
  delayed.unmap('a');
  t.deepEqual(told(), ['map a', 'give a', 'take a', 'give a', 'take a']);
  t.deepEqual([delayed.mapped, delayed.idle], [1, 1]);
  delayed.free('a');
  t.deepEqual(told(), ['unmap a']);
});

test('what nobody uses takes room, until it is freed or, evicting, somebody needs it', t => {
  const stubborn = bench(2);
  for (const buffer of ['a', 'b']) {
    stubborn.delayed.map(buffer);
    stubborn.delayed.unmap(buffer);
  }
  t.is(stubborn.delayed.map('c'), null);
  stubborn.delayed.free('a');
  t.not(stubborn.delayed.map('c'), null);
  const yielding = bench(2, true);
  for (const buffer of ['a', 'b', 'a']) {
    yielding.delayed.map(buffer);
    yielding.delayed.unmap(buffer);
  }
  yielding.told();
  t.not(yielding.delayed.map('c'), null);
  t.deepEqual(yielding.told(), ['unmap b', 'map c', 'give c'], 'the one that was used longest ago');
  t.not(yielding.delayed.map('d'), null);
  t.is(yielding.delayed.map('e'), null, 'what is in use stays');
});

test('the leak check finds memory that was freed without a word and is mapped still', t => {
  const { delayed, taken } = bench(2);
  const alive = new Set(['a', 'b']);
  for (const buffer of alive) {
    delayed.map(buffer);
    delayed.unmap(buffer);
  }
  alive.delete('b');
  t.deepEqual(
    delayed.leaked(buffer => alive.has(buffer)),
    ['b'],
  );
  t.true([...taken.values()].includes('b'), 'the device reaches it');
  delayed.free('b');
  t.deepEqual(
    delayed.leaked(buffer => alive.has(buffer)),
    [],
  );
});

test('an unmap too many, and a free of what is in use, are defects of who calls', t => {
  const { delayed } = bench(1);
  delayed.map('a');
  t.throws(
    () => {
      delayed.free('a');
    },
    { instanceOf: BenchError },
  );
  delayed.unmap('a');
  t.throws(
    () => {
      delayed.unmap('a');
    },
    { instanceOf: BenchError },
  );
  delayed.free('unknown');
  t.is(delayed.mapped, 1);
});
