import test from 'ava';
import fc from 'fast-check';
import { matches, selectCases } from '../../../tools/run/patterns';
import type { Suite } from '../../suites/suite';
import { inputError } from '../../support/input-error';

const suite = (name: string, ...cases: readonly string[]): Suite => ({
  name,
  summary: '',
  cases: cases.map(one => ({ name: one, run: () => undefined })),
});

const SUITES = [
  suite('memory', 'reads', 'writes'),
  suite('dma-streaming', 'maps', 'unmaps'),
  suite('dma-pool', 'maps'),
];

const selected = (...patterns: readonly string[]): string[] => {
  const selects = selectCases(patterns, SUITES);
  return SUITES.flatMap(({ name, cases }) =>
    cases.filter(one => selects(name, one.name)).map(one => `${name}.${one.name}`),
  );
};

test('without patterns all cases are selected', t => {
  t.is(selected().length, 5);
});

test('a pattern without a dot selects whole suites', t => {
  t.deepEqual(selected('memory'), ['memory.reads', 'memory.writes']);
  t.deepEqual(selected('dma-*'), ['dma-streaming.maps', 'dma-streaming.unmaps', 'dma-pool.maps']);
  t.is(selected('*').length, 5);
});

test('a pattern with a dot selects cases', t => {
  t.deepEqual(selected('memory.reads'), ['memory.reads']);
  t.deepEqual(selected('*.maps'), ['dma-streaming.maps', 'dma-pool.maps']);
  t.deepEqual(selected('dma*.*maps'), [
    'dma-streaming.maps',
    'dma-streaming.unmaps',
    'dma-pool.maps',
  ]);
});

test('several patterns select what any of them does', t => {
  t.deepEqual(selected('dma-pool', 'memory.reads'), ['memory.reads', 'dma-pool.maps']);
});

test('a pattern that selects nothing is answered with names like it, else with the suites', t => {
  const listed = "as 'dmabench suites' lists them";
  const answers: readonly (readonly [pattern: string, answer: string])[] = [
    ['cache', "a pattern that matches one of memory, dma-streaming, dma-pool, found 'cache'"],
    [
      'dma-strming',
      `SUITE or SUITE.CASE, with *, ${listed}, found 'dma-strming'; did you mean dma-streaming?`,
    ],
    [
      'unmap',
      `SUITE or SUITE.CASE, with *, ${listed}, found 'unmap'; did you mean dma-streaming.unmaps?`,
    ],
    [
      'memry.reads',
      `SUITE or SUITE.CASE, with *, ${listed}, found 'memry.reads'; did you mean memory.reads?`,
    ],
    [
      'memory.xyz',
      "one of the 2 cases of memory, which 'dmabench suites' lists, found 'memory.xyz'",
    ],
    [
      'dma-s*.umaps',
      "one of the 2 cases of dma-streaming, which 'dmabench suites' lists, found 'dma-s*.umaps'; did you mean dma-streaming.maps or dma-streaming.unmaps?",
    ],
  ];
  for (const [pattern, answer] of answers) {
    t.is(
      inputError(() => selected('memory', pattern)),
      `--suite: expected ${answer}`,
    );
  }
  for (const pattern of ['', '.', 'memory.', 'Memory', 'memory.reads.x']) {
    t.regex(
      inputError(() => selected(pattern)),
      /^--suite: /,
    );
  }
});

/** The same by a regular expression, which is right but may take for ever. */
const reference = (pattern: string, text: string): boolean => {
  const parts = pattern.split('*').map(part => part.replace(/[^\w]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
};

test('a star stands for any characters, none included', t => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  fc.assert(
    fc.property(letters, text, (p, s) => matches(p, s) === reference(p, s)),
    {
      numRuns: 2000,
    },
  );
  t.pass();
});

test('a pattern of ten thousand stars takes no time', t => {
  t.false(matches('*a'.repeat(10_000), 'a'.repeat(200)));
});
