import { InputError } from '../../drivers/base/types/errors';
import { kindOf, readBytes } from '../board/files';
import type { ExplainArguments } from '../commands/arguments';
import { Exit } from '../exit';
import type { ExitStatus } from '../exit';
import type { Host } from '../host';
import { toJson } from '../report/json';
import { painter, widthOf } from '../report/text';
import type { KeptFinding } from '../run/findings';
import { replayLine } from '../run/repeat';
import { witnessFile } from '../run/save';
import { explainHuman, listHuman } from './explain-human';
import type { Explained } from './explain-human';
import { MOST_SAVED_BYTES, readSavedRun } from './saved-run';
import type { SavedRun } from './saved-shape';

const FINDING = /^(.*)#([0-9]{1,9})$/;

/** `dmabench explain FILE` and `dmabench explain FILE#N`. */
export const explain = ({ finding, format }: ExplainArguments, host: Host): ExitStatus => {
  const [, file = finding, number] = isThere(finding) ? [] : (FINDING.exec(finding) ?? []);
  const run = readSavedRun(readBytes(file, MOST_SAVED_BYTES), file);
  const paint = painter(host.out);
  const width = widthOf(host.out);
  if (number === undefined) {
    const human = (): string => listHuman(file, run.findings, paint, width);
    host.out.write(format === 'json' ? toJson(run.findings.map(kept => kept.finding)) : human());
    return Exit.Passed;
  }
  const explained = explainedOf(run, file, findingOf(run, file, Number(number)));
  const human = (): string => explainHuman(explained, paint, width);
  host.out.write(format === 'json' ? toJson(documentOf(explained)) : human());
  return Exit.Passed;
};

/** A file may have any name, `#1` at its end included. */
const isThere = (path: string): boolean => kindOf(path) !== 'none';

const findingOf = ({ findings }: SavedRun, file: string, number: number): KeptFinding => {
  const kept = findings[number - 1];
  if (kept !== undefined) return kept;
  const expected =
    findings.length === 0 ? 'a run with findings' : `a finding from #1 to #${findings.length}`;
  throw new InputError({
    place: file,
    expected,
    found: findings.length === 0 ? 'none' : `#${number}`,
  });
};

/** The witness is looked for beside the file, wherever that is now. */
const explainedOf = ({ machine }: SavedRun, file: string, kept: KeptFinding): Explained => {
  if (kept.script === null) return { kept, replay: null, withoutReplay: null };
  const script = witnessFile(file, kept.finding.id);
  if (kindOf(script) === 'file') {
    return { kept, replay: replayLine(machine, kept.replay, script), withoutReplay: null };
  }
  return {
    kept,
    replay: null,
    withoutReplay: `${script}, with which it is replayed, is not there.`,
  };
};

const documentOf = ({ kept, replay }: Explained): unknown => {
  const { finding, proof, cases, story } = kept;
  return { finding, proof, cases, story, replay };
};
