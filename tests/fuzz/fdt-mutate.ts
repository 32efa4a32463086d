import type { Random } from '../../drivers/base/types/random';

/* Damage to device trees, as blobs and as source. */

const WORDS = [0, 1, 2, 3, 4, 9, 16, 17, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff];
const HEADER_WORDS = 10;
const MOST_CHANGES = 4;

const TOKENS = [
  ...['{', '}', ';', '<', '>', '[', ']', '(', ')', ',', '=', '&', '/', '"', "'", '#', '\\', ':'],
  ...[
    '/include/ "x"',
    '/incbin/("x")',
    '/bits/ 8',
    '/delete-node/',
    '/delete-property/',
    '/dts-v1/;',
  ],
  ...[
    '/plugin/;',
    '/memreserve/',
    '/omit-if-no-ref/',
    '&a',
    '&{/a}',
    'l:',
    '0x',
    '1 / 0',
    '/*',
    '//',
  ],
  ...[
    '\n# 1 "f"\n',
    '\n#include <x>\n',
    'a { };',
    'phandle = <1>;',
    '<&a>',
    '\\x',
    '-',
    '~',
    '?',
    '\0',
  ],
  ...['"\\777"', '18446744073709551616', '<(1 << 64)>', 'name = "n";', '\u20ac'],
];

/** What a hostile author repeats. */
const REPEATED = ['n { ', '(', '-', 'l: ', '{', '[', '1 ? ', '&a, ', '/include/ "a" ', '0'];
const MOST_REPEATS = 3000;

/** Mostly one change, so that about as many mutants are accepted as refused. */
const changes = (random: Random): number => (random.oneIn(4) ? 1 + random.below(MOST_CHANGES) : 1);

/** A damaged copy; `other` is a blob to take parts from. */
export const mutateBlob = (seed: Uint8Array, other: Uint8Array, random: Random): Uint8Array => {
  let blob = new Uint8Array(seed);
  for (let i = changes(random); i > 0; i--) blob = changeBlob(blob, other, random);
  return blob;
};

const changeBlob = (
  blob: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
  random: Random,
): Uint8Array<ArrayBuffer> => {
  if (blob.length < 4) return new Uint8Array(other);
  const at = random.below(blob.length);
  const words = Math.floor(blob.length / 4);
  switch (random.below(12)) {
    case 0:
      return blob.slice(0, at);
    case 1:
      return joined(
        blob.subarray(0, at),
        blob.subarray(Math.min(blob.length, at + random.below(64))),
      );
    case 2:
      return joined(blob, new Uint8Array(random.below(64)));
    case 3:
      return setWord(blob, 4 * random.below(Math.min(words, HEADER_WORDS)), random);
    case 4:
    case 5:
      return setWord(blob, 4 * random.below(words), random);
    case 6: {
      const from = random.below(Math.max(1, other.length));
      const part = other.subarray(from, from + random.below(256));
      blob.set(part.subarray(0, blob.length - at), at);
      return blob;
    }
    case 7:
      blob[at] = random.below(256);
      return blob;
    default:
      blob[at] = (blob[at] ?? 0) ^ (1 << random.below(8));
      return blob;
  }
};

/** An interesting word, or one near what was there. */
const setWord = (
  blob: Uint8Array<ArrayBuffer>,
  at: number,
  random: Random,
): Uint8Array<ArrayBuffer> => {
  const view = new DataView(blob.buffer);
  const near = view.getUint32(at) + random.below(9) - 4;
  const word = random.oneIn(2) ? near : (WORDS[random.below(WORDS.length)] ?? 0);
  view.setUint32(at, word);
  return blob;
};

const joined = (a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> => {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
};

/** Damaged source. */
export const mutateSource = (seed: string, random: Random): string => {
  let source = seed;
  for (let i = changes(random); i > 0; i--) {
    source = random.oneIn(2) ? changeLines(source, random) : changeText(source, random);
  }
  return source;
};

/** Changes that often leave the grammar whole: what a statement says, or how often it stands. */
const changeLines = (source: string, random: Random): string => {
  const lines = source.split('\n');
  const at = random.below(lines.length);
  const to = random.below(lines.length);
  const [line = ''] = lines.slice(at, at + 1);
  switch (random.below(4)) {
    case 0:
      return lines.toSpliced(at, 1).join('\n');
    case 1:
      return lines.toSpliced(to, 0, line).join('\n');
    case 2:
      return lines.toSpliced(at, 1).toSpliced(to, 0, line).join('\n');
    default: {
      const digit = random.below(10);
      return lines.with(at, line.replace(/[0-9a-z]/, `${digit}`)).join('\n');
    }
  }
};

const changeText = (source: string, random: Random): string => {
  const at = random.below(source.length + 1);
  const end = Math.min(source.length, at + random.below(40));
  const [before, part, after] = [source.slice(0, at), source.slice(at, end), source.slice(end)];
  const token = TOKENS[random.below(TOKENS.length)] ?? '';
  switch (random.below(8)) {
    case 0:
      return before + after;
    case 1:
      return before + part + part + after;
    case 2:
      return before + token + after;
    case 3:
      return before + token + part + after;
    case 4:
      return random.oneIn(4) ? before : before + after.slice(1);
    case 5:
      return before + String.fromCharCode(random.below(256)) + part + after;
    case 6: {
      const text = REPEATED[random.below(REPEATED.length)] ?? '';
      return before + text.repeat(random.below(MOST_REPEATS)) + part + after;
    }
    default: {
      const to = random.below(after.length + 1);
      return before + after.slice(0, to) + part + after.slice(to);
    }
  }
};
