import type { Token } from './dts-lexer';
import { syntaxError } from './dts-source';
import type { TokenStream } from './dts-tokens';
import type { SourcePlace } from './tree';

/* Integer expressions: C's operators and precedence on unsigned 64-bit numbers. */

/** Parentheses, unary operators and alternatives within each other. */
const MAX_DEPTH = 200;

/** Binary operators, those that bind loosest first. */
const PRECEDENCE: ReadonlyMap<string, number> = new Map(
  [['||'], ['&&'], ['|'], ['^'], ['&'], ['==', '!='], ['<', '>', '<=', '>='], ['<<', '>>']]
    .concat([
      ['+', '-'],
      ['*', '/', '%'],
    ])
    .flatMap((operators, level) =>
      operators.map((operator): [string, number] => [operator, level]),
    ),
);

const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

const OPERATIONS: ReadonlyMap<string, (a: bigint, b: bigint) => bigint> = new Map([
  ['||', (a: bigint, b: bigint): bigint => truth(a !== 0n || b !== 0n)],
  ['&&', (a, b) => truth(a !== 0n && b !== 0n)],
  ['|', (a, b) => a | b],
  ['^', (a, b) => a ^ b],
  ['&', (a, b) => a & b],
  ['==', (a, b) => truth(a === b)],
  ['!=', (a, b) => truth(a !== b)],
  ['<', (a, b) => truth(a < b)],
  ['>', (a, b) => truth(a > b)],
  ['<=', (a, b) => truth(a <= b)],
  ['>=', (a, b) => truth(a >= b)],
  ['<<', (a, b) => (b < 64n ? wrap(a << b) : 0n)],
  ['>>', (a, b) => (b < 64n ? a >> b : 0n)],
  ['+', (a, b) => wrap(a + b)],
  ['-', (a, b) => wrap(a - b)],
  ['*', (a, b) => wrap(a * b)],
  ['/', (a, b) => a / b],
  ['%', (a, b) => a % b],
]);

/** What stands in an array for one number: a literal, or an expression in parentheses. */
export const parsePrimary = (tokens: TokenStream, depth = 0): bigint => {
  const token = tokens.next();
  if (token.kind === 'integer' || token.kind === 'character') return token.value;
  if (token.kind !== 'mark' || token.text !== '(') throw notInteger(tokens, token);
  const value = parseExpression(tokens, depth + 1);
  tokens.expectMark(')');
  return value;
};

const parseExpression = (tokens: TokenStream, depth: number): bigint => {
  const { place } = tokens.peek();
  if (depth > MAX_DEPTH) {
    throw syntaxError(place, `at most ${MAX_DEPTH} expressions within each other`, 'more');
  }
  const condition = parseBinary(tokens, 0, depth);
  if (!tokens.takeMark('?')) return condition;
  const yes = parseExpression(tokens, depth + 1);
  tokens.expectMark(':');
  const no = parseExpression(tokens, depth + 1);
  return condition === 0n ? no : yes;
};

/** Operators that bind at least as tightly as `level`, grouped from the left. */
const parseBinary = (tokens: TokenStream, level: number, depth: number): bigint => {
  let left = parseUnary(tokens, depth);
  for (;;) {
    const { kind, text, place } = tokens.peek();
    const binds = kind === 'mark' ? PRECEDENCE.get(text) : undefined;
    if (binds === undefined || binds < level) return left;
    tokens.next();
    left = apply(text, left, parseBinary(tokens, binds + 1, depth), place);
  }
};

const parseUnary = (tokens: TokenStream, depth: number): bigint => {
  const { place } = tokens.peek();
  if (depth > MAX_DEPTH) {
    throw syntaxError(place, `at most ${MAX_DEPTH} operators within each other`, 'more');
  }
  if (tokens.takeMark('-')) return wrap(-parseUnary(tokens, depth + 1));
  if (tokens.takeMark('~')) return wrap(~parseUnary(tokens, depth + 1));
  if (tokens.takeMark('!')) return truth(parseUnary(tokens, depth + 1) === 0n);
  return parsePrimary(tokens, depth);
};

const apply = (operator: string, a: bigint, b: bigint, place: SourcePlace): bigint => {
  const operation = OPERATIONS.get(operator);
  if (operation === undefined) throw syntaxError(place, 'an operator', `'${operator}'`);
  if (b === 0n && (operator === '/' || operator === '%')) {
    throw syntaxError(place, 'a divisor other than 0', '0');
  }
  return operation(a, b);
};

const notInteger = (tokens: TokenStream, token: Token): Error =>
  tokens.unexpected('a number, a character or an expression in parentheses', token);
