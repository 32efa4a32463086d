import test from 'ava';
import { EINVAL, EIO } from '../../../drivers/base/kernel/errno';
import { Random } from '../../../drivers/base/types/random';
import type { SoftwareFence } from '../../../mm/dma-buf/fence';
import { FenceArray } from '../../../mm/dma-buf/fence-array';
import { FenceChain, chainLinks, findSeqno } from '../../../mm/dma-buf/fence-chain';
import { mergeFences, unwrapFences } from '../../../mm/dma-buf/fence-unwrap';
import { FenceBench } from './fence-bench';

/*
 * The kernel's own selftests of chains and of what unwraps containers
 * (drivers/dma-buf/st-dma-fence-chain.c and st-dma-fence-unwrap.c of 6.12), by name.
 */

interface Chains {
  readonly bench: FenceBench;
  readonly fences: readonly SoftwareFence[];
  readonly chains: readonly FenceChain[];
  readonly tail: FenceChain;
}

const at = <Item>(items: readonly Item[], place: number): Item => {
  const item = items[place];
  if (item === undefined) throw new Error(`no item ${place}`);
  return item;
};

const chainsOf = (count: number, seqnoOf: (i: number) => number = i => i + 1): Chains => {
  const bench = new FenceBench();
  const fences: SoftwareFence[] = [];
  const chains: FenceChain[] = [];
  for (let i = 0; i < count; i++) {
    const fence = bench.fence();
    fences.push(fence);
    chains.push(new FenceChain(chains.at(-1) ?? null, fence, seqnoOf(i)));
  }
  return { bench, fences, chains, tail: at(chains, count - 1) };
};

const links = (head: FenceChain): number => [...chainLinks(head)].length;

test('st-dma-fence-chain sanitycheck: a link of one fence is signalled with it', t => {
  const { fences, tail } = chainsOf(1);
  t.false(tail.isSignaled);
  fences[0]?.signal();
  t.true(tail.isSignaled);
  t.is(tail.label, 'dma_fence_chain unbound 2:1');
});

test('st-dma-fence-chain find_seqno: each number is found, none beyond the last', t => {
  const { chains, tail } = chainsOf(64);
  t.deepEqual(findSeqno(tail, 0), { error: 0, fence: tail });
  for (const link of chains) t.is(findSeqno(tail, link.seqno).fence, link);
  t.is(findSeqno(tail, tail.seqno + 1).error, -EINVAL);
  for (let i = 0; i < chains.length; i += 7) {
    const head = chains[i] ?? tail;
    t.is(findSeqno(head, head.seqno + 1).error, -EINVAL);
    t.is(findSeqno(head, head.seqno).fence, head);
    if (i > 0) t.is(findSeqno(head, head.seqno - 1).fence, at(chains, i - 1));
  }
  t.is(findSeqno(null, 1).error, -EINVAL);
});

test('st-dma-fence-chain find_signaled: a number whose link is signalled is found as nothing', t => {
  const { fences, chains, tail } = chainsOf(2);
  fences[0]?.signal();
  t.deepEqual(findSeqno(tail, 1), { error: 0, fence: null });
  t.is(findSeqno(at(chains, 0), 1).fence, at(chains, 0));
});

test('st-dma-fence-chain find_out_of_order: a link that is signalled before others waits for them', t => {
  const { fences, chains, tail } = chainsOf(3);
  fences[1]?.signal();
  t.is(findSeqno(tail, 2).fence, at(chains, 0), 'what is left of it is the first');
});

test('st-dma-fence-chain find_gap: a number between two links is reached with the later', t => {
  const { chains, tail } = chainsOf(64, i => 2 * i + 1);
  for (let i = 1; i < 64; i++) t.is(findSeqno(tail, 2 * i).fence, at(chains, i));
});

test('st-dma-fence-chain find_race: what is found stays right while fences are signalled', t => {
  const { fences, chains, tail } = chainsOf(64);
  const random = new Random(3);
  for (let round = 0; round < 300; round++) {
    const seqno = random.below(64) + 1;
    const { error, fence } = findSeqno(tail, seqno);
    t.is(error, 0);
    const before = fences.slice(0, seqno);
    if (fence === null) t.true(before.every(one => one.isSignaled));
    else t.true(fence.seqno <= seqno && chains.some(link => link === fence));
    if (round % 5 === 4) fences[random.below(64)]?.signal();
  }
  t.true(links(tail) <= 1 + fences.filter(fence => !fence.isSignaled).length);
});

test('st-dma-fence-chain signal_forward: link after link is signalled', t => {
  const { fences, chains } = chainsOf(64);
  for (let i = 0; i < 64; i++) {
    t.false(chains[i]?.isSignaled);
    fences[i]?.signal();
    t.true(chains[i]?.isSignaled);
    if (i + 1 < 64) t.false(chains[i + 1]?.isSignaled);
  }
});

test('st-dma-fence-chain signal_backward: no link is signalled before the first', t => {
  const { fences, chains } = chainsOf(64);
  for (let i = 63; i > 0; i--) {
    fences[i]?.signal();
    t.false(chains[i]?.isSignaled);
  }
  fences[0]?.signal();
  t.true(chains.every(link => link.isSignaled));
});

const ORDERS: Readonly<Record<string, (fences: readonly SoftwareFence[]) => SoftwareFence[]>> = {
  wait_forward: fences => [...fences],
  wait_backward: fences => fences.toReversed(),
  wait_random: fences => {
    const random = new Random(5);
    return fences
      .map(fence => ({ fence, key: random.next() }))
      .sort((a, b) => a.key - b.key)
      .map(({ fence }) => fence);
  },
};

for (const [name, order] of Object.entries(ORDERS)) {
  test(`st-dma-fence-chain ${name}: who waits for the last wakes when all are signalled`, t => {
    const { bench, fences, tail } = chainsOf(64);
    const waiter = bench.spawn(tail.wait(false));
    bench.run();
    for (const fence of order(fences)) {
      t.false(waiter.isDead);
      fence.signal();
      bench.run();
    }
    t.is(waiter.value, 0);
  });
}

test('a chain of 4096 links is signalled from its head on, without running out of stack', t => {
  const { bench, fences, tail } = chainsOf(4096);
  const waiter = bench.spawn(tail.wait(false));
  bench.run();
  for (const fence of fences) fence.signal();
  bench.run();
  t.is(waiter.value, 0);
});

test('a link behind a number that is no later begins a context of its own', t => {
  const bench = new FenceBench();
  const first = new FenceChain(null, bench.fence(), 5);
  const second = new FenceChain(first, bench.fence(), 3);
  t.not(second.context, first.context);
  t.is(second.seqno, 5);
  t.is(second.prevSeqno, 0);
  t.throws(() => new FenceChain(first, second, 6), { message: /a chain in a chain/ });
});

test('an array is signalled after all of its fences, or after any', t => {
  for (const signalOnAny of [false, true]) {
    for (const isWaiting of [false, true]) {
      const bench = new FenceBench();
      const fences = [bench.fence(), bench.fence()];
      const array = new FenceArray(fences, { context: 9, seqno: 1 }, signalOnAny);
      if (isWaiting) array.enableSwSignaling();
      t.false(array.isSignaled);
      fences[1]?.setError(-EIO);
      fences[1]?.signal();
      t.is(array.isSignaled, signalOnAny);
      fences[0]?.signal();
      t.is(array.status, isWaiting ? -EIO : 1);
    }
  }
  t.throws(() => new FenceArray([], { context: 1, seqno: 1 }), { message: /of no fences/ });
});

const unwrapped = (head: Parameters<typeof unwrapFences>[0]): unknown[] => [...unwrapFences(head)];

test('st-dma-fence-unwrap sanitycheck: an array of one holds one', t => {
  const bench = new FenceBench();
  const fence = bench.fence();
  t.deepEqual(unwrapped(new FenceArray([fence], { context: 9, seqno: 1 })), [fence]);
  t.deepEqual(unwrapped(fence), [fence]);
  t.deepEqual(unwrapped(null), []);
});

test('st-dma-fence-unwrap unwrap_array: each fence of an array, once', t => {
  const bench = new FenceBench();
  const fences = [bench.fence(), bench.fence()];
  t.deepEqual(unwrapped(new FenceArray(fences, { context: 9, seqno: 1 })), fences);
});

test('st-dma-fence-unwrap unwrap_chain: each fence of a chain, the newest first', t => {
  const { fences, tail } = chainsOf(2);
  t.deepEqual(unwrapped(tail), fences.toReversed());
});

test('st-dma-fence-unwrap unwrap_chain_array: each fence of an array in a chain', t => {
  const bench = new FenceBench();
  const fences = [bench.fence(), bench.fence()];
  const array = new FenceArray(fences, { context: 9, seqno: 1 });
  t.deepEqual(unwrapped(new FenceChain(null, array, 1)), fences);
});

test('st-dma-fence-unwrap unwrap_merge: two fences are merged into an array of both', t => {
  const bench = new FenceBench();
  const fences = [bench.fence(), bench.fence()];
  t.deepEqual(unwrapped(mergeFences(bench.timelines, fences)), fences);
  const first = at(fences, 0);
  t.is(mergeFences(bench.timelines, [first, null]), first);
});

test('st-dma-fence-unwrap unwrap_merge_complex: of a context the latest, of what is done nothing', t => {
  const bench = new FenceBench();
  const context = bench.timelines.allocContext();
  const [f1, f2] = [bench.fence(context, 1), bench.fence(context, 2)];
  const other = bench.fence();
  const link = new FenceChain(null, f1, 7);
  const array = new FenceArray([f2, other], { context: 99, seqno: 1 });
  for (const heads of [
    [array, link],
    [link, array],
    [other, link, array],
  ]) {
    t.deepEqual(unwrapped(mergeFences(bench.timelines, heads)), [f2, other]);
  }
  other.signal(30);
  t.is(mergeFences(bench.timelines, [array, link]), f2);
  f2.signal(20);
  f1.signal(10);
  const done = mergeFences(bench.timelines, [array, link]);
  t.true(done.isSignaled);
  t.is(done.timestamp, 30);
});
