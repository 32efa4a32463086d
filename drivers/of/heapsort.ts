import { at as element } from '../base/types/arrays';

/**
 * Sorts in place, in the kernel's order. The order of elements that compare equal is part of it:
 * reserved regions without an address are all equal, and the first to be allocated gets the
 * highest memory. A heapsort is not stable, so nothing but the same heapsort gives that order:
 * the heap is built from the last parent down; an element sinks along the greater children (the
 * left of two equals) to a leaf, then climbs back past all that are not greater than it.
 * Linux: sort(), lib/sort.c.
 */
export const kernelSort = <T>(array: T[], compare: (a: T, b: T) => number): void => {
  const count = array.length;
  for (let root = Math.floor(count / 2) - 1; root >= 0; root--) sink(array, root, count, compare);
  for (let end = count - 1; end > 0; end--) {
    swap(array, 0, end);
    sink(array, 0, end, compare);
  }
};

/** Restores the heap [root, end) whose root alone may be out of place. */
const sink = <T>(array: T[], root: number, end: number, compare: (a: T, b: T) => number): void => {
  const sinking = element(array, root);
  let place = root;
  for (let left = 2 * place + 1; left < end; left = 2 * place + 1) {
    const right = left + 1;
    const leftWins = right >= end || compare(element(array, left), element(array, right)) >= 0;
    place = leftWins ? left : right;
  }
  while (place !== root && compare(sinking, element(array, place)) >= 0) place = parentOf(place);
  for (let hole = place, moving = sinking; ; hole = parentOf(hole)) {
    const displaced = element(array, hole);
    array[hole] = moving;
    moving = displaced;
    if (hole === root) return;
  }
};

const parentOf = (child: number): number => Math.floor((child - 1) / 2);

const swap = (array: unknown[], a: number, b: number): void => {
  [array[a], array[b]] = [array[b], array[a]];
};
