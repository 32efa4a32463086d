import { ByteWriter } from './bytes';
import { parsePrimary } from './dts-expr';
import type { SourceResolver } from './dts-source';
import { syntaxError } from './dts-source';
import type { TokenStream } from './dts-tokens';
import type { SourceLabel, SourceReference, SourceValue } from './dts-tree';
import type { TreeBudget } from './limits';
import type { SourcePlace } from './tree';
import { showPlace } from './tree';

/** The value of a property written without `=`. */
export const EMPTY_VALUE: SourceValue = {
  bytes: new Uint8Array(),
  references: [],
  labels: [],
};

/** What a cell holds until the node it refers to is known, and in a plugin for good. */
const UNRESOLVED = 0xffffffffn;
const MAX_U64 = (1n << 64n) - 1n;

const utf8 = new TextDecoder();

/** Reads what stands between `=` and `;`: strings, arrays, byte strings, references, files. */
export class ValueParser {
  readonly #tokens: TokenStream;
  readonly #resolver: SourceResolver;
  readonly #budget: TreeBudget;

  readonly #bytes = new ByteWriter();
  #references: SourceReference[] = [];
  #labels: SourceLabel[] = [];

  constructor(tokens: TokenStream, resolver: SourceResolver, budget: TreeBudget) {
    this.#tokens = tokens;
    this.#resolver = resolver;
    this.#budget = budget;
  }

  parse(): SourceValue {
    this.#references = [];
    this.#labels = [];
    do {
      this.#takeLabels();
      const { place } = this.#tokens.peek();
      const before = this.#bytes.length;
      this.#part();
      this.#budget.takeBytes(this.#bytes.length - before, () => showPlace(place));
      this.#takeLabels();
    } while (this.#tokens.takeMark(','));
    return { bytes: this.#bytes.take(), references: this.#references, labels: this.#labels };
  }

  #part(): void {
    const token = this.#tokens.peek();
    if (token.kind === 'string') {
      this.#tokens.next();
      this.#bytes.bytes(token.bytes);
      this.#bytes.u8(0);
    } else if (token.kind === 'reference') {
      this.#tokens.next();
      this.#refer('path', token.text, token.place);
    } else if (this.#tokens.takeMark('[')) {
      this.#byteString();
    } else if (this.#tokens.takeMark('<')) {
      this.#array(32);
    } else if (this.#tokens.takeKeyword('/bits/')) {
      this.#bitsArray();
    } else if (this.#tokens.takeKeyword('/incbin/')) {
      this.#incbin(token.place);
    } else {
      throw this.#tokens.unexpected('a value: "string", <cells>, [bytes], &reference or /incbin/');
    }
  }

  #takeLabels(): void {
    for (const label of this.#tokens.takeLabels()) this.#labels.push(label);
  }

  #bitsArray(): void {
    const width = this.#tokens.expect('integer', '8, 16, 32 or 64');
    const bits = Number(width.value);
    if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) {
      throw this.#tokens.unexpected('8, 16, 32 or 64', width);
    }
    this.#tokens.expectMark('<');
    this.#array(bits);
  }

  #array(bits: 8 | 16 | 32 | 64): void {
    for (;;) {
      this.#takeLabels();
      if (this.#tokens.takeMark('>')) return;
      const token = this.#tokens.peek();
      if (token.kind !== 'reference') {
        this.#append(bits, parsePrimary(this.#tokens), token.place);
      } else if (bits === 32) {
        this.#tokens.next();
        this.#refer('phandle', token.text, token.place);
        this.#append(32, UNRESOLVED, token.place);
      } else {
        throw this.#tokens.unexpected(`a number, as this array has elements of ${bits} bits`);
      }
    }
  }

  #append(bits: 8 | 16 | 32 | 64, value: bigint, place: SourcePlace): void {
    // All bits above the element's width are zero, or all are one: a negative number.
    const mask = (1n << BigInt(bits)) - 1n;
    if (value > mask && (value | mask) !== MAX_U64) {
      throw syntaxError(place, `a number of ${bits} bits`, `0x${value.toString(16)}`);
    }
    if (bits === 64) this.#bytes.u64(value);
    else if (bits === 32) this.#bytes.u32(Number(value & mask));
    else if (bits === 16) this.#bytes.u16(Number(value & mask));
    else this.#bytes.u8(Number(value & mask));
  }

  #byteString(): void {
    for (;;) {
      this.#takeLabels();
      if (this.#tokens.takeMark(']')) return;
      const byte = this.#tokens.expect('byte', 'two hexadecimal digits');
      this.#bytes.u8(parseInt(byte.text, 16));
    }
  }

  /** `/incbin/("file")` or `/incbin/("file", offset, size)`; a file that is shorter ends early. */
  #incbin(place: SourcePlace): void {
    this.#tokens.expectMark('(');
    const name = utf8.decode(this.#tokens.expect('string', 'a file name').bytes);
    let start = 0n;
    let end: bigint | undefined;
    if (this.#tokens.takeMark(',')) {
      start = parsePrimary(this.#tokens);
      this.#tokens.expectMark(',');
      end = start + parsePrimary(this.#tokens);
    }
    this.#tokens.expectMark(')');

    const file = this.#resolver.incbin(name, place.file);
    if (file === undefined) throw syntaxError(place, `a file '${name}' to include`, 'none');
    this.#bytes.bytes(file.subarray(Number(start), end === undefined ? undefined : Number(end)));
  }

  #refer(kind: 'phandle' | 'path', target: string, place: SourcePlace): void {
    this.#references.push({ kind, target, place, offset: this.#bytes.length });
  }
}
