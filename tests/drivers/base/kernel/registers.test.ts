import test from 'ava';
import { ioRegisters, type RegisterIo } from '../../../../drivers/base/kernel/registers';
import { cpuAddr } from '../../../../drivers/base/types/address';
import { BenchError } from '../../../../drivers/base/types/errors';
import { bit, defineRegisters, field } from '../../../../drivers/base/types/registers';

const TOY = defineRegisters({
  name: 'toy',
  size: 0x200,
  registers: {
    CTRL: { at: 4, fields: { EN: bit(0), MODE: field(4, 4), DONE: bit(8).w1c(), GO: bit(9).wo() } },
    DATA: { at: 8 },
    NARROW: { at: 0xc, width: 16 },
    BYTE: { at: 0xe, width: 8 },
    VECTOR: { at: 0x10, count: 4 },
  },
  arrays: { CH: { at: 0x100, stride: 0x40, count: 4, registers: { SRC: { at: 8 } } } },
});

/** Every access as `verb address value`; reads answer from `answers`. */
const fakeIo = (answers: number[] = []): { io: RegisterIo; log: string[] } => {
  const log: string[] = [];
  const reader = (verb: string) => (address: number) => {
    log.push(`${verb} ${address.toString(16)}`);
    return answers.shift() ?? 0;
  };
  const writer = (verb: string) => (value: number, address: number) => {
    log.push(`${verb} ${address.toString(16)} ${value.toString(16)}`);
  };
  const io = {
    readb: reader('readb'),
    readw: reader('readw'),
    readl: reader('readl'),
    writeb: writer('writeb'),
    writew: writer('writew'),
    writel: writer('writel'),
  };
  return { io, log };
};

const BASE = cpuAddr(0xf000_0000);

test('making the accessors touches no register', t => {
  const { io, log } = fakeIo();
  const regs = ioRegisters(TOY, io, BASE);
  t.is(regs.CH(2).SRC.address, cpuAddr(0xf000_0188));
  t.deepEqual(log, []);
});

test('a read is one access and gives the value and its fields', t => {
  const { io, log } = fakeIo([0x151]);
  t.deepEqual(ioRegisters(TOY, io, BASE).CTRL.read(), {
    value: 0x151,
    EN: 1,
    MODE: 5,
    DONE: 1,
    GO: 0,
  });
  t.deepEqual(log, ['readl f0000004']);
});

test('a write is one access; fields that are not named are zero', t => {
  const { io, log } = fakeIo();
  const regs = ioRegisters(TOY, io, BASE);
  regs.CTRL.write({ EN: 1, MODE: 0xa });
  regs.CTRL.write({});
  regs.DATA.write(0xdead_beef);
  regs.VECTOR(3).write(1);
  regs.CH(1).SRC.write(0x8000_0000);
  t.deepEqual(log, [
    'writel f0000004 a1',
    'writel f0000004 0',
    'writel f0000008 deadbeef',
    'writel f000001c 1',
    'writel f0000148 80000000',
  ]);
});

test('an update is one read and one write, and acts on nothing that was not named', t => {
  const { io, log } = fakeIo([0x3f1, 0x3f1]);
  const regs = ioRegisters(TOY, io, BASE);
  regs.CTRL.update({ MODE: 2 });
  regs.CTRL.update({ DONE: 1, EN: 0 });
  t.deepEqual(log, [
    'readl f0000004',
    'writel f0000004 21',
    'readl f0000004',
    'writel f0000004 1f0',
  ]);
});

test('narrow registers are accessed in their own width', t => {
  const { io, log } = fakeIo([1, 2]);
  const regs = ioRegisters(TOY, io, BASE);
  t.is(regs.NARROW.read().value, 1);
  t.is(regs.BYTE.read().value, 2);
  regs.NARROW.write(0xffff);
  regs.BYTE.write(0xff);
  t.deepEqual(log, [
    'readw f000000c',
    'readb f000000e',
    'writew f000000c ffff',
    'writeb f000000e ff',
  ]);
});

test('a value that does not fit is refused before any access', t => {
  const { io, log } = fakeIo();
  const regs = ioRegisters(TOY, io, BASE);
  const refuse = (wrong: () => void): void => {
    t.throws(wrong, { instanceOf: BenchError });
  };
  refuse(() => {
    regs.CTRL.write({ MODE: 16 });
  });
  refuse(() => {
    regs.DATA.write(2 ** 32);
  });
  refuse(() => {
    regs.DATA.write(-1);
  });
  refuse(() => {
    regs.DATA.write(NaN);
  });
  refuse(() => {
    regs.BYTE.write(0x100);
  });
  refuse(() => {
    regs.CH(4).SRC.write(0);
  });
  const unknown = { EN: 1, TYPO: 1 };
  refuse(() => {
    regs.CTRL.write(unknown);
  });
  t.deepEqual(log, []);
});
