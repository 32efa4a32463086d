import test from 'ava';
import fc from 'fast-check';
import { BenchError } from '../../../../drivers/base/types/errors';
import type { SheetSpec } from '../../../../drivers/base/types/register-spec';
import {
  registerCoverage,
  renderNotModelled,
  renderRegisterTable,
} from '../../../../drivers/base/types/register-table';
import { bit, defineRegisters, field } from '../../../../drivers/base/types/registers';

type Registers = SheetSpec['registers'];

const sheetOf = (registers: Registers, arrays: SheetSpec['arrays'] = {}): SheetSpec => ({
  name: 'toy',
  size: 0x100,
  registers,
  arrays,
});

test('a sheet keeps what it declares, frozen', t => {
  const sheet = defineRegisters({
    name: 'toy',
    size: 0x10,
    registers: { CTRL: { at: 4, reset: 1, fields: { EN: bit(0) } } },
  });
  const at: 4 = sheet.registers.CTRL.at;
  t.is(at, 4);
  t.is(sheet.registers.CTRL.fields.EN.mask, 1);
  t.true(Object.isFrozen(sheet.registers.CTRL.fields));
  t.true(Object.isFrozen(sheet.registers.CTRL.fields.EN));
  t.true(Object.isFrozen(bit(0)));
  t.true(Object.isFrozen(sheet.layout.registers));
});

const rejections: Record<string, { spec: SheetSpec; message: RegExp }> = {
  'two registers at one address': {
    spec: sheetOf({ A: { at: 0 }, B: { at: 0 } }),
    message: /toy\.B and A overlap at 0x0/,
  },
  'a byte register inside a word': {
    spec: sheetOf({ A: { at: 0 }, B: { at: 3, width: 8 } }),
    message: /overlap at 0x3/,
  },
  'elements of an array that overlap': {
    spec: sheetOf(
      {},
      { CH: { at: 0, stride: 4, count: 2, registers: { A: { at: 0 }, B: { at: 4 } } } },
    ),
    message: /overlap at 0x4/,
  },
  'a vector that runs into another register': {
    spec: sheetOf({ V: { at: 0, count: 4 }, A: { at: 12 } }),
    message: /overlap at 0xc/,
  },
  'a word that is not aligned': { spec: sheetOf({ A: { at: 2 } }), message: /not aligned/ },
  'a stride that does not keep alignment': {
    spec: sheetOf({ A: { at: 0, count: 2, stride: 6 } }),
    message: /not aligned/,
  },
  'an offset that is no whole number': { spec: sheetOf({ A: { at: NaN } }), message: /aligned/ },
  'a negative offset': { spec: sheetOf({ A: { at: -4 } }), message: /aligned/ },
  'a register outside the window': { spec: sheetOf({ A: { at: 0x100 } }), message: /outside/ },
  'an array that runs out of the window': {
    spec: sheetOf({}, { CH: { at: 0, stride: 0x40, count: 5, registers: { A: { at: 0 } } } }),
    message: /toy\.CH\.A: ends at 0x104/,
  },
  'a field wider than its register': {
    spec: sheetOf({ A: { at: 0, width: 8, fields: { F: field(4, 8) } } }),
    message: /F is outside the register/,
  },
  'fields that overlap': {
    spec: sheetOf({ A: { at: 0, fields: { F: field(0, 4), G: bit(3) } } }),
    message: /overlaps/,
  },
  'a reset value in reserved bits': {
    spec: sheetOf({ A: { at: 0, reset: 2, fields: { F: bit(0) } } }),
    message: /reset value 0x2/,
  },
  'a reset value wider than the register': {
    spec: sheetOf({ A: { at: 0, width: 8, reset: 0x100 } }),
    message: /reset value 0x100/,
  },
  'a register and an array of one name': {
    spec: sheetOf(
      { A: { at: 0 } },
      { A: { at: 8, stride: 4, count: 1, registers: { B: { at: 0 } } } },
    ),
    message: /has this name too/,
  },
  'a register whose name could be a method': {
    spec: sheetOf({ read: { at: 0 } }),
    message: /begin with a capital/,
  },
  'a field that would hide the value': {
    spec: sheetOf({ A: { at: 0, fields: { value: bit(0) } } }),
    message: /field name 'value'/,
  },
  'a vector inside an array': {
    spec: sheetOf(
      {},
      { CH: { at: 0, stride: 8, count: 1, registers: { A: { at: 0, count: 2 } } } },
    ),
    message: /vector inside an array/,
  },
  'a count that is none': { spec: sheetOf({ A: { at: 0, count: 0 } }), message: /count/ },
  'sharing with nothing': {
    spec: sheetOf({ A: { at: 0, shares: 'B' } }),
    message: /shares an unknown register/,
  },
  'sharing with an unlike register': {
    spec: sheetOf({ A: { at: 0, count: 2 }, B: { at: 8, shares: 'A' } }),
    message: /not like A/,
  },
  'a shared register with a reset value of its own': {
    spec: sheetOf({ A: { at: 0 }, B: { at: 8, shares: 'A', reset: 1 } }),
    message: /not like A/,
  },
  'a window of no bytes': { spec: { name: 'toy', size: 0, registers: {} }, message: /0 bytes/ },
  'a window without bound': {
    spec: { name: 'toy', size: 2 ** 40, registers: {} },
    message: /a window of/,
  },
  'more registers than a table holds': {
    spec: { name: 'toy', size: 2 ** 26, registers: { A: { at: 0, count: 2 ** 17 } } },
    message: /too many/,
  },
};

for (const [what, { spec, message }] of Object.entries(rejections)) {
  test(`a sheet with ${what} is refused when it loads`, t => {
    t.throws(() => defineRegisters(spec), { instanceOf: BenchError, message });
  });
}

test('a property that a register does not have is refused: a typing mistake is no silent default', t => {
  const misspelt = { at: 0, rest: 5 };
  t.throws(() => defineRegisters(sheetOf({ A: misspelt })), {
    message: /'rest' is not a property/,
  });
});

test('a field that is no run of bits of a word is refused', t => {
  for (const [low, count] of [
    [32, 1],
    [0, 33],
    [-1, 1],
    [0, 0],
    [0.5, 1],
  ] as const) {
    t.throws(() => field(low, count), { instanceOf: BenchError });
  }
});

test('a field extracts and places its value, whatever stands in the other bits', t => {
  fc.assert(
    fc.property(
      fc.nat(31),
      fc.integer({ min: 1, max: 32 }),
      fc.nat(0xffff_ffff),
      (low, n, word) => {
        fc.pre(low + n <= 32);
        const f = field(low, n);
        const expected = Number((BigInt(word) >> BigInt(low)) & ((1n << BigInt(n)) - 1n));
        t.is(f.of(word), expected);
        t.is(f.of(word | 0), expected, 'of a word that came signed');
        t.is(f.of(f.at(expected)), expected);
        t.is(((f.at(expected) ^ word) & f.mask) >>> 0, 0);
      },
    ),
  );
  t.throws(() => field(4, 2).at(4), { instanceOf: BenchError, message: /does not fit/ });
  t.throws(() => bit(0).at(-1), { instanceOf: BenchError });
});

const TOY = defineRegisters({
  name: 'toy',
  size: 0x200,
  registers: {
    CTRL: { at: 0, fields: { EN: bit(0), CHAIN: bit(1).unimplemented() } },
    STAT: { at: 4, width: 8, access: 'ro', note: 'byte wide', fields: { LEVEL: field(0, 4) } },
    TEST: { at: 8, unimplemented: true },
    MASK: { at: 0x10, count: 4, reset: 0xff, partial: true },
    CLEAR: { at: 0x20, count: 4, access: 'w1c', shares: 'MASK' },
  },
  arrays: {
    CH: {
      at: 0x100,
      stride: 0x40,
      count: 4,
      registers: { CFG: { at: 0x14, fields: { PRIO: field(4, 2).unimplemented() } } },
    },
  },
  notModelled: ['low power modes'],
});

test('what is not modelled can be counted', t => {
  t.deepEqual(registerCoverage(TOY), {
    registers: 6,
    fields: 4,
    unimplemented: ['CTRL.CHAIN', 'TEST', 'CH.CFG.PRIO'],
    notModelled: ['low power modes'],
  });
  t.is(
    renderNotModelled(TOY),
    [
      '- low power modes',
      '- `toy.CTRL.CHAIN` (a loud error)',
      '- `toy.TEST` (a loud error)',
      '- `toy.CH.CFG.PRIO` (a loud error)',
    ].join('\n'),
  );
});

test('the table of registers names every register, field and access', t => {
  t.deepEqual(renderRegisterTable(TOY).split('\n'), [
    '| Offset                  | Register | Bits | Field   | Access            | Reset | Note      |',
    '| ----------------------- | -------- | ---- | ------- | ----------------- | ----- | --------- |',
    '| 0x0                     | `CTRL`   |      |         |                   | 0x0   |           |',
    '|                         |          | 0    | `EN`    | rw                |       |           |',
    '|                         |          | 1    | `CHAIN` | rw, not modelled  |       |           |',
    '| 0x4                     | `STAT`   |      |         | 8 bit             | 0x0   | byte wide |',
    '|                         |          | 3:0  | `LEVEL` | ro                |       |           |',
    '| 0x8                     | `TEST`   |      |         | rw, not modelled  | 0x0   |           |',
    '| 0x10 + 0x4 × n, n < 4   | `MASK`   |      |         | rw, partial       | 0xff  |           |',
    '| 0x20 + 0x4 × n, n < 4   | `CLEAR`  |      |         | w1c, bits of MASK | 0xff  |           |',
    '| 0x114 + 0x40 × n, n < 4 | `CH.CFG` |      |         |                   | 0x0   |           |',
    '|                         |          | 5:4  | `PRIO`  | rw, not modelled  |       |           |',
  ]);
});
