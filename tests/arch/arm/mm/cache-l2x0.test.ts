import test from 'ava';
import { l2x0Init } from '../../../../arch/arm/mm/cache-l2x0';
import { PL310 } from '../../../../arch/arm/cache/pl310/regs';
import type { RegisterIo } from '../../../../drivers/base/kernel/registers';
import { cpuAddr, physAddr } from '../../../../drivers/base/types/address';

const { registers } = PL310;
/** Eight ways of 16 KiB: 128 KiB. */
const AUX = registers.AUX_CTRL.fields.WAY_SIZE.at(1);

const recorder = (): { readonly io: RegisterIo; readonly writes: [number, number][] } => {
  const writes: [number, number][] = [];
  const unused = (): never => {
    throw new Error('the registers of a PL310 are words');
  };
  const io: RegisterIo = {
    readb: unused,
    readw: unused,
    writeb: unused,
    writew: unused,
    readl: address => (address === registers.AUX_CTRL.at ? AUX : 0),
    writel: (value, address) => {
      writes.push([address, value]);
    },
  };
  return { io, writes };
};

for (const [routine, register] of [
  ['invRange', 'INV_PA'],
  ['cleanRange', 'CLEAN_PA'],
  ['flushRange', 'CLEAN_INV_PA'],
] as const) {
  test(`L2C-310: ${routine} goes line by line, however long the range is`, t => {
    const { io, writes } = recorder();
    const outer = l2x0Init(io, io, cpuAddr(0), { sharedOverride: false, ioCoherent: false });
    for (const size of [32, 4096, 128 * 1024 - 32, 128 * 1024, 256 * 1024]) {
      writes.length = 0;
      outer[routine](physAddr(0x8000_0000), size);
      t.deepEqual(writes.at(-1), [registers.CACHE_SYNC.at, 0]);
      t.deepEqual(
        writes.slice(0, -1),
        Array.from({ length: size / 32 }, (_, i) => [registers[register].at, 0x8000_0000 + i * 32]),
      );
    }
  });
}
