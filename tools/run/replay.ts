import { parseScript } from '../../arch/arm/adversary/script';
import type { Script } from '../../arch/arm/adversary/script';
import { ScriptAdversary } from '../../arch/arm/adversary/scripted';
import { CpuComplex } from '../../arch/arm/complex';
import type { Complex } from '../../arch/arm/complex-parts';
import type { StaleAccess, Versions } from '../../arch/arm/concrete/versions';
import type { WitnessGoal } from '../../arch/arm/coherence/witness';
import { BenchError, InputError, UnmodelledError } from '../../drivers/base/types/errors';
import type { ByteRange, KeptUse } from '../../drivers/base/types/finding';
import type { Hardware } from '../../machines/hardware';
import { bootJob, finishScript, runCaseOf } from './job';
import type { BenchOptions, Job } from './job';

/** What a replay is to show. */
export interface ReplayGoal {
  readonly kind: WitnessGoal['kind'];
  /** The number of the event at which the access is wrong, or what is lost is overtaken. */
  readonly event: number;
  /** The byte that the witness follows, and those of the access. */
  readonly byte: number;
  readonly bytes: ByteRange;
}

/**
 * Runs the first cases of a job on the machine with real caches, under a witness's script, and
 * answers with the script of a run that gets there, or null: the access read bytes that were not of
 * the latest version, or no copy of what was lost is left. Versions decide; equal values are no excuse.
 *
 * On the checked machine devices get the latest bytes all along. Here what one is told wrongly before
 * the goal, such as a word of a table, may turn the case aside. Then a second run is in which what it
 * would miss has been written back in time, by steps that the script gets, too.
 */
export const replays = (
  options: BenchOptions,
  job: Job,
  index: number,
  lines: readonly string[],
  goal: ReplayGoal,
): readonly string[] | null => {
  const asIs = attempt(options, job, index, lines, goal, () => []);
  if (asIs.isShown) return lines;
  if (!asIs.isMisled) return null;
  const helped = attempt(options, job, index, lines, goal, (adversary, address) =>
    adversary.writeBack(address),
  );
  return helped.isShown ? [...lines, ...helped.added] : null;
};

/** So many stale reads are mended for one witness: what needs more stays without. */
const MOST_MENDED = 256;

/** What is done about stale bytes that a device is about to read; the lines of a script for it. */
type Help = (adversary: ScriptAdversary, address: number) => readonly string[];

interface Attempt {
  readonly isShown: boolean;
  /** A device read stale bytes before the goal. */
  readonly isMisled: boolean;
  readonly added: readonly string[];
}

const attempt = (
  options: BenchOptions,
  job: Job,
  index: number,
  lines: readonly string[],
  goal: ReplayGoal,
  help: Help,
): Attempt => {
  const script = parseScript(lines.join('\n'), 'witness');
  const adversary = new ScriptAdversary(script);
  const added: string[] = [];
  let versions: Versions | null = null;
  let isLost = false;
  let isStale = false;
  let misled = 0;
  const look = (): void => {
    isLost ||= versions?.isLost(goal.byte) === true;
  };
  // What waits may be lost only by a step after the access.
  const last = Math.max(goal.event + 1, ...script.steps.map(({ event }) => event));
  adversary.before(goal.event + 1, look);
  adversary.before(last, look);
  const isFollowed = follows(options, job, index, script, adversary, hardware => {
    versions = versionsOf(hardware.complex);
    // As they come: a run may have more of them than are kept.
    versions.onStale = access => {
      isStale ||= isGoal(access, goal);
      if (access.by.kind !== 'device' || access.event >= goal.event) return;
      // It is told of before the bytes are fetched.
      if (misled < MOST_MENDED) added.push(...help(adversary, access.address));
      misled++;
    };
  });
  look();
  const isShown = isFollowed && (goal.kind === 'stale' ? isStale : isLost);
  return { isShown, isMisled: misled > 0, added };
};

/**
 * As `replays`, of a schedule in which an IOMMU does what `kept` says at an event: it had kept that,
 * and the transaction, if there is one, goes there.
 */
export const replaysKept = (
  options: BenchOptions,
  job: Job,
  index: number,
  lines: readonly string[],
  { kept, event }: { readonly kept: KeptUse; readonly event: number },
): boolean => {
  const script = parseScript(lines.join('\n'), 'witness');
  const { access, leads } = kept;
  let isLed = access === null;
  const isFollowed = follows(options, job, index, script, new ScriptAdversary(script), hardware => {
    hardware.onLed = ({ master, address, to }) => {
      const isThere = hardware.complex.pulse.now === event && to === leads;
      isLed ||= isThere && master === access?.master && address === access.address;
    };
  });
  return isFollowed && isLed;
};

/** Runs the first cases of a job under a script; false if the machine does not take all its steps. */
const follows = (
  options: BenchOptions,
  job: Job,
  index: number,
  script: Script,
  adversary: ScriptAdversary,
  onPower: (hardware: Hardware) => void,
): boolean => {
  try {
    const bench = bootJob(options, job, { adversary, versions: true, onPower });
    for (let i = 0; i <= index; i++) runCaseOf(bench, job, i);
    finishScript(bench, script);
    script.checkTaken();
    return true;
  } catch (error) {
    // A step that the machine refuses: the schedule is none of this machine.
    if (error instanceof InputError || error instanceof UnmodelledError) return false;
    throw error;
  }
};

const versionsOf = (complex: Complex): Versions => {
  const versions = complex instanceof CpuComplex ? complex.versions : null;
  if (versions === null) throw new BenchError('a replay without versions');
  return versions;
};

const isGoal = (access: StaleAccess, { event, bytes }: ReplayGoal): boolean =>
  access.event === event &&
  access.address < bytes.start + bytes.size &&
  bytes.start < access.address + access.size;
