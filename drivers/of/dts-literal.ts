import { ByteWriter } from './bytes';
import { syntaxError } from './dts-source';
import type { SourcePlace } from './tree';

/* Literals of device tree source: what the text between the quotes, or of a number, stands for. */

const MAX_U64 = (1n << 64n) - 1n;
/** 2^64 has 22 octal digits; more, after leading zeros, are out of range in any base. */
const MAX_DIGITS = 22;

const SIMPLE_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
]);

const OCTAL = /[0-7]{1,3}/y;
const HEXADECIMAL = /[0-9a-fA-F]{1,2}/y;
const encoder = new TextEncoder();

/** The bytes of a quoted text with C's escapes; other characters are UTF-8. No NUL is added. */
export const unescape = (text: string, place: SourcePlace): Uint8Array => {
  if (!text.includes('\\')) return encoder.encode(text);
  const bytes = new ByteWriter();
  let at = 0;
  while (at < text.length) {
    const backslash = text.indexOf('\\', at);
    const end = backslash < 0 ? text.length : backslash;
    bytes.bytes(encoder.encode(text.slice(at, end)));
    at = backslash < 0 ? end : readEscape(text, backslash + 1, bytes, place);
  }
  return bytes.take();
};

/** Writes the escape whose backslash is before `at`; answers where the text goes on. */
const readEscape = (text: string, at: number, bytes: ByteWriter, place: SourcePlace): number => {
  const letter = text[at] ?? '';
  const simple = SIMPLE_ESCAPES.get(letter);
  if (simple !== undefined) {
    bytes.u8(simple);
    return at + 1;
  }
  if (letter === 'x') {
    const digits = matchAt(HEXADECIMAL, text, at + 1);
    if (digits === '') {
      throw syntaxError(place, 'hexadecimal digits after \\x', `'${text.slice(at + 1, at + 3)}'`);
    }
    bytes.u8(parseInt(digits, 16));
    return at + 1 + digits.length;
  }
  const octal = matchAt(OCTAL, text, at);
  if (octal !== '') {
    // Three digits may say more than a byte holds; what is above it is dropped.
    bytes.u8(parseInt(octal, 8));
    return at + octal.length;
  }
  if (letter === '\n' || letter === '') {
    throw syntaxError(place, 'an escape after the backslash', 'the end of the line');
  }
  // Any other character stands for itself, both halves of a surrogate pair together.
  const [character = ''] = text.slice(at, at + 2);
  bytes.bytes(encoder.encode(character));
  return at + character.length;
};

const matchAt = (pattern: RegExp, text: string, at: number): string => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
};

/** The value of a number literal without its suffix: decimal, octal or hexadecimal, 64 bits. */
export const parseInteger = (text: string, place: SourcePlace): bigint => {
  const isHex = /^0[xX]/.test(text);
  const isOctal = !isHex && text.startsWith('0') && text.length > 1;
  const digits = text.slice(isHex ? 2 : 0).replace(/^0+(?=.)/, '');
  if (isOctal && /[89]/.test(digits)) {
    throw syntaxError(place, 'octal digits after a leading 0', `'${text.slice(0, 40)}'`);
  }
  const prefix = isHex ? '0x' : isOctal ? '0o' : '';
  const value = digits.length > MAX_DIGITS ? MAX_U64 + 1n : BigInt(prefix + digits);
  if (value > MAX_U64) {
    throw syntaxError(place, 'a number of at most 64 bits', `'${text.slice(0, 40)}'`);
  }
  return value;
};

/** The value of a character literal's content: exactly one byte. */
export const parseCharacter = (text: string, place: SourcePlace): bigint => {
  const bytes = unescape(text, place);
  const [byte] = bytes;
  if (byte === undefined || bytes.length > 1) {
    throw syntaxError(place, 'one character between the quotes', `${bytes.length} bytes`);
  }
  return BigInt(byte);
};
