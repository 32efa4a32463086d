import { CheckedComplex } from '../../arch/arm/checked/complex';
import { classify, classifyEarly, passedByLoad } from '../../arch/arm/coherence/classify';
import type { Classified } from '../../arch/arm/coherence/classify';
import { earlyScript, toScript } from '../../arch/arm/coherence/script';
import { eventsOfByte } from '../../arch/arm/coherence/story';
import type { LineStory, StoryEntry, StoryRecorder } from '../../arch/arm/coherence/story';
import type { StateSets } from '../../arch/arm/coherence/sets';
import {
  EARLY,
  MAY_LOSE,
  MAY_OVERWRITE,
  MAY_STALE,
  MUST_STALE,
  STUCK,
  hasVerdict,
} from '../../arch/arm/coherence/verdicts';
import { findWitness } from '../../arch/arm/coherence/witness';
import type { Witness, WitnessGoal } from '../../arch/arm/coherence/witness';
import { hex } from '../../drivers/base/types/address';
import { BenchError } from '../../drivers/base/types/errors';
import type { KeptUse, MissingCall } from '../../drivers/base/types/finding';
import { storyOf } from '../explain/make-story';
import type { CountedFinding, Investigated } from './findings';
import { bootJob, runCaseOf } from './job';
import type { BenchOptions, Job } from './job';
import { replays, replaysKept } from './replay';

/** Of one case so many value findings are looked at again; the rest are counted. */
export const MOST_INVESTIGATED = 16;

/**
 * What is behind the findings of a case, the `index`th of its job. Those about values are looked
 * at in a second run of the job so far, in which the history of their lines is written down: from
 * it come the rule, the call that was missing, and a schedule that is replayed with real caches.
 */
export const investigate = (
  options: BenchOptions,
  job: Job,
  index: number,
  found: readonly CountedFinding[],
  most = MOST_INVESTIGATED,
): readonly Investigated[] => {
  const looked = found.filter(one => isOfValues(one) || one.kept !== undefined).slice(0, most);
  const ofValues = looked.filter(isOfValues);
  const recorded = ofValues.length === 0 ? null : record(options, job, index, ofValues);
  return found.map(raw => {
    const { kept } = raw;
    if (!isOfValues(raw) && kept === undefined) return { raw, ...NOTHING, proof: 'evidence' };
    if (!looked.includes(raw)) return { raw, ...NOTHING, proof: 'not-investigated' };
    if (kept !== undefined) return examineKept(options, job, index, raw, kept);
    if (recorded === null) return { raw, ...NOTHING, proof: 'not-investigated' };
    return examine(options, job, index, raw, recorded);
  });
};

const NOTHING = { story: null, script: null, because: null } as const;

const VALUE_BITS = [MAY_STALE, MUST_STALE, STUCK, MAY_LOSE, MAY_OVERWRITE, EARLY];

const has = (verdict: number | null, bits: readonly number[]): boolean =>
  verdict !== null && hasVerdict(verdict, ...bits);

/** Notes of bytes that nobody wrote need no schedule. */
const isOfValues = ({ verdict }: CountedFinding): boolean => has(verdict, VALUE_BITS);

/** The second run, done. */
interface Recorded {
  readonly complex: CheckedComplex;
  readonly recorder: StoryRecorder;
}

const record = (
  options: BenchOptions,
  job: Job,
  index: number,
  findings: readonly CountedFinding[],
): Recorded => {
  const addresses = [...new Set(findings.map(({ bytes }) => bytes.start))];
  const recorded: Recorded[] = [];
  const bench = bootJob(options, job, {
    onPower: ({ complex }) => {
      if (!(complex instanceof CheckedComplex)) return;
      recorded.push({ complex, recorder: complex.checker.record(addresses) });
    },
  });
  for (let i = 0; i <= index; i++) runCaseOf(bench, job, i);
  const [only] = recorded;
  if (only === undefined) throw new BenchError('findings of a machine that is not checked');
  return only;
};

const examine = (
  options: BenchOptions,
  job: Job,
  index: number,
  raw: CountedFinding,
  { complex, recorder }: Recorded,
): Investigated => {
  const { lines, checker } = complex;
  const line = checker.lineAt(raw.bytes.start);
  const history = recorder.storyOf(line);
  const seen = history === null ? null : explain(lines.sets, history, raw);
  if (history === null || seen === null) return { raw, ...NOTHING, proof: 'not-replayed' };
  const { witness, classified, byte, kind, entry, script } = seen;
  const goal = { kind, event: raw.event, byte: history.address + byte, bytes: raw.bytes };
  const shown = replays(options, job, index, script, goal);
  return {
    raw: { ...raw, ...finalOf(raw, classified, history, entry) },
    proof: shown === null ? 'not-replayed' : 'replayed',
    story: storyOf(lines.sets, history, byte, entry, witness),
    script: shown ?? script,
    because: classified.because,
  };
};

/**
 * What an IOMMU kept is shown by a schedule of one step: it goes by that, where else it would have
 * looked at its tables; or, as nothing happens in between, before the next event it walks on.
 */
const examineKept = (
  options: BenchOptions,
  job: Job,
  index: number,
  raw: CountedFinding,
  kept: KeptUse,
): Investigated => {
  const { step, iommu, leads } = kept;
  const event = step === 'use-kept' ? raw.event : raw.event + 1;
  const line = leads === null ? {} : { line: hex(leads) };
  const script = [JSON.stringify({ event, step, iommu, ...line })];
  const isShown = replaysKept(options, job, index, script, { kept, event: raw.event });
  const proof = isShown ? 'replayed' : 'not-replayed';
  return { raw, proof, story: null, script, because: becauseOf(kept, raw.event) };
};

const becauseOf = ({ step, iommu, leads }: KeptUse, event: number): string => {
  if (step === 'walk-kept') {
    const table = hex(leads ?? 0);
    return `after event ${event} ${iommu} still has the way to the table at ${table}, and a walk that nobody asked for may take it`;
  }
  const where = leads === null ? 'that leads nowhere' : `that leads to ${hex(leads)}`;
  return `at event ${event} ${iommu} still has an entry ${where}, which no invalidation has ended`;
};

/** What the history of a line says of a finding. */
interface Seen {
  readonly witness: Witness | null;
  readonly classified: Classified;
  /** In the line. */
  readonly byte: number;
  readonly kind: WitnessGoal['kind'];
  /** The index of the access in the history. */
  readonly entry: number;
  readonly script: readonly string[];
}

/** Tries each byte of the access, for it may be wrong of one only. */
const explain = (sets: StateSets, history: LineStory, raw: CountedFinding): Seen | null => {
  const first = raw.bytes.start - history.address;
  const all = Array.from({ length: history.bytes }, (_, byte) => byte);
  const isOf = (byte: number): boolean => byte >= first && byte < first + raw.bytes.size;
  // What an access loses may be what is beside it in the line.
  const beside = has(raw.verdict, [MAY_LOSE, MAY_OVERWRITE]) ? all.filter(n => !isOf(n)) : [];
  for (const byte of [...all.filter(isOf), ...beside]) {
    const entries = eventsOfByte(history, byte)
      .map(({ index }) => index)
      .filter(index => history.events[index]?.event === raw.event);
    for (const entry of entries.reverse()) {
      // A part of an access can lose what its next part writes.
      const isLast = entry === entries[0];
      const kinds = kindsOf(raw.verdict).filter(kind => kind !== 'lost' || isLast);
      const seen = explainAt(sets, history, raw, kinds, { byte, entry });
      if (seen !== null) return seen;
    }
  }
  return has(raw.verdict, [EARLY]) ? explainEarly(sets, history, raw, all.filter(isOf)) : null;
};

/** Of the bytes of an early load, the one that was written last: others may be as they should. */
const explainEarly = (
  sets: StateSets,
  history: LineStory,
  raw: CountedFinding,
  bytes: readonly number[],
): Seen | null => {
  const loads = bytes.flatMap(byte => {
    const entry = eventsOfByte(history, byte).findLast(
      ({ index }) => history.events[index]?.event === raw.event,
    )?.index;
    const write = entry === undefined ? null : passedByLoad(sets, history, byte, entry);
    return entry === undefined || write === null ? [] : [{ byte, entry, written: write.event }];
  });
  const last = Math.max(...loads.map(({ written }) => written));
  const load = loads.find(({ written }) => written === last);
  if (load === undefined) return null;
  const { byte, entry } = load;
  const classified = classifyEarly(sets, history, byte, entry);
  const script = linesOf(earlyScript(sets, history, byte, entry));
  return { byte, entry, witness: null, classified, kind: 'stale', script };
};

const explainAt = (
  sets: StateSets,
  history: LineStory,
  raw: CountedFinding,
  kinds: readonly WitnessGoal['kind'][],
  at: Pick<Seen, 'byte' | 'entry'>,
): Seen | null => {
  const { byte, entry } = at;
  for (const kind of kinds) {
    const witness = findWitness(sets, history, byte, { kind, index: entry });
    if (witness === null) continue;
    const classified = classify(sets, history, witness, contextOf(raw));
    const script = linesOf(toScript(sets.profile, history, witness));
    return { ...at, witness, classified, kind, script };
  }
  return null;
};

const kindsOf = (verdict: number | null): readonly WitnessGoal['kind'][] => [
  ...(has(verdict, [MAY_STALE, MUST_STALE, STUCK]) ? (['stale'] as const) : []),
  ...(has(verdict, [MAY_OVERWRITE]) ? (['overwritten'] as const) : []),
  ...(has(verdict, [MAY_LOSE]) ? (['lost'] as const) : []),
];

const contextOf = ({ buffer, access, rule }: CountedFinding): Parameters<typeof classify>[3] => ({
  isMapped: buffer !== null && buffer.mappedAt !== null,
  isPolled: access.kind.includes('poll'),
  // Whoever made the finding has seen the call: outside of it is outside of nothing.
  callRange: rule === 'invalidate-of-dirty-bytes' ? { start: 0, size: 0 } : null,
});

const linesOf = (script: string): readonly string[] =>
  script.split('\n').filter(line => line !== '');

/** A tree that is wrong stays what is wrong, however it shows. */
const finalOf = (
  raw: CountedFinding,
  { rule, missing }: Classified,
  history: LineStory,
  entry: number,
): Pick<CountedFinding, 'rule' | 'missing'> => {
  if (raw.rule === 'coherent-in-tree-only' || raw.rule === 'coherent-in-hardware-only') return raw;
  // The walker of an IOMMU is a device like others but for what it reads.
  const final = raw.rule === 'stale-table-word' ? raw.rule : rule;
  if (missing === null) return { rule: final, missing: raw.missing };
  return { rule: final, missing: sinceAllocated(ofBuffer(missing, raw), raw, history, entry) };
};

/** Calls of the DMA API are made for the whole buffer, whichever bytes showed them missing. */
const ofBuffer = (missing: MissingCall, { buffer }: CountedFinding): MissingCall =>
  buffer !== null && /^dma(?:Map|Unmap|Sync)/.test(missing.call)
    ? { ...missing, range: buffer.range }
    : missing;

/** What earlier users of the memory did is no place of this driver's: then it is its mapping. */
const sinceAllocated = (
  missing: MissingCall,
  { buffer }: CountedFinding,
  { events }: LineStory,
  entry: number,
): MissingCall => {
  if (buffer === null || buffer.allocatedAt === null) return missing;
  const isNew = ({ access, at }: StoryEntry): boolean =>
    access === 'forget' && at === buffer.allocatedAt;
  const first = events.slice(0, entry).findLastIndex(isNew);
  const [after, before] = missing.between;
  const isOwn = after === null || events.slice(Math.max(0, first), entry).some(e => e.at === after);
  return isOwn ? missing : { ...missing, between: [buffer.mappedAt ?? buffer.allocatedAt, before] };
};
