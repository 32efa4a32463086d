import test from 'ava';
import { layoutFor } from '../../../../arch/arm/mm/layout';
import { physAddr } from '../../../../drivers/base/types/address';
import { GIB, MIB } from '../../../../drivers/base/types/bits';
import { InputError } from '../../../../drivers/base/types/errors';

const TIB = 1024 * GIB;

test('RAM beyond the physical addresses of the tables is truncated or ignored, with a note', t => {
  const { ram, notes } = layoutFor(
    'arm',
    [
      { base: 8 * GIB, size: GIB },
      { base: 2 * GIB, size: 64 * GIB },
    ],
    32,
  );
  t.deepEqual(ram, [{ base: 2 * GIB, size: 2 * GIB }]);
  t.deepEqual(notes, [
    'Truncating memory at 0x80000000 to fit in 32-bit physical address space: 2048 of 65536 MiB are used',
    'Ignoring memory at 0x200000000 outside 32-bit physical address space',
  ]);
});

test('RAM that is all within reach is used without a word', t => {
  const ram = [{ base: GIB, size: 3 * GIB }];
  for (const image of ['arm', 'arm64', 'nommu'] as const) {
    const layout = layoutFor(image, ram, 32);
    t.deepEqual([layout.ram, layout.notes], [ram, []]);
  }
});

test('arm64 takes no RAM that its linear map has no room for', t => {
  const { ram, notes, lowmemEnd } = layoutFor('arm64', [{ base: GIB + MIB, size: 200 * TIB }], 48);
  t.is(lowmemEnd, physAddr(GIB + 128 * TIB));
  t.deepEqual(ram, [{ base: GIB + MIB, size: 128 * TIB - MIB }]);
  t.is(notes.length, 1);
  t.regex(notes[0] ?? '', /^Truncating memory at 0x40100000 to fit in the linear map: /);
});

test('a machine whose RAM is all out of reach has none', t => {
  t.throws(() => layoutFor('arm', [{ base: 4 * GIB, size: GIB }], 32), { instanceOf: InputError });
});
