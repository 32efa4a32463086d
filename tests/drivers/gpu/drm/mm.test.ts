import test from 'ava';
import fc from 'fast-check';
import type { ExecutionContext } from 'ava';
import { ENOSPC } from '../../../../drivers/base/kernel/errno';
import { DrmMm } from '../../../../drivers/gpu/drm/mm';
import type { MmColorAdjust, MmRequest } from '../../../../drivers/gpu/drm/mm-fit';
import type { MmOrder } from '../../../../drivers/gpu/drm/mm-holes';
import { MmNode } from '../../../../drivers/gpu/drm/mm-node';
import { MmScan } from '../../../../drivers/gpu/drm/mm-scan';
import { Random } from '../../../../drivers/base/types/random';

/*
 * The cases of the kernel's drm_mm KUnit suite by name, then the allocator against one that tries
 * every address.
 */

type Node = MmNode<number>;

const ORDERS: readonly MmOrder[] = ['best', 'low', 'high', 'evict'];
const PRIMES = [2, 3, 5, 7, 11, 13, 31, 61];

let made = 0;
const newNode = (): Node => new MmNode(made++);

const shuffled = <Item>(items: readonly Item[], seed: number): Item[] => {
  const random = new Random(seed);
  const rest = [...items];
  return items.flatMap(() => rest.splice(random.below(rest.length), 1));
};

/** Unlike neighbours need an address between them. */
const separates: MmColorAdjust = ({ start, end }, color, before, after) => ({
  start: before !== null && before.color !== color ? start + 1 : start,
  end: after !== null && after.color !== color ? end - 1 : end,
});

const insert = (t: ExecutionContext, mm: DrmMm<number>, request: MmRequest): Node => {
  const node = newNode();
  t.is(mm.insert(node, request), 0);
  t.is(node.size, request.size);
  return node;
};

/** Nodes are apart, and each range between them is a hole, once. */
const isSound = (mm: DrmMm<number>): boolean => {
  let at = mm.start;
  const holes: { start: number; end: number }[] = [];
  for (const { start, end } of mm.nodes) {
    if (start < at) return false;
    if (start > at) holes.push({ start: at, end: start });
    at = end;
  }
  if (at < mm.end) holes.push({ start: at, end: mm.end });
  const found = mm.holes.map(({ start, end }) => ({ start, end }));
  return JSON.stringify(found) === JSON.stringify(holes);
};

test('drm_test_mm_init: a space begins as one hole, and is one again when all is given back', t => {
  const mm = new DrmMm<number>(4096, 2 ** 40);
  t.true(mm.isClean);
  t.deepEqual(
    [...mm.holes].map(({ start, end }) => [start, end]),
    [[4096, 4096 + 2 ** 40]],
  );
  const node = newNode();
  t.is(mm.reserve(node, 4096, 2 ** 40), 0);
  t.is(mm.holes.length, 0);
  t.false(mm.isClean);
  mm.remove(node);
  t.true(mm.isClean && isSound(mm));
  t.throws(() => new DrmMm<number>(0, 0), { message: /without an address/ });
});

test('drm_test_mm_debug: a space of two nodes and three holes prints as what it is', t => {
  const mm = new DrmMm<number>(0, 4096);
  t.is(mm.reserve(newNode(), 512, 1024), 0);
  t.is(mm.reserve(newNode(), 4096 - 512 - 1024, 512), 0);
  t.is(mm.digest(), '512+1024.0,2560+512.0');
  t.is(mm.holes.length, 3);
});

test('drm_test_mm_reserve: exact addresses are given once, and never outside', t => {
  for (const size of [1, 7, 8, 4097]) {
    const count = 40;
    const mm = new DrmMm<number>(0, count * size);
    const nodes = shuffled([...Array(count).keys()], size).map(i => {
      const node = newNode();
      t.is(mm.reserve(node, i * size, size), 0);
      return node;
    });
    for (const [start, length] of [
      [0, size],
      [(count - 1) * size, size],
      [0, count * size],
      [count * size, size],
      [-size, size],
      [-size, 2 * size],
      [-1, count * size + 2],
      [0, 0],
    ] as const) {
      t.is(mm.reserve(newNode(), start, length), -ENOSPC);
    }
    for (const node of shuffled(nodes, 1 + size)) {
      mm.remove(node);
      t.is(mm.reserve(node, node.start, size), 0);
    }
    t.true(isSound(mm) && mm.holes.length === 0);
  }
});

test('drm_test_mm_insert: as many nodes as fit are inserted in each order, and not one more', t => {
  for (const order of ORDERS) {
    const mm = new DrmMm<number>(0, 40 * 9);
    const nodes = Array.from({ length: 40 }, () => insert(t, mm, { size: 9, order }));
    t.is(mm.insert(newNode(), { size: 9, order }), -ENOSPC);
    for (const node of shuffled(nodes, 3)) {
      const { start } = node;
      mm.remove(node);
      t.is(mm.insert(node, { size: 9, order }), 0);
      t.is(node.start, start, 'the only hole');
    }
    for (const node of nodes) mm.remove(node);
    t.true(mm.isClean && isSound(mm));
  }
  t.is(new DrmMm<number>(0, 8).insert(newNode(), { size: 0 }), -ENOSPC);
});

test('drm_test_mm_replace: a node takes over the addresses, colour and hole of another', t => {
  const mm = new DrmMm<number>(0, 64);
  const [, old] = [
    insert(t, mm, { size: 8, order: 'low' }),
    insert(t, mm, { size: 8, order: 'low', color: 5 }),
  ];
  const node = newNode();
  mm.replace(old, node);
  t.deepEqual([node.start, node.size, node.color, node.isAllocated], [8, 8, 5, true]);
  t.false(old.isAllocated);
  t.true(isSound(mm) && mm.nodes.includes(node) && !mm.nodes.includes(old));
  mm.remove(node);
  t.true(isSound(mm));
});

test('drm_test_mm_insert_range: nodes lie in the range that is asked for', t => {
  const ranges = [
    [0, 400],
    [0, 399],
    [1, 400],
    [0, 200],
    [200, 400],
    [100, 301],
  ] as const;
  for (const order of ORDERS) {
    for (const [start, end] of ranges) {
      const mm = new DrmMm<number>(0, 400);
      const fits = Math.floor((end - start) / 10);
      for (let i = 0; i < fits; i++) {
        const node = insert(t, mm, { size: 10, start, end, order });
        t.true(node.start >= start && node.end <= end);
      }
      t.is(mm.insert(newNode(), { size: 10, start, end, order }), -ENOSPC);
      t.true(isSound(mm));
    }
    const mm = new DrmMm<number>(0, 400);
    for (const [start, end] of [
      [400, 410],
      [-10, 0],
      [5, 14],
      [9, 9],
    ] as const) {
      t.is(mm.insert(newNode(), { size: 10, start, end, order }), -ENOSPC);
    }
  }
});

test('drm_test_mm_frag: small holes everywhere hide no larger one', t => {
  for (const order of ORDERS) {
    const mm = new DrmMm<number>(0, 4000);
    const nodes = Array.from({ length: 1000 }, () => insert(t, mm, { size: 2, order: 'low' }));
    for (const [i, node] of nodes.entries()) if (i % 2 === 1) mm.remove(node);
    t.is(mm.holes.length, 500);
    for (let i = 0; i < 500; i++) insert(t, mm, { size: 4, order });
    t.true(isSound(mm));
  }
});

const aligned = (t: ExecutionContext, alignments: readonly number[]): void => {
  for (const order of ORDERS) {
    for (const alignment of alignments) {
      const mm = new DrmMm<number>(1, 2 ** 52);
      for (const size of PRIMES) {
        const node = insert(t, mm, { size, alignment, order });
        t.is(node.start % alignment, 0);
      }
      t.true(isSound(mm));
    }
  }
};

test('drm_test_mm_align: any number is an alignment', t => {
  aligned(t, [1, 3, 7, 12, 97, 1000]);
});

test('drm_test_mm_align32: alignments up to 2^31', t => {
  aligned(t, [1, 2 ** 8, 2 ** 16, 2 ** 24, 2 ** 31]);
});

test('drm_test_mm_align64: alignments above 2^32', t => {
  aligned(t, [2 ** 32, 2 ** 36, 2 ** 40, 2 ** 46]);
});

/** Adds nodes in this order until there is room, and evicts what the scan says. */
const evict = (
  t: ExecutionContext,
  mm: DrmMm<number>,
  nodes: readonly Node[],
  request: MmRequest,
): Node[] => {
  const scan = new MmScan(mm, request);
  const roster: Node[] = [];
  let isFound = false;
  for (const node of nodes) {
    roster.unshift(node);
    isFound = scan.add(node);
    if (isFound) break;
  }
  const victims = roster.filter(node => scan.remove(node));
  if (!isFound) {
    t.deepEqual(victims, []);
    return [];
  }
  for (const node of victims) mm.remove(node);
  for (let other = scan.colorEvict(); other !== null; other = scan.colorEvict()) {
    victims.push(other);
    mm.remove(other);
  }
  return victims;
};

const full = (
  t: ExecutionContext,
  count: number,
  size: number,
): { mm: DrmMm<number>; nodes: Node[] } => {
  const mm = new DrmMm<number>(0, count * size);
  const nodes = Array.from({ length: count }, () => insert(t, mm, { size, order: 'low' }));
  return { mm, nodes };
};

const putBack = (t: ExecutionContext, mm: DrmMm<number>, victims: readonly Node[]): void => {
  for (const node of victims) t.is(mm.reserve(node, node.start, node.size, node.color), 0);
  t.true(isSound(mm));
};

test('drm_test_mm_evict: a scan finds room, and what it evicts is what lies there', t => {
  const { mm, nodes } = full(t, 64, 4);
  const order = shuffled(nodes, 7);
  for (const alignment of [1, 2, 3, 8, 64]) {
    for (const size of [4, 5, 16, 63, 128]) {
      for (const way of ['best', 'low', 'high'] as const) {
        const victims = evict(t, mm, order, { size, alignment, order: way });
        t.true(victims.length > 0);
        const node = insert(t, mm, { size, alignment, order: 'evict' });
        t.true(victims.every(victim => victim.end > node.start && victim.start < node.end));
        mm.remove(node);
        putBack(t, mm, victims);
      }
    }
  }
  const nothing = new MmScan(mm, { size: 4 });
  const everything = new MmScan(mm, { size: 256 });
  t.deepEqual([...order].map(node => nothing.add(node)).filter(Boolean).length > 0, true);
  for (const node of [...order].reverse()) nothing.remove(node);
  t.true(isSound(mm), 'a scan that evicts nothing leaves all as it was');
  t.is(
    order.findIndex(node => everything.add(node)),
    63,
  );
  t.true([...order].reverse().every(node => everything.remove(node)));
});

test('drm_test_mm_evict_range: nor is anything evicted outside the range', t => {
  const { mm, nodes } = full(t, 64, 4);
  const order = shuffled(nodes, 8);
  for (const alignment of [1, 3, 8]) {
    for (const size of [4, 16, 63]) {
      const request = { size, alignment, start: 81, end: 176 };
      const victims = evict(t, mm, order, request);
      t.true(victims.length > 0 && victims.every(({ start, end }) => end > 81 && start < 176));
      const node = insert(t, mm, { ...request, order: 'evict' });
      t.true(node.start >= 81 && node.end <= 176);
      mm.remove(node);
      putBack(t, mm, victims);
    }
  }
});

test('a scan that cannot make room evicts nothing', t => {
  const { mm, nodes } = full(t, 8, 4);
  t.deepEqual(evict(t, mm, nodes.slice(0, 3), { size: 16 }), []);
  t.true(isSound(mm));
});

test('a roster is taken down in the reverse order, else the kernel stops', t => {
  const { mm, nodes } = full(t, 8, 4);
  const [a, b] = [nodes[2] ?? newNode(), nodes[3] ?? newNode()];
  const scan = new MmScan(mm, { size: 32 });
  scan.add(a);
  t.throws(() => mm.insert(newNode(), { size: 1 }), { message: /amid a scan/ });
  scan.add(b);
  t.throws(() => scan.remove(a), { message: /another order/ });
  t.throws(() => scan.add(b), { message: /cannot be evicted/ });
  scan.remove(b);
  scan.remove(a);
  t.throws(() => scan.remove(a), { message: /not on|which it is not/ });
  t.throws(() => {
    mm.remove(newNode());
  });
  t.throws(() => new MmScan(mm, { size: 33 }), { message: /cannot be/ });
});

test('drm_test_mm_topdown: each node lies right below the one before', t => {
  const mm = new DrmMm<number>(0, 400);
  const nodes = Array.from({ length: 40 }, () => insert(t, mm, { size: 10, order: 'high' }));
  t.deepEqual(
    nodes.map(({ start }) => start),
    nodes.map((_, i) => 390 - 10 * i),
  );
  for (const node of nodes.slice(5, 9)) mm.remove(node);
  t.is(insert(t, mm, { size: 10, order: 'high' }).end, 350);
});

test('drm_test_mm_bottomup: each node lies right above the one before', t => {
  const mm = new DrmMm<number>(0, 400);
  const nodes = Array.from({ length: 40 }, () => insert(t, mm, { size: 10, order: 'low' }));
  t.deepEqual(
    nodes.map(({ start }) => start),
    nodes.map((_, i) => 10 * i),
  );
  for (const node of nodes.slice(5, 9)) mm.remove(node);
  t.is(insert(t, mm, { size: 10, order: 'low' }).start, 50);
});

const once = (t: ExecutionContext, order: MmOrder): void => {
  const mm = new DrmMm<number>(0, 7);
  t.is(mm.reserve(newNode(), 1, 1), 0);
  t.is(mm.reserve(newNode(), 5, 1), 0);
  t.is(mm.insert(newNode(), { size: 2, order }, true), 0);
  t.is(mm.insert(newNode(), { size: 1, alignment: 7, order: 'high' }, true), -ENOSPC);
  t.is(mm.insert(newNode(), { size: 1, alignment: 7, order: 'high' }), 0);
};

test('drm_test_mm_lowest: the first try from below is a hole that is large enough', t => {
  once(t, 'low');
});

test('drm_test_mm_highest: the first try from above is a hole that is large enough', t => {
  once(t, 'high');
});

test('drm_test_mm_color: unlike neighbours keep their distance', t => {
  for (const order of ORDERS) {
    const mm = new DrmMm<number>(0, 100, separates);
    const nodes = Array.from({ length: 12 }, (_, i) =>
      insert(t, mm, { size: 4, color: i % 3, order }),
    );
    t.true(nodes.length > 0 && isSound(mm));
    for (const [i, node] of mm.nodes.entries()) {
      const next = mm.nodes[i + 1];
      if (next !== undefined && next.color !== node.color) t.true(node.end < next.start);
    }
  }
  const mm = new DrmMm<number>(0, 12, separates);
  t.is(mm.reserve(newNode(), 0, 4, 1), 0);
  t.is(mm.reserve(newNode(), 4, 4, 2), -ENOSPC);
  t.is(mm.reserve(newNode(), 5, 4, 2), 0);
  t.is(mm.insert(newNode(), { size: 3, color: 1 }), -ENOSPC);
  t.is(mm.insert(newNode(), { size: 3, color: 2 }), 0);
});

const colored = (t: ExecutionContext, range: { start?: number; end?: number }): void => {
  const mm = new DrmMm<number>(0, 256, separates);
  let color = 0;
  const nodes = Array.from({ length: 51 }, () =>
    insert(t, mm, { size: 4, color: color++, order: 'low' }),
  );
  for (const alignment of [1, 3, 8]) {
    for (const size of [4, 9, 31]) {
      for (const own of [0, 9, 1000]) {
        const request = { size, alignment, color: own, ...range };
        const victims = evict(t, mm, shuffled(nodes, size), request);
        const node = insert(t, mm, { ...request, order: 'evict' });
        t.true(node.start >= (range.start ?? 0) && node.end <= (range.end ?? 256));
        mm.remove(node);
        putBack(t, mm, victims);
      }
    }
  }
};

test('drm_test_mm_color_evict: what a scan evicts leaves room between unlike colours', t => {
  colored(t, {});
});

test('drm_test_mm_color_evict_range: and in a range', t => {
  colored(t, { start: 60, end: 180 });
});

/** Where a node may begin, by trying every address. */
const everyPlace = (mm: DrmMm<number>, request: Required<MmRequest>): number[] => {
  const places: number[] = [];
  for (let at = request.start; at + request.size <= request.end; at++) {
    if (request.alignment > 1 && at % request.alignment !== 0) continue;
    const end = at + request.size;
    const isFree = mm.nodes.every(node => {
      const gap = node.color === request.color ? 0 : 1;
      return node.end + gap <= at || node.start >= end + gap;
    });
    if (isFree) places.push(at);
  }
  return places;
};

const requests = fc.record({
  size: fc.integer({ min: 1, max: 9 }),
  alignment: fc.constantFrom(0, 1, 2, 3, 4, 7),
  color: fc.integer({ min: 0, max: 2 }),
  start: fc.integer({ min: 0, max: 20 }),
  end: fc.integer({ min: 21, max: 48 }),
  order: fc.constantFrom(...ORDERS),
});

const steps = fc.array(fc.tuple(requests, fc.nat(), fc.boolean()), { maxLength: 40 });

test('it finds room exactly where there is some, and the lowest or highest where asked', t => {
  fc.assert(
    fc.property(steps, all => {
      const mm = new DrmMm<number>(0, 48, separates);
      for (const [request, which, isRemoval] of all) {
        const old = mm.nodes[which % Math.max(1, mm.nodes.length)];
        if (isRemoval && old !== undefined) mm.remove(old);
        const places = everyPlace(mm, request);
        const node = newNode();
        const error = mm.insert(node, request);
        if (error !== (places.length === 0 ? -ENOSPC : 0)) return false;
        if (error === 0 && !places.includes(node.start)) return false;
        if (error === 0 && request.order === 'low' && node.start !== places[0]) return false;
        if (error === 0 && request.order === 'high' && node.start !== places.at(-1)) return false;
        const { start, end } = request;
        const inside = mm.nodes.filter(other => other.end > start && other.start < end);
        const found = mm.inRange(start, end);
        if (!isSound(mm) || found.length !== inside.length) return false;
        if (found.some((other, i) => other !== inside[i])) return false;
      }
      return true;
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('a scan of all nodes finds room unless there can be none, and what it names is in the way', t => {
  fc.assert(
    fc.property(steps, requests, fc.nat(), (all, wanted, seed) => {
      // Where the room is large, one that begins at its end may not need every victim.
      const request = { ...wanted, order: 'low' as const };
      const mm = new DrmMm<number>(0, 48, separates);
      for (const [each] of all) mm.insert(newNode(), each);
      if (everyPlace(mm, request).length > 0) return true;
      if (request.size > request.end - request.start) return true;
      const before = mm.digest();
      const order = shuffled([...mm.nodes], seed);
      const victims = evict(t, mm, order, request);
      const node = newNode();
      const hasRoom = everyPlace(new DrmMm<number>(0, 48, separates), request).length > 0;
      if (victims.length > 0 !== hasRoom) return false;
      if (!hasRoom) return mm.digest() === before;
      if (mm.insert(node, { ...request, order: 'evict' }) !== 0) return false;
      return victims.every(({ start, end }) => end + 1 > node.start && start < node.end + 1);
    }),
    { numRuns: 150 },
  );
  t.pass();
});

test('of equal holes the youngest is taken, and for whoever evicted the youngest of all', t => {
  const { mm, nodes } = full(t, 8, 4);
  for (const i of [1, 5, 3]) mm.remove(nodes[i] ?? newNode());
  t.is(insert(t, mm, { size: 4 }).start, 12);
  t.is(insert(t, mm, { size: 2, order: 'evict' }).start, 20);
  t.is(insert(t, mm, { size: 2 }).start, 22, 'the smallest');
});

test('an exact place next to an unlike colour is refused on either side', t => {
  const mm = new DrmMm<number>(0, 12, separates);
  t.is(mm.reserve(newNode(), 8, 4, 1), 0);
  t.is(mm.reserve(newNode(), 4, 4, 2), -ENOSPC);
  t.is(mm.reserve(newNode(), 3, 4, 2), 0);
});
