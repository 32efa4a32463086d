import test from 'ava';
import fc from 'fast-check';
import { BenchError } from '../../../../drivers/base/types/errors';
import {
  MmioAdapter,
  readFault,
  readResult,
  TxResult,
  type AccessRange,
  type AccessRules,
  type AccessWidth,
  type MmioHandler,
} from '../../../../drivers/base/hw/mmio';

/** Sixteen bytes of plain memory that logs how it is called. */
class Bytes implements MmioHandler {
  readonly view = new DataView(new ArrayBuffer(16));
  readonly log: string[] = [];
  /** Accesses of this byte fail. */
  poison = -1;
  poisonResult: TxResult = TxResult.Error;

  read(offset: number, width: AccessWidth): number {
    this.log.push(`r${offset}/${width}`);
    if (this.#hits(offset, width)) return readFault(this.poisonResult);
    if (width === 4) return this.view.getUint32(offset, true);
    return width === 2 ? this.view.getUint16(offset, true) : this.view.getUint8(offset);
  }

  write(offset: number, width: AccessWidth, value: number): TxResult {
    this.log.push(`w${offset}/${width}=${value}`);
    if (this.#hits(offset, width)) return this.poisonResult;
    if (width === 4) this.view.setUint32(offset, value, true);
    else if (width === 2) this.view.setUint16(offset, value, true);
    else this.view.setUint8(offset, value);
    return TxResult.Ok;
  }

  #hits(offset: number, width: number): boolean {
    return this.poison >= offset && this.poison < offset + width;
  }
}

const range = (min: AccessWidth, max: AccessWidth, unaligned = false): AccessRange => ({
  min,
  max,
  unaligned,
});

const rules = (valid: AccessRange, impl: AccessRange): AccessRules => ({ valid, impl });

test('an access that the hardware does not accept answers AccessError and is not made', t => {
  const bytes = new Bytes();
  const words = new MmioAdapter(bytes, rules(range(4, 4), range(4, 4)));
  t.is(words.read(0, 2), -TxResult.AccessError);
  t.is(words.read(2, 4), -TxResult.AccessError);
  t.is(words.write(0, 1, 5), TxResult.AccessError);
  const flexible = new MmioAdapter(bytes, rules(range(2, 4), range(1, 4)));
  t.is(flexible.read(0, 1), -TxResult.AccessError);
  t.is(flexible.write(0, 1, 5), TxResult.AccessError);
  t.is(flexible.write(1, 2, 5), TxResult.AccessError);
  t.deepEqual(bytes.log, []);
});

test('an access is made in as few parts as alignment and implementation allow', t => {
  const bytes = new Bytes();
  const any = new MmioAdapter(bytes, rules(range(1, 4, true), range(1, 4)));
  any.read(4, 4);
  any.read(3, 2);
  any.read(2, 4);
  any.write(4, 4, 0);
  any.write(1, 4, 0);
  const halves = new MmioAdapter(bytes, rules(range(1, 4), range(1, 2)));
  halves.read(8, 4);
  t.deepEqual(bytes.log, [
    ...['r4/4', 'r3/1', 'r4/1', 'r2/2', 'r4/2'],
    ...['w4/4=0', 'w1/1=0', 'w2/2=0', 'w4/1=0'],
    ...['r8/2', 'r10/2'],
  ]);
});

test('rules that contradict themselves are a defect of whoever made them', t => {
  for (const [valid, impl] of [
    [range(4, 2), range(1, 4)],
    [range(1, 4), range(4, 1)],
  ] as const) {
    t.throws(() => new MmioAdapter(new Bytes(), rules(valid, impl)), { instanceOf: BenchError });
  }
});

test('a wide access to a narrow implementation is split, lowest address first', t => {
  const bytes = new Bytes();
  const split = new MmioAdapter(bytes, rules(range(1, 4), range(1, 1)));
  t.is(split.write(4, 4, 0x1122_3344), TxResult.Ok);
  t.deepEqual(bytes.log, ['w4/1=68', 'w5/1=51', 'w6/1=34', 'w7/1=17']);
  t.is(split.read(4, 4), 0x1122_3344);
});

test('a narrow read of a wide implementation takes its part of one wide access', t => {
  const bytes = new Bytes();
  bytes.view.setUint32(8, 0xa1b2_c3d4, true);
  const wide = new MmioAdapter(bytes, rules(range(1, 4, true), range(4, 4)));
  t.is(wide.read(10, 1), 0xb2);
  t.is(wide.read(9, 2), 0xb2c3);
  t.deepEqual(bytes.log, ['r8/4', 'r8/4']);
});

test('a narrow write of a wide implementation would need a read, so it is refused', t => {
  const bytes = new Bytes();
  const wide = new MmioAdapter(bytes, rules(range(1, 4), range(4, 4)));
  t.is(wide.write(8, 1, 1), TxResult.AccessError);
  t.deepEqual(bytes.log, []);
});

test('results of the parts of a split access are ORed', t => {
  const bytes = new Bytes();
  const split = new MmioAdapter(bytes, rules(range(1, 4), range(1, 2)));
  bytes.poison = 6;
  bytes.poisonResult = TxResult.DecodeError;
  t.is(readResult(split.read(4, 4)), TxResult.DecodeError);
  t.is(split.write(4, 4, 7), TxResult.DecodeError);
  t.is(split.read(4, 2), 7, 'the part that did not fail took effect');
});

test('whatever the implemented widths, bytes are read and written where they belong', t => {
  const width = fc.constantFrom<AccessWidth>(1, 2, 4);
  fc.assert(
    fc.property(width, width, fc.nat(11), width, fc.nat(0xffff_ffff), (a, b, at, size, value) => {
      const bytes = new Bytes();
      for (let i = 0; i < 16; i++) bytes.view.setUint8(i, 0x10 + i);
      const model = new Bytes();
      for (let i = 0; i < 16; i++) model.view.setUint8(i, 0x10 + i);
      const [min, max] = a <= b ? [a, b] : [b, a];
      const adapter = new MmioAdapter(bytes, rules(range(1, 4, true), range(min, max)));
      const unsigned = size === 4 ? value : value % 2 ** (8 * size);
      t.is(adapter.read(at, size), model.read(at, size));
      if (adapter.write(at, size, unsigned) === TxResult.Ok) model.write(at, size, unsigned);
      else t.true(min > 1);
      if (min === 1) {
        t.deepEqual(new Uint8Array(bytes.view.buffer), new Uint8Array(model.view.buffer));
      }
      const natural = bytes.log.every(call => {
        const [, offset = '', accessed = ''] = /(\d+)\/(\d)/.exec(call) ?? [];
        return Number(offset) % Number(accessed) === 0;
      });
      t.true(natural, bytes.log.join(' '));
    }),
  );
});
