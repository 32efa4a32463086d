import test from 'ava';
import { FaultKind, TlbOp } from '../../../drivers/base/types/isa';
import { ArmMachine, DEVICES, RAM_BASE } from './machine';

/* Addresses at the edges: page 0, signed integers, accesses over the end of a page. */

test('page 0 is translated like any other', t => {
  const machine = new ArmMachine({ core: 'cortex-a9' });
  machine.page(0, 'cached');
  machine.setMemoryWord(RAM_BASE, (RAM_BASE + 0x4000) | 1);
  machine.setMemoryWord(machine.pageAt(0), 0x1234);
  t.is(machine.cpu.load32(0), 0x1234);
  t.is(machine.cpu.fault.kind, FaultKind.None);
});

test('a null pointer has no translation, before and after a flush of the TLB', t => {
  const { cpu, tables } = new ArmMachine({ core: 'cortex-a9' });
  cpu.load32(4);
  t.is(cpu.fault.kind, FaultKind.Translation);
  // A device page whose slot in the micro-TLB is that of page 0 leaves nothing behind.
  for (let n = 0; n < 128; n++) {
    tables.map(0x4000_0000 + n * 4096, DEVICES, 'device');
    cpu.store32(0x4000_0000 + n * 4096, 1);
  }
  cpu.tlbOp(TlbOp.All, 0, 0);
  cpu.dsb();
  const before = cpu.front.ioAccesses;
  cpu.store32(4, 0xbad);
  t.is(cpu.fault.kind, FaultKind.Translation);
  t.is(cpu.front.ioAccesses, before);
});

test('a 32-bit address may come as a signed integer', t => {
  const { cpu } = new ArmMachine({ core: 'cortex-a9', off: true });
  const signed = 0x8000_0010 | 0;
  cpu.store32(signed, 77);
  cpu.store8(signed + 4, 5);
  cpu.store64(signed + 8, 1, 2);
  t.is(cpu.load32(0x8000_0010), 77);
  t.is(cpu.load32(signed), 77);
  t.is(cpu.load16(signed + 4), 5);
  t.is(cpu.load64(signed + 8), 1);
  t.is(cpu.high, 2);
});

test('a 64-bit core has no negative addresses: whoever hands one over is told', t => {
  const { cpu } = new ArmMachine({ core: 'cortex-a53', off: true });
  t.throws(() => cpu.load32(-16), { message: /an address of -16/ });
});

test('a user access needs the right to every page that it touches', t => {
  const machine = new ArmMachine({ core: 'cortex-a9' });
  const { cpu } = machine;
  const page = machine.page(0, 'cached');
  const next = machine.page(1, 'cached');
  const entry = machine.tables.entryOf(next);
  const privileged = (machine.memoryWord(entry) & ~0x30) | 0x10;
  machine.setMemoryWord(entry, privileged);
  cpu.store32(next, 0x1122_3344);
  t.is(cpu.loadUser32(next - 2), 0);
  t.is(cpu.fault.kind, FaultKind.Permission);
  cpu.storeUser32(next - 2, -1);
  t.is(cpu.load32(next), 0x1122_3344);
  t.is(cpu.load32(page + 4092), 0);
});
