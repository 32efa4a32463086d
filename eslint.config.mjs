import js from '@eslint/js';
import tseslint from 'typescript-eslint';

// Nothing outside tools/, tests and benchmarks may see the host: one seed, one trace.
const hostGlobals = [
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'console',
  'Buffer',
].map(name => ({ name, message: 'The simulation is deterministic: only tools/ sees the host.' }));

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/strict-boolean-expressions': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-extraneous-class': 'off',
      'no-warning-comments': 'error',
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      complexity: ['error', 20],
      eqeqeq: 'error',
    },
  },
  {
    files: [
      'arch/**/*.ts',
      'mm/**/*.ts',
      'drivers/**/*.ts',
      'machines/**/*.ts',
      'tests/suites/**/*.ts',
    ],
    rules: {
      'no-restricted-globals': ['error', ...hostGlobals],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random' }],
      'no-restricted-imports': ['error', { patterns: ['node:*'] }],
    },
  },
  {
    // Bit operators truncate to 32 bits; addresses do not fit. Their arithmetic is drivers/base/types/bits.
    files: ['mm/**/*.ts', 'machines/**/*.ts', 'tools/**/*.ts'],
    rules: { 'no-bitwise': 'error' },
  },
  {
    files: ['tests/**/*.ts'],
    ignores: ['tests/suites/**'],
    rules: { 'max-lines-per-function': 'off' },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { globals: { __dirname: 'readonly', process: 'readonly' } },
  },
);
