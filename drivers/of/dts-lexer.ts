import { parseCharacter, parseInteger, unescape } from './dts-literal';
import type { SourceResolver } from './dts-source';
import { SourceText, syntaxError } from './dts-source';
import type { TreeBudget } from './limits';
import type { SourcePlace } from './tree';
import { showPlace } from './tree';

interface TokenBase {
  /** As written, without the quotes, `:` or `&` that mark its kind. */
  readonly text: string;
  readonly place: SourcePlace;
}

/** A word is a name where none may stand: kept whole, so that the message can tell it. */
export type PlainKind =
  'end' | 'keyword' | 'label' | 'reference' | 'name' | 'byte' | 'mark' | 'word';

/** A token of one kind. */
export type TokenOf<Kind extends Token['kind']> = Extract<Token, { kind: Kind }>;

export type Token =
  | { [Kind in PlainKind]: TokenBase & { readonly kind: Kind } }[PlainKind]
  | (TokenBase & { readonly kind: 'integer'; readonly value: bigint })
  | (TokenBase & { readonly kind: 'character'; readonly value: bigint })
  | (TokenBase & { readonly kind: 'string'; readonly bytes: Uint8Array });

/** Includes within includes; a cycle is found before. */
const MAX_INCLUDE_DEPTH = 64;

const KEYWORD =
  /\/(?:include|dts-v1|plugin|memreserve|bits|delete-property|delete-node|omit-if-no-ref|incbin)\//y;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*):/y;
const LABEL_REFERENCE = /&([a-zA-Z_][a-zA-Z0-9_]*)/y;
const PATH_REFERENCE = /&\{([a-zA-Z0-9,._+*#?@/-]+)\}/y;
const NAME = /\\?([a-zA-Z0-9,._+*#?@-]+)/y;
const BYTE = /[0-9a-fA-F]{2}/y;
const INTEGER = /(0[xX][0-9a-fA-F]+|[0-9]+)(?:ULL|LL|UL|U|L)?(?![a-zA-Z0-9_])/y;
const WORD = /[a-zA-Z0-9_][a-zA-Z0-9,._+#?@-]*/y;
const MARK = /<<|>>|<=|>=|==|!=|&&|\|\||[^]/y;

/**
 * What names and numbers look like depends on what came before: after `{` and `;` stands a name
 * (which may begin with a digit) unless it is /memreserve/, within `[` `]` are bytes without
 * `0x`, and elsewhere values.
 */
type Mode = 'name' | 'bytes' | 'value';

/** Device tree source as a sequence of tokens, with the text of `/include/`d files in its place. */
export class DtsLexer {
  readonly #resolver: SourceResolver;
  readonly #budget: TreeBudget;
  /** The file being read, last, and those that include it. */
  readonly #files: SourceText[] = [];
  #source: SourceText;
  #mode: Mode = 'value';

  constructor(text: string, file: string, resolver: SourceResolver, budget: TreeBudget) {
    this.#resolver = resolver;
    this.#budget = budget;
    this.#source = this.#open(file, text);
  }

  /** The next token; at the end of the source `end`, any number of times. */
  next(): Token {
    for (;;) {
      this.#source.skipBlank();
      if (this.#source.isAtEnd) {
        if (!this.#leaveFile()) return { kind: 'end', text: '', place: this.#source.place };
      } else {
        const token = this.#keyword() ?? this.#quoted() ?? this.#reference() ?? this.#worded();
        if (token.kind !== 'keyword' || token.text !== '/include/') return token;
        this.#include(token.place);
      }
    }
  }

  #keyword(): Token | undefined {
    const place = this.#place('/');
    const text = place === undefined ? undefined : this.#take(KEYWORD)?.[0];
    if (place === undefined || text === undefined) return undefined;
    if (text === '/memreserve/') this.#mode = 'value';
    return { kind: 'keyword', text, place };
  }

  #quoted(): Token | undefined {
    const { place } = this.#source;
    if (this.#source.startsWith('"')) {
      const text = this.#takeQuoted('"', 'a string');
      return { kind: 'string', text, place, bytes: unescape(text, place) };
    }
    if (this.#source.startsWith("'")) {
      const text = this.#takeQuoted("'", 'a character literal');
      return { kind: 'character', text, place, value: parseCharacter(text, place) };
    }
    return undefined;
  }

  #reference(): Token | undefined {
    const place = this.#place('&');
    if (place === undefined) return undefined;
    const text = (this.#take(PATH_REFERENCE) ?? this.#take(LABEL_REFERENCE))?.[1];
    if (text === undefined) return undefined;
    if (!text.includes('/')) this.#budget.checkName(text, () => showPlace(place));
    return { kind: 'reference', text, place };
  }

  #worded(): Token {
    const { place } = this.#source;
    const label = this.#take(LABEL)?.[1];
    if (label !== undefined) {
      this.#budget.checkName(label, () => showPlace(place));
      return { kind: 'label', text: label, place };
    }
    if (this.#mode === 'name') {
      const name = this.#take(NAME)?.[1];
      if (name !== undefined) {
        this.#budget.checkName(name, () => showPlace(place));
        this.#mode = 'value';
        return { kind: 'name', text: name, place };
      }
    } else if (this.#mode === 'bytes') {
      const byte = this.#take(BYTE)?.[0];
      if (byte !== undefined) return { kind: 'byte', text: byte, place };
    } else {
      const digits = this.#take(INTEGER)?.[1];
      if (digits !== undefined) {
        return { kind: 'integer', text: digits, place, value: parseInteger(digits, place) };
      }
    }
    const word = this.#take(WORD)?.[0];
    if (word !== undefined) return { kind: 'word', text: word, place };
    return this.#mark(place);
  }

  #mark(place: SourcePlace): Token {
    const text = this.#take(MARK)?.[0] ?? '';
    if (text === '[') this.#mode = 'bytes';
    else if (text === ']' && this.#mode === 'bytes') this.#mode = 'value';
    else if (text === '{' || text === ';') this.#mode = 'name';
    return { kind: 'mark', text, place };
  }

  #place(first: string): SourcePlace | undefined {
    return this.#source.startsWith(first) ? this.#source.place : undefined;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const match = this.#source.match(pattern);
    if (match !== null) this.#source.advance(match[0].length);
    return match;
  }

  #takeQuoted(quote: string, what: string): string {
    const source = this.#source;
    const end = source.endOfQuoted(quote, what);
    const text = source.text.slice(source.at + 1, end);
    source.advance(end + 1 - source.at);
    return text;
  }

  #include(place: SourcePlace): void {
    this.#source.skipBlank();
    if (!this.#source.startsWith('"')) {
      throw syntaxError(place, 'a file name in quotes after /include/', 'something else');
    }
    const name = this.#takeQuoted('"', 'a file name');
    const included = this.#resolver.include(name, this.#source.file);
    if (included === undefined) throw syntaxError(place, `a file '${name}' to include`, 'none');
    if (this.#files.some(({ opened }) => opened === included.file)) {
      const found = [...this.#files.map(({ opened }) => opened), included.file].join(' -> ');
      throw syntaxError(place, 'includes without a cycle', found);
    }
    if (this.#files.length >= MAX_INCLUDE_DEPTH) {
      throw syntaxError(place, `at most ${MAX_INCLUDE_DEPTH} includes within each other`, 'more');
    }
    this.#source = this.#open(included.file, included.text);
  }

  #open(file: string, text: string): SourceText {
    this.#budget.takeBytes(text.length, () => file);
    const source = new SourceText(file, text);
    this.#files.push(source);
    return source;
  }

  /** Back to the including file; false at the end of the outermost. */
  #leaveFile(): boolean {
    const including = this.#files.at(-2);
    if (including === undefined) return false;
    this.#files.pop();
    this.#source = including;
    return true;
  }
}
