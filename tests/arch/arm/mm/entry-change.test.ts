import test from 'ava';
import { UserSpaces } from '../../../../arch/arm/mm/context';
import { MIB } from '../../../../drivers/base/types/bits';
import { PAGE_KERNEL, withMemory } from '../../../../mm/pgprot';
import { typeOf, innerOf, outerOf } from '../../../../arch/arm/mmu/attributes';
import type { BareKernel } from './kernel';
import { KERNELS, bootCase, walkerOf, walksInCache } from './kernels';
import { recording } from './recorder';

/* Entries that change while the kernel runs: blocks that are split, pages that are other memory. */

const UNCACHED = withMemory(PAGE_KERNEL, 'dmacoherent');

/** An address in the linear map, in a block that has neither tables nor the kernel in it. */
const somewhere = ({ mm }: BareKernel): number => mm.layout.pageOffset + 64 * MIB + 5 * 4096;

/** Splits whatever block translates an address, until a page does. */
const split = ({ mm }: BareKernel, va: number): number => {
  const { tables, root, roots, tlb } = mm;
  let splits = 0;
  for (; tables.spanAt(root, va) > 4096; splits++) {
    const change = tables.split([...roots], va, PAGE_KERNEL);
    if (change === null) throw new Error('no memory for a table');
    change.clear();
    change.publish();
    tlb.flushKernelRange(va, 4096);
    change.write();
    change.publish();
  }
  return splits;
};

/** What a walk makes of an address: where it leads, as which memory, or null. */
const walked = (bare: BareKernel, va: number): string | null => {
  const mmu = walkerOf(bare);
  const result = mmu.walk(va);
  if (!result.ok) return null;
  const { pa, attributes, span } = result.entry;
  const at = pa + (va - result.entry.va);
  return [at, span, typeOf(attributes), innerOf(attributes), outerOf(attributes)].join(' ');
};

const withoutSpan = (text: string | null): string | undefined => text?.replace(/ \d+/, '');

for (const kernel of KERNELS) {
  const name = `${kernel.format} on ${kernel.core}`;

  test(`${name}: a block that is split leads where it led, as the same memory, in pages`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const va = somewhere(bare);
    const span = mm.tables.spanAt(mm.root, va);
    t.true(span >= MIB);
    const first = va - (va % span);
    const probes = [first, first + 4096, va, first + span - 4096, first + span];
    const before = probes.map(at => withoutSpan(walked(bare, at)));
    mm.cpu.store32(va, 0x1234_5678);
    t.is(split(bare, va), span > 2 * MIB ? 2 : 1);
    t.is(mm.tables.spanAt(mm.root, va), 4096);
    t.deepEqual(
      probes.map(at => withoutSpan(walked(bare, at))),
      before,
    );
    t.is(mm.cpu.load32(va), 0x1234_5678);
  });

  test(`${name}: pages become other memory where they are, and their neighbours do not`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const va = somewhere(bare);
    const request = { va, pa: va - mm.layout.pageOffset + mm.layout.physOffset, size: 3 * 4096 };
    t.is(mm.tables.pages(mm.root, { ...request, prot: UNCACHED }), null, 'it is in a block');
    split(bare, va);
    const around = [va - 4096, va + request.size];
    const before = around.map(at => walked(bare, at));
    const cached = walked(bare, va);
    const change = mm.tables.pages(mm.root, { ...request, prot: UNCACHED });
    if (change === null) return t.fail();
    t.is(walked(bare, va), cached, 'nothing is stored before it is asked for');
    const { writes } = mm.tables;
    change.write();
    change.publish();
    t.is(mm.tables.writes - writes, 3);
    for (const page of [0, 1, 2]) t.not(walked(bare, va + page * 4096), cached);
    t.deepEqual(
      around.map(at => walked(bare, at)),
      before,
    );
    change.clear();
    change.publish();
    t.is(walked(bare, va), null);
    const back = mm.tables.pages(mm.root, { ...request, prot: PAGE_KERNEL });
    back?.write();
    back?.publish();
    t.is(walked(bare, va), cached);
  });

  test(`${name}: nothing but what publishes makes an entry visible`, t => {
    const bare = bootCase(kernel);
    const { machine, mm } = bare;
    const va = somewhere(bare);
    split(bare, va);
    const pa = va - mm.layout.pageOffset + mm.layout.physOffset;
    const change = mm.tables.pages(mm.root, { va, pa, size: 4 * 4096, prot: UNCACHED });
    if (change === null) return t.fail();
    const stored = recording(machine.cpu, () => {
      change.clear();
      change.write();
    });
    t.deepEqual(
      stored.steps.map(({ kind }) => kind),
      Array.from({ length: 8 }, () => 'store'),
    );
    const { steps } = recording(machine.cpu, () => {
      change.publish();
    });
    t.is(steps.at(-1)?.kind, 'dsb');
    t.is(
      steps.some(({ kind }) => kind === 'cache'),
      !walksInCache(kernel),
    );
  });
}

for (const kernel of KERNELS.filter(({ image }) => image === 'arm')) {
  test(`${kernel.format} on ${kernel.core}: users see a split, whose tables were copied before it`, t => {
    const bare = bootCase(kernel);
    const { mm } = bare;
    const users = new UserSpaces(mm);
    const [one, other] = [users.create(), users.create()];
    const va = somewhere(bare);
    split(bare, va);
    const pa = va - mm.layout.pageOffset + mm.layout.physOffset;
    const change = mm.tables.pages(mm.root, { va, pa, size: 4096, prot: UNCACHED });
    change?.write();
    change?.publish();
    mm.tlb.flushKernelRange(va, 4096);
    const expected = walked(bare, va);
    for (const space of [one, other]) {
      users.switchTo(space);
      t.is(walked(bare, va), expected);
    }
    users.switchToKernel();
    users.destroy(one);
    t.false(mm.roots.has(one.root));
    t.true(mm.roots.has(other.root));
  });
}
