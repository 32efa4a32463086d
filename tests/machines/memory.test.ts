import test from 'ava';
import { InputError } from '../../drivers/base/types/errors';
import type { DeviceTree } from '../../drivers/of/tree';
import { describeMachine } from '../../machines/describe';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { dt } from '../support/dt';
import type { DtLiteral } from '../support/dt';

const plan = (tree: DeviceTree, memory: number | null = null): MachinePlan =>
  planMachine(tree, { memory, quirks: [] });

/** A machine of one Cortex-A9 whose memory nodes are given. */
const machine = (nodes: DtLiteral): DeviceTree =>
  dt({
    compatible: 'acme,board',
    '#address-cells': [1],
    '#size-cells': [1],
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      'cpu@0': { device_type: 'cpu', compatible: 'arm,cortex-a9', reg: [0] },
    },
    ...nodes,
  });

const memory = (...reg: number[]): DtLiteral => ({ device_type: 'memory', reg });

/** A boot loader moves the end of RAM below the registers; the tree as written does not. */
const overRegisters = (bank: DtLiteral): DeviceTree =>
  machine({
    'memory@0': bank,
    soc: {
      compatible: 'simple-bus',
      '#address-cells': [1],
      '#size-cells': [1],
      ranges: [0x7e00_0000, 0x3f00_0000, 0x100_0000],
      'intc@7e00b200': { compatible: 'brcm,bcm2836-armctrl-ic', reg: [0x7e00_b200, 0x200] },
      'dma@7e007000': { compatible: 'brcm,bcm2835-dma', reg: [0x7e00_7000, 0xf00] },
    },
  });

const ranges = (banks: MachinePlan['memory']['banks']): string[] =>
  banks.map(({ base, size, from }) => `${from} ${base.toString(16)}+${size.toString(16)}`);

test("registers that a machine needs are no RAM, though the tree's bank covers them", t => {
  const board = plan(overRegisters(memory(0, 0x4000_0000)));
  t.deepEqual(ranges(board.memory.banks), ['/memory@0 0+3f00b000', '/memory@0 3f00c000+ff4000']);
  t.deepEqual(board.notes, [
    '/memory@0: 0x3f00b000 to 0x3f00bfff is not used as RAM: registers of /soc/intc@7e00b200',
  ]);
  const { memory: described } = describeMachine(board, { source: 'a', hash: '' });
  t.deepEqual(described, [{ base: '0x0', size: '0x40000000', from: '/memory@0' }]);
});

test('a pool is not placed on registers that the bank of the tree covers', t => {
  const tree = overRegisters(memory(0, 0x4000_0000));
  const reserved = tree.root.appendChild('reserved-memory');
  for (const name of ['#address-cells', '#size-cells']) {
    reserved.setProperty(name, Uint8Array.of(0, 0, 0, 1));
  }
  reserved.setProperty('ranges', new Uint8Array(0));
  const pool = reserved.appendChild('pool');
  pool.setProperty('size', Uint8Array.of(1, 0, 0, 0));
  const [region] = plan(tree).memory.reserved.regions;
  t.is(region?.size, 0x100_0000n);
  t.true((region?.base ?? 0n) + 0x100_0000n <= 0x3f00_b000n);
});

test('RAM that the user asks for does not give way to registers', t => {
  const tree = overRegisters(memory(0, 0x1000_0000));
  t.notThrows(() => plan(tree, 0x3f00_0000));
  const error = t.throws(() => plan(tree, 0x4000_0000), { instanceOf: InputError });
  t.is(
    error.message,
    '--memory: expected RAM that leaves the registers of /soc/intc@7e00b200 at 0x3f00b200 free, ' +
      'found 0x0 to 0x3fffffff',
  );
});

test('RAM of which registers leave nothing is refused', t => {
  const tree = machine({
    'memory@8000000': memory(0x800_0000, 0x1000),
    'intc@8000000': { compatible: 'arm,pl190-vic', reg: [0x800_0000, 0x1000] },
  });
  const error = t.throws(() => plan(tree), { instanceOf: InputError });
  t.regex(error.message, /^\/memory@8000000: expected RAM that leaves the registers of \/intc@/);
});

test('each entry of a reg is told on its own, neighbours are one bank to the machine', t => {
  const board = plan(
    machine({
      'memory@20000000': memory(0x2000_0000, 0x1000_0000, 0x4000_0000, 0),
      'memory@10000000': memory(0x1000_0000, 0x1000_0000),
    }),
  );
  t.deepEqual(ranges(board.memory.written), [
    '/memory@20000000 20000000+10000000',
    '/memory@10000000 10000000+10000000',
  ]);
  t.deepEqual(
    describeMachine(board, { source: 'a', hash: '' }).memory.map(({ from }) => from),
    ['/memory@20000000', '/memory@10000000'],
  );
  t.deepEqual(
    board.memory.banks.map(({ base, size }) => [base, size]),
    [[0x1000_0000n, 0x2000_0000n]],
  );
});

test('entries are cut to what the kernel is told to use, and what it is given besides is added', t => {
  const usable = (...range: number[]): string[] => {
    const nodes = {
      'memory@10000000': memory(0x1000_0000, 0x1000_0000, 0x3000_0000, 0x1000_0000),
      chosen: { 'linux,usable-memory-range': range },
    };
    return ranges(plan(machine(nodes)).memory.written);
  };
  t.deepEqual(usable(0x1800_0000, 0x1000_0000), ['/memory@10000000 18000000+8000000']);
  t.deepEqual(usable(0x1800_0000, 0x2000_0000, 0x5000_0000, 0x1000), [
    '/memory@10000000 18000000+8000000',
    '/memory@10000000 30000000+8000000',
    '/chosen 50000000+1000',
  ]);
  t.is(usable(0, 0).length, 2);
});

test('a range to use in which no RAM is, is told as such', t => {
  const board = plan(
    machine({
      'memory@10000000': memory(0x1000_0000, 0x1000_0000),
      chosen: { 'linux,usable-memory-range': [0x8000_0000, 0x1000] },
    }),
  );
  t.regex(board.notes[0] ?? '', /^no memory within linux,usable-memory-range: 512 MiB at /);
});
