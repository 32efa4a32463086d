import test from 'ava';
import { RandomAdversary } from '../../../arch/arm/adversary/random';
import { Ram, RamBlock } from '../../../drivers/base/hw/ram';
import { CacheOp } from '../../../drivers/base/types/isa';
import { Random } from '../../../drivers/base/types/random';
import { ArmMachine } from './machine';

/** Some work over pages that share frames, with all that a run can have under way. */
const work = ({ cpu }: ArmMachine, from: number, to: number): void => {
  for (let i = from; i < to; i++) {
    const address = 0x4000_0000 + ((i * 7) % 16) * 4096 + (i % 64) * 4;
    if (i % 3 === 0) cpu.store32(address, i);
    else cpu.load32(address);
    if (i % 11 === 0) cpu.cacheOp(CacheOp.CIVAC, address);
    if (i % 17 === 0) cpu.dsb();
  }
};

const randomMachine = (seed: number): ArmMachine => {
  const adversary = new RandomAdversary(new Random(seed));
  return new ArmMachine({ core: 'cortex-a9', adversary, seed });
};

test('a run that goes on after a snapshot is the run that goes on from it', t => {
  for (let seed = 1; seed <= 12; seed++) {
    const machine = randomMachine(seed);
    for (let n = 0; n < 8; n++) {
      machine.page(n, 'cached');
      machine.tables.map(0x4000_8000 + n * 4096, machine.pageAt(n), 'cached');
    }
    work(machine, 0, 500);
    const ram = machine.ram.saveState();
    const complex = machine.complex.saveState();
    const trace = machine.trace.saveState();
    work(machine, 500, 1500);
    const other = randomMachine(seed);
    other.ram.restoreState(ram);
    other.complex.restoreState(complex);
    other.trace.restoreState(trace);
    work(other, 500, 1500);
    t.is(other.trace.hash, machine.trace.hash, `seed ${seed}`);
  }
});

test('nothing of the run before is left in memory that is restored', t => {
  const block = new RamBlock('ram', 1 << 20);
  const ram = new Ram(page => (page < 256 ? { block, blockPage: page } : null));
  ram.writeWord(ram.wordOf(0), 1);
  const state = ram.saveState();
  ram.writeWord(ram.wordOf(0x5000), 0xdead);
  ram.restoreState(state);
  t.is(ram.readWord(ram.wordOf(0x7000)), 0);
  t.is(ram.readWord(ram.wordOf(0x5000)), 0);
  t.is(ram.readWord(ram.wordOf(0)), 1);
});
