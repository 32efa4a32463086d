import test from 'ava';
import { coreNamed } from '../../../../../arch/arm/cores';
import { COHERENT_KINDS } from '../../../../../arch/arm/mm/coherent';
import type { MappingStep, Purpose, StepName } from '../../../../../arch/arm/mm/coherent/steps';
import { TlbOp } from '../../../../../drivers/base/types/isa';
import type { CoherentName } from '../../../../../mm/arch-dma';
import { CHECKED_CASES, CheckedCoherent, titleOf } from './checked';
import type { CheckedCase } from './checked';

/*
 * What the checker makes of each strategy on each kind of core, and of each order of its steps that
 * is easy to get wrong.
 */

/** A cacheable mapping does harm: lines come by it unasked, and uncached loads may hit them. */
const isHarmedByAlias = ({ core }: CheckedCase): boolean => {
  const { speculativeFill, ncLookup } = coreNamed(core);
  return speculativeFill && ncLookup !== 'ignores';
};

for (const kind of CHECKED_CASES) {
  for (const { name } of COHERENT_KINDS) {
    if (name === 'highmem' && kind.image === 'arm64') continue;
    test(`${titleOf(kind)}: ${name} is as safe as its core makes it`, t => {
      const bench = new CheckedCoherent(kind, name);
      const found = bench.exercise();
      const { keepsAlias } = bench.coherent.strategy;
      t.is(keepsAlias, name === 'legacy-remap');
      const isRed = keepsAlias && isHarmedByAlias(kind);
      t.deepEqual(found, isRed ? ['load', 'mismatch'] : []);
    });
  }
}

type Edit = (due: readonly MappingStep[], bench: CheckedCoherent) => readonly MappingStep[];

/** An order that is wrong, and on which machines that can be seen. */
interface Wrong {
  readonly title: string;
  readonly strategy: CoherentName;
  readonly purpose: Purpose;
  readonly edit: Edit;
  /** By core; `pl310` stands for the machine that has one. */
  readonly red: readonly string[];
  readonly harmless?: readonly string[];
}

const without =
  (...names: readonly StepName[]): Edit =>
  due =>
    due.filter(({ name }) => !names.includes(name));

const isFlush = ({ name }: MappingStep): boolean => name.startsWith('flush');

const flushedFirst: Edit = due => [...due.filter(isFlush), ...due.filter(step => !isFlush(step))];

const outerFirst: Edit = due => [
  ...due.filter(step => !isFlush(step)),
  ...due.filter(isFlush).reverse(),
];

/** The new entry follows the old one at once, and no TLB hears of it. */
const madeWithoutBreak: Edit = due =>
  due.slice(due.findIndex(({ name }) => name === 'write entries'));

/** As 32-bit kernels do it: the entry is stored where the break would be. */
const overwritten: Edit = due => {
  const [write] = due.filter(({ name }) => name === 'write entries');
  const made = due.findIndex(({ name }) => name === 'write entries');
  const isOfBreak = (step: MappingStep, i: number): boolean => i > 0 && i < made && !isFlush(step);
  return [
    ...(write === undefined ? [] : [write]),
    ...due.filter(isOfBreak),
    ...due.filter(isFlush),
  ];
};

/** The TLB of the CPU that allocates, and no other. */
const onThisCpu: Edit = (due, { mm }) =>
  due.map(step => {
    if (step.name !== 'invalidate TLB') return step;
    const op = mm.info.type === 'v8' ? TlbOp.AddressAllAsid : TlbOp.Address;
    const start = mm.layout.pageOffset;
    const end = start + (mm.layout.lowmemEnd - mm.layout.physOffset);
    const run = (): void => {
      for (let va: number = start; va < end; va += 4096) mm.cpu.tlbOp(op, va, 0);
    };
    return { ...step, run };
  });

const V5 = 'arm926ej-s';
const V6 = 'arm1176jzf-s';
const A8 = 'cortex-a8';
const A9 = 'cortex-a9';
const A15 = 'cortex-a15';
const A53 = 'cortex-a53';
const PL310 = 'pl310';

const rewrite = { strategy: 'rewrite-linear', purpose: 'make uncached' } as const;
const giveBack = { strategy: 'rewrite-linear', purpose: 'make cached' } as const;
const unmap = { strategy: 'unmap-linear', purpose: 'unmap' } as const;

const WRONG: readonly Wrong[] = [
  {
    ...rewrite,
    title: 'the entries stay as they are',
    edit: without('write entries'),
    red: [V5, V6, A8, A9],
  },
  {
    ...rewrite,
    title: 'no barrier, and no clean, between entry and TLB',
    edit: without('publish entries'),
    red: [V5, V6, A8, A9, A15, A53],
  },
  {
    ...rewrite,
    title: 'the TLB keeps the old entry',
    edit: without('invalidate TLB'),
    red: [V5, V6, A8, A9, A15, A53],
  },
  {
    ...rewrite,
    title: 'the TLB of one core alone is told',
    edit: onThisCpu,
    red: [A9, A15, A53],
    harmless: [A8],
  },
  {
    ...rewrite,
    title: 'nothing waits for the TLB before the caches are flushed',
    edit: without('complete'),
    red: [A8, A9, A15],
    // ARMv5 does it at once; on ARMv6 nothing comes back meanwhile; arm64 has a barrier more.
    harmless: [V5, V6, A53],
  },
  {
    ...rewrite,
    title: 'the caches are flushed before the entry changes',
    edit: flushedFirst,
    red: [A8, A9, PL310, A15],
    // Nothing comes back unasked; or it does, clean, and no uncached access looks at it.
    harmless: [V5, V6, A53],
  },
  {
    ...rewrite,
    title: 'nothing is flushed',
    edit: without('flush inner caches', 'flush outer cache'),
    red: [V5, V6, A8, A9, PL310, A15, A53],
  },
  {
    ...rewrite,
    title: 'the outer cache alone is flushed',
    edit: without('flush inner caches'),
    red: [PL310],
  },
  {
    ...rewrite,
    title: 'the outer cache is forgotten',
    edit: without('flush outer cache'),
    red: [PL310],
    harmless: [A9],
  },
  {
    ...rewrite,
    title: 'the outer cache is flushed before the inner ones',
    edit: outerFirst,
    red: [PL310],
    harmless: [A9],
  },
  {
    ...rewrite,
    title: 'made without a break',
    edit: madeWithoutBreak,
    red: [A53],
  },
  {
    ...rewrite,
    title: 'the entry is overwritten, and the TLB told only then',
    edit: overwritten,
    red: [A53],
  },
  {
    ...giveBack,
    title: 'pages go back, and a TLB has them uncached',
    edit: without('invalidate TLB'),
    red: [V5, V6, A8, A9, A15, A53],
  },
  {
    ...giveBack,
    title: 'pages go back, and no barrier comes between entry and TLB',
    edit: without('publish entries'),
    red: [V5, V6, A8, A9, A15, A53],
  },
  {
    ...giveBack,
    title: 'pages go back, and nothing waits for the TLB',
    edit: without('complete'),
    red: [V6, A8, A9, A15],
    harmless: [V5, A53],
  },
  {
    ...unmap,
    title: 'the linear map keeps the pages',
    edit: without('clear entries'),
    red: [A8, A9, A15],
    harmless: [V5, V6, A53],
  },
  {
    ...unmap,
    title: 'a TLB keeps what was unmapped',
    edit: without('invalidate TLB'),
    red: [A8, A9, A15],
    harmless: [V5, V6, A53],
  },
  {
    ...unmap,
    title: 'what is unmapped is not flushed by the address that brought it',
    edit: without('flush inner caches'),
    red: [V6],
    // flush_cache_vmap() does all of a cache with virtual tags.
    harmless: [V5],
  },
  {
    ...unmap,
    purpose: 'finish unmap',
    title: 'what was unmapped is not flushed afterwards',
    edit: without('flush inner caches', 'flush outer cache'),
    red: [A8, A9, PL310, A15, A53],
  },
];

const isOf = (kind: CheckedCase, names: readonly string[]): boolean =>
  names.includes(kind.outer ? PL310 : kind.core);

for (const { title, strategy, purpose, edit, red, harmless = [] } of WRONG) {
  for (const kind of CHECKED_CASES.filter(one => isOf(one, [...red, ...harmless]))) {
    const isRed = isOf(kind, red);
    test(`${titleOf(kind)}: ${title}: ${isRed ? 'found' : 'harmless'}`, t => {
      let taken = 0;
      const bench: CheckedCoherent = new CheckedCoherent(kind, strategy, (of, due) => {
        if (of !== purpose) return due;
        taken++;
        return edit(due, bench);
      });
      const found = bench.exercise();
      t.true(taken > 0);
      t.is(found.length > 0, isRed, found.join(', '));
    });
  }
}
