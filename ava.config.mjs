export default {
  files: ['tests/**/*.test.ts', '!tests/{bench,corpus,fuzz,suites}/**'],
  extensions: ['ts'],
  require: ['./tools/build/register.cjs'],
  workerThreads: false,
  timeout: '2m',
};
