import { writeFileSync } from 'node:fs';
import type { RunArguments } from '../commands/arguments';
import { OutputError } from '../exit';
import { writeSavedRun } from '../explain/saved-run';
import { version } from '../version';
import type { KeptFinding } from './findings';

/** Beside a saved run: the script of its finding number `id`. */
export const witnessFile = (file: string, id: number): string => `${file}.${id}.jsonl`;

/** The findings, each naming the file that its witness is to be in. */
export const withWitnesses = (
  findings: readonly KeptFinding[],
  file: string,
): readonly KeptFinding[] =>
  findings.map(kept =>
    kept.script === null
      ? kept
      : { ...kept, finding: { ...kept.finding, witness: witnessFile(file, kept.finding.id) } },
  );

/** Writes a run's findings, and beside it a script for each that has a witness. */
export const saveRun = (
  file: string,
  args: RunArguments,
  findings: readonly KeptFinding[],
): void => {
  const { board, memory = null, quirk = [], overlay = [], load = [] } = args;
  const { coherent = null, bounce = null, cmdline = null, drop = [], seed } = args;
  const ways = { coherent, bounce, cmdline };
  const machine = { board, memory, quirk, overlay, load, ...ways, drop, seed };
  try {
    for (const { finding, script } of findings) {
      if (finding.witness === null || script === null) continue;
      writeFileSync(finding.witness, script.map(line => `${line}\n`).join(''));
    }
    writeFileSync(file, writeSavedRun({ version: version(), machine, findings }));
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new OutputError(error);
    throw error;
  }
};
