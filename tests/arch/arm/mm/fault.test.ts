import test from 'ava';
import { FaultHandler } from '../../../../arch/arm/mm/fault';
import { KernelOops } from '../../../../drivers/base/kernel/oops';
import { cpuAddr } from '../../../../drivers/base/types/address';
import { FaultKind } from '../../../../drivers/base/types/isa';
import type { FaultRecord } from '../../../../drivers/base/types/isa';

const fault = (address: number): FaultRecord => ({
  kind: FaultKind.Translation,
  address: cpuAddr(address),
  write: false,
  level: 2,
});

test('the first fixup that can resolves a fault, and what none resolves is an oops', t => {
  const faults = new FaultHandler();
  faults.addFixup(() => false);
  faults.addFixup(({ address }) => address === 0x1000);
  t.true(faults.handle(fault(0x1000)));
  t.is(faults.resolved, 1);
  t.throws(() => faults.handle(fault(0x2000)), {
    instanceOf: KernelOops,
    message: 'Unable to handle kernel read at virtual address 0x2000 (translation fault, level 2)',
  });
});

test('a fixup that faults itself is an oops, not an endless recursion', t => {
  const faults = new FaultHandler();
  faults.addFixup(() => faults.handle(fault(0x3000)));
  t.throws(() => faults.handle(fault(0x1000)), {
    instanceOf: KernelOops,
    message: /0x3000 .*while a fault was handled$/,
  });
  t.throws(() => faults.handle(fault(0x1000)), { message: /while a fault was handled$/ });
});

test('who asked is told the first fault, and the access is skipped', t => {
  const faults = new FaultHandler();
  const found = faults.capture(() => {
    t.false(faults.handle(fault(0x1000)));
    t.false(faults.handle(fault(0x2000)));
  });
  t.is(found?.address, cpuAddr(0x1000));
  t.is(
    faults.capture(() => undefined),
    null,
  );
  t.throws(() => faults.handle(fault(0x1000)), { instanceOf: KernelOops });
});
