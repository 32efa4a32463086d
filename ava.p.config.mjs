/**
 * What goes over many boards, bugs, mutants or judges: more than `npm test` has time for.
 * `npm run test:sweeps` runs them, and so does .ci/run.
 */
export const SWEEPS = [
  'tests/arch/arm/broken-programs.test.ts',
  'tests/arch/arm/checked/same-events.test.ts',
  'tests/arch/arm/coherence/replay.test.ts',
  'tests/drivers/of/fdt-boards.test.ts',
  'tests/spin/judges.test.ts',
  'tests/suites-run/{bugs,dma-rules,every-case,mutation,no-false-findings,rules}.test.ts',
  'tests/tools/mutate/mutate.test.ts',
];

export default {
  files: [
    'tests/**/*.test.ts',
    '!tests/{bench,corpus,fuzz,suites}/**',
    ...SWEEPS.map(file => `!${file}`),
  ],
  extensions: ['ts'],
  require: ['./tools/build/register.cjs'],
  workerThreads: false, nodeArguments: ['--no-opt'],
  timeout: '2m',
};
