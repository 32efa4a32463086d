import test from 'ava';
import { physAddr } from '../../drivers/base/types/address';
import { GIB } from '../../drivers/base/types/bits';
import { boot } from '../support/booted';

test('RAM that the CPU cannot reach is in the notes of the machine, with how much is used', t => {
  for (const [board, size, ram, note] of [
    ['pandaboard', 64 * GIB, 2 * GIB, /^Truncating memory at 0x80000000 to fit in 32-bit physical/],
    ['virt', 2 ** 47, 1023 * GIB, /^Truncating memory at 0x40000000 to fit in 40-bit physical/],
  ] as const) {
    const { kernel, notes } = boot(board, size);
    t.deepEqual(
      kernel.mm.layout.ram.map(range => range.size),
      [ram],
    );
    t.true(notes.some(text => note.test(text)));
  }
});

test('the last page of RAM that a core can reach can be used', t => {
  const { cpu, mm } = boot('virt', 2 ** 47).kernel;
  const address = mm.layout.physToVirt(physAddr(2 ** 40 - 4096));
  if (address === null) return t.fail();
  cpu.store32(address, 7);
  t.is(cpu.load32(address), 7);
  t.is(mm.layout.physToVirt(physAddr(2 ** 40)), null);
});
