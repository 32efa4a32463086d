import { RULES } from '../../drivers/base/types/rules';
import type { Finding, RawFinding } from '../../drivers/base/types/finding';
import type { Story } from '../explain/story';

/** A finding, and how often it was made. */
export interface CountedFinding extends RawFinding {
  readonly count: number;
}

/** What a finding rests on. */
export type Proof =
  /** Evidence of its own: who owned the bytes, what the translations were. */
  | 'evidence'
  /** Its witness was replayed on the concrete machine, and the wrong bytes appeared. */
  | 'replayed'
  /** They did not appear, or no witness was found: a defect of the checker. */
  | 'not-replayed'
  /** So many were made in one case that this one was not looked at again. */
  | 'not-investigated';

/** How to come to the machine on which a finding was made. */
export interface Replay {
  readonly suite: string;
  /** The cases of the suite that were run on that machine, the last is the finding's. */
  readonly cases: readonly string[];
  readonly timing: string;
  /** No case of the suite was left out on that machine. */
  readonly isWhole: boolean;
}

/** What the investigation of a finding has brought; evidence is enough where there is none. */
export interface Investigated {
  readonly raw: CountedFinding;
  readonly proof: Proof;
  readonly story: Story | null;
  /** The lines of a script that leads there on the concrete machine. */
  readonly script: readonly string[] | null;
  /** What of the story decided the rule, as half a sentence. */
  readonly because: string | null;
}

/** A finding, and what belongs to it and is not part of its record. */
export interface KeptFinding {
  readonly finding: Finding;
  readonly proof: Proof;
  /** The cases in which it was made, as `suite.case`. */
  readonly cases: readonly string[];
  readonly story: Story | null;
  readonly script: readonly string[] | null;
  readonly because: string | null;
  readonly replay: Replay;
}

/** The findings of a run: one of the same rule at the same place is one, and counted. */
export class RunFindings {
  readonly #byKey = new Map<string, KeptFinding>();

  /** The number of the finding. */
  add(found: Investigated, replay: Replay): number {
    const key = keyOf(found.raw);
    const known = this.#byKey.get(key);
    const kept = keep(found, replay, known?.finding.id ?? this.#byKey.size + 1);
    this.#byKey.set(key, known === undefined ? kept : merged(known, kept));
    return kept.finding.id;
  }

  /** In the order in which they were made first. */
  list(): readonly KeptFinding[] {
    return [...this.#byKey.values()];
  }
}

const keyOf = ({ rule, device, access, missing }: CountedFinding): string =>
  JSON.stringify([rule, device, access.kind, access.at, missing?.call ?? null]);

const isConfirmed = (proof: Proof): boolean => proof === 'evidence' || proof === 'replayed';

const keep = (
  { raw, proof, story, script, because }: Investigated,
  replay: Replay,
  id: number,
): KeptFinding => {
  const { rule, device, buffer, bytes, access, missing, count } = raw;
  const { severity } = RULES[rule];
  const confirmed = isConfirmed(proof);
  return {
    finding: {
      ...{ id, rule, severity, device, buffer, bytes, access, missing },
      ...{ witness: null, confirmed, count },
    },
    proof,
    cases: [`${replay.suite}.${replay.cases.at(-1) ?? ''}`],
    story,
    script,
    because,
    replay,
  };
};

/** How much a reader should be told of the one of two: what is wrong before what is known. */
const WEIGHT: Readonly<Record<Proof, number>> = {
  'not-investigated': 0,
  evidence: 1,
  replayed: 1,
  'not-replayed': 2,
};

const merged = (known: KeptFinding, other: KeptFinding): KeptFinding => {
  const told = WEIGHT[other.proof] > WEIGHT[known.proof] ? other : known;
  const count = known.finding.count + other.finding.count;
  const { id } = known.finding;
  const cases = [...new Set([...known.cases, ...other.cases])];
  return { ...told, finding: { ...told.finding, id, count }, cases };
};
