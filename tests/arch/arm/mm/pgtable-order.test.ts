import test from 'ava';
import { CORES } from '../../../../arch/arm/cores';
import { UserSpaces } from '../../../../arch/arm/mm/context';
import { KernelMappings } from '../../../../arch/arm/mm/ioremap';
import type { CpuAddr } from '../../../../drivers/base/types/address';
import { CacheOp } from '../../../../drivers/base/types/isa';
import { BareKernel } from './kernel';
import { KERNELS, bootCase, walksInCache } from './kernels';
import type { KernelCase } from './kernels';
import { recording, storyOf } from './recorder';
import type { Step } from './recorder';

/* Table changes as the walker and the TLBs see them: what is stored, cleaned and flushed, in order. */

const USER = 0x40_0000;

/** What makes an entry visible: a clean where the walker does not look into the cache, and a dsb. */
const visible = (kernel: KernelCase): string[] => [
  ...(walksInCache(kernel) ? [] : ['clean']),
  'dsb',
];

const isb = ({ format }: KernelCase): string[] => (format === 'v5' ? [] : ['isb']);

/** The TLB operation for a kernel address, and for a user's: broadcast where there are others. */
const KERNEL_TLBI = {
  'arm926ej-s': 'Address',
  'arm1176jzf-s': 'Address',
  'cortex-a8': 'Address',
  'cortex-a9': 'AddressIS',
  'cortex-a15': 'AddressIS',
  'cortex-a53': 'AddressAllAsidIS',
} as const;

const tlbiOf = ({ core }: KernelCase, isUser: boolean): string => {
  const name = Object.entries(KERNEL_TLBI).find(([key]) => key === core)?.[1] ?? '';
  return isUser ? name.replace('AllAsid', '') : name;
};

/** The address of the last store: the entry of the page, after the tables above it. */
const lastStore = (steps: readonly Step[]): number => {
  const stores = steps.flatMap(step => (step.kind === 'store' ? [step.address] : []));
  const last = stores.at(-1);
  if (last === undefined) throw new Error('nothing was stored');
  return last;
};

const hex = (value: number): string => value.toString(16);

for (const kernel of KERNELS) {
  const name = `${kernel.format} on ${kernel.core}`;

  test(`${name}: vmap makes an entry visible before it returns, vunmap ends it, the TLB last`, t => {
    const bare = bootCase(kernel);
    const { machine, mm } = bare;
    const mappings = new KernelMappings(mm);
    const { page } = bare.page(1);
    const first = mappings.vmap([page]);
    t.truthy(first, 'tables are there from now on');
    const { steps: made, value: at } = recording(machine.cpu, () => mappings.vmap([page]));
    if (at === null) return t.fail();
    const entry = lastStore(made);
    const line = mm.info.lineSize;
    // The isb: set_pte() of arm64 for valid kernel entries; 32-bit ARM has none (flush_cache_vmap).
    const story = storyOf(made, entry, line);
    t.deepEqual(story.slice(story.indexOf('make')), [
      'make',
      ...visible(kernel),
      ...(kernel.format === 'v8' ? ['isb'] : []),
    ]);
    const { steps: gone } = recording(machine.cpu, () => {
      mappings.vunmap(at);
    });
    const end = storyOf(gone, entry, line);
    t.deepEqual(end.slice(end.indexOf('break')), [
      'break',
      ...visible(kernel),
      'dsb',
      `${tlbiOf(kernel, false)} ${hex(at)} asid 0`,
      'dsb',
      ...isb(kernel),
    ]);
  });

  test(`${name}: a page is replaced by break before make, under the ASID of its space`, t => {
    const bare = bootCase(kernel);
    const { machine, mm } = bare;
    const users = new UserSpaces(mm);
    const [old, young] = [bare.page(1), bare.page(2)];
    users.switchTo(users.create());
    const space = users.create();
    users.switchTo(space);
    t.true(users.mapPage(space, USER + 4096, old.page));
    const mapped = recording(machine.cpu, () => users.mapPage(space, USER, old.page));
    const entry = lastStore(mapped.steps);
    const { steps } = recording(machine.cpu, () => {
      users.replacePage(space, USER, young.page);
    });
    const story = storyOf(steps, entry, mm.info.lineSize);
    const from = story.indexOf('break');
    const asid = 2;
    t.is(space.asid, asid);
    // What a virtually tagged cache has flushed in between is left out: it has a `dsb` of its own.
    const flushed = mm.info.isVivt ? ['dsb'] : [];
    t.deepEqual(story.slice(from), [
      'break',
      ...visible(kernel),
      'dsb',
      `${tlbiOf(kernel, true)} ${hex(USER)} asid ${asid}`,
      'dsb',
      ...isb(kernel),
      ...flushed,
      'make',
      ...visible(kernel),
      ...isb(kernel),
    ]);
    t.is(mm.cpu.load32(USER), 2);
  });

  test(`${name}: a new table is empty, and visibly so, before an entry points at it`, t => {
    const { machine, mm } = bootCase(kernel);
    const va = mm.vmalloc?.start ?? 0;
    const far = va + (kernel.format === 'v8' ? 2 ** 40 : 2 ** 25);
    const { steps } = recording(machine.cpu, () => {
      const request = { va: far, pa: 0x1000, size: 4096, blocks: false } as const;
      mm.tables.map(mm.root, { ...request, prot: { memory: 'cached', write: true, user: false } });
    });
    const tables = tablesIn(steps);
    t.is(tables.length, { v5: 1, v6: 1, v7: 1, lpae: 1, v8: 3 }[kernel.format]);
    for (const { start, from, to } of tables) {
      const between = steps.slice(from, to);
      const firstUse = steps
        .slice(to)
        .findIndex(step => pointsAt(step, mm.layout.virtToPhys(start as CpuAddr)));
      t.true(firstUse >= 0, 'an entry points at it, later');
      const before = steps.slice(0, to + firstUse);
      t.is(
        before.findIndex(step => pointsAt(step, mm.layout.virtToPhys(start as CpuAddr))),
        -1,
      );
      const lines = new Set(
        before.flatMap(step =>
          step.kind === 'cache' &&
          step.op === CacheOp.CVAC &&
          step.operand >= start &&
          step.operand < start + 4096
            ? [step.operand]
            : [],
        ),
      );
      t.is(lines.size, walksInCache(kernel) ? 0 : 4096 / mm.info.lineSize);
      t.is(between.length, 1024, 'zeroes, and nothing else');
      t.is(before.at(-1)?.kind, 'dsb');
    }
  });
}

/** Runs of a page of zeroes: where they are, and from which step to which. */
const tablesIn = (steps: readonly Step[]): { start: number; from: number; to: number }[] => {
  const found: { start: number; from: number; to: number }[] = [];
  for (let i = 0; i + 1024 <= steps.length; i++) {
    const step = steps[i];
    if (step?.kind !== 'store' || step.address % 4096 !== 0) continue;
    const isTable = steps
      .slice(i, i + 1024)
      .every(
        (one, n) => one.kind === 'store' && one.address === step.address + 4 * n && one.low === 0,
      );
    if (isTable) found.push({ start: step.address, from: i, to: i + 1024 });
  }
  return found;
};

const pointsAt = (step: Step, table: number | null): boolean =>
  step.kind === 'store' &&
  (step.low & 3) !== 0 &&
  (step.low >>> 12) * 4096 + step.high * 2 ** 32 === table;

test('entries are cleaned on exactly the cores whose walker does not look into the first level', t => {
  const seen = new Set<string>();
  for (const core of CORES.filter(({ tables }) => tables.length > 0)) {
    const is64 = core.architecture === 'v8';
    const kind = [core.architecture, core.walker, core.multiprocessor, core.tables[0]].join();
    if (seen.has(kind)) continue;
    seen.add(kind);
    const { machine, mm } = new BareKernel(
      { core },
      is64 ? 'arm64' : 'arm',
      core.tables.includes('lpae'),
    );
    const at = mm.vmalloc?.start ?? 0;
    const { steps } = recording(machine.cpu, () => {
      const request = { va: at, pa: 0, size: 4096, blocks: false } as const;
      mm.tables.map(mm.root, { ...request, prot: { memory: 'cached', write: true, user: false } });
    });
    const cleans = steps.filter(step => step.kind === 'cache').length;
    t.is(cleans > 0, core.walker !== 'l1', core.name);
  }
  t.true(seen.size >= 5, [...seen].join(' '));
});

for (const kernel of KERNELS) {
  test(`${kernel.format} on ${kernel.core}: an address space changes in an order that no walk can mix up`, t => {
    const { machine, mm } = bootCase(kernel);
    const users = new UserSpaces(mm);
    users.switchTo(users.create());
    const next = users.create();
    const { steps } = recording(machine.cpu, () => {
      users.switchTo(next);
    });
    const registers = steps.flatMap(step => (step.kind === 'register' ? [step] : []));
    const names = registers.map(({ name }) => name);
    const kinds = steps.flatMap(step =>
      step.kind === 'register' || step.kind === 'isb' ? [step.kind] : [],
    );
    switch (kernel.format) {
      case 'v5':
        t.deepEqual(names, ['TTBR0']);
        t.deepEqual(
          steps.slice(-3).map(({ kind }) => kind),
          ['dsb', 'tlb', 'dsb'],
        );
        return;
      case 'v6':
      case 'v7':
        // The ASID changes while no walk of a user's table can be made: cpu_set_reserved_ttbr0.
        t.deepEqual(names, ['TTBR0', 'CONTEXTIDR', 'TTBR0']);
        t.is(registers[0]?.low, machine.cpu.readSys('TTBR1'));
        t.is(registers[1]?.low, next.asid);
        t.deepEqual(kinds, ['register', 'isb', 'register', 'isb', 'register', 'isb']);
        break;
      default:
        // One register holds both.
        t.deepEqual(names, ['TTBR0']);
        t.is((registers[0]?.high ?? 0) >>> 16, next.asid);
        t.deepEqual(kinds, ['register', 'isb']);
    }
    t.is(
      steps.some(({ kind }) => kind === 'tlb'),
      false,
      'entries carry their ASID',
    );
    t.is(steps[0]?.kind, 'dsb');
  });
}
