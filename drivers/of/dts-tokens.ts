import type { InputError } from '../base/types/errors';
import type { DtsLexer, Token, TokenOf } from './dts-lexer';
import { syntaxError } from './dts-source';
import type { SourceLabel } from './dts-tree';

/** Tokens with one looked at in advance, and the questions a grammar asks of them. */
export class TokenStream {
  readonly #lexer: DtsLexer;
  #ahead: Token | undefined;

  constructor(lexer: DtsLexer) {
    this.#lexer = lexer;
  }

  peek(): Token {
    this.#ahead ??= this.#lexer.next();
    return this.#ahead;
  }

  next(): Token {
    const token = this.peek();
    this.#ahead = undefined;
    return token;
  }

  isMark(text: string): boolean {
    const token = this.peek();
    return token.kind === 'mark' && token.text === text;
  }

  /** Takes the mark if it is next. */
  takeMark(text: string): boolean {
    return this.#takeIf(this.isMark(text));
  }

  expectMark(text: string): void {
    if (!this.takeMark(text)) throw this.unexpected(`'${text}'`);
  }

  /** The labels that come next, at most so many. */
  takeLabels(most = Infinity): SourceLabel[] {
    const labels: SourceLabel[] = [];
    while (labels.length < most) {
      const { kind, text, place } = this.peek();
      if (kind !== 'label') break;
      labels.push({ name: text, place });
      this.next();
    }
    return labels;
  }

  isKeyword(text: string): boolean {
    const token = this.peek();
    return token.kind === 'keyword' && token.text === text;
  }

  takeKeyword(text: string): boolean {
    return this.#takeIf(this.isKeyword(text));
  }

  /** A token of the kind, which is next or is an error. */
  expect<Kind extends Token['kind']>(kind: Kind, what: string): TokenOf<Kind> {
    const token = this.peek();
    if (!isKind(token, kind)) throw this.unexpected(what);
    this.next();
    return token;
  }

  /** An error about a token, by default the next one. */
  unexpected(expected: string, token: Token = this.peek()): InputError {
    return syntaxError(token.place, expected, describe(token));
  }

  #takeIf(found: boolean): boolean {
    if (found) this.next();
    return found;
  }
}

const isKind = <Kind extends Token['kind']>(token: Token, kind: Kind): token is TokenOf<Kind> =>
  token.kind === kind;

const SHOWN_LENGTH = 40;
const MACRO = /^[A-Z][A-Z0-9_]{2,}$/;

const describe = ({ kind, text }: Token): string => {
  const shown = text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}...` : text;
  switch (kind) {
    case 'end':
      return 'the end of the source';
    case 'label':
      return `the label '${shown}:'`;
    case 'reference':
      return `the reference '&${shown.includes('/') ? `{${shown}}` : shown}'`;
    case 'string':
      return `the string "${shown}"`;
    case 'character':
    case 'keyword':
    case 'mark':
    case 'byte':
    case 'integer':
    case 'name':
      return `'${shown}'`;
    case 'word':
      return MACRO.test(text)
        ? `'${shown}' (a macro, which the C preprocessor has to replace first?)`
        : `'${shown}'`;
  }
};
