import test from 'ava';
import fc from 'fast-check';
import { RandomAdversary } from '../../../../arch/arm/adversary/random';
import { StoreBuffer } from '../../../../arch/arm/concrete/store-buffer';
import { i32 } from '../../../../drivers/base/types/arrays';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { Random } from '../../../../drivers/base/types/random';
import { HoldingAdversary } from '../holding';
import { ArmMachine } from '../machine';

/* What one CPU does to one place happens in the order of its program, whatever waits in between. */

test('stores of one word and pairs that overlap it drain in their order, whichever is chosen', t => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('word' as const), word: fc.nat(3) }),
    fc.record({ kind: fc.constant('pair' as const), word: fc.constantFrom(0, 2) }),
    fc.record({ kind: fc.constant('barrier' as const) }),
    fc.record({ kind: fc.constant('drain' as const), n: fc.nat(7) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 24 }), program => {
      const memory = new Map<number, number>();
      const flat = new Map<number, number>();
      const epochs: number[] = [];
      const buffer = new StoreBuffer(8, slot => {
        memory.set(i32(buffer.word, slot), i32(buffer.value, slot));
        // A store's epoch, in place of its tag.
        epochs.push(i32(buffer.tagWord, slot));
      });
      program.forEach((each, value) => {
        if (each.kind === 'barrier') buffer.epoch++;
        if (each.kind === 'drain') buffer.drain(each.n);
        if (each.kind !== 'word' && each.kind !== 'pair') return;
        const group = buffer.nextGroup();
        for (let i = 0; i < (each.kind === 'pair' ? 2 : 1); i++) {
          buffer.write(each.word + i, buffer.epoch, 0, 0, false, value, -1);
          buffer.push(group);
          flat.set(each.word + i, value);
        }
      });
      for (const [word, value] of flat) {
        if (buffer.forward(word, memory.get(word) ?? -1) !== value) return false;
      }
      buffer.drainAll();
      const isInOrder = epochs.every((epoch, i) => i === 0 || epoch >= (epochs[i - 1] ?? 0));
      return isInOrder && [...flat].every(([word, value]) => memory.get(word) === value);
    }),
  );
  t.pass();
});

test('a 64-bit store that waits comes after an older store to its other half', t => {
  const adversary = new HoldingAdversary();
  const machine = new ArmMachine({ core: 'cortex-a9', adversary });
  const { cpu } = machine;
  const page = machine.page(0, 'non-cached');
  adversary.holdsStores = true;
  cpu.store32(page + 4, 1);
  cpu.store64(page, 2, 3);
  cpu.memory.stores.drain(1);
  cpu.memory.refreshHeld();
  cpu.dsb();
  t.is(cpu.load32(page + 4), 3);
});

test('a CPU reads its own last store under any whims', t => {
  for (let seed = 1; seed <= 40; seed++) {
    const adversary = new RandomAdversary(new Random(seed));
    const machine = new ArmMachine({ core: 'cortex-a9', adversary, seed });
    const { cpu } = machine;
    const page = machine.page(0, 'non-cached');
    for (let i = 0; i < 30; i++) {
      cpu.store32(page + 4, 1000 + i);
      cpu.store64(page, i, i);
      for (let k = 0; k < 6; k++) cpu.load32(page + 64);
      cpu.dsb();
      t.is(cpu.load32(page + 4), i, `seed ${seed}`);
    }
  }
});

for (const core of ['cortex-a53', 'cortex-a9', 'arm926ej-s']) {
  test(`${core}: maintenance that is pending does not overtake a younger store to its line`, t => {
    const adversary = new HoldingAdversary();
    const machine = new ArmMachine({ core, adversary });
    const { cpu } = machine;
    const page = machine.page(0, 'cached');
    cpu.store32(page, 1);
    cpu.dsb();
    adversary.holdsMaintenance = true;
    cpu.cacheOp(CacheOp.IVAC, page);
    adversary.holdsMaintenance = false;
    cpu.store32(page, 42);
    cpu.store32(page + 4, 43);
    cpu.dsb();
    t.is(cpu.load32(page), 42);
    t.is(cpu.load32(page + 4), 43);
  });
}

test('a load sees what its own pending invalidation makes visible', t => {
  const adversary = new HoldingAdversary();
  const machine = new ArmMachine({ core: 'cortex-a53', adversary });
  const { cpu } = machine;
  const page = machine.page(0, 'cached');
  cpu.load32(page);
  machine.setMemoryWord(machine.pageAt(0), 7);
  t.is(cpu.load32(page), 0);
  adversary.holdsMaintenance = true;
  cpu.cacheOp(CacheOp.IVAC, page);
  t.is(cpu.memory.maintenance.pending.count, 1);
  t.is(cpu.load32(page), 7);
  t.is(cpu.memory.maintenance.pending.count, 0);
});

test('another line does not complete what is pending', t => {
  const adversary = new HoldingAdversary();
  const machine = new ArmMachine({ core: 'cortex-a53', adversary });
  const { cpu } = machine;
  const page = machine.page(0, 'cached');
  cpu.store32(page, 1);
  adversary.holdsMaintenance = true;
  cpu.cacheOp(CacheOp.CVAC, page);
  cpu.load32(page + 64);
  t.is(machine.memoryWord(machine.pageAt(0)), 0);
  cpu.dsb();
  t.is(machine.memoryWord(machine.pageAt(0)), 1);
});

test('a word that is read early comes from where its load would find it', t => {
  // A Cortex-A8 keeps inner non-cacheable, outer cacheable memory in its second level.
  const machine = new ArmMachine({ core: 'cortex-a57', adversary: new HoldingAdversary() });
  const { cpu } = machine;
  const page = machine.page(0, 'non-cached');
  const word = machine.ram.wordOf(machine.pageAt(0));
  cpu.store32(page, 9);
  cpu.dsb();
  cpu.load32(page);
  t.true(cpu.memory.readEarly(word));
  t.is(cpu.load32(page), 9);
});
