import test from 'ava';
import fc from 'fast-check';
import { Ram, RamBlock } from '../../../../drivers/base/hw/ram';
import { PAGE_SIZE } from '../../../../drivers/base/types/bits';
import { BenchError, InputError } from '../../../../drivers/base/types/errors';

const FIRST_PAGE = 0x8_0000;
/** Where the same RAM is seen a second time, far beyond 4 GiB. */
const MIRROR_PAGE = 0x90_0000;
const PAGES = 2000;

const make = (pages = PAGES): Ram => {
  const block = new RamBlock('ram', pages * PAGE_SIZE);
  return new Ram(page => {
    for (const first of [FIRST_PAGE, MIRROR_PAGE]) {
      if (page >= first && page < first + pages) return { block, blockPage: page - first };
    }
    return null;
  });
};

const addressOf = (page: number, word: number): number =>
  (FIRST_PAGE + page) * PAGE_SIZE + 4 * word;

test('words read as they were written, wherever they are, and as zero before', t => {
  const step = fc.record({
    page: fc.integer({ min: 0, max: PAGES - 1 }),
    word: fc.integer({ min: 0, max: 1023 }),
    isMirror: fc.boolean(),
    value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    mask: fc.constantFrom(-1, 0xff, 0xff00, 0xff << 24, 0),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const ram = make();
      const model = new Map<number, number>();
      for (const { page, word, isMirror, value, mask } of steps) {
        const address = addressOf(page, word);
        const seen = isMirror ? address + (MIRROR_PAGE - FIRST_PAGE) * PAGE_SIZE : address;
        const index = ram.wordOf(seen);
        t.is(ram.addressOf(index), seen);
        t.is(ram.readWord(index), model.get(address) ?? 0);
        ram.mergeWord(index, value, mask);
        model.set(address, ((model.get(address) ?? 0) & ~mask) | (value & mask));
      }
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('one page at two addresses is two frames and one content', t => {
  const ram = make();
  const [here, there] = [ram.frameOf(FIRST_PAGE), ram.frameOf(MIRROR_PAGE)];
  t.not(here, there);
  ram.writeWord(here * 1024 + 7, 42);
  t.is(ram.readWord(there * 1024 + 7), 42);
  t.is(ram.frameLow[there], MIRROR_PAGE % 2 ** 20);
});

test('where no RAM is, there is no word, and a word of no frame has no address', t => {
  const ram = make(1);
  t.is(ram.wordOf(0), -1);
  t.is(ram.wordOf((FIRST_PAGE + 1) * PAGE_SIZE), -1);
  t.is(ram.frames, 0);
  t.throws(() => ram.addressOf(1024 * 1000), { instanceOf: BenchError });
});

test('a line is copied between the pool and a cache, and its neighbours stay', t => {
  const ram = make();
  const word = ram.wordOf(addressOf(3, 8));
  ram.writeLine(word, 4, Int32Array.of(0, 1, 2, 3, 4, 5), 1);
  t.deepEqual(
    [-1, 0, 1, 2, 3, 4].map(i => ram.readWord(word + i)),
    [0, 1, 2, 3, 4, 0],
  );
  const line = new Int32Array(6);
  ram.readLine(word, 4, line, 1);
  t.deepEqual([...line], [0, 1, 2, 3, 4, 0]);
});

test('the pool grows, and keeps what it held', t => {
  const ram = make();
  for (let page = 0; page < 400; page++) ram.writeWord(ram.wordOf(addressOf(page, page)), page + 1);
  for (let page = 0; page < 400; page++) {
    t.is(ram.readWord(ram.wordOf(addressOf(page, page))), page + 1);
  }
  t.is(ram.bytes.buffer, ram.words.buffer);
});

test('a snapshot brings back pages and frames, into a fresh RAM too', t => {
  const ram = make();
  for (const page of [5, 3, 9]) ram.writeWord(ram.wordOf(addressOf(page, 1)), page);
  const saved = ram.saveState();
  const index = ram.wordOf(addressOf(3, 1));
  ram.writeWord(index, -1);
  const fresh = make();
  for (const target of [ram, fresh]) {
    target.restoreState(saved);
    t.is(target.frames, 3);
    t.is(target.wordOf(addressOf(3, 1)), index);
    t.is(target.readWord(index), 3);
    t.deepEqual(target.saveState(), saved);
  }
});

test('a page that is touched after a snapshot was restored is as at power-on', t => {
  const ram = make();
  ram.writeWord(ram.wordOf(addressOf(0, 0)), 1);
  const saved = ram.saveState();
  ram.writeWord(ram.wordOf(addressOf(1, 0)), 2);
  ram.restoreState(saved);
  t.is(ram.readWord(ram.wordOf(addressOf(0, 0))), 1);
  t.is(ram.readWord(ram.wordOf(addressOf(7, 0))), 0);
});

test('a snapshot of other RAM is refused', t => {
  const ram = make();
  ram.writeWord(ram.wordOf(addressOf(PAGES - 1, 0)), 1);
  const page = FIRST_PAGE;
  const words = new Int32Array(1024);
  for (const [state, message] of [
    [
      ram.saveState(),
      /snapshot of RAM: expected pages of this machine, found a page at 0x807cf000/,
    ],
    [{ pages: Float64Array.of(page, page), words }, /expected pages of this machine/],
    [{ pages: Float64Array.of(page), words: new Int32Array(7) }, /expected 1024 words, found 7/],
    [{ pages: Float64Array.of(page) }, /RAM\.words/],
    [{ words }, /RAM\.pages/],
    [null, /snapshot of RAM/],
  ] as const) {
    const error = t.throws(
      () => {
        make(10).restoreState(state);
      },
      { instanceOf: InputError },
    );
    t.regex(error.message, message);
  }
});

test('a RAM that is not whole pages is a mistake in a machine', t => {
  t.throws(() => new RamBlock('odd', 100), { instanceOf: BenchError });
  t.throws(() => new RamBlock('none', 0), { instanceOf: BenchError });
});
