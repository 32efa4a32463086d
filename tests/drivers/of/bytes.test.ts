import test from 'ava';
import { ByteWriter, cellAt, cellBytes, stringBytes } from '../../../drivers/of/bytes';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('numbers are written with the highest byte first', t => {
  const writer = new ByteWriter();
  writer.u8(1);
  writer.u16(0x0203);
  writer.u32(0x0405_0607);
  writer.u64(0x0809_0a0b_0c0d_0e0fn);
  t.is(writer.length, 15);
  t.is(hexOf(writer.take()), '0102030405060708090a0b0c0d0e0f');
});

test('what is skipped to align is zero, also where bytes have been before', t => {
  const writer = new ByteWriter();
  writer.bytes(new Uint8Array(16).fill(0xff));
  writer.take();
  t.is(writer.length, 0);
  writer.u8(1);
  writer.align(4);
  writer.align(4);
  t.is(hexOf(writer.take()), '01000000');
});

test('a writer grows without losing what it has', t => {
  const writer = new ByteWriter();
  const expected = Array.from({ length: 1000 }, (_, i) => i % 256);
  for (const byte of expected) writer.u8(byte);
  writer.bytes(Uint8Array.from(expected));
  t.deepEqual([...writer.take()], [...expected, ...expected]);
});

test('what was taken is not written to any more', t => {
  const writer = new ByteWriter();
  writer.string('ab');
  const taken = writer.take();
  writer.u32(0xffff_ffff);
  t.is(hexOf(taken), '616200');
});

test('strings are UTF-8 with a NUL, cells big-endian', t => {
  t.is(hexOf(stringBytes('é')), 'c3a900');
  t.is(hexOf(cellBytes([1, 0xffff_ffff])), '00000001ffffffff');
  t.is(cellAt(Uint8Array.of(0, 1, 2, 3, 4), 1), 0x0102_0304);
  t.is(cellAt(Uint8Array.of(0, 1, 2, 3, 4), 2), undefined);
});
