import test from 'ava';
import { parseScript } from '../../../../arch/arm/adversary/script';
import { ScriptAdversary } from '../../../../arch/arm/adversary/scripted';
import { ArmMachine } from '../machine';

const scripted = (core: string, line: number): ArmMachine => {
  // Two events after those that it takes to set the machine up.
  const event = new ArmMachine({ core }).complex.pulse.now + 2;
  const text = `{"event":${event},"step":"fill-inner","line":"0x${line.toString(16)}"}`;
  const adversary = new ScriptAdversary(parseScript(text, 'script'));
  const machine = new ArmMachine({ core, adversary });
  return machine;
};

test('a core may fetch a line that nobody touched, if a live translation reaches it', t => {
  const line = new ArmMachine({ core: 'cortex-a9' }).pageAt(0);
  const machine = scripted('cortex-a9', line + 64);
  const page = machine.page(0, 'cached');
  machine.cpu.load32(page + 1024);
  machine.cpu.load32(page + 1024);
  const [cache] = machine.complex.domain.caches;
  t.true((cache?.findPhysical(machine.ram.wordOf(line + 64)) ?? -1) >= 0);
});

test('of a page that was reached in no way, a translation in the TLB is enough', t => {
  const line = new ArmMachine({ core: 'cortex-a9' }).pageAt(1);
  const machine = scripted('cortex-a9', line);
  machine.page(0, 'cached');
  const section = 0x4010_0000;
  // A section over the pages, of which one is touched and another fetched.
  machine.setMemoryWord(0x8000_0000 + (section >>> 20) * 4, 0x8010_0000 | 0x1c0e);
  machine.cpu.load32(section);
  machine.cpu.load32(section);
  const [cache] = machine.complex.domain.caches;
  t.true((cache?.findPhysical(machine.ram.wordOf(line)) ?? -1) >= 0);
});

test('a core that does not speculate fetches nothing unasked', t => {
  const line = new ArmMachine({ core: 'arm926ej-s' }).pageAt(0);
  const machine = scripted('arm926ej-s', line + 64);
  const page = machine.page(0, 'cached');
  machine.cpu.load32(page + 1024);
  const error = t.throws(() => machine.cpu.load32(page + 1024));
  t.regex(error.message, /a step that the machine permits there/);
});
