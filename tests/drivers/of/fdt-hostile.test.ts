import test from 'ava';
import { InputError } from '../../../drivers/base/types/errors';
import { readFdt } from '../../../drivers/of/fdt';
import { writeFdt } from '../../../drivers/of/fdt-write';
import { fuzzFdt } from '../../fuzz/fdt';
import { mutateBlob, mutateSource } from '../../fuzz/fdt-mutate';
import { Random } from '../../../drivers/base/types/random';
import { boards, boardsTest, isEqual, parse, smallTree } from '../../support/fdt';

const small = writeFdt(smallTree());
const labelled = writeFdt(
  parse(`/dts-v1/; / { v = <&a 1>; a: a@1 { reg = <1>; s = "x", "y"; }; b { c { d; }; }; };`),
);

/** The tree, or undefined for an InputError; anything else fails the test. */
const attempt = (blob: Uint8Array): Uint8Array | undefined => {
  try {
    return writeFdt(readFdt(blob).tree);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
};

test('a blob cut off anywhere is refused', t => {
  for (let length = 0; length < small.length; length++) {
    t.is(attempt(small.subarray(0, length)), undefined, `${length} bytes`);
  }
});

test('a blob cut off anywhere that says so is refused, or has lost nothing but strings', t => {
  for (let length = 40; length < small.length; length++) {
    const cut = Uint8Array.from(small.subarray(0, length));
    const view = new DataView(cut.buffer);
    view.setUint32(4, length);
    view.setUint32(32, Math.max(0, length - view.getUint32(12)));
    t.is(attempt(cut), undefined, `${length} bytes`);
  }
});

test('every single bit that is wrong gives a tree or an InputError', t => {
  let accepted = 0;
  for (const blob of [small, labelled]) {
    for (let bit = 0; bit < 8 * blob.length; bit++) {
      const wrong = Uint8Array.from(blob);
      wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const result = attempt(wrong);
      if (result === undefined) continue;
      accepted += 1;
      t.deepEqual(attempt(result), result, `bit ${bit}`);
    }
  }
  t.true(accepted > 0);
});

test('every word of the header can be anything', t => {
  const words = [0, 1, 4, 39, 40, 41, 56, 57, small.length, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
  for (let at = 0; at < 40; at += 4) {
    for (const word of words) {
      const wrong = Uint8Array.from(small);
      new DataView(wrong.buffer).setUint32(at, word);
      t.notThrows(() => attempt(wrong), `word ${at} is ${word}`);
    }
  }
});

test('mutants of small trees, sources and overlays give trees or InputErrors', t => {
  const { accepted, rejected } = fuzzFdt(1500, 1, [small, labelled]);
  t.is(accepted + rejected, 1500);
  t.true(accepted > 100 && rejected > 100, `${accepted} accepted, ${rejected} rejected`);
});

test('a mutant is the same each time, and is one', t => {
  const blob = (seed: number): Uint8Array => mutateBlob(small, labelled, new Random(seed));
  const source = (seed: number): string =>
    mutateSource('/dts-v1/;\n/ { a; };\n/ { b; };', new Random(seed));
  t.deepEqual(blob(5), blob(5));
  t.is(source(5), source(5));
  const seeds = Array.from({ length: 40 }, (_, seed) => seed);
  t.true(seeds.filter(seed => !isEqual(blob(seed), small)).length > 30);
  t.true(new Set(seeds.map(source)).size > 20);
});

boardsTest('mutants of real boards give trees or InputErrors', t => {
  const blobs = boards.map(({ blob }) => blob).filter(blob => blob.length < 30_000);
  const done: number[] = [];
  const { accepted, rejected } = fuzzFdt(300, 2, blobs, count => done.push(count));
  t.is(accepted + rejected, 300);
  t.is(done.at(-1), 300);
});
