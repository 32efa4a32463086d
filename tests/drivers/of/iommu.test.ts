import fc from 'fast-check';
import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import type { IommuConfig, IommuConfigureOptions } from '../../../drivers/of/iommu';
import { ofIommuConfigure, ofMapId } from '../../../drivers/of/iommu';
import { ofParsePhandle, ofParsePhandleWithArgs } from '../../../drivers/of/phandle';
import type { DtLiteral, DtValue } from '../../support/dt';
import { dt, nodeAt, ref } from '../../support/dt';

const IOMMUS: DtLiteral = {
  'one: iommu@1': { '#iommu-cells': [1] },
  'two: iommu@2': { '#iommu-cells': [2] },
  'none: iommu@3': { '#iommu-cells': [0] },
  'off: iommu@4': { '#iommu-cells': [1], status: 'disabled' },
  'mute: iommu@5': {},
};

/** The configuration as text: specifiers in hexadecimal, or why DMA is direct. */
const show = (config: IommuConfig): string =>
  config.kind === 'iommu'
    ? config.specs.map(({ node, args }) => `${node.name}<${args.map(hexCell).join(' ')}>`).join(' ')
    : `direct: ${config.reason}`;

const hexCell = (cell: number): string => cell.toString(16);

const configure = (device: DtLiteral, options?: IommuConfigureOptions) => {
  const tree = dt({ ...IOMMUS, bus: { iommus: [ref('one'), 99], device } });
  return ofIommuConfigure(nodeAt(tree, '/bus/device'), tree.phandles(), options);
};
const iommus = (...value: Extract<DtValue, readonly unknown[]>[number][]): DtLiteral => ({
  iommus: value as DtValue,
});

test('every entry of iommus has as many cells as its IOMMU says', t => {
  const config = configure(iommus(ref('two'), 5, 6, ref('none'), ref('one'), 7));
  t.is(show(config), 'iommu@2<5 6> iommu@3<> iommu@1<7>');
});

test('trap: a device without iommus is direct, whatever its parent has', t => {
  t.is(show(configure({})), 'direct: not-described');
});

test('trap: a disabled IOMMU makes the device direct, even after one that is enabled', t => {
  t.is(show(configure(iommus(ref('off'), 1))), 'direct: disabled');
  t.is(show(configure(iommus(ref('one'), 1, ref('off'), 1))), 'direct: disabled');
});

test('an entry that cannot be read ends the list, and is reported', t => {
  const cases: [DtLiteral, string, string, string][] = [
    [iommus(77, 1), 'direct: broken', '/bus/device', '77'],
    [iommus(0xffff_ffff, 1), 'direct: broken', '/bus/device', '4294967295'],
    [iommus(ref('one'), 1, 77, 1), 'iommu@1<1>', '/bus/device', '77'],
    [iommus(ref('one'), 1, ref('two'), 1), 'iommu@1<1>', '/bus/device', '1 cells'],
    [iommus(ref('mute'), 1), 'direct: broken', '/iommu@5', 'none'],
  ];
  for (const [device, shown, place, found] of cases) {
    const config = configure(device);
    t.is(show(config), shown);
    t.like(config.diagnostics, [{ place, found }]);
  }
});

test('an entry with phandle 0 ends the list and is no mistake', t => {
  const config = configure(iommus(ref('one'), 1, 0, ref('one'), 2));
  t.is(show(config), 'iommu@1<1>');
  t.like(config, { diagnostics: [] });
});

test('iommus that are not whole cells, or absurdly many cells, are an InputError', t => {
  const ragged = { iommus: new Uint8Array(5) };
  t.throws(() => configure(ragged), {
    instanceOf: InputError,
    message: /^\/bus\/device.*'iommus'/,
  });
  const wide = (cells: number) => {
    const iommu = { 'x: x': { '#iommu-cells': [cells] } };
    const tree = dt({ ...iommu, d: { iommus: [ref('x'), ...Array(cells).keys()] } });
    return ofIommuConfigure(nodeAt(tree, '/d'), tree.phandles());
  };
  t.is(wide(16).kind, 'iommu');
  t.throws(() => wide(17), {
    instanceOf: InputError,
    message: /^\/x: property '#iommu-cells': expected at most 16/,
  });
});

test('more specifiers than any device has are an InputError', t => {
  const specifiers = (count: number) => iommus(...Array.from({ length: count }, () => ref('none')));
  t.is(configure(specifiers(128)).kind, 'iommu');
  t.throws(() => configure(specifiers(129)), {
    instanceOf: InputError,
    message: "/bus/device: property 'iommus': expected at most 128 specifiers, found 129",
  });
});

test('more specifiers of all devices together than any board has are an InputError', t => {
  const list = iommus(...Array.from({ length: 128 }, () => ref('none')));
  const devices = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`d${i}`, list]));
  const tree = dt({ ...IOMMUS, ...devices });
  const phandles = tree.phandles();
  const configureAll = (count: number): void => {
    for (let i = 0; i < count; i++) ofIommuConfigure(nodeAt(tree, `/d${i}`), phandles);
  };
  configureAll(128);
  configureAll(128);
  t.throws(
    () => {
      configureAll(129);
    },
    {
      instanceOf: InputError,
      message: /^\/d128: property 'iommus': expected at most 16384 IOMMU specifiers of all devices/,
    },
  );
});

const host = (map: DtLiteral, ids: readonly number[]) =>
  configure({ device_type: 'pci', ...map }, { inputIds: ids });
const MAP: DtLiteral = {
  'iommu-map': [0, ref('one'), 0x1000, 0x100, 0x200, ref('two'), 0x8, 0x10],
};

test("a PCI function's id is looked up in iommu-map, one cell whatever #iommu-cells says", t => {
  t.is(show(host(MAP, [0xff])), 'iommu@1<10ff>');
  t.is(show(host(MAP, [0x20f])), 'iommu@2<17>');
});

test("each of a function's DMA aliases has a specifier", t => {
  t.is(show(host(MAP, [1, 0x200])), 'iommu@1<1001> iommu@2<8>');
});

test('iommu-map-mask hides bits of the id', t => {
  t.is(show(host({ ...MAP, 'iommu-map-mask': [0xf0f] }, [0x2f5])), 'iommu@2<d>');
  t.is(
    show(host({ 'iommu-map': [0, ref('one'), 2, 1], 'iommu-map-mask': [0] }, [0xabc])),
    'iommu@1<2>',
  );
});

test('trap: an id no entry of iommu-map matches bypasses the IOMMU', t => {
  t.is(show(host(MAP, [0x100])), 'direct: not-mapped');
  t.is(show(host(MAP, [0x210])), 'direct: not-mapped');
  t.is(show(host(MAP, [1, 0x100])), 'direct: not-mapped', 'the last alias decides');
});

test('trap: iommus of a host bridge say nothing of the functions behind it', t => {
  t.is(show(host(iommus(ref('one'), 1), [1])), 'direct: not-described');
  t.is(show(host(MAP, [])), 'direct: not-described');
});

test('trap: errors of iommu-map are reported and leave the function direct', t => {
  const cases: [DtLiteral, string][] = [
    [{ 'iommu-map': [0, 77, 0, 0x100] }, '77'],
    [{ 'iommu-map': [0, ref('one'), 0] }, '3 cells'],
    [{ 'iommu-map': true }, '0 cells'],
    [{ 'iommu-map': [0x10, ref('one'), 0, 1], 'iommu-map-mask': [0xf] }, '0x10'],
  ];
  for (const [map, found] of cases) {
    const config = host(map, [1]);
    t.is(show(config), 'direct: broken');
    t.like(config.kind === 'direct' ? config.diagnostics[0] : null, {
      place: '/bus/device',
      found,
    });
  }
});

test('a mapped IOMMU that is disabled is treated as in iommus', t => {
  t.is(show(host({ 'iommu-map': [0, ref('off'), 0, 0x100] }, [1])), 'direct: disabled');
});

test("the errors of of_map_id have the kernel's numbers", t => {
  const errno = (map: DtLiteral) => {
    const tree = dt({ ...IOMMUS, d: map });
    const result = ofMapId(nodeAt(tree, '/d'), 1, 'msi-map', 'msi-map-mask', tree.phandles());
    return result.ok ? 'none' : result.problem.errno;
  };
  t.is(errno({}), 'ENODEV');
  t.is(errno({ 'msi-map': [0, 0, 0, 4] }), 'ENODEV');
  t.is(errno({ 'msi-map': [0] }), 'EINVAL');
  t.is(errno({ 'msi-map': [2, ref('one'), 0, 4], 'msi-map-mask': [1] }), 'EFAULT');
});

test('an id in a window keeps its distance to the base, to 32 bits', t => {
  const cell = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(cell, cell, cell, cell, (base, out, length, id) => {
      const tree = dt({ ...IOMMUS, d: { m: [base, ref('one'), out, length] } });
      const result = ofMapId(nodeAt(tree, '/d'), id, 'm', 'm-mask', tree.phandles());
      const end = (base + length) % 2 ** 32;
      const inside = id >= base && id < end;
      t.like(result, {
        ok: true,
        value: { id: inside ? (id - base + out) % 2 ** 32 : id },
      });
      t.is(result.ok && result.value.target !== null, inside);
    }),
  );
});

test('a plain phandle list knows no empty entries and no argument cells', t => {
  const tree = dt({ ...IOMMUS, d: { list: [ref('one'), 0, ref('two'), 77] } });
  const at = (i: number) => ofParsePhandle(nodeAt(tree, '/d'), 'list', i, tree.phandles())?.name;
  t.deepEqual([0, 1, 2, 3, 4].map(at), ['iommu@1', undefined, 'iommu@2', undefined, undefined]);
});

test('an entry is found by its number, empty entries counting', t => {
  const tree = dt({ ...IOMMUS, d: { list: [ref('two'), 1, 2, 0, ref('one'), 3, 77] } });
  const parse = (i: number) =>
    ofParsePhandleWithArgs(nodeAt(tree, '/d'), 'list', '#iommu-cells', i, tree.phandles());
  t.like(parse(2), { ok: true, value: { args: [3] } });
  t.like(parse(1), { ok: false, problem: { errno: 'ENOENT', problem: null } });
  t.like(parse(3), { ok: false, problem: { errno: 'EINVAL', problem: { place: '/d' } } });
  const short = ofParsePhandleWithArgs(nodeAt(tree, '/d'), 'no', '#x', 0, tree.phandles());
  t.like(short, { ok: false, problem: { errno: 'ENOENT' } });
});
