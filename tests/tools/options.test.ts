import test from 'ava';
import fc from 'fast-check';
import { InputError } from '../../drivers/base/types/errors';
import {
  parseAdversary,
  parseDmaDebug,
  parseMemory,
  parseQuirk,
  parseSeed,
  planOptions,
  timingsOf,
} from '../../tools/options';
import { inputError } from '../support/input-error';

test('a seed is a decimal or hexadecimal integer of 32 bits', t => {
  t.is(parseSeed('0'), 0);
  t.is(parseSeed('17'), 17);
  t.is(parseSeed('0xFFFFFFFF'), 0xffff_ffff);
});

for (const text of [
  '',
  ' ',
  '-1',
  '1.5',
  '1e3',
  'random',
  '4294967296',
  '0x',
  '0x100000000',
  'NaN',
]) {
  test(`the seed '${text}' is refused by name`, t => {
    const message = inputError(() => parseSeed(text));
    t.is(message, `--seed: expected an integer from 0 to 4294967295, found '${text}'`);
  });
}

test('memory is given in bytes or in units of 1024', t => {
  t.is(parseMemory('512M'), 512 * 2 ** 20);
  t.is(parseMemory('2G'), 2 * 2 ** 30);
  t.is(parseMemory('2GiB'), 2 * 2 ** 30);
  t.is(parseMemory('65536k'), 2 ** 26);
  t.is(parseMemory('1TB'), 2 ** 40);
  t.is(parseMemory('0x10000000'), 0x1000_0000);
  t.is(parseMemory('16777216'), 2 ** 24);
  t.is(parseMemory('128T'), 2 ** 47);
});

for (const text of ['', '512X', 'lots', '-1G', '1.5G', '0x10M', 'G', '0b1', '1e9', '512 M']) {
  test(`the memory size '${text}' is refused with an example of a size`, t => {
    const message = inputError(() => parseMemory(text));
    t.is(message, `--memory: expected a size such as 512M, 2G or 0x10000000, found '${text}'`);
  });
}

for (const text of ['0', '8M', '16777217', '0x1000001', '129T', '999999999999999999999999T']) {
  test(`the memory size '${text}' is refused with what is possible`, t => {
    const message = inputError(() => parseMemory(text));
    t.is(message, `--memory: expected 16M to 128T, a multiple of 4096 bytes, found '${text}'`);
  });
}

test('a quirk is switched on or off by its name', t => {
  t.deepEqual(parseQuirk('+mvebu-hwcc'), { name: 'mvebu-hwcc', on: true });
  t.deepEqual(parseQuirk('-mvebu-hwcc'), { name: 'mvebu-hwcc', on: false });
  for (const text of ['', '+', '-', 'mvebu-hwcc']) {
    t.is(
      inputError(() => parseQuirk(text)),
      `--quirk: expected +NAME or -NAME, found '${text}'`,
    );
  }
});

test('an adversary is named, or is the file of a script', t => {
  t.deepEqual(parseAdversary('all'), { kind: 'all' });
  t.deepEqual(parseAdversary('lru'), { kind: 'lru' });
  t.deepEqual(parseAdversary('random'), { kind: 'random' });
  t.deepEqual(parseAdversary('script:a:b'), { kind: 'script', file: 'a:b' });
  for (const text of ['', 'script', 'script:', 'LRU']) {
    const message = inputError(() => parseAdversary(text));
    t.is(message, `--adversary: expected all, lru, random or script:FILE, found '${text}'`);
  }
});

test('both timings are a run each, the earliest first', t => {
  t.deepEqual(timingsOf('both'), ['earliest', 'latest']);
  t.deepEqual(timingsOf('latest'), ['latest']);
});

test('options that are not given change nothing of the machine', t => {
  const none = { memory: undefined, quirk: undefined, overlay: undefined, load: undefined };
  t.deepEqual(planOptions(none), { memory: null, quirks: [] });
  const chosen = planOptions({ ...none, coherent: 'carveout' });
  t.deepEqual(chosen, { memory: null, quirks: [], coherent: 'carveout' });
  const expected = { message: /^--coherent: expected legacy-remap, .* found 'x'$/ };
  t.throws(() => planOptions({ ...none, coherent: 'x' }), expected);
  const { dmaMemory } = planOptions({ ...none, cmdline: ' swiotlb=force  coherent_pool=1M ' });
  t.deepEqual(dmaMemory, { swiotlb: { force: true }, coherentPool: 0x10_0000 });
});

test('any text is a value or an InputError that names its option', t => {
  const parsers = [
    ['--seed', parseSeed],
    ['--memory', parseMemory],
    ['--quirk', parseQuirk],
    ['--adversary', parseAdversary],
  ] as const;
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[+-]?(0x)?[0-9a-f]{0,20}[kmgt]?$/));
  fc.assert(
    fc.property(text, value => {
      for (const [option, parse] of parsers) {
        try {
          parse(value);
        } catch (error) {
          if (!(error instanceof InputError) || error.problem.place !== option) throw error;
        }
      }
    }),
  );
  t.pass();
});

test('settings of dma-debug are those of a boot, and the last of a kind counts', t => {
  t.deepEqual(parseDmaDebug([]), {});
  t.deepEqual(parseDmaDebug(['off', 'entries=0x10', 'entries=5', 'driver=a b', 'version=6.1']), {
    isOff: true,
    entries: 5,
    driver: 'a b',
    version: '6.1',
  });
  const wrong = ['', 'on', 'entries', 'entries=0', 'entries=1048577', 'driver=', 'version=6.2'];
  for (const text of [...wrong, 'off=1', 'entries=-1']) {
    const message = inputError(() => parseDmaDebug(['off', text]));
    const expected = 'off, entries=N up to 1048576, driver=NAME or version=6.1|6.12|newest';
    t.is(message, `--dma-debug: expected ${expected}, found '${text}'`);
  }
});
