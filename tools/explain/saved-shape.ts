import type { Finding, FindingBuffer, MissingCall } from '../../drivers/base/types/finding';
import { RULES } from '../../drivers/base/types/rules';
import type { RuleId } from '../../drivers/base/types/rules';
import { InputError } from '../../drivers/base/types/errors';
import type { KeptFinding, Replay } from '../run/findings';
import { count, flag, list, nullable, pair, record, text, word } from './shape';
import type { At, Reader } from './shape';
import { LANES } from './story';
import type { CopyState, Places, Story, StoryRow } from './story';

/* What a saved run may say: sizes are bounded, and every member is there. */

/** What decides a machine, beside the suites that are run on it: the arguments of the run. */
export interface SavedMachine {
  readonly board: string;
  readonly memory: string | null;
  readonly quirk: readonly string[];
  readonly overlay: readonly string[];
  /** Modules of the user. */
  readonly load: readonly string[];
  /** A strategy of making coherent memory; null: the board's own. */
  readonly coherent: string | null;
  /** What takes data round; null: the board's own. */
  readonly bounce: string | null;
  /** Words of the kernel's command line beside the tree's; null: none. */
  readonly cmdline: string | null;
  /** Places whose calls were left out. */
  readonly drop: readonly string[];
  readonly seed: string;
}

/** A run as it is saved. */
export interface SavedRun {
  /** Of dmabench. */
  readonly version: string;
  readonly machine: SavedMachine;
  readonly findings: readonly KeptFinding[];
}

/** More than any run makes. */
const MOST_FINDINGS = 10_000;
const MOST_ROWS = 100_000;
const MOST_ALIASES = 8;
const MOST_CASES = 10_000;
const MOST_OPTIONS = 1000;

const isRule = (name: string): name is RuleId => Object.hasOwn(RULES, name);
const rule = word(Object.keys(RULES).filter(isRule));
const range = record({ start: count, size: count });

const buffer = record<FindingBuffer>({
  allocatedAt: nullable(text),
  mappedAt: nullable(text),
  unmappedAt: nullable(text),
  range,
});

const missing = record<MissingCall>({ call: text, range, between: pair(nullable(text)) });

const finding = record<Finding>({
  id: count,
  rule,
  severity: word(['error', 'warning', 'note']),
  device: nullable(text),
  buffer: nullable(buffer),
  bytes: range,
  access: record({ kind: text, at: nullable(text) }),
  missing: nullable(missing),
  witness: nullable(text),
  confirmed: flag,
  count,
});

const copy: Reader<CopyState> = word(['absent', 'clean', 'clean-stale', 'dirty', 'dirty-stale']);
const waiting = word(['none', 'latest', 'stale']);

const places = record<Places>({
  store: waiting,
  inner: list(copy, MOST_ALIASES),
  outer: copy,
  buffer: waiting,
  memory: word(['latest', 'stale']),
  device: copy,
  pending: list(nullable(text), MOST_ALIASES),
});

const row = record<StoryRow>({
  event: count,
  actor: word(['cpu', 'kernel', 'device', 'unasked']),
  by: text,
  what: text,
  at: nullable(text),
  effect: word(['write', 'read', 'forget', 'other']),
  places,
});

const storyRecord = record<Story>({
  line: count,
  lineSize: count,
  byte: count,
  lanes: list(word(LANES), LANES.length),
  before: places,
  rows: list(row, MOST_ROWS),
  goal: count,
  kind: word(['stale', 'lost']),
});

/** A story whose goal is one of its rows. */
const story: Reader<Story> = (found, at) => {
  const read = storyRecord(found, at);
  const { goal, rows } = read;
  if (goal < rows.length) return read;
  const expected = `the number of one of ${rows.length} rows`;
  throw new InputError({ place: at.file, property: `${at.path}.goal`, expected, found: `${goal}` });
};

const replay = record<Replay>({
  suite: text,
  cases: list(text, MOST_CASES),
  timing: text,
  isWhole: flag,
});

const kept = record<KeptFinding>({
  finding,
  proof: word(['evidence', 'replayed', 'not-replayed', 'not-investigated']),
  cases: list(text, MOST_CASES),
  story: nullable(story),
  script: nullable(list(text, MOST_ROWS)),
  because: nullable(text),
  replay,
});

const machine = record<SavedMachine>({
  board: text,
  memory: nullable(text),
  quirk: list(text, MOST_OPTIONS),
  overlay: list(text, MOST_OPTIONS),
  load: list(text, MOST_OPTIONS),
  coherent: nullable(text),
  bounce: nullable(text),
  cmdline: nullable(text),
  drop: list(text, MOST_OPTIONS),
  seed: text,
});

const run = record<SavedRun>({ version: text, machine, findings: list(kept, MOST_FINDINGS) });

/** A saved run, from what the file says; InputError for what it may not say. */
export const savedRunReader = (found: unknown, at: At): SavedRun => {
  const read = run(found, at);
  read.findings.forEach(({ finding: { id } }, i) => {
    if (id === i + 1) return;
    const property = `findings[${i}].finding.id`;
    throw new InputError({ place: at.file, property, expected: `${i + 1}`, found: `${id}` });
  });
  return read;
};
