import { InputError } from '../base/types/errors';
import type { SourcePlace } from './tree';
import { showPlace } from './tree';

/** Where a DTS reader gets other files from; both answer undefined if there is no such file. */
export interface SourceResolver {
  /** The text that `/include/ "name"` in the file `from` stands for, and what to call it. */
  include(name: string, from: string): { readonly file: string; readonly text: string } | undefined;
  /** The bytes that `/incbin/("name")` in the file `from` stands for. */
  incbin(name: string, from: string): Uint8Array | undefined;
}

/** A resolver for sources that stand alone. */
export const NO_FILES: SourceResolver = {
  include: () => undefined,
  incbin: () => undefined,
};

/** An error of the source where no node is known yet. */
export const syntaxError = (place: SourcePlace, expected: string, found: string): InputError =>
  new InputError({ place: showPlace(place), expected, found });

/** The source has directives of the C preprocessor, which has to be run on it first. */
export class PreprocessorNeeded extends InputError {
  constructor(place: SourcePlace, directive: string) {
    super({
      place: showPlace(place),
      expected: 'device tree source as the C preprocessor leaves it (run cpp on it first)',
      found: `the directive '${directive}'`,
    });
  }
}

const BLANKS = /[ \t\n\v\f\r]+/y;
const LINE_MARKER = /#(?:line)?[ \t]+([0-9]{1,9})[ \t]+"([^"\n]*)"(?:[ \t]+[0-9]+)*/y;
const DIRECTIVE =
  /#[ \t]*(?:include|include_next|define|undef|if|ifdef|ifndef|elif|else|endif|error|warning|pragma|line|import)(?=[ \t\r\n<"(]|$)(?![ \t\r\n]*[=;{])[^\n]*/y;

/** One file being read: its text, how far, and what that place is called. */
export class SourceText {
  /** What the resolver called the file; line markers do not change it. */
  readonly opened: string;
  readonly text: string;
  #file: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** The next newline at or after `at`, kept so that no text is searched twice. */
  #newline: number;
  /** Start of the last line that has a token on it; a directive comes first on its line. */
  #usedLine = -1;

  constructor(file: string, text: string) {
    this.opened = file;
    this.#file = file;
    this.text = text;
    this.#newline = indexOrEnd(text, '\n', 0);
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.text.length;
  }

  /** The name in force here: the file's, or that of the last line marker. */
  get file(): string {
    return this.#file;
  }

  get place(): SourcePlace {
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  /** What a sticky expression matches here. */
  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.text);
  }

  startsWith(text: string): boolean {
    return this.text.startsWith(text, this.#at);
  }

  /** Passes the characters of a token. */
  advance(count: number): void {
    this.#pass(count);
    this.#usedLine = this.#lineStart;
  }

  /** Passes white space, comments and line markers. */
  skipBlank(): void {
    for (;;) {
      const blanks = this.match(BLANKS);
      if (blanks !== null) this.#pass(blanks[0].length);
      else if (this.startsWith('/*')) this.#skipComment();
      else if (this.startsWith('//')) this.#skipLine();
      else if (!this.startsWith('#') || !this.#skipMarker()) return;
    }
  }

  /** The index of the next `quote` that no backslash precedes, after the one that is here. */
  endOfQuoted(quote: string, what: string): number {
    for (let i = this.#at + 1; i < this.text.length; i++) {
      const character = this.text[i];
      if (character === quote) return i;
      if (character === '\\') i += 1;
    }
    throw syntaxError(this.place, `${what} that ends`, 'the end of the file');
  }

  #skipComment(): void {
    const end = this.text.indexOf('*/', this.#at + 2);
    if (end < 0) throw syntaxError(this.place, 'a comment that ends', 'the end of the file');
    this.#pass(end + 2 - this.#at);
  }

  #skipLine(): void {
    this.#pass(this.#newline - this.#at);
  }

  /** `# 12 "file"`, as cpp leaves it, says what the next line is called. False for all else. */
  #skipMarker(): boolean {
    if (this.#usedLine === this.#lineStart) return false;
    const marker = this.#at === this.#lineStart ? this.match(LINE_MARKER) : null;
    if (marker === null) {
      const directive = this.match(DIRECTIVE);
      if (directive === null) return false;
      throw new PreprocessorNeeded(this.place, directive[0].trim().slice(0, 60));
    }
    const [whole, line, file] = marker;
    this.#pass(whole.length);
    this.#line = Number(line) - 1;
    this.#file = file ?? this.#file;
    return true;
  }

  #pass(count: number): void {
    this.#at += count;
    while (this.#newline < this.#at) {
      this.#line += 1;
      this.#lineStart = this.#newline + 1;
      this.#newline = indexOrEnd(this.text, '\n', this.#lineStart);
    }
  }
}

const indexOrEnd = (text: string, part: string, from: number): number => {
  const index = text.indexOf(part, from);
  return index < 0 ? text.length : index;
};
