import { createHash } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { InputError } from '../../../drivers/base/types/errors';
import { readSavedRun, writeSavedRun } from '../../../tools/explain/saved-run';
import type { SavedRun } from '../../../tools/explain/saved-shape';
import { finding, kept, lostStory, refillStory } from '../../support/findings';
import { inputError } from '../../support/input-error';

const RUN: SavedRun = {
  version: '1.2.3',
  machine: {
    ...{ board: 'b', memory: null, quirk: ['+q'], overlay: [], load: [], coherent: null },
    ...{ bounce: null, cmdline: null, drop: [], seed: '1' },
  },
  findings: [
    kept({ story: refillStory(), script: ['{"event":1}'], because: 'so' }),
    kept({ finding: finding({ id: 2, buffer: null, missing: null }), story: lostStory() }),
  ],
};

const refused = (bytes: Uint8Array): string => inputError(() => readSavedRun(bytes, 'f'));

/** A file of this content whose header is right. */
const sealed = (content: unknown, format = 2): Uint8Array => {
  const body = new Packr({ useRecords: false }).pack(content);
  return wrapped(body, format);
};

const wrapped = (body: Uint8Array, format = 2): Uint8Array => {
  const sum = createHash('sha256').update(body).digest('hex');
  const header = `dmabench-saved-run ${format} ${body.length} ${sum}\n`;
  return Buffer.concat([Buffer.from(header), body]);
};

test('a run is read as it was written', t => {
  t.deepEqual(readSavedRun(writeSavedRun(RUN), 'f'), RUN);
  t.deepEqual(writeSavedRun(RUN), writeSavedRun(RUN));
});

test('a file of another kind is refused', t => {
  for (const text of ['', '\n', 'x', 'KTAP version 1\n1..4\n', 'dmabench-saved-run 2\n']) {
    t.is(
      refused(Buffer.from(text)),
      "f: expected a run that 'dmabench run --save' saved, found a file of another kind",
    );
  }
});

test('a file of another version is refused with both versions', t => {
  t.is(refused(sealed(RUN, 1)), 'f: expected a saved run of version 2, found version 1');
});

test('a file that was cut off anywhere, or goes on, is refused', t => {
  const bytes = writeSavedRun(RUN);
  for (let length = 0; length < bytes.length; length += 13)
    t.notThrows(() => refused(bytes.subarray(0, length)));
  t.regex(
    refused(bytes.subarray(0, bytes.length - 1)),
    /^f: expected [0-9]+ bytes, found .*cut off/,
  );
  t.notThrows(() => refused(Buffer.concat([bytes, Buffer.from('x')])));
});

test('a byte that was changed is noticed', t => {
  const bytes = writeSavedRun(RUN);
  for (let at = 0; at < bytes.length; at += 7) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    t.notThrows(() => refused(changed), `byte ${at}`);
  }
});

const change = (path: string, value: unknown): unknown => {
  const copy = structuredClone(RUN) as unknown;
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  const target = keys.reduce<unknown>((node, key) => Reflect.get(node as object, key), copy);
  Reflect.set(target as object, last, value);
  return copy;
};

const WRONG: readonly (readonly [path: string, value: unknown, message: RegExp])[] = [
  ['version', 1, /^f: property 'version': expected a text of at most 4096 characters, found 1$/],
  ['version', 'x'.repeat(5000), /^f: property 'version': expected a text of at most 4096 /],
  ['machine', [], /^f: property 'machine': expected a record, found a list$/],
  ['machine.more', 1, /^f: property 'machine': expected only board, .*, found 'more'$/],
  ['findings', null, /^f: property 'findings': expected a list of at most 10000, found nothing$/],
  ['findings.0.finding.rule', 'toString', /rule': expected one of stale-cpu-read, .*'toString'$/],
  ['findings.0.finding.id', 7, /'findings\[0\]\.finding\.id': expected 1, found 7$/],
  ['findings.0.finding.bytes.start', -1, /bytes\.start': expected an integer from 0, found -1$/],
  ['findings.0.finding.bytes.start', 0.5, /expected an integer from 0, found 0\.5$/],
  ['findings.0.finding.confirmed', 'yes', /expected true or false, found 'yes'$/],
  ['findings.0.finding.missing.between', ['a'], /expected a list of two, found a list$/],
  ['findings.0.story.goal', 99, /goal': expected the number of one of 7 rows, found 99$/],
  ['findings.0.story.rows.2.places.outer', 'wet', /rows\[2\]\.places\.outer': expected one of /],
  ['findings.0.script', 'x', /script': expected a list of at most /],
];

for (const [path, value, message] of WRONG) {
  test(`a saved run may not say of ${path}: ${JSON.stringify(value).slice(0, 30)}`, t => {
    t.regex(refused(sealed(change(path, value))), message);
  });
}

test('any content is a run or is refused in one line, in no time', t => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(...WRONG.map(([path, found]) => change(path, found))),
  );
  fc.assert(
    fc.property(value, fc.nat(), fc.uint8Array({ maxLength: 8 }), (content, at, bytes) => {
      const packed = new Packr({ useRecords: false }).pack(content);
      packed.set(
        bytes.subarray(0, Math.max(0, packed.length - (at % packed.length))),
        at % packed.length,
      );
      try {
        readSavedRun(wrapped(packed), 'f');
      } catch (error) {
        if (!(error instanceof InputError) || error.message.includes('\n')) throw error;
      }
    }),
  );
  t.pass();
});

test('nesting, and lists that claim to be endless, cost nothing', t => {
  const nested = Buffer.alloc(200_000, 0x91);
  t.notThrows(() => refused(wrapped(nested)));
  const endless = Uint8Array.from([0xdd, 0xff, 0xff, 0xff, 0xff]);
  t.notThrows(() => refused(wrapped(endless)));
});
