import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { InputError } from '../../drivers/base/types/errors';
import { flatMemory, inlinedLoop } from '../bench/baselines';
import { freePageRun, makeBenchMachine } from '../bench/bench-machine';
import { benchCheckedTrace } from '../bench/checker';
import { benchTrace } from '../bench/cpu';
import { readTrace } from '../bench/trace-file';
import { EXPECTED, fnv, makeTrace, pagesOf } from '../bench/traces';
import { temporaryFolder } from '../support/host';

const PREFIX = 20_000;

/** Of the first references only: the whole traces are checked whenever they are measured. */
const PREFIXES = {
  mixed: { fnv: '5bec8639', misses: 10_703 },
  hot: { fnv: '8c2edc29', misses: 1712 },
} as const;

for (const name of ['mixed', 'hot'] as const) {
  test(`the trace ${name} begins as it always did, and three simulators agree on it`, t => {
    const trace = makeTrace(name, PREFIX);
    t.is(fnv(trace), PREFIXES[name].fnv);
    const pages = pagesOf(trace);
    const expected = inlinedLoop(pages)(trace);
    t.is(expected.misses, PREFIXES[name].misses);
    t.is(flatMemory(pages)(trace).sum, expected.sum);
    t.notThrows(() => benchTrace(name, trace, expected));
    t.throws(() => benchTrace(name, trace, { ...expected, misses: 1 }));
    t.notThrows(() => benchCheckedTrace(name, trace, expected.sum));
    t.throws(() => benchCheckedTrace(name, trace, expected.sum ^ 1));
    t.regex(EXPECTED[name].fnv, /^[0-9a-f]{8}$/);
  });
}

test('a shorter trace is the beginning of a longer one', t => {
  for (const name of ['mixed', 'hot'] as const) {
    const longer = makeTrace(name, PREFIX);
    t.deepEqual(makeTrace(name, 1000), longer.slice(0, 1000));
  }
});

test('the page table is where the trace is not', t => {
  t.is(freePageRun([]), 0x8_0000);
  t.is(freePageRun([0x8_0001]), 0x8_0004);
  const trace = Uint32Array.from({ length: 4096 }, (_, i) => 0x8000_0000 + i * 4 + (i % 2));
  const pages = pagesOf(trace);
  t.notThrows(() => benchTrace('over the table', trace, null));
  const { cpu } = makeBenchMachine(pages);
  t.is(cpu.load32(0x8000_0000), 0x5bd1_e995);
});

test('a file that is no trace is told with what was expected', t => {
  const folder = temporaryFolder(t);
  const wrong = (bytes: Uint8Array): string => {
    const file = join(folder, 'trace');
    writeFileSync(file, bytes);
    const error = t.throws(() => readTrace(file), { instanceOf: InputError });
    return error.message.slice(file.length);
  };
  t.is(wrong(new Uint8Array(0)), ': expected references of 4 bytes each, found 0 bytes');
  t.is(wrong(new Uint8Array(7)), ': expected references of 4 bytes each, found 7 bytes');
  t.is(
    wrong(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0xf0])),
    ': expected addresses below 0xf0000000, found 0xf0000000 in reference 1',
  );
  t.throws(() => readTrace(join(folder, 'none')), {
    instanceOf: InputError,
    message: /expected a file to read, found no such file$/,
  });
  const good = join(folder, 'good');
  writeFileSync(good, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
  t.deepEqual([...readTrace(good)], [0x0403_0201, 0x0807_0605]);
});
