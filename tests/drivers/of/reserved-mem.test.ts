import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import type { MemRange } from '../../../drivers/of/memblock';
import type { OfReservedMem, ReservedMemOptions } from '../../../drivers/of/reserved-mem';
import { ofReservedMem } from '../../../drivers/of/reserved-mem';
import type { PoolUser } from '../../../drivers/of/reserved-mem-device';
import {
  ofDmaSetRestrictedBuffer,
  ofReservedMemDeviceInitByIdx,
} from '../../../drivers/of/reserved-mem-device';
import type { MemReserve } from '../../../drivers/of/tree';
import type { DtLiteral } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';

const MIB = 0x10_0000n;
/** 1 GiB at 1 GiB. */
const RAM: readonly MemRange[] = [{ base: 0x4000_0000n, size: 0x4000_0000n }];
const ARM64: ReservedMemOptions = { arch: 'arm64' };
const ARM32: ReservedMemOptions = { arch: 'arm32' };
const CELLS: DtLiteral = { '#address-cells': [2], '#size-cells': [2] };

const treeOf = (children: DtLiteral, memReserve: MemReserve[] = []) =>
  dt({ ...CELLS, 'reserved-memory': { ...CELLS, ranges: true, ...children } }, { memReserve });

const reserve = (children: DtLiteral, options = ARM64, ram = RAM): OfReservedMem =>
  ofReservedMem(treeOf(children), ram, options);

const show = ({ base, size }: MemRange): string => `${base.toString(16)}+${size.toString(16)}`;
const regions = (result: OfReservedMem): string[] =>
  result.regions.map(region => `${region.node.name} ${region.kind} ${show(region)}`);

const POOL: DtLiteral = { compatible: 'shared-dma-pool' };
const CMA: DtLiteral = { ...POOL, reusable: true };
const COHERENT: DtLiteral = { ...POOL, 'no-map': true };
const RESTRICTED: DtLiteral = { compatible: 'restricted-dma-pool' };

test('each kind of region is told by its properties', t => {
  const result = reserve({
    'cma@50000000': { ...CMA, reg: [0x5000_0000n, 16n * MIB] },
    'pool@52000000': { ...COHERENT, reg: [0x5200_0000n, MIB] },
    'bounce@53000000': { ...RESTRICTED, reg: [0x5300_0000n, MIB] },
    'firmware@54000000': { 'no-map': true, reg: [0x5400_0000n, MIB] },
    'log@55000000': { compatible: 'ramoops', reg: [0x5500_0000n, MIB] },
  });
  t.deepEqual(regions(result), [
    'cma@50000000 cma 50000000+1000000',
    'pool@52000000 coherent 52000000+100000',
    'bounce@53000000 restricted 53000000+100000',
    'firmware@54000000 no-map 54000000+100000',
    'log@55000000 plain 55000000+100000',
  ]);
  t.deepEqual(result.reserved.map(show), [
    '50000000+1000000',
    '53000000+100000',
    '55000000+100000',
  ]);
  t.deepEqual(result.mapped.map(show), [
    '40000000+12000000',
    '52100000+1f00000',
    '54100000+2bf00000',
  ]);
  t.deepEqual(result.diagnostics, []);
});

test("trap: /reserved-memory needs the root's cells and ranges, else all of it is ignored", t => {
  const region = { reg: [0x5000_0000n, MIB] };
  const cases: [DtLiteral, string][] = [
    [{ ...CELLS, region }, 'ranges'],
    [{ '#address-cells': [1], '#size-cells': [2], ranges: true, region }, '#address-cells'],
    [{ '#address-cells': [2], '#size-cells': [1], ranges: true, region }, '#size-cells'],
    [{ '#size-cells': [2], ranges: true, region }, '#address-cells'],
  ];
  for (const [parent, property] of cases) {
    const result = ofReservedMem(dt({ ...CELLS, 'reserved-memory': parent }), RAM, ARM64);
    t.deepEqual(result.regions, []);
    t.like(result.diagnostics, [{ place: '/reserved-memory', property }]);
  }
  t.deepEqual(ofReservedMem(dt(CELLS), RAM, ARM64).diagnostics, [], 'no node at all');
});

test('trap: a disabled /reserved-memory counts all the same, a disabled child does not', t => {
  const result = reserve({
    status: 'disabled',
    'a@50000000': { reg: [0x5000_0000n, MIB], status: 'disabled' },
    'b@51000000': { reg: [0x5100_0000n, MIB] },
  });
  t.deepEqual(regions(result), ['b@51000000 plain 51000000+100000']);
});

test("trap: the header's reservations count up to the first of size 0", t => {
  const memReserve = [
    { address: 0x4000_0000n, size: MIB },
    { address: 0n, size: 0n },
    { address: 0x5000_0000n, size: MIB },
  ];
  const result = ofReservedMem(treeOf({}, memReserve), RAM, ARM64);
  t.deepEqual(result.reserved.map(show), ['40000000+100000']);
});

test('regions without an address get memory from the top down, clear of all that is taken', t => {
  const children: DtLiteral = {
    first: { size: [MIB] },
    'fixed@7ff00000': { reg: [0x7ff0_0000n, MIB] },
    'hidden@7fd00000': { 'no-map': true, reg: [0x7fd0_0000n, MIB] },
  };
  const taken = [{ base: 0x7fe8_0000n, size: 0x1000n }];
  const result = reserve(children, { ...ARM64, taken });
  t.deepEqual(regions(result), [
    'first plain 7fc00000+100000',
    'hidden@7fd00000 no-map 7fd00000+100000',
    'fixed@7ff00000 plain 7ff00000+100000',
  ]);
  t.true(result.regions[0]?.dynamic);
  t.false(result.regions[1]?.dynamic);
});

test("trap: several regions without an address are placed in the order of the kernel's sort", t => {
  const children = Object.fromEntries(
    ['a', 'b', 'c', 'd'].map(name => [name, { size: [MIB] }] as const),
  );
  t.deepEqual(regions(reserve(children)), [
    'b plain 7ff00000+100000',
    'c plain 7fe00000+100000',
    'd plain 7fd00000+100000',
    'a plain 7fc00000+100000',
  ]);
});

test('alignment and alloc-ranges say where a region may lie; the next range is tried if one is full', t => {
  const aligned = reserve({ a: { size: [0x1000n], alignment: [32n * MIB] } });
  t.deepEqual(regions(aligned), ['a plain 7e000000+1000']);
  const windows = [0x1000_0000n, 0x1000_0000n, 0x4000_0000n, 0x1000_0000n];
  const within = reserve({ a: { size: [MIB], 'alloc-ranges': windows } });
  t.deepEqual(regions(within), ['a plain 4ff00000+100000']);
  const none = reserve({ a: { size: [MIB], 'alloc-ranges': windows.slice(0, 2) } });
  t.deepEqual(regions(none), ['a failed 0+0']);
  t.like(none.diagnostics, [{ place: '/reserved-memory/a', property: 'size', found: 'none' }]);
});

test('without an alignment a region is aligned to a cache line', t => {
  t.deepEqual(regions(reserve({ a: { size: [0x70n] } })), ['a plain 7fffff80+70']);
});

test("trap: a CMA region is aligned to the kernel's pageblocks, which differ by architecture", t => {
  const children: DtLiteral = {
    'top@7ff00000': { reg: [0x7ff0_0000n, MIB] },
    cma: { ...CMA, size: [16n * MIB], alignment: [0x1_0000n], 'linux,cma-default': true },
  };
  t.is(regions(reserve(children, ARM64))[0], 'cma cma 7ee00000+1000000');
  const arm32 = reserve(children, ARM32);
  t.is(regions(arm32)[0], 'cma cma 7ec00000+1000000');
  t.true(arm32.regions[0]?.cmaDefault);
  const pool = reserve({ pool: { ...COHERENT, size: [MIB] } }, ARM32);
  t.deepEqual(regions(pool), ['pool coherent 7ff00000+100000'], 'other pools need no block');
  t.false(
    reserve({ 'a@50000000': { ...CMA, reg: [0x5000_0000n, 8n * MIB] } }).regions[0]?.cmaDefault,
  );
});

test('trap: a CMA region that is no whole pageblocks is refused and its memory given back', t => {
  const children = { 'cma@50200000': { ...CMA, reg: [0x5020_0000n, 6n * MIB] } };
  t.deepEqual(regions(reserve(children, ARM64)), ['cma@50200000 cma 50200000+600000']);
  const refused = reserve(children, ARM32);
  t.deepEqual(regions(refused), ['cma@50200000 refused 50200000+600000']);
  t.deepEqual(refused.reserved, []);
  t.like(refused.regions[0]?.problem, { place: '/reserved-memory/cma@50200000', property: 'reg' });
  t.is(refused.diagnostics.length, 1);
});

test('a CMA region of no size, or that begins within a pageblock, is refused', t => {
  const kind = (region: DtLiteral) => reserve({ c: { ...CMA, ...region } }).regions[0]?.kind;
  t.is(kind({ reg: [0x5010_0000n, 4n * MIB] }), 'refused');
  t.is(kind({ size: [0n] }), 'refused');
});

test('trap: arm32 refuses a coherent pool that is mapped, arm64 takes it', t => {
  const children = { 'pool@50000000': { ...POOL, reg: [0x5000_0000n, MIB] } };
  t.deepEqual(regions(reserve(children, ARM64)), ['pool@50000000 coherent 50000000+100000']);
  const refused = reserve(children, ARM32);
  t.is(refused.regions[0]?.kind, 'refused');
  t.is(refused.regions[0]?.problem?.property, 'no-map');
  t.deepEqual(refused.reserved, []);
});

test('a pool that is both reusable and no-map is refused, and mapped again', t => {
  const result = reserve({ 'p@50000000': { ...CMA, ...COHERENT, reg: [0x5000_0000n, 4n * MIB] } });
  t.is(result.regions[0]?.kind, 'refused');
  t.deepEqual(result.mapped.map(show), RAM.map(show));
});

test('trap: cma= on the command line takes the place of the default CMA region only', t => {
  const options = { ...ARM64, cmaOnCommandLine: true };
  const kind = (extra: DtLiteral) =>
    reserve({ 'c@50000000': { ...CMA, ...extra, reg: [0x5000_0000n, 4n * MIB] } }, options)
      .regions[0]?.kind;
  t.is(kind({ 'linux,cma-default': true }), 'refused');
  t.is(kind({}), 'cma');
});

test('a restricted pool with flags of other pools is refused', t => {
  for (const flag of ['reusable', 'no-map', 'linux,cma-default', 'linux,dma-default']) {
    const result = reserve({
      'r@50000000': { ...RESTRICTED, [flag]: true, reg: [0x5000_0000n, MIB] },
    });
    t.is(result.regions[0]?.kind, 'refused', flag);
    t.is(result.regions[0]?.problem?.property, flag);
  }
});

test('linux,dma-default marks a coherent pool and nothing else', t => {
  const result = reserve({
    'a@50000000': { ...COHERENT, 'linux,dma-default': true, reg: [0x5000_0000n, MIB] },
    'b@51000000': { ...CMA, 'linux,dma-default': true, reg: [0x5100_0000n, 4n * MIB] },
  });
  t.deepEqual(
    result.regions.map(({ dmaDefault }) => dmaDefault),
    [true, false],
  );
});

test('trap: no-map of memory that is reserved already is refused, yet stays a region', t => {
  const result = reserve({
    'a@50000000': { reg: [0x5000_0000n, MIB] },
    'b@50000000': { 'no-map': true, reg: [0x5000_0000n, MIB] },
  });
  t.like(result.diagnostics, [
    { place: '/reserved-memory/b@50000000', property: 'no-map' },
    { place: '/reserved-memory/b@50000000', property: 'reg' },
  ]);
  t.deepEqual(result.mapped.map(show), RAM.map(show));
  t.is(result.regions.length, 2);
});

test('trap: every range of a region is listed and set aside; what it is for is the first', t => {
  const reg = (base: bigint) => [base, 4n * MIB, base + 16n * MIB, MIB, base + 32n * MIB, MIB];
  const result = reserve({
    'a@60000000': { reg: reg(0x6000_0000n) },
    'b@50000000': { ...CMA, reg: reg(0x5000_0000n) },
    'c@70000000': { 'no-map': true, reg: reg(0x7000_0000n) },
  });
  t.deepEqual(regions(result), [
    'b@50000000 cma 50000000+400000',
    'b@50000000 plain 51000000+100000',
    'b@50000000 plain 52000000+100000',
    'a@60000000 plain 60000000+400000',
    'a@60000000 plain 61000000+100000',
    'a@60000000 plain 62000000+100000',
    'c@70000000 no-map 70000000+400000',
    'c@70000000 no-map 71000000+100000',
    'c@70000000 no-map 72000000+100000',
  ]);
  t.deepEqual(result.reserved.slice(0, 3).map(show), [
    '50000000+400000',
    '51000000+100000',
    '52000000+100000',
  ]);
  t.deepEqual(result.mapped.map(show), [
    '40000000+30000000',
    '70400000+c00000',
    '71100000+f00000',
    '72100000+df00000',
  ]);
});

test('further ranges stay set aside when the first is refused; those that were not are not listed', t => {
  const pool: DtLiteral = {
    ...COHERENT,
    reusable: true,
    reg: [0x5000_0000n, MIB, 0x5100_0000n, MIB],
  };
  const refused = reserve({ 'pool@50000000': pool });
  t.deepEqual(regions(refused), [
    'pool@50000000 refused 50000000+100000',
    'pool@50000000 no-map 51000000+100000',
  ]);
  const taken = reserve({
    'a@51000000': { reg: [0x5100_0000n, MIB] },
    'b@50000000': { 'no-map': true, reg: [0x5000_0000n, MIB, 0x5100_0000n, MIB, 0n, 0n] },
  });
  t.deepEqual(regions(taken), [
    'b@50000000 no-map 50000000+100000',
    'a@51000000 plain 51000000+100000',
  ]);
});

test('no-map outside RAM is no mistake', t => {
  const result = reserve({ 'a@10000000': { ...COHERENT, reg: [0x1000_0000n, MIB] } });
  t.deepEqual(regions(result), ['a@10000000 coherent 10000000+100000']);
  t.deepEqual(result.diagnostics, []);
});

test('regions that overlap are reported, and stay', t => {
  const result = reserve({
    'a@50000000': { reg: [0x5000_0000n, 2n * MIB] },
    'b@50100000': { reg: [0x5010_0000n, MIB] },
    'c@50200000': { reg: [0x5020_0000n, MIB] },
  });
  t.is(result.regions.length, 3);
  t.like(result.diagnostics, [{ place: '/reserved-memory/a@50000000' }]);
});

test('trap: a region with reg of size 0 is reported and placed by its size property', t => {
  const result = reserve({ a: { reg: [0x5000_0000n, 0n], size: [MIB] }, b: { reg: [0n, 0n] } });
  t.deepEqual(regions(result).sort(), ['a plain 7ff00000+100000', 'b failed 0+0']);
  t.like(
    result.diagnostics.map(({ property }) => property),
    ['reg', 'reg', 'size'],
  );
});

test('trap: there is room for 64 regions; later ones are set aside without becoming one', t => {
  const children = Object.fromEntries(
    Array.from({ length: 66 }, (_, i) => {
      return [`r${i}`, { reg: [0x5000_0000n + BigInt(i) * 2n * MIB, MIB] }] as const;
    }),
  );
  const result = reserve(children);
  t.is(result.regions.length, 64);
  t.is(result.reserved.length, 66);
  t.like(result.diagnostics, [
    { place: '/reserved-memory/r64' },
    { place: '/reserved-memory/r65' },
  ]);
});

test('properties of a wrong length leave a region out, with a report', t => {
  const cases: [DtLiteral, string, number][] = [
    [{ reg: [0x5000_0000n, 1] }, 'reg', 0],
    [{ size: [1] }, 'size', 1],
    [{ size: [MIB], alignment: [1] }, 'alignment', 1],
    [{ size: [MIB], 'alloc-ranges': [0n, MIB, 0n] }, 'alloc-ranges', 1],
  ];
  for (const [region, property, count] of cases) {
    const result = reserve({ region });
    t.is(result.regions.filter(({ kind }) => kind === 'failed').length, count, property);
    t.like(result.diagnostics, [{ place: '/reserved-memory/region', property }]);
  }
  t.deepEqual(reserve({ a: { reg: true }, b: {} }).regions, [], 'nothing said, nothing done');
});

test('more ranges than a machine could have are an InputError', t => {
  const reg = Array.from({ length: 1025 }, (_, i) => [BigInt(i) * 0x2000n, 0x1000n]).flat();
  t.is(reserve({ a: { reg: reg.slice(2) } }).reserved.length, 1024);
  t.throws(() => reserve({ a: { reg: reg.slice(0, 1800) }, b: { reg: reg.slice(0, 400) } }), {
    instanceOf: InputError,
    message: /^\/reserved-memory\/b: property 'reg'/,
  });
  const memReserve = Array.from({ length: 1025 }, (_, i) => ({ address: BigInt(i), size: 1n }));
  const most = ofReservedMem(treeOf({}, memReserve.slice(1)), RAM, ARM64);
  t.is(most.reserved[0]?.size, 1024n);
  t.throws(() => ofReservedMem(treeOf({}, memReserve), RAM, ARM64), {
    instanceOf: InputError,
    message: /^\/memreserve\//,
  });
});

const assignTree = treeOf({
  'cma: c@50000000': { ...CMA, reg: [0x5000_0000n, 4n * MIB] },
  'pool: p@60000000': { ...COHERENT, reg: [0x6000_0000n, MIB] },
  'bounce: b@61000000': { ...RESTRICTED, reg: [0x6100_0000n, MIB] },
  'plain: q@62000000': { reg: [0x6200_0000n, MIB] },
  'off: o@63000000': { ...RESTRICTED, reg: [0x6300_0000n, MIB], status: 'disabled' },
});
const assignable = ofReservedMem(assignTree, RAM, ARM64).regions;
const USER: PoolUser = { coherentMask: 0xffff_ffffn, busDmaLimit: null, hasDmaMem: false };

const assign = (label: string, user: Partial<PoolUser> = {}, index = 0) => {
  const phandles = assignTree.phandles();
  const handle = [...phandles].find(([, node]) => node.labels.includes(label))?.[0] ?? 99;
  const device = nodeAt(dt({ device: { 'memory-region': [handle] } }), '/device');
  const full = { ...USER, ...user };
  return ofReservedMemDeviceInitByIdx(device, index, assignable, full, phandles);
};

test('a region goes to the member of struct device its kind is for', t => {
  t.like(assign('cma'), { ok: true, value: { slot: 'cmaArea', warnings: [] } });
  t.like(assign('pool'), { ok: true, value: { slot: 'dmaMem', warnings: [] } });
  t.like(assign('bounce'), { ok: true, value: { slot: 'ioTlbMem' } });
});

test('a disabled region is no error and nothing happens; none and no pool are errors', t => {
  t.deepEqual(assign('off'), { ok: true, value: null });
  t.like(assign('plain'), { ok: false, problem: { errno: 'EINVAL' } });
  t.like(assign('pool', {}, 1), { ok: false, problem: { errno: 'ENODEV', problem: null } });
  t.like(assign('nobody'), { ok: false, problem: { errno: 'ENODEV' } });
});

test('trap: a second coherent pool is refused, other regions replace the one before', t => {
  t.like(assign('pool', { hasDmaMem: true }), { ok: false, problem: { errno: 'EBUSY' } });
  t.like(assign('cma', { hasDmaMem: true }), { ok: true });
  t.like(assign('bounce', { hasDmaMem: true }), { ok: true });
});

test("trap: a pool beyond the device's reach is only warned of, by its CPU address", t => {
  const warnings = (user: Partial<PoolUser>) => {
    const result = assign('pool', user);
    return result.ok ? result.value?.warnings.length : -1;
  };
  t.is(warnings({ busDmaLimit: 0x600f_ffffn }), 0);
  t.is(warnings({ busDmaLimit: 0x600f_fffen }), 1);
  t.is(warnings({ coherentMask: 0x3fff_ffffn }), 1);
  t.is(warnings({ coherentMask: 0n, busDmaLimit: 0n }), 1, 'both without a limit: limit 0');
  t.is(warnings({ coherentMask: 0n, busDmaLimit: 0x7fff_ffffn }), 0, 'a mask of 0 is none');
});

test('trap: only a restricted pool is given without asking, wherever it stands in the list', t => {
  const tree = dt({
    'reserved-memory': {
      'pool: p': POOL,
      'off: o': { ...RESTRICTED, status: 'disabled' },
      'bounce: b': RESTRICTED,
    },
    bridge: { 'memory-region': [ref('bounce')] },
    device: { 'memory-region': [ref('pool'), 77, ref('off'), ref('bounce'), ref('bounce')] },
    plain: { 'memory-region': [ref('pool')] },
    silent: {},
  });
  const at = (path: string) => nodeAt(tree, path);
  const given = (own: string | null, configured: string) => {
    const node = own === null ? null : at(own);
    const region = ofDmaSetRestrictedBuffer(node, at(configured), tree.phandles());
    return region === undefined ? 'none' : `${region.node.name} ${region.index}`;
  };
  t.is(given('/device', '/device'), 'device 3');
  t.is(given('/plain', '/bridge'), 'none', "a list of its own hides the bridge's");
  t.is(given('/silent', '/bridge'), 'bridge 0');
  t.is(given(null, '/bridge'), 'bridge 0');
  t.is(given('/silent', '/silent'), 'none');
});
