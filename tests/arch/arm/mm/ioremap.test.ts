import test from 'ava';
import { KernelMappings } from '../../../../arch/arm/mm/ioremap';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { cpuAddr, physAddr } from '../../../../drivers/base/types/address';
import { RAM_BASE } from '../machine';
import { KERNELS, bootCase } from './kernels';

/** Registers, as far as the kernel knows: no RAM from here on. */
const REGISTERS = 0xf000_0010;

for (const kernel of KERNELS) {
  test(`${kernel.format} on ${kernel.core}: ioremap of more than there are addresses is refused and costs nothing`, t => {
    const { mm } = bootCase(kernel);
    const mappings = new KernelMappings(mm);
    const { vmalloc } = mm;
    if (vmalloc === null) return t.fail();
    const before = mm.pages.freePages;
    const all = vmalloc.end - vmalloc.start;
    // The last two are more pages than a list can have, and more than a number can count.
    for (const size of [all, all + 4096, 2 ** 51, 2 ** 53]) {
      t.is(mappings.ioremap(physAddr(REGISTERS), size), null, `${size}`);
    }
    t.deepEqual(vmalloc.areas, []);
    t.is(mm.pages.freePages, before);
    t.is(mappings.ioremap(physAddr(REGISTERS), 8), cpuAddr(vmalloc.start + 0x10));
  });
}

test('what ioremap maps is the page of the address and those after it, one by one', t => {
  const [kernel] = KERNELS;
  if (kernel === undefined) return t.fail();
  const { mm } = bootCase(kernel);
  const mappings = new KernelMappings(mm);
  const at = mappings.ioremap(physAddr(REGISTERS), 0x2000);
  if (at === null || mm.vmalloc === null) return t.fail();
  t.deepEqual(
    mm.vmalloc.areas.map(({ start, size, caller }) => [start, size, caller]),
    [[cpuAddr(at - 0x10), 0x3000, 'ioremap']],
  );
});

test('RAM is not registers', t => {
  const [kernel] = KERNELS;
  if (kernel === undefined) return t.fail();
  const mappings = new KernelMappings(bootCase(kernel).mm);
  for (const [address, size] of [
    [RAM_BASE, 4],
    [RAM_BASE - 4, 8],
    [RAM_BASE - 0x1000, 2 ** 51],
  ] as const) {
    t.throws(() => mappings.ioremap(physAddr(address), size), { instanceOf: KernelOops });
  }
});
