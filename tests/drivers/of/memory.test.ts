import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import { ofMemory } from '../../../drivers/of/memory';
import type { DtLiteral } from '../../support/dt';
import { dt } from '../../support/dt';

const memory = (...cells: bigint[]): DtLiteral => ({ device_type: 'memory', reg: cells });
const WIDE: DtLiteral = { '#address-cells': [2], '#size-cells': [2] };
const of = (root: DtLiteral) => ofMemory(dt({ ...WIDE, ...root }));
const ranges = (list: readonly { base: bigint; size: bigint }[]) =>
  list.map(({ base, size }) => `${base.toString(16)}+${size.toString(16)}`).join(' ');

test('all banks of all memory nodes count, in written order; RAM is sorted and joined', t => {
  const two = of({
    'memory@80000000': memory(0x8_8000_0000n, 0x1000_0000n, 0x8000_0000n, 0x4000_0000n),
    'memory@0': memory(0xc000_0000n, 0x1000_0000n),
  });
  t.is(two.status, 'described');
  t.is(ranges(two.banks), '880000000+10000000 80000000+40000000 c0000000+10000000');
  t.is(ranges(two.ram), '80000000+50000000 880000000+10000000');
  t.deepEqual(two.banks[2]?.from, { path: '/memory@0', property: 'reg' });
});

test('trap: a node is memory by its device_type, not by its name, and only below the root', t => {
  t.is(of({ 'memory@0': { reg: [0n, 0x1000_0000n] } }).status, 'absent');
  t.is(ranges(of({ 'dram@0': memory(0n, 0x1000_0000n) }).ram), '0+10000000');
  t.is(of({ soc: { 'memory@0': memory(0n, 0x1000_0000n) } }).status, 'absent');
});

test('no memory node and one of size 0 are told apart', t => {
  t.like(of({}), { status: 'absent', banks: [], ram: [] });
  const filledIn = of({ 'memory@0': memory(0x8000_0000n, 0n) });
  t.like(filledIn, { status: 'size-zero', banks: [], diagnostics: [] });
  t.is(of({ 'memory@0': { device_type: 'memory' } }).status, 'absent', 'no reg at all');
  const some = of({ 'memory@0': memory(0n, 0n, 0x4000_0000n, 0x1000_0000n) });
  t.is(ranges(some.banks), '40000000+10000000');
});

test('a disabled memory node is none', t => {
  t.is(of({ 'memory@0': { ...memory(0n, 0x1000_0000n), status: 'disabled' } }).status, 'absent');
});

test('trap: linux,usable-memory takes the place of reg', t => {
  const node = { ...memory(0n, 0x4000_0000n), 'linux,usable-memory': [0x1000_0000n, 0x2000_0000n] };
  const usable = of({ 'memory@0': node });
  t.is(ranges(usable.ram), '10000000+20000000');
  t.is(usable.banks[0]?.from.property, 'linux,usable-memory');
});

test('trap: hotpluggable memory is RAM like any other', t => {
  const hot = of({ 'memory@0': { ...memory(0n, 0x1000_0000n), hotpluggable: true } });
  t.like(hot.banks, [{ hotpluggable: true }]);
  t.is(ranges(hot.ram), '0+10000000');
});

test('banks are cut to whole pages, and dropped if none is left', t => {
  const cut = of({ 'memory@0': memory(0x1400n, 0x3000n, 0x1_0000n, 0xfffn, 0x2_0400n, 0x900n) });
  t.is(ranges(cut.banks), '2000+2000');
  t.like(cut.diagnostics, [
    { place: '/memory@0', property: 'reg', found: '0xfff' },
    { found: '0x900' },
  ]);
});

test("the root's cells are 1 and 1 if it does not say", t => {
  const narrow = ofMemory(dt({ 'memory@0': { device_type: 'memory', reg: [0x1000, 0x2000, 5] } }));
  t.is(ranges(narrow.banks), '1000+2000', 'a cell left over is no bank');
});

test('trap: linux,usable-memory-range confines RAM, and its second range is added', t => {
  const confined = (...cells: bigint[]) =>
    of({
      chosen: { 'linux,usable-memory-range': cells },
      'memory@0': memory(0n, 0x4000_0000n),
    });
  const one = confined(0x1000_0000n, 0x800_0000n);
  t.is(ranges(one.ram), '10000000+8000000');
  t.is(ranges(one.usableRange ?? []), '10000000+8000000');
  t.is(ranges(one.banks), '0+40000000', 'the banks are as written');
  const two = confined(0x1000_0000n, 0x800_0000n, 0x5000_0000n, 0x100_0000n, 0n, 0x1000n);
  t.is(ranges(two.ram), '10000000+8000000 50000000+1000000', 'a third is left out');
  t.is(ranges(confined(0n, 0n).ram), '0+40000000', 'a size of 0 confines nothing');
  t.is(of({}).usableRange, null);
  t.is(of({ chosen: {} }).usableRange, null);
});

test('memory properties of the wrong shape are an InputError at their node', t => {
  const about = (place: string, property: string) => ({
    instanceOf: InputError,
    message: new RegExp(`^${place}: property '${property}'`),
  });
  t.throws(
    () => of({ 'memory@0': { device_type: 'memory', reg: new Uint8Array(15) } }),
    about('/memory@0', 'reg'),
  );
  t.throws(
    () => of({ chosen: { 'linux,usable-memory-range': [0n, 1] } }),
    about('/chosen', 'linux,usable-memory-range'),
  );
  t.throws(
    () => of({ '#address-cells': [0], '#size-cells': [0], 'memory@0': memory(0n) }),
    about('/', '#address-cells'),
  );
  const banks = Array.from({ length: 129 }, (_, i) => [BigInt(i) * 0x2000n, 0x1000n]).flat();
  t.is(of({ 'memory@0': memory(...banks.slice(2)) }).banks.length, 128);
  t.throws(() => of({ 'memory@0': memory(...banks) }), about('/memory@0', 'reg'));
});
