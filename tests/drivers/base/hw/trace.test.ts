import test from 'ava';
import fc from 'fast-check';
import { Trace, TraceKind, ofCpu } from '../../../../drivers/base/hw/trace';
import { InputError } from '../../../../drivers/base/types/errors';

const hashOf = (body: (trace: Trace) => void): string => {
  const trace = new Trace();
  body(trace);
  return trace.hash;
};

test('the hash is that of the events, in their order', t => {
  const events = [
    [1, 2, 3],
    [4, 5, 6],
  ] as const;
  const hash = hashOf(trace => {
    for (const [kind, a, b] of events) trace.fold(kind, a, b);
  });
  const reversed = hashOf(trace => {
    for (const [kind, a, b] of [...events].reverse()) trace.fold(kind, a, b);
  });
  t.regex(hash, /^[0-9a-f]{8}$/);
  t.not(hash, reversed);
});

test('one bit of any word of an event changes the hash', t => {
  fc.assert(
    fc.property(
      fc.tuple(fc.integer(), fc.integer(), fc.integer()),
      fc.nat(2),
      fc.nat(31),
      (words, which, bit) => {
        const other = words.map((word, i) => (i === which ? word ^ (1 << bit) : word));
        const [a = 0, b = 0, c = 0] = other;
        t.not(
          hashOf(trace => {
            trace.fold(...words);
          }),
          hashOf(trace => {
            trace.fold(a, b, c);
          }),
        );
      },
    ),
  );
  t.pass();
});

test('every bit of an address, every byte and the number of bytes come to bear', t => {
  const addresses = [0x1000, 0x1001, 0x1_0000_1000, 0x2_0000_1000].map(address =>
    hashOf(trace => {
      trace.foldAddress(1, address, 4);
    }),
  );
  t.is(new Set(addresses).size, addresses.length);
  const base = Uint8Array.from({ length: 11 }, (_, i) => i);
  const variants = [base, ...base.map((_, i) => i)].map((variant, n) => {
    const bytes = base.slice();
    if (typeof variant === 'number') bytes[n - 1] = 0x80;
    return hashOf(trace => {
      trace.foldBytes(1, bytes, 0, bytes.length);
    });
  });
  t.is(new Set(variants).size, 12);
  const lengths = [0, 1, 2, 3, 4, 5, 8].map(length =>
    hashOf(trace => {
      trace.foldBytes(1, new Uint8Array(8), 0, length);
    }),
  );
  t.is(new Set(lengths).size, lengths.length);
});

test('bytes count from the index that is given, and no others', t => {
  const bytes = Uint8Array.of(9, 1, 2, 3, 4, 5, 9);
  const part = hashOf(trace => {
    trace.foldBytes(1, bytes, 1, 5);
  });
  const alone = hashOf(trace => {
    trace.foldBytes(1, Uint8Array.of(1, 2, 3, 4, 5), 0, 5);
  });
  t.is(part, alone);
});

test('events are counted, a word that needs no kind is not one', t => {
  const trace = new Trace();
  trace.fold(1, 2, 3);
  trace.foldAddress(1, 2, 3);
  const before = trace.hash;
  trace.foldWord(5);
  t.not(trace.hash, before);
  t.is(trace.events, 2);
});

test('a restored trace goes on as the saved one did', t => {
  const trace = new Trace();
  trace.fold(1, 2, 3);
  const copy = new Trace();
  copy.restoreState(trace.saveState());
  for (const one of [trace, copy]) one.fold(4, 5, 6);
  t.is(copy.hash, trace.hash);
  t.is(copy.events, 2);
  t.throws(
    () => {
      copy.restoreState({ hash: 1 });
    },
    { instanceOf: InputError },
  );
});

test('the kinds of different CPUs differ', t => {
  const kinds = Object.values(TraceKind).flatMap(kind => [0, 1, 7].map(cpu => ofCpu(kind, cpu)));
  t.is(new Set(kinds).size, kinds.length);
});
