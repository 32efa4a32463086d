import test from 'ava';
import {
  EARLY,
  MAY_LOSE,
  MAY_OVERWRITE,
  MAY_STALE,
  MUST_STALE,
  STUCK,
  UNWRITTEN,
} from '../../arch/arm/coherence/verdicts';
import type { AccessKind, Accessor, DmaRange } from '../../drivers/base/types/observer';
import type { RuleId } from '../../drivers/base/types/rules';
import { ruleOf } from '../../machines/verdict-rules';
import type { JudgedVerdict } from '../../machines/verdict-rules';
import { Hold } from '../../mm/holds';
import { Mapping } from '../../mm/mappings';
import { range, site } from '../mm/watched-memory';

const CPU: Accessor = { kind: 'cpu', cpu: 0 };
const DEVICE: Accessor = { kind: 'device', name: 'dev', snoops: false };
const START = 0x1000;

const mapping = (fields: Partial<DmaRange> = {}, isFilled = false): Mapping => {
  const mapped = new Mapping({
    ...range({ address: START, size: 64, ...fields }),
    kind: 'single',
    slot: null,
    hold: new Hold('device', site('a')),
    site: site('a'),
    allocation: null,
    lineBytes: 32,
  });
  mapped.isFilled = isFilled;
  return mapped;
};

const rule = (
  bits: number,
  by: Accessor,
  access: AccessKind,
  rest: Partial<JudgedVerdict> = {},
): RuleId | null => {
  const verdict = { event: 1, by, access, address: START, size: 4, bits };
  return ruleOf({ verdict, mapping: null, snoops: null, maintained: null, ...rest });
};

test('a stale answer is named after who got it, a stuck poll too', t => {
  t.is(rule(MAY_STALE, CPU, 'load'), 'stale-cpu-read');
  t.is(rule(STUCK, CPU, 'poll'), 'stale-cpu-read');
  t.is(rule(MAY_STALE | MUST_STALE | EARLY, CPU, 'load'), 'stale-cpu-read');
  t.is(rule(MAY_STALE | UNWRITTEN, DEVICE, 'device read'), 'stale-device-read');
  t.is(rule(MAY_STALE, { kind: 'walker', cpu: 0 }, 'table walk'), 'stale-table-word');
  t.is(rule(EARLY, CPU, 'load'), 'missing-read-barrier');
  t.is(rule(UNWRITTEN, CPU, 'load'), 'never-written-bytes');
  t.is(rule(0, CPU, 'load'), null);
});

test('a loss is named after who wrote last, as far as is known, and after whose bytes were maintained', t => {
  t.is(rule(MAY_OVERWRITE | MAY_LOSE, DEVICE, 'device write'), 'dirty-line-over-device-data');
  t.is(rule(MAY_LOSE, DEVICE, 'device write'), 'lost-device-write');
  t.is(rule(MAY_LOSE, CPU, 'invalidate'), 'lost-cpu-write');
  t.is(rule(MAY_LOSE, CPU, 'invalidate', { mapping: mapping() }), 'lost-cpu-write');
  const filled = { mapping: mapping({}, true) };
  t.is(rule(MAY_LOSE, CPU, 'invalidate', filled), 'lost-device-write');
  t.is(rule(MAY_LOSE, CPU, 'store', filled), 'lost-cpu-write');
  const around = { maintained: { start: START, size: 4 } };
  t.is(rule(MAY_LOSE, CPU, 'invalidate', around), 'lost-cpu-write');
  const beside = { maintained: { start: START + 2, size: 60 } };
  t.is(rule(MAY_LOSE, CPU, 'invalidate', beside), 'invalidate-of-dirty-bytes');
});

test('whether the device snoops comes first, where the tree and the hardware do not agree', t => {
  const says = (coherent: boolean, snoops: boolean | null, bits = MAY_STALE): RuleId | null =>
    rule(bits, CPU, 'load', { mapping: mapping({ coherent }), snoops });
  t.is(says(true, false), 'coherent-in-tree-only');
  t.is(says(false, true), 'coherent-in-hardware-only');
  t.is(says(false, true, MAY_LOSE), 'coherent-in-hardware-only');
  t.is(says(true, true), 'stale-cpu-read');
  t.is(says(false, false), 'stale-cpu-read');
  t.is(says(true, null), 'stale-cpu-read');
  t.is(says(true, false, UNWRITTEN), 'never-written-bytes');
  t.is(rule(MAY_STALE, CPU, 'load', { snoops: true }), 'stale-cpu-read', "nobody's buffer");
});
