import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { cpuAddr } from '../../drivers/base/types/address';
import { memchrInv, memcpy, memset } from '../../mm/string';
import type { Accesses } from '../../mm/string';

const SIZE = 64;

/** Bytes that are reached as a CPU does that faults on what is not aligned. */
const makeMemory = (): { bytes: Uint8Array; io: Accesses; words: () => number } => {
  const bytes = Uint8Array.from({ length: SIZE }, (_, i) => i);
  const view = new DataView(bytes.buffer);
  let words = 0;
  const aligned = (address: number): number => {
    assert.equal(address % 4, 0);
    words++;
    return address;
  };
  const io: Accesses = {
    readb: address => view.getUint8(address),
    readl: address => view.getUint32(aligned(address), true),
    writeb: (value, address) => {
      view.setUint8(address, value);
    },
    writel: (value, address) => {
      view.setUint32(aligned(address), value, true);
    },
  };
  return { bytes, io, words: () => words };
};

const range = fc.tuple(fc.nat(SIZE / 2 - 1), fc.nat(SIZE / 2)).map(([start, size]) => ({
  start,
  size: Math.min(size, SIZE / 2 - start),
}));

test('memset fills these bytes and no others, wherever they begin', t => {
  fc.assert(
    fc.property(range, fc.nat(255), ({ start, size }, value) => {
      const { bytes, io } = makeMemory();
      memset(io, cpuAddr(start), value, size);
      bytes.forEach((byte, i) => {
        assert.equal(byte, i >= start && i < start + size ? value : i);
      });
    }),
  );
  t.pass();
});

test('memcpy copies these bytes and no others, however the two are aligned', t => {
  fc.assert(
    fc.property(range, fc.nat(7), ({ start, size }, shift) => {
      const { bytes, io } = makeMemory();
      const to = SIZE / 2 + Math.min(shift, SIZE / 2 - size);
      memcpy(io, cpuAddr(to), cpuAddr(start), size);
      bytes.forEach((byte, i) => {
        assert.equal(byte, i >= to && i < to + size ? i - to + start : i);
      });
    }),
  );
  t.pass();
});

test('what is aligned is filled and copied in words', t => {
  const { io, words } = makeMemory();
  memset(io, cpuAddr(3), 1, 10);
  t.is(words(), 2);
  memcpy(io, cpuAddr(34), cpuAddr(2), 10);
  t.is(words(), 6);
});

test('memchrInv finds the first byte that differs', t => {
  const { io, bytes } = makeMemory();
  bytes.fill(7);
  t.is(memchrInv(io, cpuAddr(3), 7, 20), null);
  bytes[22] = 8;
  t.is(memchrInv(io, cpuAddr(3), 7, 20), cpuAddr(22));
  t.is(memchrInv(io, cpuAddr(3), 7, 19), null);
  bytes[3] = 0;
  t.is(memchrInv(io, cpuAddr(3), 7, 20), cpuAddr(3));
});
