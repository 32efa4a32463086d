import test from 'ava';
import fc from 'fast-check';
import { EINVAL } from '../../../../drivers/base/kernel/errno';
import { Gpuvm } from '../../../../drivers/gpu/drm/gpuvm';
import type { Gpuva, GpuvaOp } from '../../../../drivers/gpu/drm/gpuvm';
import type { GpuObject } from '../../../../drivers/gpu/drm/ops';

const A: GpuObject = { name: 'A', size: 64 };
const B: GpuObject = { name: 'B', size: 64 };

const va = (start: number, size: number, object: GpuObject, offset: number): Gpuva => ({
  ...{ start, size, object, offset },
});

const show = (op: GpuvaOp): string => {
  const of = (one: Gpuva | null): string =>
    one === null ? '-' : `${one.start}+${one.size}:${one.object.name}${one.offset}`;
  if (op.op === 'map') return `map ${of(op.va)}`;
  const keep = op.keep ? ' keep' : '';
  if (op.op === 'unmap') return `unmap ${of(op.va)}${keep}`;
  return `remap ${of(op.unmap)} to ${of(op.prev)} and ${of(op.next)}${keep}`;
};

/**
 * The 15 ways in which a new mapping can lie over an old one (the documentation of drm_gpuvm tells them
 * apart; the numbers are ours). The old one has three addresses from 10, and leads to A from 20; the new
 * one is given, and what it does.
 */
const CASES: readonly (readonly [name: string, wanted: Gpuva, steps: readonly string[]])[] = [
  ['1: identical', va(10, 3, A, 20), ['unmap 10+3:A20 keep']],
  ['2: the same place, another offset', va(10, 3, A, 21), ['unmap 10+3:A20']],
  ['3: the same place, another object', va(10, 3, B, 20), ['unmap 10+3:A20']],
  ['4: the left part of it', va(10, 2, A, 20), ['remap 10+3:A20 to - and 12+1:A22 keep']],
  ['5: the left part, another object', va(10, 2, B, 20), ['remap 10+3:A20 to - and 12+1:A22']],
  ['6: the right part of it', va(11, 2, A, 21), ['remap 10+3:A20 to 10+1:A20 and - keep']],
  ['7: the right part, another object', va(11, 2, B, 20), ['remap 10+3:A20 to 10+1:A20 and -']],
  ['8: the middle, another object', va(11, 1, B, 20), ['remap 10+3:A20 to 10+1:A20 and 12+1:A22']],
  ['9: the middle of it', va(11, 1, A, 21), ['remap 10+3:A20 to 10+1:A20 and 12+1:A22 keep']],
  [
    '10: over its right end, another offset',
    va(11, 3, A, 30),
    ['remap 10+3:A20 to 10+1:A20 and -'],
  ],
  [
    '11: over its right end, another object',
    va(11, 3, B, 21),
    ['remap 10+3:A20 to 10+1:A20 and -'],
  ],
  ['12: longer to the right', va(10, 4, A, 20), ['unmap 10+3:A20 keep']],
  ['13: longer to both sides', va(9, 5, A, 19), ['unmap 10+3:A20 keep']],
  ['14: over its left end, another object', va(9, 3, B, 0), ['remap 10+3:A20 to - and 12+1:A22']],
  ['15: over its left end', va(9, 3, A, 19), ['remap 10+3:A20 to - and 12+1:A22 keep']],
];

for (const [name, wanted, steps] of CASES) {
  test(`overlap case ${name}`, t => {
    const vm = new Gpuvm(0, 64);
    vm.map(va(10, 3, A, 20));
    const ops = vm.map(wanted);
    if (typeof ops === 'number') return t.fail();
    const last = ops.at(-1);
    t.deepEqual(ops.slice(0, -1).map(show), steps);
    t.deepEqual(last, { op: 'map', va: wanted });
  });
}

test('one mapping may unmap any number, and leaves two at most of what it cuts', t => {
  const vm = new Gpuvm(0, 64);
  for (const start of [0, 8, 16, 24]) vm.map(va(start, 6, A, start));
  const ops = vm.map(va(4, 24, B, 0));
  t.deepEqual(typeof ops === 'number' ? [] : ops.map(({ op }) => op), [
    ...['remap', 'unmap', 'unmap', 'remap', 'map'],
  ]);
  t.is(vm.digest(), '0+4:A+0,4+24:B+0,28+2:A+28');
});

test('what is outside the space or the object is refused, and changes nothing', t => {
  const vm = new Gpuvm(8, 64);
  vm.map(va(10, 3, A, 20));
  const before = vm.digest();
  const wrong = [
    va(7, 2, A, 0),
    va(63, 2, A, 0),
    va(10, 0, A, 0),
    va(10, 2, A, 63),
    va(10, 2, A, -1),
  ];
  for (const each of wrong) t.is(vm.map(each), -EINVAL);
  t.is(vm.unmap(0, 9), -EINVAL);
  t.is(vm.digest(), before);
  t.is(vm.find(12)?.start, 10);
  t.is(vm.find(13), undefined);
});

const range = { start: fc.nat({ max: 31 }), size: fc.integer({ min: 1, max: 12 }) };
const change = fc.record({
  ...range,
  object: fc.constantFrom(A, B, null),
  offset: fc.nat({ max: 20 }),
});

test('each address leads where the last change of it says', t => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), changes => {
      const vm = new Gpuvm(0, 64);
      const words = Array<string>(64).fill('-');
      for (const { start, size, object, offset } of changes) {
        if (object === null) vm.unmap(start, size);
        else vm.map(va(start, size, object, offset));
        for (let i = 0; i < size; i++)
          words[start + i] = object === null ? '-' : `${object.name}${offset + i}`;
      }
      const found = words.map((_, at) => {
        const one = vm.find(at);
        return one === undefined ? '-' : `${one.object.name}${one.offset + at - one.start}`;
      });
      return found.join() === words.join();
    }),
    { numRuns: 200 },
  );
  t.pass();
});
