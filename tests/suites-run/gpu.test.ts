import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { format, resolveConfig } from 'prettier';
import { allCases } from '../../tools/run/results';
import { gpuSuite } from '../suites/gpu';
import { PARITY } from '../suites/gpu/parity';
import { RULES_README, readRules } from './dma-rules-table';
import { PARITY_LINES } from './gpu-parity';
import { runBoard } from './run-board';

/* The suite gpu, on a GPU that an overlay adds; on more boards, and whole, in the sweeps. */

test('every test that is said to be ported is there', t => {
  const names = gpuSuite.cases.map(({ name }) => name);
  for (const { test: name, status, cases, files } of PARITY) {
    t.is(cases.length + files.length === 0, status === 'open', name);
    for (const one of cases)
      t.true(
        names.some(known => known.startsWith(one)),
        `${name}: ${one}`,
      );
    for (const file of files)
      t.true(existsSync(join(__dirname, '../..', file)), `${name}: ${file}`);
  }
});

test('the table of tests in tests/suites/README.md is that of today', async t => {
  const config = await resolveConfig(RULES_README);
  const text = await format(PARITY_LINES.join('\n'), { ...config, parser: 'markdown' });
  t.true(readRules().endsWith(text));
});

/** Of igt_gem_coherency, what meets every kind of mapping. */
const SAMPLE = ['write_cpu_read_gpu', 'write_wc_read_cpu'];

const isSampled = (name: string): boolean =>
  !name.startsWith('igt_gem_coherency') || SAMPLE.some(end => name.endsWith(end));

test('imx6q-sabresd: the GPU does what it is to do, and what its driver forgets is found', t => {
  const result = runBoard('imx6q-sabresd', {
    kind: 'all',
    overlays: ['gpu-imx6q-sabresd'],
    selects: (suite, name) => suite === 'gpu' && isSampled(name),
  });
  const cases = allCases(result).filter(({ outcome }) => outcome !== 'passed');
  t.deepEqual(
    cases.map(({ name, lines }) => `${name}: ${lines.join('; ')}`),
    [],
  );
  t.true(allCases(result).length > 30);
});
