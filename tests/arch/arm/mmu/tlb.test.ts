import assert from 'node:assert/strict';
import test from 'ava';
import fc from 'fast-check';
import { GLOBAL, Tlb } from '../../../../arch/arm/mmu/tlb';
import type { TlbEntry } from '../../../../arch/arm/mmu/tlb';
import { TlbOp } from '../../../../drivers/base/types/isa';
import { ArmMachine } from '../machine';

const SPANS = [2 ** 12, 2 ** 16, 2 ** 20, 2 ** 21, 2 ** 30] as const;
const ADDRESSES = [0, 0x1000, 0xf000, 0x1_0000, 0x10_0000, 0x20_0000, 2 ** 32, 2 ** 51] as const;
const ASIDS = [GLOBAL, 0, 1, 255] as const;

type Step =
  | { readonly kind: 'insert'; readonly entry: TlbEntry }
  | { readonly kind: 'all' }
  | { readonly kind: 'address' | 'address of all'; readonly va: number; readonly asid: number }
  | { readonly kind: 'asid'; readonly asid: number };

const address = fc.constantFrom(...ADDRESSES);
const asid = fc.constantFrom(0, 1, 255);
const entry = fc
  .tuple(address, fc.constantFrom(...SPANS), fc.constantFrom(...ASIDS), fc.nat(0xffff))
  .map(([va, span, owner, n]): TlbEntry => ({
    va: va - (va % span),
    span,
    pa: n * 2 ** 30,
    attributes: n,
    domain: 0,
    asid: owner,
  }));
const insert = entry.map((made): Step => ({ kind: 'insert', entry: made }));
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { arbitrary: insert, weight: 8 },
    { arbitrary: fc.constant<Step>({ kind: 'all' }), weight: 1 },
    {
      arbitrary: fc
        .tuple(fc.constantFrom('address' as const, 'address of all' as const), address, asid)
        .map(([kind, va, owner]): Step => ({ kind, va, asid: owner })),
      weight: 3,
    },
    { arbitrary: asid.map((owner): Step => ({ kind: 'asid', asid: owner })), weight: 1 },
  ),
  { maxLength: 40, size: 'max' },
);

const covers = ({ va, span }: TlbEntry, at: number): boolean => at >= va && at < va + span;

/** A list of what was inserted, searched from end to end. */
const listAfter = (list: readonly TlbEntry[], step: Step): TlbEntry[] => {
  switch (step.kind) {
    case 'insert': {
      const { va, span, asid: owner } = step.entry;
      const others = list.filter(old => old.va !== va || old.span !== span || old.asid !== owner);
      return [...others, step.entry];
    }
    case 'all':
      return [];
    case 'asid':
      return list.filter(old => old.asid !== step.asid);
    default: {
      const anyAsid = step.kind === 'address of all';
      const isHit = (old: TlbEntry): boolean =>
        covers(old, step.va) && (anyAsid || old.asid === GLOBAL || old.asid === step.asid);
      return list.filter(old => !isHit(old));
    }
  }
};

const listFind = (list: readonly TlbEntry[], va: number, owner: number): TlbEntry | null => {
  const fits = list.filter(old => covers(old, va) && (old.asid === owner || old.asid === GLOBAL));
  fits.sort((a, b) => a.span - b.span || b.asid - a.asid);
  return fits[0] ?? null;
};

const apply = (tlb: Tlb, step: Step): void => {
  if (step.kind === 'insert') tlb.insert(step.entry);
  else if (step.kind === 'all') tlb.invalidateAll();
  else if (step.kind === 'asid') tlb.invalidateAsid(step.asid);
  else if (step.kind === 'address') tlb.invalidateAddress(step.va, step.asid);
  else tlb.invalidateAddressAllAsids(step.va);
};

test('a TLB with room answers as a list of its entries would', t => {
  fc.assert(
    fc.property(steps, all => {
      const tlb = new Tlb(1000);
      let list: TlbEntry[] = [];
      for (const step of all) {
        apply(tlb, step);
        list = listAfter(list, step);
        assert.equal(tlb.size, list.length);
        for (const va of ADDRESSES) {
          for (const owner of [0, 1, 255]) {
            assert.deepEqual(tlb.find(va, owner), listFind(list, va, owner));
          }
        }
      }
    }),
    { numRuns: 150, includeErrorInReport: true },
  );
  t.pass();
});

test('a full TLB forgets, and never answers what was invalidated', t => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), (all, capacity) => {
      const tlb = new Tlb(capacity);
      let list: TlbEntry[] = [];
      for (const step of all) {
        apply(tlb, step);
        list = listAfter(list, step);
        assert.ok(tlb.size <= capacity);
        assert.equal([...tlb.entries()].length, tlb.size);
        for (const kept of tlb.entries()) assert.ok(list.includes(kept));
        if (step.kind === 'insert') assert.ok([...tlb.entries()].includes(step.entry));
      }
    }),
    { numRuns: 150, includeErrorInReport: true },
  );
  t.pass();
});

test('a restored TLB answers as the saved one did', t => {
  const tlb = new Tlb(8);
  fc.sample(entry, { numRuns: 12, seed: 1 }).forEach(made => {
    tlb.insert(made);
  });
  const restored = new Tlb(8);
  restored.restoreState(tlb.saveState());
  t.deepEqual([...restored.entries()], [...tlb.entries()]);
  t.true(restored.dropNth(1));
  t.is(restored.size, tlb.size - 1);
  t.false(restored.dropNth(100));
});

/** Page 0 leads to frame 0, which holds 100; then its table entry is made to lead to frame 1. */
const remapped = (core: string, cpus = 1): { machine: ArmMachine; va: number } => {
  const machine = new ArmMachine({ core, cpus });
  const va = machine.page(0, 'non-cached');
  machine.setMemoryWord(machine.pageAt(0), 100);
  machine.setMemoryWord(machine.pageAt(1), 101);
  for (const cpu of machine.cpus) cpu.load32(va);
  machine.tables.map(va, machine.pageAt(1), 'non-cached');
  return { machine, va };
};

for (const core of ['arm926ej-s', 'arm1176jzf-s', 'cortex-a9', 'cortex-a15', 'cortex-a53']) {
  const isOld = core.startsWith('arm');
  const ops: readonly (keyof typeof TlbOp)[] = [
    'All',
    'Address',
    ...(isOld ? [] : (['AddressAllAsid', 'AllIS', 'AddressIS', 'AddressAllAsidIS'] as const)),
  ];
  for (const op of ops) {
    test(`${core}: a translation is kept until ${op}`, t => {
      const { machine, va } = remapped(core);
      t.is(machine.cpu.load32(va), 100);
      machine.cpu.tlbOp(TlbOp.Address, va + 0x1000, 0);
      t.is(machine.cpu.load32(va), 100);
      machine.cpu.tlbOp(TlbOp[op], op.startsWith('All') ? 0 : va, 0);
      t.is(machine.cpu.load32(va), 101);
    });
  }
}

test('an invalidation by ASID leaves global translations', t => {
  const { machine, va } = remapped('cortex-a9');
  machine.cpu.tlbOp(TlbOp.Asid, 0, 0);
  t.is(machine.cpu.load32(va), 100);
});

test('the IS forms reach the other CPUs, the others do not', t => {
  for (const [op, reaches] of [
    ['All', false],
    ['Address', false],
    ['AllIS', true],
    ['AddressIS', true],
    ['AddressAllAsidIS', true],
  ] as const) {
    const { machine, va } = remapped('cortex-a7', 2);
    machine.cpu.tlbOp(TlbOp[op], op.startsWith('All') ? 0 : va, 0);
    t.is(machine.cpu.load32(va), 101, op);
    t.is(machine.cpus[1]?.load32(va), reaches ? 101 : 100, op);
  }
});

test('translations of one address space are not seen by another', t => {
  const machine = new ArmMachine({ core: 'cortex-a9' });
  const va = machine.page(0, 'non-cached');
  const at = machine.tables.entryOf(va);
  const nonGlobal = 1 << 11;
  machine.setMemoryWord(at, machine.memoryWord(at) | nonGlobal);
  machine.setMemoryWord(machine.pageAt(0), 100);
  machine.setMemoryWord(machine.pageAt(1), 101);
  machine.cpu.writeSys('CONTEXTIDR', 1);
  t.is(machine.cpu.load32(va), 100);
  machine.tables.map(va, machine.pageAt(1), 'non-cached');
  machine.setMemoryWord(at, machine.memoryWord(at) | nonGlobal);
  t.is(machine.cpu.load32(va), 100);
  machine.cpu.writeSys('CONTEXTIDR', 2);
  t.is(machine.cpu.load32(va), 101);
  machine.cpu.writeSys('CONTEXTIDR', 1);
  t.is(machine.cpu.load32(va), 100);
  machine.cpu.tlbOp(TlbOp.Asid, 2, 0);
  t.is(machine.cpu.load32(va), 100);
  machine.cpu.tlbOp(TlbOp.Asid, 1, 0);
  t.is(machine.cpu.load32(va), 101);
});
