import { hex } from '../../drivers/base/types/address';
import type { ByteRange, Finding, MissingCall } from '../../drivers/base/types/finding';
import { RULES } from '../../drivers/base/types/rules';
import type { Severity } from '../../drivers/base/types/rules';
import type { KeptFinding, Proof } from '../run/findings';
import { table } from './table';
import { grouped, paragraph, plural, printable } from './text';
import type { Paint, Style } from './text';

/** How a severity stands out. */
export const SEVERITY_STYLE: Readonly<Record<Severity, Style>> = {
  error: 'red',
  warning: 'yellow',
  note: 'dim',
};

/** `0x80001000, 64 bytes` */
export const rangeText = ({ start, size }: ByteRange): string =>
  `${hex(start)}, ${plural(size, 'byte')}`;

/** `dmaSyncSingleForCpu(0x80001000, 64)`, or `wmb()`: a barrier is for all memory. */
export const callText = ({ call, range }: MissingCall): string =>
  WITHOUT_RANGE.has(call) ? `${call}()` : `${call}(${hex(range.start)}, ${range.size})`;

const WITHOUT_RANGE: ReadonlySet<string> = new Set([
  ...['mb', 'rmb', 'wmb', 'dmaRmb', 'dmaWmb', 'dmb', 'dsb', 'outer sync'],
]);

/** `CPU load at drivers/net/x.ts:40` */
export const accessText = ({ access: { kind, at } }: Finding): string =>
  at === null ? kind : `${kind} at ${at}`;

/** What is known of a finding, for a person. */
export const PROOFS: Readonly<Record<Proof, string | null>> = {
  evidence: null,
  replayed: 'replayed on the machine with real caches: the wrong bytes appeared',
  'not-replayed':
    'NOT CONFIRMED: no schedule of this machine shows it; a defect of dmabench, please report it',
  'not-investigated': 'not looked at again: too many findings in one case',
};

/** Of more cases, the others are counted. */
const MOST_CASES = 3;

/** A finding as a block of lines that a driver's author understands at once. */
export const findingLines = (kept: KeptFinding, paint: Paint, width: number): string[] => {
  const { id, rule, severity } = kept.finding;
  const style = SEVERITY_STYLE[severity];
  const head = `  ${String(id).padStart(2)}  ${paint(style, `${severity}: ${rule}`)}`;
  return [
    head,
    ...paragraph('      ', RULES[rule].sentence, width).map(line => paint('bold', line)),
    ...table(factsOf(kept), { width, indent: 6 }).map(line => paintProof(line, kept.proof, paint)),
  ];
};

const paintProof = (line: string, proof: Proof, paint: Paint): string =>
  proof === 'not-replayed' && line.includes('NOT CONFIRMED') ? paint('red', line) : line;

/** The rows of a block: what is not known has none. */
export const factsOf = (kept: KeptFinding): string[][] => {
  const { finding, proof, cases } = kept;
  const { device, buffer, bytes, missing, witness, count } = finding;
  const rows: (readonly [what: string, text: string | null])[] = [
    ['access', accessText(finding)],
    ['bytes', rangeText(bytes)],
    ['device', device],
    ['buffer', buffer === null ? null : rangeText(buffer.range)],
    ['', placeText('allocated at', buffer?.allocatedAt)],
    ['', placeText('mapped at', buffer?.mappedAt)],
    ['', placeText('unmapped at', buffer?.unmappedAt)],
    ...missingRows(missing),
    ['times', count === 1 ? null : grouped(count)],
    ['in', casesText(cases)],
    ['proof', PROOFS[proof]],
    ['witness', witness],
  ];
  return rows.flatMap(([what, text]) => (text === null ? [] : [[what, printable(text)]]));
};

const missingRows = (
  missing: MissingCall | null,
): readonly (readonly [what: string, text: string | null])[] => {
  if (missing === null) return [];
  const [after, before] = missing.between;
  return [
    ['missing', callText(missing)],
    ['', placeText('after ', after)],
    ['', placeText('before', before)],
  ];
};

const placeText = (what: string, place: string | null | undefined): string | null =>
  place === null || place === undefined ? null : `${what} ${place}`;

const casesText = (cases: readonly string[]): string => {
  const more = cases.length - MOST_CASES;
  const shown = cases.slice(0, MOST_CASES).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
};

/** A finding on one line: for KTAP, and for lists. */
export const findingLine = ({ finding, proof }: KeptFinding): string => {
  const { id, rule, severity, device, bytes, missing, count } = finding;
  const parts = [
    `${id} ${severity} ${rule}: ${accessText(finding)}`,
    `bytes ${rangeText(bytes)}`,
    ...(device === null ? [] : [`device ${device}`]),
    ...(missing === null ? [] : [`missing ${dueText(missing)}`]),
    ...(count === 1 ? [] : [`${count} times`]),
    ...(proof === 'not-replayed' ? ['NOT CONFIRMED'] : []),
  ];
  return printable(parts.join('; '));
};

/** `dmaRmb() after a.ts:1 and before a.ts:2` */
export const dueText = (missing: MissingCall): string => {
  const [after, before] = missing.between;
  const places = [
    ...(after === null ? [] : [`after ${after}`]),
    ...(before === null ? [] : [`before ${before}`]),
  ];
  return [callText(missing), places.join(' and ')].filter(text => text !== '').join(' ');
};
