import { styleText } from 'node:util';
import type { Output } from '../host';

/*
 * Text for people: everything a tree or a file brings in passes through `printable`, so that none
 * of it can steer a terminal.
 */

const CONTROL = /[\p{Cc}\u2028\u2029]/gu;

/** The text on one line, control characters spelled out as `\x1b`. */
export const printable = (text: string): string =>
  text.replace(CONTROL, character => {
    const code = character.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

/** Colours a text, or not: no fact is told by colour alone. */
export type Paint = (style: Style, text: string) => string;

/** Colours, for an output that has them. */
export const painter = ({ hasColour }: Output): Paint =>
  hasColour
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;

/** Reports are made for this width, and for a terminal's where that is narrower. */
const WIDTH = 100;
const NARROWEST = 40;

/** Characters in a line of a report on this output. */
export const widthOf = ({ columns }: Output): number =>
  Math.min(WIDTH, Math.max(NARROWEST, columns ?? WIDTH));

/** Breaks a text at blanks into lines of at most `width`; a longer word stands alone. */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
};

/** A paragraph: the first line begins with `first`, the others are indented as far. */
export const paragraph = (first: string, text: string, width: number): string[] => {
  const indent = ' '.repeat(first.length);
  return wrap(text, width - first.length).map((line, i) => (i === 0 ? first : indent) + line);
};

/** `1 case`, `2 cases`. */
export const plural = (count: number, noun: string): string =>
  `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;

/** 875838 as `875,838`. */
export const grouped = (value: number): string =>
  value.toString().replace(/\B(?=(?:\d{3})+$)/g, ',');

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes in the largest unit that needs no fraction: `1 GiB`, `1008 MiB`. */
export const bytes = (size: bigint): string => {
  let value = size;
  let unit = 0;
  while (value !== 0n && value % 1024n === 0n && unit < UNITS.length - 1) {
    value /= 1024n;
    unit += 1;
  }
  return `${value} ${UNITS[unit] ?? ''}`;
};
