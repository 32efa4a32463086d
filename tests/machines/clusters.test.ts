import test from 'ava';
import { planMachine } from '../../machines/plan';
import { dt, ref } from '../support/dt';
import type { DtLiteral } from '../support/dt';

const A15 = 'arm,cortex-a15';
const A7 = 'arm,cortex-a7';

/** A processor with this MPIDR affinity. */
const cpu = (compatible: string, affinity: number, more: DtLiteral = {}): DtLiteral => ({
  device_type: 'cpu',
  compatible,
  reg: [affinity],
  ...more,
});

/** Which cluster each processor is in, and the notes of the plan; labels are `a`, `b` and so on. */
const clustersOf = (
  cpus: readonly DtLiteral[],
  map: DtLiteral | null,
  nodes: DtLiteral = {},
): { readonly clusters: readonly number[]; readonly notes: readonly string[] } => {
  const labelled = cpus.map((one, i): [string, DtLiteral] => [
    `${String.fromCharCode(97 + i)}: cpu@${i}`,
    one,
  ]);
  const tree = dt({
    compatible: 'acme,board',
    '#address-cells': [1],
    '#size-cells': [1],
    cpus: {
      '#address-cells': [1],
      '#size-cells': [0],
      ...(map === null ? {} : { 'cpu-map': map }),
      ...Object.fromEntries(labelled),
    },
    memory: { device_type: 'memory', reg: [0, 0x1000_0000] },
    ...nodes,
  });
  const plan = planMachine(tree, { memory: null, quirks: [] });
  return { clusters: plan.cpus.map(({ cluster }) => cluster), notes: plan.notes };
};

const core = (label: string): DtLiteral => ({ cpu: [ref(label)] });

test('without a cpu-map, processors of one affinity level 1 are a cluster', t => {
  const cpus = [cpu(A15, 0x000), cpu(A15, 0x001), cpu(A15, 0x100), cpu(A15, 0x101)];
  t.deepEqual(clustersOf(cpus, null).clusters, [0, 0, 1, 1]);
});

test('a cpu-map counts more than the affinities', t => {
  const split = {
    cluster0: { core0: core('a'), core1: core('b') },
    cluster1: { core0: core('c'), core1: core('d') },
  };
  const flat = [0, 1, 2, 3].map(n => cpu(A15, n));
  t.deepEqual(clustersOf(flat, split).clusters, [0, 0, 1, 1], 'one affinity, two clusters');
  const joined = { cluster0: { core0: core('a'), core1: core('b') } };
  const apart = [cpu(A15, 0x000), cpu(A15, 0x100)];
  t.deepEqual(clustersOf(apart, joined).clusters, [0, 0], 'two affinities, one cluster');
});

test('cluster 0 of one socket is not that of another', t => {
  const sockets = {
    socket0: { cluster0: { core0: core('a') } },
    socket1: { cluster0: { core0: core('b') } },
  };
  t.deepEqual(clustersOf([cpu(A15, 0), cpu(A15, 1)], sockets).clusters, [0, 1]);
});

test('cores of two kinds share no second level, though a cpu-map puts them in one cluster', t => {
  const map = { cluster0: { core0: core('a'), core1: core('b') } };
  t.deepEqual(clustersOf([cpu(A15, 0), cpu(A7, 1)], map).clusters, [0, 1]);
});

test('the cache that processors name counts more than a cpu-map', t => {
  const map = { cluster0: { core0: core('a') }, cluster1: { core0: core('b') } };
  const behind = { 'next-level-cache': [ref('l2')] };
  const cpus = [cpu(A15, 0x000, behind), cpu(A15, 0x100, behind)];
  const l2 = { 'l2: l2-cache': { compatible: 'cache', 'cache-level': [2] } };
  t.deepEqual(clustersOf(cpus, map, l2).clusters, [0, 0]);
});

test('a cpu-map that leaves one out is reported, and the affinities count', t => {
  const map = { cluster0: { core0: core('a') }, cluster1: { core0: core('b') } };
  const cpus = [cpu(A15, 0), cpu(A15, 1), cpu(A15, 2)];
  t.deepEqual(clustersOf(cpus, map), {
    clusters: [0, 0, 0],
    notes: [
      "/cpus/cpu-map: property 'cpu': expected every processor in the map, found none for /cpus/cpu@2",
    ],
  });
});
