import { PARITY } from '../suites/gpu/parity';
import type { ParityRow } from '../suites/gpu/parity';

/* The part of tests/suites/README.md that says what there is of the tests of other projects. */

const whereOf = ({ cases, files }: ParityRow): string =>
  [...cases, ...files].map(name => `\`${name}\``).join(', ');

export const PARITY_LINES: readonly string[] = [
  '',
  '# Tests of a GPU, by the names of others',
  '',
  'The suite `gpu`, and the tests of its parts. _ported_: the same; _differs_: the same but for what is said; _open_: not there.',
  '',
  '| test | status | where | note |',
  '| --- | --- | --- | --- |',
  ...PARITY.map(row => `| ${[row.test, row.status, whereOf(row), row.note].join(' | ')} |`),
  '',
];
