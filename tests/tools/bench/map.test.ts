import test from 'ava';
import fc from 'fast-check';
import { Average } from '../../../tools/bench/average';
import { main } from '../../../tools/main';
import { TestHost } from '../../support/host';

interface Answer {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

const benchOf = async (...argv: readonly string[]): Promise<Answer> => {
  const host = new TestHost();
  const status = await main(['bench', 'map', ...argv], host);
  return { status, out: host.out.text, err: host.err.text };
};

/** Row `what` of the first table: map, unmap. */
const row = (out: string, what: string): string[] =>
  new RegExp(`^  ${what} +(\\S+) +(\\S+)$`, 'm').exec(out)?.slice(1) ?? [];

test('a page both ways is a line operation for each of its lines, inner and outer', async t => {
  const { status, out } = await benchOf('pandaboard', '--iterations', '3', '--threads', '3');
  t.is(status, 0);
  t.regex(
    out,
    /^pandaboard\ndma mapping benchmark: threads:3 iterations:3 node:-1 dir:BIDIRECTIONAL granule: 1\n/,
  );
  t.deepEqual(row(out, 'line operations'), ['128', '128']);
  t.deepEqual(row(out, 'of the outer cache'), ['128', '128']);
  t.deepEqual(row(out, 'table writes'), ['0', '0']);
  t.deepEqual(row(out, 'TLB invalidations'), ['0', '0']);
  t.regex(out, /host time: average map latency\(us\):0\.0 standard deviation:0\.0\n/);
  t.regex(out, /host time: average unmap latency\(us\):0\.0 standard deviation:0\.0\n/);
});

test('what only the device reads is cleaned once, granule by granule', async t => {
  const more = ['--dir', 'TO_DEVICE', '--granule', '4', '--iterations', '2'];
  const { out } = await benchOf('versatile-pb', ...more);
  t.deepEqual(row(out, 'line operations'), ['512', '0']);
  t.deepEqual(row(out, 'of the outer cache'), ['0', '0']);
});

test('the wait of a transfer is no part of the calls', async t => {
  const { out } = await benchOf('versatile-pb', '--dma-trans-ns', '5000', '--iterations', '2');
  t.deepEqual(row(out, 'simulated ns'), ['0', '0']);
});

test('a program gets sums, and what they are of', async t => {
  const { out } = await benchOf('versatile-pb', '--iterations', '2', '--format', 'json');
  const read = JSON.parse(out) as {
    format: string;
    parameters: object;
    devices: { calls: number; map: { counts: { innerLines: number } } }[];
  };
  t.is(read.format, 'dmabench-bench-map-1');
  t.like(read.parameters, { threads: 1, iterations: 2, dir: 'BIDIRECTIONAL', granule: 1 });
  t.deepEqual([read.devices[0]?.calls, read.devices[0]?.map.counts.innerLines], [2, 256]);
});

test('a device that cannot be set up so fails, in the words of the kernel', async t => {
  const { status, out } = await benchOf('versatile-pb', '--dma-bits', '20', '--iterations', '1');
  t.is(status, 1);
  t.regex(out, /^test-master0: non-coherent\n {2}Failed to set DMA mask\n/m);
});

const WRONG: readonly (readonly [option: string, value: string, message: RegExp])[] = [
  ['--threads', '0', /^dmabench: --threads: expected an integer from 1 to 1024, found '0'$/],
  ['--threads', '1.5', /^dmabench: --threads: expected an integer from 1 to 1024, found '1.5'$/],
  ['--iterations', '9999999', /^dmabench: --iterations: expected an integer from 1 to 1000000, /],
  ['--dma-trans-ns', '10000001', /^dmabench: --dma-trans-ns: expected .* 0 to 10000000, /],
  ['--dma-bits', '19', /^dmabench: --dma-bits: expected an integer from 20 to 64, found '19'$/],
  ['--granule', '1025', /^dmabench: --granule: expected an integer from 1 to 1024, found '1025'$/],
  ['--node', '1', /^dmabench: --node: expected an integer from -1 to 0, found '1'$/],
  ['--dir', 'NONE', /^dmabench: Invalid values: Argument: dir, /],
];

for (const [option, value, message] of WRONG) {
  test(`a parameter that the kernel's program refuses is refused: ${option} ${value}`, async t => {
    const { status, err } = await benchOf('versatile-pb', option, value);
    t.is(status, 2);
    t.regex(err.split('\n')[0] ?? '', message);
  });
}

test('mean and standard deviation are those of their definitions', t => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1 }), values => {
      const average = new Average();
      for (const value of values) average.add(value);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      return (
        Math.abs(average.mean - mean) < 1e-6 &&
        Math.abs(average.deviation - Math.sqrt(squares / values.length)) < 1e-6
      );
    }),
  );
  t.is(new Average().deviation, 0);
});
