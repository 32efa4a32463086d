import fc from 'fast-check';
import test from 'ava';
import { kernelSort } from '../../../drivers/of/heapsort';

/** Where each element of the sorted list stood before. */
const order = (keys: readonly number[]): number[] => {
  const elements = keys.map((key, place) => ({ key, place }));
  kernelSort(elements, (a, b) => a.key - b.key);
  return elements.map(({ place }) => place);
};

test("elements that compare equal come in the order the kernel's heapsort leaves them in", t => {
  // Observed from lib/sort.c of Linux 6.1.
  const observed: [number[], number[]][] = [
    [[], []],
    [[0], [0]],
    [
      [0, 0],
      [1, 0],
    ],
    [
      [0, 0, 0],
      [1, 2, 0],
    ],
    [
      [0, 0, 2],
      [1, 0, 2],
    ],
    [
      [0, 0, 2, 1],
      [1, 0, 3, 2],
    ],
    [
      [0, 0, 2, 2],
      [0, 1, 2, 3],
    ],
    [
      [0, 0, 0, 0, 0],
      [1, 2, 3, 4, 0],
    ],
    [
      [0, 0, 0, 1, 1],
      [0, 2, 1, 4, 3],
    ],
    [
      [0, 0, 1, 0, 0, 0, 0],
      [1, 0, 3, 4, 5, 6, 2],
    ],
    [
      [0, 0, 1, 0, 2, 1, 2],
      [0, 1, 3, 2, 5, 6, 4],
    ],
  ];
  for (const [keys, places] of observed) t.deepEqual(order(keys), places, keys.join(' '));
});

test('whatever the order of equals, the result is sorted and nothing is lost', t => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 80 }), keys => {
      const places = order(keys);
      t.deepEqual(
        [...places].sort((a, b) => a - b),
        [...keys.keys()],
      );
      const sorted = places.map(place => keys[place] ?? NaN);
      t.deepEqual(
        sorted,
        [...keys].sort((a, b) => a - b),
      );
    }),
  );
});
