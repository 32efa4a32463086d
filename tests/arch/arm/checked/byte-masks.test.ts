import test from 'ava';
import { byteCount, firstByte, highMask, lowMask } from '../../../../arch/arm/checked/byte-masks';

test('a mask of bytes has a bit for each byte of the range, in two halves', t => {
  for (let offset = 0; offset < 64; offset++) {
    for (let size = 1; offset + size <= 64; size++) {
      const bits = ((1n << BigInt(size)) - 1n) << BigInt(offset);
      t.is(lowMask(offset, size), Number(BigInt.asIntN(32, bits)));
      t.is(highMask(offset, size), Number(BigInt.asIntN(32, bits >> 32n)));
    }
  }
});

test('the bytes that bits of a word cover', t => {
  for (const [mask, first, count] of [
    [0xff, 0, 1],
    [0xff00, 1, 1],
    [0xffff_0000 | 0, 2, 2],
    [0xff00_0000 | 0, 3, 1],
    [-1, 0, 4],
  ] as const) {
    t.deepEqual([firstByte(mask), byteCount(mask)], [first, count]);
  }
});
