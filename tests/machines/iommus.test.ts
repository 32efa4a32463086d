import test from 'ava';
import { LruAdversary } from '../../arch/arm/adversary/lru';
import { ALL_STEPS } from '../../arch/arm/mm/dma';
import type { IommuHook } from '../../drivers/base/hw/dma-port';
import { TxResult } from '../../drivers/base/hw/mmio';
import type { CallGate, CallLayer } from '../../drivers/base/kernel/call-gate';
import { EIO } from '../../drivers/base/kernel/errno';
import { GFP_KERNEL } from '../../drivers/base/kernel/gfp';
import { ioRegisters } from '../../drivers/base/kernel/registers';
import { SgEntry } from '../../drivers/base/kernel/scatterlist';
import type { CpuAddr, DmaAddr } from '../../drivers/base/types/address';
import { dmaAddr, offsetBy, physAddr } from '../../drivers/base/types/address';
import { MIB, PAGE_SIZE } from '../../drivers/base/types/bits';
import { InputError } from '../../drivers/base/types/errors';
import { Random } from '../../drivers/base/types/random';
import { COMPATIBLE, TRIVIAL_IOMMU } from '../../drivers/iommu/trivial/regs';
import { trivialIommuDriver } from '../../drivers/iommu/trivial/driver';
import { patternByte } from '../../drivers/misc/test-master/regs';
import { bootMachine } from '../../machines/boot';
import type { BootOptions } from '../../machines/boot';
import { loadBoard } from '../../machines/boards';
import { hookOf } from '../../machines/iommus';
import { iommuPolicy, plannedDomain } from '../../machines/iommus/policy';
import type { BoundMaster, Machine } from '../../machines/machine';
import { parseKernelParameters } from '../../machines/kernel-parameters';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { DmaIovaState, dmaIovaDestroy, dmaIovaLink, dmaIovaTryAlloc } from '../../mm/dma-iova';
import {
  DMA_MAPPING_ERROR,
  DmaDirection,
  dmaAllocCoherent,
  dmaFreeCoherent,
  dmaMapSg,
  dmaMapSingle,
  dmaMappingError,
  dmaUnmapSg,
  dmaUnmapSingle,
} from '../../mm/dma-mapping-common';
import { QUEUE_TIMEOUT } from '../../mm/iommu/flush-queue';
import { iommuMap } from '../../mm/iommu/map';
import { physToPage } from '../../mm/page-alloc';
import { boardFolder, BOARD_FOLDER } from '../support/board-folder';
import { planOf } from '../support/booted';

/*
 * Masters behind IOMMUs, on a whole machine: the model and the software are tested for themselves.
 */

const { ToDevice, FromDevice, Bidirectional } = DmaDirection;
const MEMORY = 64 * MIB;
const PLAN = planOf('mixed', MEMORY);

const planWith = (words: string): MachinePlan => ({
  ...PLAN,
  dmaMemory: parseKernelParameters(words, 'test'),
});
const LAZY = planWith('iommu.strict=0');
const PASSTHROUGH = planWith('iommu.passthrough=1');

const booted = (options: Partial<BootOptions> = {}, plan = PLAN): Machine =>
  bootMachine(plan, {
    adversary: new LruAdversary(),
    random: new Random(1),
    timing: 'latest',
    streaming: ALL_STEPS,
    ...options,
  });

/** The master that stands for those of this label. */
const masterOf = ({ masters }: Machine, label: string): BoundMaster => {
  const master = masters.find(({ plan }) => plan.label === label);
  if (master === undefined) throw new Error(`no master: ${label}`);
  return master;
};

const MEDIA = 'non-coherent, behind iommu@50000000';
const NET = 'coherent, behind iommu@50001000';

const required = <Value>(value: Value | null): Value => {
  if (value === null) throw new Error('nothing');
  return value;
};

/** One for all tests that leave it as it was. */
const SHARED = booted();

const bench = (options: Partial<BootOptions> = {}, label = MEDIA, machine = booted(options)) => {
  const { kernel } = machine;
  const { device } = masterOf(machine, label);
  const buffer = (size = PAGE_SIZE): CpuAddr => {
    const at = required(kernel.slab.kmalloc(size, GFP_KERNEL));
    for (let i = 0; i < size; i += 4) kernel.cpu.store32(at + i, 0);
    return at;
  };
  const map = (at: CpuAddr, size: number, direction: DmaDirection): DmaAddr => {
    const address = dmaMapSingle(device.dev, at, size, direction);
    if (dmaMappingError(device.dev, address) !== 0) throw new Error('not mapped');
    return address;
  };
  const wrong = (at: CpuAddr, size: number, seed: number): number => {
    let count = 0;
    for (let i = 0; i < size; i++) {
      if (kernel.cpu.load8(at + i) !== patternByte(seed, i)) count++;
    }
    return count;
  };
  const rules = (): string[] => (machine.findings?.take() ?? []).map(({ rule }) => rule);
  return { machine, kernel, device, dev: device.dev, buffer, map, wrong, rules };
};

test('mixed has a master of every kind, and each moves data', t => {
  const machine = SHARED;
  const labels = machine.masters.map(({ plan }) => plan.label).sort();
  t.deepEqual(
    labels,
    [
      'coherent',
      NET,
      'non-coherent',
      MEDIA,
      'non-coherent, 0xc0000000→0x80000000+0x8000000',
    ].sort(),
  );
  for (const { device } of machine.masters) {
    const at = required(machine.kernel.slab.kmalloc(PAGE_SIZE, GFP_KERNEL));
    const address = dmaMapSingle(device.dev, at, PAGE_SIZE, Bidirectional);
    t.is(device.writePattern(address, PAGE_SIZE, 5), 0);
    t.is(device.checkPattern(address, PAGE_SIZE, 5).mismatches, 0);
    dmaUnmapSingle(device.dev, address, PAGE_SIZE, Bidirectional);
    t.is(machine.kernel.cpu.load8(at), patternByte(5, 0));
  }
});

test('one buffer goes through all masters in turn, and comes out right', t => {
  const machine = booted({ adversary: 'all' });
  const at = required(machine.kernel.slab.kmalloc(256, GFP_KERNEL));
  machine.masters.forEach(({ device: { dev }, device }, i) => {
    const address = dmaMapSingle(dev, at, 256, FromDevice);
    t.is(dmaMappingError(dev, address), 0);
    t.is(device.writePattern(address, 256, i), 0);
    dmaUnmapSingle(dev, address, 256, FromDevice);
    for (const { device: reader } of machine.masters) {
      const source = dmaMapSingle(reader.dev, at, 256, ToDevice);
      t.is(dmaMappingError(reader.dev, source), 0);
      t.is(reader.checkPattern(source, 256, i).mismatches, 0);
      dmaUnmapSingle(reader.dev, source, 256, ToDevice);
    }
  });
  t.deepEqual(machine.findings?.take(), []);
});

test('who is behind an IOMMU, who is not, and which masters are one group', t => {
  const { devices, iommus, kernel, notes } = SHARED;
  t.is(iommus.size, 2, 'one is disabled');
  const path = (label: string): boolean => {
    const { dev } = masterOf(SHARED, label).device;
    return kernel.iommus.dmaDomain(dev) !== null;
  };
  t.deepEqual([MEDIA, NET, 'non-coherent', 'coherent'].map(path), [true, true, false, false]);
  const engine = devices.find(({ dev }) => dev.name.startsWith('copy-engine'))?.dev;
  const group = kernel.iommus.groupOf(required(engine ?? null));
  t.deepEqual(
    group?.streams.map(({ stream }) => stream),
    [0],
  );
  t.is(group, kernel.iommus.groupOf(masterOf(SHARED, MEDIA).device.dev), 'it stands for this one');
  t.false(notes.some(note => note.includes('as in bypass')));
});

test('rules 35, 49: a device is refused what it was not given, and told so', t => {
  const { kernel, device, dev, buffer, map } = bench({}, MEDIA, SHARED);
  const before = kernel.log.lines.length;
  const at = buffer();
  const address = map(at, PAGE_SIZE, ToDevice);
  t.is(device.checkPattern(address, 4, 0).error, 0);
  t.is(device.writePattern(address, 4, 1), -EIO, 'against its direction');
  t.is(device.checkPattern(offsetBy(address, -PAGE_SIZE), 4, 0).error, -EIO, 'never mapped');
  dmaUnmapSingle(dev, address, PAGE_SIZE, ToDevice);
  t.is(device.checkPattern(address, 4, 0).error, -EIO, 'after the unmap');
  t.is(device.checkPattern(dmaAddr(2 ** 33), 4, 0).error, -EIO, 'beyond the aperture');
  t.is(kernel.cpu.load32(at), 0);
  const said = kernel.log.lines.slice(before).map(({ text }) => text.replace(/iova=.*/, ''));
  t.deepEqual(said, [
    'trivial-iommu iommu@50000000: Unhandled context fault: permission, write of ',
    'trivial-iommu iommu@50000000: Unhandled context fault: translation, read of ',
    'trivial-iommu iommu@50000000: Unhandled context fault: translation, read of ',
    'trivial-iommu iommu@50000000: Unhandled context fault: beyond the aperture, read of ',
  ]);
});

test('what an IOMMU refuses is a finding, with the call that ended the mapping', t => {
  const { machine, device, dev, buffer, map } = bench({ adversary: 'all' });
  const address = map(buffer(), PAGE_SIZE, ToDevice);
  t.is(device.writePattern(offsetBy(address, 8), 4, 1), -EIO);
  t.is(device.checkPattern(dmaAddr(64), 4, 0).error, -EIO);
  dmaUnmapSingle(dev, address, PAGE_SIZE, ToDevice);
  t.is(device.checkPattern(address, 4, 0).error, -EIO);
  const found = machine.findings?.take() ?? [];
  t.deepEqual(
    found.map(({ rule }) => rule),
    ['device-access-against-direction', 'device-access-unmapped', 'device-access-after-unmap'],
  );
  t.is(found[0]?.bytes.start, (found[0]?.buffer?.range.start ?? 0) + 8);
  t.regex(found[2]?.missing?.between[0] ?? '', /^tests\/machines\/iommus\.test\.ts:\d+$/);
  t.regex(found[2]?.access.kind ?? '', /^device read at 0x3ff000, which the IOMMU refuses$/);
});

for (const label of [MEDIA, NET]) {
  test(`${label}: scattered pages are one segment to the device`, t => {
    const { machine, kernel, device, dev, buffer, wrong } = bench({ adversary: 'all' }, label);
    const pages = [0, 1, 2].map(() => buffer());
    const list = [pages[2], pages[0], pages[1]].map(at => {
      const physical = required(kernel.mm.layout.virtToPhys(required(at ?? null)));
      return new SgEntry(physToPage(physical), 0, PAGE_SIZE);
    });
    t.is(dmaMapSg(dev, list, 3, FromDevice), 1);
    const [first] = list;
    t.is(first?.dmaLength, 3 * PAGE_SIZE);
    t.is(device.writePattern(required(first ?? null).dmaAddress, 3 * PAGE_SIZE, 7), 0);
    dmaUnmapSg(dev, list, 3, FromDevice);
    t.is(wrong(required(pages[2] ?? null), PAGE_SIZE, 7), 0);
    t.deepEqual(machine.findings?.take(), []);
  });

  test(`${label}: memory that is linked piece by piece is used as one, without a finding`, t => {
    const { machine, kernel, device, dev, buffer, wrong } = bench({ adversary: 'all' }, label);
    const [one, two] = [buffer(), buffer()];
    const state = new DmaIovaState();
    const phys = (at: CpuAddr) => required(kernel.mm.layout.virtToPhys(at));
    t.true(dmaIovaTryAlloc(dev, state, phys(two), 2 * PAGE_SIZE));
    t.is(dmaIovaLink(dev, state, phys(two), 0, PAGE_SIZE, FromDevice), 0);
    t.is(dmaIovaLink(dev, state, phys(one), PAGE_SIZE, PAGE_SIZE, FromDevice), 0);
    t.is(device.writePattern(state.addr, 2 * PAGE_SIZE, 9), 0);
    dmaIovaDestroy(dev, state, 2 * PAGE_SIZE, FromDevice);
    t.is(wrong(two, PAGE_SIZE, 9), 0);
    t.deepEqual(machine.findings?.take(), []);
    t.is(device.writePattern(state.addr, 4, 0), -EIO);
  });
}

for (const label of [MEDIA, NET]) {
  test(`${label}: memory of its own is shared with the CPU without a call`, t => {
    const { machine, kernel, device, dev } = bench({ adversary: 'all' }, label);
    const before = kernel.mm.pages.freePages;
    const memory = required(dmaAllocCoherent(dev, 3 * PAGE_SIZE, GFP_KERNEL));
    for (let i = 0; i < 64; i++) kernel.cpu.store8(memory.cpuAddr + i, patternByte(4, i));
    kernel.mm.barriers.wmb();
    t.is(device.checkPattern(memory.dmaHandle, 64, 4).mismatches, 0);
    const end = offsetBy(memory.dmaHandle, 2 * PAGE_SIZE);
    t.is(device.writePattern(end, PAGE_SIZE, 6), 0);
    const last = memory.cpuAddr + 3 * PAGE_SIZE - 1;
    t.is(kernel.cpu.load8(last), patternByte(6, PAGE_SIZE - 1));
    dmaFreeCoherent(dev, 3 * PAGE_SIZE, memory.cpuAddr, memory.dmaHandle);
    t.is(device.writePattern(end, 4, 6), -EIO);
    t.is(kernel.mm.pages.freePages, before);
    const rules = (machine.findings?.take() ?? []).map(({ rule }) => rule);
    t.deepEqual(rules, ['device-access-after-unmap']);
  });
}

/** Leaves calls of one kind out while it is armed. */
class Forgetful implements CallGate {
  isArmed = false;
  readonly #layer: CallLayer;
  readonly #name: string;

  constructor(layer: CallLayer, name: string) {
    this.#layer = layer;
    this.#name = name;
  }

  isCarriedOut(layer: CallLayer, name: string): boolean {
    return !this.isArmed || layer !== this.#layer || name !== this.#name;
  }
}

/** The page of one buffer is mapped where another's was, whose entry was used. */
const reuseAddress = (gate: Forgetful, made: ReturnType<typeof bench>) => {
  const { device, dev, buffer, map } = made;
  const [before, after] = [buffer(), buffer()];
  const first = map(before, PAGE_SIZE, FromDevice);
  const wrote = device.writePattern(first, 64, 1);
  gate.isArmed = true;
  dmaUnmapSingle(dev, first, PAGE_SIZE, FromDevice);
  const second = map(after, PAGE_SIZE, FromDevice);
  const wroteAgain = device.writePattern(second, 64, 2);
  dmaUnmapSingle(dev, second, PAGE_SIZE, FromDevice);
  return { before, after, isSame: first === second, results: [wrote, wroteAgain] };
};

test('a forgotten invalidation: the device writes where the entry led before', t => {
  const gate = new Forgetful('iommu', 'flush');
  const made = bench({ gate });
  const { before, after, isSame, results } = reuseAddress(gate, made);
  t.true(isSame, 'an address that was given back is given out again');
  t.deepEqual(results, [0, 0]);
  t.is(made.wrong(before, 64, 2), 0, 'the old page has it');
  t.not(made.wrong(after, 64, 2), 0);
});

test('a forgotten invalidation is found under all cache behaviours, at the transfer', t => {
  const gate = new Forgetful('iommu', 'flush');
  const made = bench({ gate, adversary: 'all' });
  reuseAddress(gate, made);
  const found = made.machine.findings?.take() ?? [];
  t.deepEqual([...new Set(found.map(({ rule }) => rule))], ['stale-translation']);
  const [first] = found;
  t.regex(first?.access.kind ?? '', /^device write at 0x[0-9a-f]+, which now leads to 0x8/);
  t.regex(first?.access.at ?? '', /^tests\/machines\/iommus\.test\.ts:\d+$/);
  t.regex(first?.missing?.between[0] ?? '', /^tests\/machines\/iommus\.test\.ts:\d+$/);
});

test('with the invalidation there is nothing to find', t => {
  const gate = new Forgetful('iommu', 'nothing');
  const made = bench({ gate, adversary: 'all' });
  const { after } = reuseAddress(gate, made);
  t.is(made.wrong(after, 64, 2), 0);
  t.deepEqual(made.rules(), []);
});

test('a table that is not cleaned: the walker does not see the entry', t => {
  const gate = new Forgetful('dma', 'sync for the device');
  const { device, buffer, map } = bench({ gate });
  const at = buffer();
  gate.isArmed = true;
  const address = map(at, PAGE_SIZE, FromDevice);
  t.is(device.writePattern(address, 64, 1), -EIO);
});

test('a table that is not cleaned is found under all cache behaviours, with the entry', t => {
  const gate = new Forgetful('dma', 'sync for the device');
  const { machine, device, buffer, map } = bench({ gate, adversary: 'all' });
  const at = buffer();
  gate.isArmed = true;
  const address = map(at, PAGE_SIZE, FromDevice);
  t.is(device.writePattern(address, 64, 1), 0, 'the run goes on with the latest');
  const found = (machine.findings?.take() ?? []).filter(({ rule }) => rule === 'stale-table-word');
  t.is(found.length, 1);
  t.is(found[0]?.access.kind, 'table walk');
  t.is(found[0]?.device, 'iommu@50000000');
  t.regex(found[0]?.buffer?.mappedAt ?? '', /^drivers\/iommu\/trivial\/driver\/table\.ts:\d+$/);
});

test('a walker that looks into the caches needs no clean', t => {
  const gate = new Forgetful('dma', 'sync for the device');
  for (const adversary of ['all', new LruAdversary()] as const) {
    const { device, buffer, map, rules } = bench({ gate, adversary }, NET);
    const at = buffer();
    gate.isArmed = true;
    t.is(device.writePattern(map(at, PAGE_SIZE, FromDevice), 64, 1), 0);
    t.deepEqual(rules(), []);
    gate.isArmed = false;
  }
});

test('addresses run out, and mappings that end give them back', t => {
  const { kernel, device, dev } = bench({}, MEDIA, SHARED);
  const at = required(kernel.slab.kmalloc(PAGE_SIZE, GFP_KERNEL));
  const held: DmaAddr[] = [];
  for (;;) {
    const address = dmaMapSingle(dev, at, 64, ToDevice);
    if (address === DMA_MAPPING_ERROR) break;
    held.push(address);
  }
  t.is(held.length, 1023);
  const freed = required(held.pop() ?? null);
  dmaUnmapSingle(dev, freed, 64, ToDevice);
  const again = dmaMapSingle(dev, at, 64, ToDevice);
  t.is(again, freed);
  t.is(device.checkPattern(again, 4, 0).error, 0);
  for (const address of [...held, again]) dmaUnmapSingle(dev, address, 64, ToDevice);
});

test('an unmap of few pages invalidates each, has waited for it, and one of many all at once', t => {
  const { machine, kernel, dev, buffer, map } = bench({}, MEDIA, SHARED);
  const registers = required(kernel.mappings.ioremap(physAddr(0x5000_0000), TRIVIAL_IOMMU.size));
  const regs = ioRegisters(TRIVIAL_IOMMU, kernel.io, registers);
  const few = map(buffer(), PAGE_SIZE, ToDevice);
  dmaUnmapSingle(dev, few, PAGE_SIZE, ToDevice);
  t.is(regs.INV_STATUS.read().BUSY, 0);
  t.is(regs.INV_ENTRY.read().PAGE, few / PAGE_SIZE);
  const many = map(buffer(16 * PAGE_SIZE), 16 * PAGE_SIZE, ToDevice);
  dmaUnmapSingle(dev, many, 16 * PAGE_SIZE, ToDevice);
  t.is(regs.INV_ENTRY.read().PAGE, few / PAGE_SIZE, 'no entry was named');
  t.is(machine.hardware.guestErrors.total, 0);
  kernel.mappings.iounmap(registers);
});

test('with identity domains the same masters use addresses of memory', t => {
  const { kernel, dev, device, buffer, map } = bench({}, MEDIA, booted({}, PASSTHROUGH));
  const at = buffer();
  t.is(Number(map(at, 64, ToDevice)), Number(kernel.mm.layout.virtToPhys(at)));
  t.is(device.checkPattern(map(at, 64, Bidirectional), 4, 0).error, 0);
  t.is(kernel.iommus.dmaDomain(dev), null);
});

test('a device in a domain of its own sees what was mapped there, and then the DMA API again', t => {
  const { kernel, device, dev, buffer, map } = bench({}, NET, SHARED);
  const domain = required(kernel.iommus.domainAlloc(dev));
  t.is(kernel.iommus.attachDevice(domain, dev), 0);
  const at = buffer();
  const page = required(kernel.mm.layout.virtToPhys(at));
  t.is(iommuMap(required(domain.ops), dmaAddr(0), page, PAGE_SIZE, 3), 0);
  t.is(device.writePattern(dmaAddr(0), 64, 3), 0, 'address 0 is one like others');
  kernel.iommus.detachDevice(domain, dev);
  t.is(device.writePattern(dmaAddr(0), 64, 3), -EIO);
  t.is(device.checkPattern(map(at, 64, ToDevice), 4, 0).error, 0);
  kernel.iommus.domainFree(domain);
});

const withText = (from: string, to: string): (() => unknown) => {
  const text = BOARD_FOLDER.read('mixed.dts') ?? '';
  if (!text.includes(from)) throw new Error(from);
  const files = boardFolder({ 'mixed.dts': text.replace(from, to) });
  return () => planMachine(loadBoard('mixed', files), { memory: MEMORY, quirks: [] });
};

for (const [what, from, to, property, expected] of [
  ['a stream that it has not', '<&media_iommu 0>', '<&media_iommu 8>', 'iommus', /below 8/],
  ['no aperture', 'pages = <1024>', 'pages = <0>', 'dmabench,aperture-pages', /1 to 1048576/],
] as const) {
  test(`wrong input: ${what}`, t => {
    const error = t.throws(withText(from, to), { instanceOf: InputError });
    t.is(error.problem.property, property);
    t.regex(error.problem.expected, expected);
  });
}

test('driver and data sheet agree on the name of the device', t => {
  t.deepEqual(trivialIommuDriver.compatible, COMPATIBLE);
});

test('a master with several streams uses them page by page in turn', t => {
  const hooks = [0x1000, 0x2000].map((base): IommuHook => ({
    translate: (address: number) => ({
      address: base + address,
      length: 9000,
      result: TxResult.Ok,
    }),
  }));
  t.is(hookOf([]), null);
  t.is(hookOf(hooks.slice(0, 1)), hooks[0] ?? null);
  const hook = hookOf(hooks);
  t.deepEqual(hook?.translate(16, true), { address: 0x1010, length: PAGE_SIZE - 16, result: 0 });
  t.is(hook?.translate(PAGE_SIZE + 4, true)?.address, 0x3004);
  t.is(hook?.translate(2 * PAGE_SIZE, false)?.address, 0x3000);
});

const reuseLazily = (adversary: BootOptions['adversary'], pass: boolean) => {
  const made = bench({}, MEDIA, booted({ adversary }, LAZY));
  const { kernel, device, dev, buffer, map } = made;
  const at = buffer();
  const address = map(at, PAGE_SIZE, FromDevice);
  t0(device.writePattern(address, 64, 1));
  dmaUnmapSingle(dev, address, PAGE_SIZE, FromDevice);
  if (pass) kernel.services.waitUntil(() => false, QUEUE_TIMEOUT + 1000);
  return { ...made, at, address, late: device.writePattern(address, 64, 2) };
};

const t0 = (result: number): void => {
  if (result !== 0) throw new Error(`${result}`);
};

test('lazy: a device reaches what was unmapped until the timer has invalidated everything', t => {
  const early = reuseLazily(new LruAdversary(), false);
  t.is(early.late, 0);
  t.is(early.wrong(early.at, 64, 2), 0, 'the memory was written');
  const { kernel, dev } = early;
  t.is(kernel.iommus.groupOf(dev)?.defaultDomain.type, 'dma-fq');
  const late = reuseLazily(new LruAdversary(), true);
  t.is(late.late, -EIO);
  t.not(late.wrong(late.at, 64, 2), 0);
});

test('lazy: the window is a note, and no missing invalidation', t => {
  t.deepEqual(reuseLazily('all', false).rules(), [
    'lazy-invalidation',
    'device-access-after-unmap',
  ]);
  t.deepEqual(reuseLazily('all', true).rules(), ['device-access-after-unmap']);
});

test('what describe says of domains is what devices have', t => {
  const named = { dma: 'DMA', 'dma-fq': 'DMA-FQ', identity: 'identity' } as const;
  for (const plan of [PLAN, LAZY, PASSTHROUGH]) {
    const { masters, kernel } = plan === PLAN ? SHARED : booted({}, plan);
    const types = masters.map(({ plan: { facts }, device: { dev } }) => {
      const type = kernel.iommus.groupOf(dev)?.defaultDomain.type ?? null;
      const policy = iommuPolicy(plan.dmaMemory);
      return [plannedDomain(facts, policy), type === null ? null : named[type as 'dma']];
    });
    for (const [said, has] of types) t.is(said, has);
  }
});

test('wrong input: a kernel parameter that is neither yes nor no', t => {
  const error = t.throws(() => parseKernelParameters('iommu.strict=maybe', 'test'));
  t.true(error instanceof InputError && error.problem.expected === 'iommu.strict=0|1');
});
