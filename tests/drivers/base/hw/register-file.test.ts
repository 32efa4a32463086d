import test from 'ava';
import fc from 'fast-check';
import { TxResult, type AccessWidth } from '../../../../drivers/base/hw/mmio';
import { registerFile, type RegisterFileOptions } from '../../../../drivers/base/hw/register-file';
import { BenchError, InputError, UnmodelledError } from '../../../../drivers/base/types/errors';
import type { Access } from '../../../../drivers/base/types/register-spec';
import { bit, defineRegisters, field } from '../../../../drivers/base/types/registers';

const TOY = defineRegisters({
  name: 'toy',
  size: 0x1000,
  registers: {
    ID: { at: 0x00, reset: 0x4350_0001, access: 'ro' },
    CTRL: {
      at: 0x04,
      reset: 0x20,
      fields: { EN: bit(0), CHAIN: bit(1).unimplemented(), MODE: field(4, 2), LOCKED: bit(8).ro() },
    },
    STAT: { at: 0x08, fields: { DONE: bit(0).w1c(), SEEN: bit(1).rc(), KICK: bit(2).wo() } },
    TEST: { at: 0x0c, unimplemented: true, reset: 5 },
    DATA: { at: 0x10 },
    NARROW: { at: 0x14, width: 16, reset: 0xbeef },
    BYTE: { at: 0x16, width: 8 },
    WIDE: { at: 0x18, partial: true },
    ISET: { at: 0x20, count: 2, access: 'w1s' },
    ICLR: { at: 0x28, count: 2, access: 'w1c', shares: 'ISET' },
    FLAGS: { at: 0x30, partial: true, access: 'w1c' },
    EVENTS: { at: 0x34, partial: true, access: 'rc' },
    DOORBELL: { at: 0x40, access: 'wo' },
    TOP: { at: 0xffc },
  },
  arrays: {
    CH: {
      at: 0x100,
      stride: 0x40,
      count: 4,
      registers: { SRC: { at: 0 }, CMD: { at: 4, fields: { START: bit(0) } } },
    },
  },
});

type Options = Omit<RegisterFileOptions<typeof TOY>, 'onGuestError'>;

const toy = (options: Options = {}) => {
  const errors: string[] = [];
  const regs = registerFile(TOY, { ...options, onGuestError: text => errors.push(text) });
  return { regs, errors };
};

test('a model reads and writes registers and fields by name', t => {
  const { regs } = toy();
  t.is(regs.CTRL.value, 0x20);
  t.is(regs.CTRL.MODE, 2);
  regs.CTRL.MODE = 1;
  regs.CTRL.LOCKED = 1;
  t.is(regs.CTRL.value, 0x110);
  regs.CH(3).SRC.value = 0xffff_fff0;
  t.is(regs.read(0x1c0, 4), 0xffff_fff0);
  regs.ISET(1).value = 7;
  t.is(regs.ICLR(1).value, 7);
  regs.DATA.value = ~0;
  t.is(regs.DATA.value, 0xffff_ffff, 'what a bit operator gave is unsigned');
});

test('a model that stores what cannot be in a register is a defect of the bench', t => {
  const { regs } = toy();
  const store = (wrong: () => void): void => {
    t.throws(wrong, { instanceOf: BenchError });
  };
  store(() => (regs.CTRL.MODE = 4));
  store(() => (regs.CTRL.EN = -1));
  store(() => (regs.CTRL.value = 0x8000));
  store(() => (regs.DATA.value = 2 ** 32));
  store(() => (regs.DATA.value = 0.5));
  store(() => (regs.BYTE.value = 0x100));
  store(() => regs.CH(4));
  store(() => regs.CH(-1));
  store(() => regs.ISET(2));
});

test('reads answer the reset value, of the width of the register', t => {
  const { regs } = toy();
  t.is(regs.read(0x00, 4), 0x4350_0001);
  t.is(regs.read(0x14, 2), 0xbeef);
  t.is(regs.read(0x16, 1), 0);
  t.is(regs.read(0xffc, 4), 0);
});

test('an offset that no register claims answers AccessError and is a guest error', t => {
  const { regs, errors } = toy();
  for (const offset of [0x38, 0x17, 0xff8, 0x108, 0x1000, 0x7fff_fffc]) {
    const width = offset === 0x17 ? 1 : 4;
    t.is(regs.read(offset, width), -TxResult.AccessError);
    t.is(regs.write(offset, width, 0), TxResult.AccessError);
  }
  t.is(errors.length, 12);
  t.is(errors[0], 'toy: read at 0x38, where no register is');
});

test('a file says which offsets are its own', t => {
  const { regs } = toy();
  const own = [0x00, 0x03, 0x15, 0x16, 0x2c, 0xfff, 0x1c4].map(offset => regs.claims(offset));
  const foreign = [0x38, 0x17, 0xff8, 0x108, 0x1000].map(offset => regs.claims(offset));
  t.deepEqual([...new Set(own)], [true]);
  t.deepEqual([...new Set(foreign)], [false]);
});

test('an access of another width than the register answers AccessError unless the sheet allows it', t => {
  const { regs, errors } = toy();
  const refused: [number, AccessWidth][] = [
    [0x10, 2],
    [0x11, 1],
    [0x14, 1],
    [0x14, 4],
    [0x16, 2],
    [0x1a, 4],
    [0x19, 2],
  ];
  for (const [offset, width] of refused) {
    t.is(regs.read(offset, width), -TxResult.AccessError, `${offset}/${width}`);
    t.is(regs.write(offset, width, 1), TxResult.AccessError);
  }
  t.is(errors.length, 2 * refused.length);
  t.is(regs.DATA.value, 0);
});

test('a partial write changes the bytes it names and no others', t => {
  const { regs } = toy();
  regs.WIDE.value = 0x1122_3344;
  t.is(regs.write(0x1a, 2, 0xaabb), TxResult.Ok);
  t.is(regs.WIDE.value, 0xaabb_3344);
  t.is(regs.write(0x19, 1, 0xffcc), TxResult.Ok);
  t.is(regs.WIDE.value, 0xaabb_cc44);
  t.is(regs.read(0x1b, 1), 0xaa);
  regs.FLAGS.value = 0xffff_ffff;
  regs.write(0x31, 1, 0x0f);
  t.is(regs.FLAGS.value, 0xffff_f0ff);
  regs.EVENTS.value = 0xffff_ffff;
  t.is(regs.read(0x36, 2), 0xffff);
  t.is(regs.EVENTS.value, 0xffff);
});

test('bits obey their access: ro ignores, w1c clears, rc clears on read, wo reads zero', t => {
  const { regs, errors } = toy();
  regs.write(0x00, 4, 0);
  t.is(regs.ID.value, 0x4350_0001);
  regs.CTRL.LOCKED = 1;
  regs.write(0x04, 4, 0x11);
  t.is(regs.CTRL.value, 0x111);
  regs.STAT.value = 0b011;
  regs.write(0x08, 4, 0b100);
  t.is(regs.STAT.value, 0b111, 'zeros leave w1c alone, ones do not set rc');
  t.is(regs.read(0x08, 4), 0b011);
  t.is(regs.STAT.value, 0b101, 'the read cleared SEEN');
  regs.write(0x08, 4, 0b001);
  t.is(regs.STAT.value, 0b000);
  t.deepEqual(errors, []);
});

test('two addresses of one register set and clear the same bits', t => {
  const { regs } = toy();
  regs.write(0x24, 4, 0xf0);
  regs.write(0x24, 4, 0x0f);
  t.is(regs.read(0x2c, 4), 0xff);
  regs.write(0x2c, 4, 0x3c);
  t.is(regs.read(0x24, 4), 0xc3);
  t.is(regs.read(0x20, 4), 0, 'the other word is another word');
});

test('ones in reserved bits are a guest error and dropped; zeros are not', t => {
  const { regs, errors } = toy();
  t.is(regs.write(0x04, 4, 0xf000_0021), TxResult.Ok);
  t.is(regs.CTRL.value, 0x21);
  regs.write(0x04, 4, 0x20);
  t.deepEqual(errors, ['toy.CTRL: write of 0xf0000021 sets reserved 0xf0000000']);
});

test('what is not modelled throws with sheet, register, field and value, and changes nothing', t => {
  const { regs } = toy();
  const error = t.throws(() => regs.write(0x04, 4, 0x33), { instanceOf: UnmodelledError });
  t.is(error.feature, 'toy.CTRL.CHAIN');
  t.regex(error.message, /write of 0x1/);
  t.is(regs.CTRL.value, 0x20);
  t.throws(() => regs.write(0x0c, 4, 4), {
    instanceOf: UnmodelledError,
    message: /toy\.TEST.*0x4/,
  });
  t.throws(() => regs.read(0x0c, 4), { instanceOf: UnmodelledError, message: /toy\.TEST/ });
  t.is(regs.write(0x0c, 4, 5), TxResult.Ok, 'the reset value changes nothing');
});

test('a write hook comes after the store and is told what was written, and where', t => {
  const log: unknown[] = [];
  const { regs } = toy({
    onWrite: {
      CTRL: (written, previous, index) =>
        log.push(['CTRL', written, previous, index, regs.CTRL.EN]),
      'CH.CMD': (written, previous, index) => {
        log.push(['CMD', written, previous, index]);
        regs.CH(index).CMD.START = 0;
      },
      WIDE: (written, previous) => log.push(['WIDE', written, previous]),
      ICLR: (written, previous, index) => log.push(['ICLR', written, previous, index]),
    },
  });
  regs.write(0x04, 4, 0x121);
  regs.write(0x184, 4, 1);
  regs.WIDE.value = 0x0102_0304;
  regs.write(0x1a, 1, 0xff);
  regs.ISET(1).value = 0b11;
  regs.write(0x2c, 4, 0b10);
  t.deepEqual(log, [
    ['CTRL', 0x121, 0x20, 0, 1],
    ['CMD', 1, 0, 2],
    ['WIDE', 0xff_0000, 0x0102_0304],
    ['ICLR', 0b10, 0b11, 1],
  ]);
  t.is(regs.CH(2).CMD.value, 0);
});

test('a refused write does not reach the hook', t => {
  const { regs } = toy({
    onWrite: {
      CTRL: () => {
        t.fail('nothing was written');
      },
    },
  });
  t.is(regs.write(0x04, 2, 0), TxResult.AccessError);
  t.throws(() => regs.write(0x04, 4, 2), { instanceOf: UnmodelledError });
});

test('a read hook gives the value; what the sheet hides stays hidden', t => {
  const { regs } = toy({
    onRead: {
      DATA: () => -1,
      STAT: () => 0b111,
      'CH.SRC': index => 0x1000 + index,
      NARROW: () => -1,
    },
  });
  t.is(regs.read(0x10, 4), 0xffff_ffff);
  t.is(regs.read(0x14, 2), 0xffff);
  t.is(regs.read(0x1c0, 4), 0x1003);
  t.is(regs.read(0x08, 4), 0b011, 'KICK is write-only');
  t.is(regs.DATA.value, 0, 'the model reads what is stored');
});

test('a model reading a cell triggers no hook and clears nothing', t => {
  const { regs } = toy({
    onRead: {
      DATA: () => {
        t.fail('only the bus reads');
        return 0;
      },
    },
  });
  regs.STAT.SEEN = 1;
  t.is(regs.DATA.value, 0);
  t.is(regs.STAT.value, 2);
  t.is(regs.STAT.SEEN, 1);
});

test('hooks and reset values that can never matter are refused', t => {
  t.throws(() => toy({ onWrite: { ID: () => undefined } }), { instanceOf: BenchError });
  t.throws(() => toy({ onRead: { DOORBELL: () => 0 } }), { instanceOf: BenchError });
  const unknown = { CTRL: (): void => undefined, NOPE: (): void => undefined };
  t.throws(() => toy({ onWrite: unknown }), { instanceOf: BenchError, message: /toy\.NOPE/ });
  t.throws(() => toy({ resets: { CTRL: 0x8000 } }), { instanceOf: BenchError });
  t.throws(() => toy({ resets: { BYTE: 0x100 } }), { instanceOf: BenchError });
});

test('reset gives every register its value, that of the integration where one was given', t => {
  const { regs } = toy({ resets: { ID: 0x1234, ISET: 0xff } });
  t.is(regs.read(0, 4), 0x1234);
  regs.DATA.value = 9;
  regs.CH(1).SRC.value = 9;
  regs.write(0x28, 4, 0xf0);
  regs.reset();
  t.deepEqual([regs.DATA.value, regs.CH(1).SRC.value, regs.CTRL.value], [0, 0, 0x20]);
  t.deepEqual([regs.ISET(0).value, regs.ISET(1).value], [0xff, 0xff]);
});

test('a snapshot is a copy, goes back without hooks, and must be of this sheet', t => {
  const { regs } = toy({
    onWrite: {
      DATA: () => {
        t.fail('restoring is not a write');
      },
    },
  });
  regs.DATA.value = 7;
  const state = regs.saveState();
  regs.DATA.value = 8;
  regs.restoreState(state);
  t.is(regs.DATA.value, 7);
  t.deepEqual(regs.saveState(), state);
  for (const foreign of [null, 5, [], new Uint32Array(3), {}]) {
    t.throws(
      () => {
        regs.restoreState(foreign);
      },
      { instanceOf: InputError, message: /snapshot of toy/ },
    );
  }
});

/*
 * The oracle decides bit by bit, from the words of the declaration only.
 */
const accessOfBit: readonly Access[] = ['rw', 'ro', 'wo', 'w1c', 'w1s', 'rc'];
const BITS = defineRegisters({
  name: 'bits',
  size: 8,
  registers: {
    R: {
      at: 0,
      partial: true,
      reset: 0x3f,
      fields: {
        RW: bit(0),
        RO: bit(1).ro(),
        WO: bit(2).wo(),
        W1C: bit(3).w1c(),
        W1S: bit(4).w1s(),
        RC: bit(5).rc(),
        RW2: bit(16),
        RO2: bit(17).ro(),
        WO2: bit(18).wo(),
        W1C2: bit(19).w1c(),
        W1S2: bit(20).w1s(),
        RC2: bit(21).rc(),
      },
    },
  },
});

const accessAt = (position: number): Access | undefined => accessOfBit[position & 15];

const afterWrite = (access: Access | undefined, stored: boolean, one: boolean): boolean => {
  if (access === 'rw' || access === 'wo') return one;
  if (access === 'w1c') return stored && !one;
  return access === 'w1s' ? stored || one : stored;
};

test('any sequence of accesses of any width does to each bit what its access says', t => {
  const access = fc.record({
    write: fc.boolean(),
    width: fc.constantFrom<AccessWidth>(1, 2, 4),
    lane: fc.nat(3),
    value: fc.nat(0xffff_ffff),
  });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 30 }), accesses => {
      const regs = registerFile(BITS, { onGuestError: () => undefined });
      const stored = Array.from({ length: 32 }, (_, i) => i < 6);
      for (const { write, width, lane, value } of accesses) {
        const at = lane - (lane % width);
        const within = (i: number): boolean => i >= 8 * at && i < 8 * (at + width);
        if (write) {
          t.is(regs.write(at, width, value), TxResult.Ok);
        } else {
          const shows = stored.map((s, i) => s && within(i) && accessAt(i) !== 'wo');
          const expected = shows.reduce((sum, s, i) => (s ? sum + 2 ** (i - 8 * at) : sum), 0);
          t.is(regs.read(at, width), expected);
        }
        stored.forEach((was, i) => {
          if (!within(i) || accessAt(i) === undefined) return;
          const one = ((value >>> (i - 8 * at)) & 1) === 1;
          if (write) stored[i] = afterWrite(accessAt(i), was, one);
          else if (accessAt(i) === 'rc') stored[i] = false;
        });
        t.is(
          regs.R.value,
          stored.reduce((sum, s, i) => (s ? sum + 2 ** i : sum), 0),
        );
      }
    }),
    { numRuns: 300 },
  );
});
