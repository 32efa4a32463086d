export default {
  files: ['tests/**/*.test.ts', '!tests/{bench,corpus,fuzz,suites}/**'],
  extensions: ['ts'],
  require: ['ts-node/register'],
  workerThreads: false,
  timeout: '2m',
};
