/**
 * What goes over many boards, bugs or mutants: a minute and a half of two processors, which
 * `npm test` has not. `npm run test:sweeps` runs them.
 */
export const SWEEPS = [
  'tests/arch/arm/checked/same-events.test.ts',
  'tests/arch/arm/coherence/replay.test.ts',
  'tests/suites-run/{bugs,mutation,no-false-findings,rules}.test.ts',
  'tests/tools/boards-pass.test.ts',
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
  workerThreads: false,
  timeout: '2m',
};
