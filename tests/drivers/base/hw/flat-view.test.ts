import test from 'ava';
import fc from 'fast-check';
import { describeFlatView, renderFlatView } from '../../../../drivers/base/hw/flat-view';
import { MemoryRegion } from '../../../../drivers/base/hw/memory-region';
import { TxResult, type MmioHandler } from '../../../../drivers/base/hw/mmio';
import { BenchError } from '../../../../drivers/base/types/errors';

const silent: MmioHandler = { read: () => 0, write: () => TxResult.Ok };

const io = (name: string, size: number): MemoryRegion => MemoryRegion.io(name, size, silent);
const ram = (name: string, size: number): MemoryRegion => MemoryRegion.ram(name, { name, size });

/** `name@start+size` for each range, in hexadecimal. */
const shown = (root: MemoryRegion): string[] =>
  renderFlatView(root).map(
    ({ region, start, size }) => `${region.name}@${start.toString(16)}+${size.toString(16)}`,
  );

/** The example of QEMU's docs/devel/memory.rst: B lies over C; D and E are in B. */
const memoryRst = (b: MemoryRegion): MemoryRegion => {
  const a = MemoryRegion.container('A', 0x8000);
  a.add(0x2000, b, 2);
  a.add(0, io('C', 0x6000), 1);
  b.add(0, io('D', 0x1000));
  b.add(0x2000, io('E', 0x1000));
  return a;
};

test('a container is transparent in its holes', t => {
  t.deepEqual(shown(memoryRst(MemoryRegion.container('B', 0x4000))), [
    'C@0+2000',
    'D@2000+1000',
    'C@3000+1000',
    'E@4000+1000',
    'C@5000+1000',
  ]);
});

test('a region with registers of its own answers its own holes', t => {
  t.deepEqual(shown(memoryRst(io('B', 0x4000))), [
    'C@0+2000',
    'D@2000+1000',
    'B@3000+1000',
    'E@4000+1000',
    'B@5000+1000',
  ]);
});

test('priorities are compared among the children of one container only', t => {
  const root = MemoryRegion.container('root', 0x2000);
  const low = MemoryRegion.container('low', 0x1000);
  low.add(0, io('loud', 0x1000), 1000);
  root.add(0, low, -1);
  root.add(0, io('quiet', 0x1000), 0);
  t.deepEqual(shown(root), ['quiet@0+1000']);
});

test('of equal priorities the one added last is seen', t => {
  const root = MemoryRegion.container('root', 0x1000);
  root.add(0, io('old', 0x1000));
  root.add(0, io('new', 0x800));
  t.deepEqual(shown(root), ['new@0+800', 'old@800+800']);
});

test('two aliases split one RAM around a hole for devices, as on a PC', t => {
  const dram = ram('dram', 0x1_0000_0000);
  const root = MemoryRegion.container('system', 2 ** 48);
  root.add(0, MemoryRegion.alias('lomem', dram, 0, 0xe000_0000));
  root.add(0x1_0000_0000, MemoryRegion.alias('himem', dram, 0xe000_0000, 0x2000_0000));
  t.deepEqual(describeFlatView(renderFlatView(root)), [
    '0000000000000000-00000000dfffffff (ram): dram',
    '0000000100000000-000000011fffffff (ram): dram @00000000e0000000',
  ]);
});

test('neighbouring windows of one region are one range, others are not', t => {
  const dram = ram('dram', 0x3000);
  const root = MemoryRegion.container('root', 0x4000);
  root.add(0, MemoryRegion.alias('first', dram, 0, 0x1000));
  root.add(0x1000, MemoryRegion.alias('second', dram, 0x1000, 0x1000));
  root.add(0x2000, MemoryRegion.alias('first again', dram, 0, 0x1000));
  t.deepEqual(shown(root), ['dram@0+2000', 'dram@2000+1000']);
});

test('aliases may chain, and end where what they show ends', t => {
  const dram = ram('dram', 0x1000);
  const inner = MemoryRegion.alias('inner', dram, 0x800, 0x4000);
  const root = MemoryRegion.container('root', 0x8000);
  root.add(0x100, MemoryRegion.alias('outer', inner, 0x100, 0x4000));
  const [range, ...others] = renderFlatView(root);
  t.deepEqual(others, []);
  t.like(range, { start: 0x100, size: 0x700, region: dram, offset: 0x900 });
});

test('what hangs over the end of its container is not seen', t => {
  const window = MemoryRegion.container('window', 0x1000);
  window.add(0x800, ram('dram', 0x1000));
  const root = MemoryRegion.container('root', 0x4000);
  root.add(0x1000, window);
  t.deepEqual(shown(root), ['dram@1800+800']);
});

test('ROM is read only, also through an alias, and RAM is not', t => {
  const rom = MemoryRegion.rom('rom', { name: 'rom', size: 0x1000 });
  const root = MemoryRegion.container('root', 0x4000);
  root.add(0, rom);
  root.add(0x1000, MemoryRegion.alias('window', rom, 0, 0x1000));
  root.add(0x2000, ram('dram', 0x1000));
  t.deepEqual(
    renderFlatView(root).map(range => range.readOnly),
    [true, true, false],
  );
});

test('a region that was removed is gone, alone, and may be placed elsewhere', t => {
  const root = MemoryRegion.container('root', 0x4000);
  const [a, b, c] = [io('a', 0x1000), io('b', 0x1000), io('c', 0x1000)];
  root.add(0, a);
  root.add(0x1000, b);
  root.add(0x2000, c);
  root.remove(b);
  t.deepEqual(shown(root), ['a@0+1000', 'c@2000+1000']);
  t.is(b.container, null);
  root.add(0x3000, b);
  t.deepEqual(shown(root), ['a@0+1000', 'c@2000+1000', 'b@3000+1000']);
});

test('a disabled region and all in it is not there', t => {
  const b = MemoryRegion.container('B', 0x4000);
  const root = memoryRst(b);
  b.enabled = false;
  t.deepEqual(shown(root), ['C@0+6000']);
});

test('regions reach from 0 to 2^52 and no further', t => {
  const root = MemoryRegion.container('root', 2 ** 52);
  root.add(2 ** 52 - 0x1000, ram('top', 0x1000));
  t.deepEqual(shown(root), ['top@ffffffffff000+1000']);
  for (const size of [0, -1, 0.5, 2 ** 52 + 1, NaN]) {
    t.throws(() => MemoryRegion.container('bad', size), { instanceOf: BenchError });
  }
  t.throws(
    () => {
      root.add(2 ** 52, io('off', 1));
    },
    { instanceOf: BenchError },
  );
  t.throws(() => MemoryRegion.alias('bad', root, -1, 1), { instanceOf: BenchError });
});

test('topologies that cannot be are refused, and leave the map as it was', t => {
  const root = MemoryRegion.container('root', 0x4000);
  const dram = ram('dram', 0x1000);
  root.add(0, dram);
  const refuse = (place: MemoryRegion, region: MemoryRegion, message: RegExp): void => {
    t.throws(
      () => {
        place.add(0, region);
      },
      { instanceOf: BenchError, message },
    );
  };
  refuse(MemoryRegion.container('other', 0x1000), dram, /in a container already/);
  refuse(MemoryRegion.alias('alias', dram, 0, 0x1000), io('io', 4), /an alias has no subregions/);
  refuse(root, root, /contain itself/);
  refuse(root, MemoryRegion.alias('mirror', root, 0, 0x1000), /contain itself/);
  const between = MemoryRegion.container('between', 0x1000);
  between.add(0, MemoryRegion.alias('mirror', root, 0, 0x1000));
  refuse(root, between, /contain itself/);
  t.throws(
    () => {
      root.remove(between);
    },
    { instanceOf: BenchError, message: /is not in root/ },
  );
  t.deepEqual(shown(root), ['dram@0+1000']);
});

test('nesting too deep to be meant is refused when it is rendered', t => {
  let region: MemoryRegion = ram('dram', 0x1000);
  for (let i = 0; i < 40; i++) region = MemoryRegion.alias(`alias ${i}`, region, 0, 0x1000);
  t.throws(() => renderFlatView(region), { instanceOf: BenchError, message: /nested deeper/ });
  let inner = MemoryRegion.container('innermost', 0x1000);
  for (let i = 0; i < 40; i++) {
    const outer = MemoryRegion.container(`container ${i}`, 0x1000);
    outer.add(0, inner);
    inner = outer;
  }
  t.throws(() => renderFlatView(inner), { instanceOf: BenchError, message: /nested deeper/ });
});

test('a map whose aliases multiply without end is refused, not rendered for ever', t => {
  let region = MemoryRegion.container('0', 0x1000);
  region.add(0, ram('dram', 0x1000));
  for (let i = 1; i < 24; i++) {
    const outer = MemoryRegion.container(String(i), 0x1000);
    outer.add(0, MemoryRegion.alias('one', region, 0, 0x1000));
    outer.add(0, MemoryRegion.alias('two', region, 0, 0x1000));
    region = outer;
  }
  t.throws(() => renderFlatView(region), { instanceOf: BenchError });
});

/*
 * The oracle: what is seen at one address, found by the rules of memory.rst one address at a
 * time, with no clipping and no ranges.
 */
interface Seen {
  readonly region: MemoryRegion;
  readonly offset: number;
}

const lookUp = (region: MemoryRegion, offset: number): Seen | null => {
  if (!region.enabled || offset < 0 || offset >= region.size) return null;
  const { content } = region;
  if (content.kind === 'alias') return lookUp(content.target, offset + content.targetOffset);
  for (const child of region.subregions) {
    const seen = lookUp(child.region, offset - child.offset);
    if (seen !== null) return seen;
  }
  return content.kind === 'container' ? null : { region, offset };
};

interface Plan {
  readonly kind: number;
  readonly size: number;
  readonly parent: number;
  readonly offset: number;
  readonly priority: number;
  readonly target: number;
  readonly enabled: boolean;
}

const plans = fc.array(
  fc.record<Plan>({
    kind: fc.nat(3),
    size: fc.integer({ min: 1, max: 48 }),
    parent: fc.nat(100),
    offset: fc.nat(47),
    priority: fc.integer({ min: -1, max: 1 }),
    target: fc.nat(100),
    enabled: fc.boolean().map(off => !off),
  }),
  { maxLength: 14 },
);

/** A tree with aliases of regions made before: acyclic, or refused by `add`. */
const build = (steps: readonly Plan[]): MemoryRegion => {
  const regions = [MemoryRegion.container('root', 64)];
  const pick = (index: number): MemoryRegion => regions[index % regions.length] ?? io('none', 1);
  steps.forEach((step, i) => {
    const name = `r${i}`;
    const make = [
      () => MemoryRegion.container(name, step.size),
      () => io(name, step.size),
      () => ram(name, step.size),
      () => MemoryRegion.alias(name, pick(step.target), step.offset, step.size),
    ][step.kind];
    if (make === undefined) return;
    const region = make();
    try {
      pick(step.parent).add(step.offset, region, step.priority);
    } catch (error) {
      if (!(error instanceof BenchError)) throw error;
    }
    region.enabled = step.enabled;
    regions.push(region);
  });
  return pick(0);
};

test('on any tree the view agrees with looking up each address by the rules', t => {
  fc.assert(
    fc.property(plans, steps => {
      const root = build(steps);
      const view = renderFlatView(root);
      const painted: (Seen | null)[] = Array.from({ length: 64 }, () => null);
      let end = 0;
      for (const range of view) {
        t.true(range.start >= end && range.size > 0, 'sorted and disjoint');
        end = range.start + range.size;
        for (let i = 0; i < range.size; i++) {
          painted[range.start + i] = { region: range.region, offset: range.offset + i };
        }
      }
      for (let address = 0; address < 64; address++) {
        const expected = lookUp(root, address);
        t.is(painted[address]?.region, expected?.region, `address ${address}`);
        t.is(painted[address]?.offset, expected?.offset, `address ${address}`);
      }
    }),
    { numRuns: 400 },
  );
});

test('on any tree no two neighbouring ranges could be one', t => {
  fc.assert(
    fc.property(plans, steps => {
      const view = renderFlatView(build(steps));
      const unmerged = view.filter((range, i) => {
        const next = view[i + 1];
        return (
          next?.region === range.region &&
          range.start + range.size === next.start &&
          range.offset + range.size === next.offset
        );
      });
      t.deepEqual(unmerged, []);
    }),
  );
});
