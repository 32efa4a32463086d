import test from 'ava';
import { allCases } from '../../tools/run/results';
import { runBoard } from './run-board';

/* The suite gpu, on a GPU that an overlay adds; on more boards, and whole, in the sweeps. */

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
