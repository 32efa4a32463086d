import test from 'ava';
import fc from 'fast-check';
import { table } from '../../../tools/report/table';
import {
  bytes,
  grouped,
  painter,
  paragraph,
  plural,
  printable,
  widthOf,
  wrap,
} from '../../../tools/report/text';
import { toJson } from '../../../tools/report/json';
import { KeptOutput } from '../../support/host';

test('control characters are spelled out, so that no text steers a terminal', t => {
  t.is(printable('a\u001b[31mb\nc\u009bd\u2028e\u007f'), 'a\\x1b[31mb\\x0ac\\x9bd\\u2028e\\x7f');
  t.is(printable('é→× "plain"'), 'é→× "plain"');
});

test('JSON has no control character but the newlines between its lines', t => {
  const hostile = 'a\u001b[31m\u009b31m\n';
  const text = toJson({ hostile });
  t.false(/[\p{Cc}]/u.test(text.replaceAll('\n', '')));
  t.deepEqual(JSON.parse(text), { hostile });
});

test('lines are broken at blanks and no word is lost', t => {
  t.deepEqual(wrap('one two three', 8), ['one two', 'three']);
  t.deepEqual(wrap('longer-than-that a', 8), ['longer-than-that', 'a']);
  const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 });
  fc.assert(
    fc.property(words, fc.integer({ min: 12, max: 60 }), (list, width) => {
      const lines = wrap(list.join(' '), width);
      return lines.join(' ') === list.join(' ') && lines.every(line => line.length <= width);
    }),
  );
});

test('a paragraph hangs under its first words', t => {
  t.deepEqual(paragraph('- ', 'one two three', 9), ['- one two', '  three']);
});

test('numbers are grouped and counted', t => {
  t.is(grouped(0), '0');
  t.is(grouped(1234567), '1,234,567');
  t.is(plural(1, 'case'), '1 case');
  t.is(plural(1000, 'case'), '1,000 cases');
});

test('bytes are told in the largest unit that needs no fraction', t => {
  t.is(bytes(0n), '0 B');
  t.is(bytes(1023n), '1023 B');
  t.is(bytes(1024n), '1 KiB');
  t.is(bytes(1536n), '1536 B');
  t.is(bytes(1008n * 2n ** 20n), '1008 MiB');
  t.is(bytes(2n ** 52n), '4096 TiB');
});

test('colour is for terminals that want it', t => {
  t.is(painter(new KeptOutput(80))('red', 'x'), '\u001b[31mx\u001b[39m');
  t.is(painter(new KeptOutput())('red', 'x'), 'x');
});

test('reports are at most 100 columns wide, or as wide as a terminal', t => {
  t.is(widthOf(new KeptOutput()), 100);
  t.is(widthOf(new KeptOutput(250)), 100);
  t.is(widthOf(new KeptOutput(72)), 72);
  t.is(widthOf(new KeptOutput(3)), 40);
});

test('the columns of a table line up, and the last is broken to fit', t => {
  const rows = [
    ['a', '10', 'first'],
    ['long', '9', 'the second one which is longer than the line'],
  ];
  t.deepEqual(table(rows, { width: 40, indent: 2, right: [1] }), [
    '  a     10  first',
    '  long   9  the second one which is',
    '            longer than the line',
  ]);
});

test('every line of a table begins each cell in the column of its heading cell', t => {
  const cell = fc.stringMatching(/^[a-z]{1,10}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }), rows => {
      const lines = table(rows, { width: 100, indent: 3 });
      const widths = [0, 1].map(i => Math.max(...rows.map(row => row[i]?.length ?? 0)));
      return rows.every(([a, b, c], i) => {
        const line = lines[i] ?? '';
        const second = 3 + (widths[0] ?? 0) + 2;
        const third = second + (widths[1] ?? 0) + 2;
        return line.startsWith(a, 3) && line.startsWith(b, second) && line.slice(third) === c;
      });
    }),
  );
  t.pass();
});

test('a table of nothing has no lines', t => {
  t.deepEqual(table([], { width: 80, indent: 2 }), []);
});
