import test from 'ava';
import { ArmMachine } from './machine';

test('a write to a system register is an event: something unasked may come before it', t => {
  for (const core of ['arm926ej-s', 'cortex-a9', 'cortex-a53']) {
    const { cpu, complex } = new ArmMachine({ core });
    const before = complex.pulse.now;
    cpu.writeSys('TTBR0', cpu.readSys('TTBR0'), cpu.readSysHigh('TTBR0'));
    t.is(complex.pulse.now, before + 1, core);
  }
});
