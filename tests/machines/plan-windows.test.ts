import test from 'ava';
import { InputError } from '../../drivers/base/types/errors';
import type { DeviceTree } from '../../drivers/of/tree';
import { planMachine } from '../../machines/plan';
import type { MachinePlan } from '../../machines/plan';
import { testMasterBase } from '../../machines/plan-windows';
import { dt } from '../support/dt';
import type { DtLiteral } from '../support/dt';

/** A machine of one core and 256 MiB from 2 GiB on, with 64-bit addresses. */
const machine = (root: DtLiteral, core = 'arm,cortex-a9'): DeviceTree =>
  dt({
    compatible: 'acme,board',
    '#address-cells': [2],
    '#size-cells': [2],
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      'cpu@0': { device_type: 'cpu', compatible: core, reg: [0] },
    },
    memory: { device_type: 'memory', reg: [0x8000_0000n, 0x1000_0000n] },
    ...root,
  });

const plan = (tree: DeviceTree): MachinePlan => planMachine(tree, { memory: null, quirks: [] });

const engine = (start: bigint, size = 0x1000n): DtLiteral => ({
  compatible: 'dmabench,copy-engine',
  reg: [start, size],
});

const pl310 = (size: number, sets: number): DtLiteral => ({
  compatible: 'arm,pl310-cache',
  reg: [0x4824_2000n, 0x1000n],
  'cache-unified': true,
  'cache-level': [2],
  'cache-size': [size],
  'cache-sets': [sets],
});

interface Wrong {
  readonly name: string;
  readonly root: DtLiteral;
  readonly core?: string;
  readonly message: string;
}

const WRONG: readonly Wrong[] = [
  {
    name: 'registers beyond all addresses',
    root: { e: engine(0xffff_ffff_ffff_f000n) },
    core: 'arm,cortex-a53',
    message:
      "/e: property 'reg': expected registers below 0x1000000000000, which the CPUs reach, " +
      'found 0x1000 bytes at 0xfffffffffffff000',
  },
  {
    name: 'registers beyond what short descriptors name',
    root: { e: engine(0x1_0000_0000n) },
    message:
      "/e: property 'reg': expected registers below 0x100000000, which the CPUs reach, " +
      'found 0x1000 bytes at 0x100000000',
  },
  {
    name: 'registers beyond what LPAE names',
    root: { e: engine(2n ** 48n) },
    core: 'arm,cortex-a15',
    message:
      "/e: property 'reg': expected registers below 0x10000000000, which the CPUs reach, " +
      'found 0x1000 bytes at 0x1000000000000',
  },
  {
    name: 'registers at which another model answers',
    root: { e: engine(0x4000_0000n), f: engine(0x4000_0000n) },
    message:
      "/f: property 'reg': expected addresses that /e leaves free, " +
      'found 0x40000000 to 0x40000fff',
  },
  {
    name: 'registers that are fewer than the model has',
    root: { e: engine(0x4000_0000n, 0x800n) },
    message:
      "/e: property 'reg': expected at least 0x1000 bytes of registers, " +
      'found 0x800 bytes at 0x40000000',
  },
  {
    name: 'registers that no kernel maps as a whole',
    root: { e: engine(0x1000_0000n, 0x4000_1000n) },
    message:
      "/e: property 'reg': expected at most 0x4000000 bytes of registers, " +
      'found 0x40001000 bytes at 0x10000000',
  },
  {
    name: 'a PL310 larger than there are',
    root: { cache: pl310(0x400_0000, 0x2_0000) },
    message:
      "/cache: property 'cache-size': expected 16 ways of 16 to 512 KiB, found ways of 4096 KiB",
  },
];

for (const { name, root, core, message } of WRONG) {
  test(`wrong input: ${name}`, t => {
    const error = t.throws(() => plan(machine(root, core)), { instanceOf: InputError });
    t.is(error.message, message);
  });
}

test('registers are taken where the kernel of the core reaches them', t => {
  const high = { e: engine(0xff_ffff_f000n) };
  t.notThrows(() => plan(machine(high, 'arm,cortex-a15')));
  t.notThrows(() => plan(machine({ e: engine(2n ** 48n - 0x1000n) }, 'arm,cortex-a53')));
  t.notThrows(() => plan(machine({ e: engine(0xffff_f000n) })));
});

test('windows that touch do not overlap, and a reg may be longer than the model', t => {
  const root = { e: engine(0x4000_0000n, 0x2000n), f: engine(0x4000_1000n) };
  t.notThrows(() => plan(machine(root)));
});

test('test masters are put behind what is in the way', t => {
  t.is(testMasterBase(plan(machine({}))), 0x1000_0000);
  const root = { e: engine(0x1000_0000n), soc: { compatible: 'a,b', reg: [0x1000_1000n, 0x801n] } };
  t.is(testMasterBase(plan(machine(root))), 0x1000_2000);
});

test('where RAM reaches to the end of the addresses, test masters are put below it', t => {
  const memory = { device_type: 'memory', reg: [0x1000_0000n, 0xf000_0000n] };
  const soc = { compatible: 'a,b', reg: [0x1000n, 0x800n] };
  t.is(testMasterBase(plan(machine({ memory, soc }))), 0x2000);
});

test('wrong input: what leaves no room for test masters', t => {
  const root = { soc: { compatible: 'acme,soc', reg: [0n, 0x1_0000_0000n] } };
  const error = t.throws(() => testMasterBase(plan(machine(root))), { instanceOf: InputError });
  t.is(
    error.message,
    "/soc: property 'reg': expected 0x1000 free bytes for test masters from 0x1000 to 0xffffffff, " +
      'found 0x100000000 bytes at 0x0',
  );
});
