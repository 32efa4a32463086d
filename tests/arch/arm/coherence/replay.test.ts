import test from 'ava';
import { parseScript } from '../../../../arch/arm/adversary/script';
import { ScriptAdversary } from '../../../../arch/arm/adversary/scripted';
import { earlyScript, toScript } from '../../../../arch/arm/coherence/script';
import { eventsOfByte, isOwn } from '../../../../arch/arm/coherence/story';
import type { LineStory } from '../../../../arch/arm/coherence/story';
import { EARLY, MAY_LOSE, MAY_OVERWRITE, MAY_STALE } from '../../../../arch/arm/coherence/verdicts';
import { findWitness } from '../../../../arch/arm/coherence/witness';
import type { WitnessGoal } from '../../../../arch/arm/coherence/witness';
import { at } from '../../../../drivers/base/types/arrays';
import { InputError } from '../../../../drivers/base/types/errors';
import type { Verdict } from '../../../../drivers/base/types/observer';
import { Random } from '../../../../drivers/base/types/random';
import { ArmMachine, CheckedArmMachine } from '../machine';
import type { ArmMachineOptions } from '../machine';
import { CALLS, ProgramRun, randomOps, receivingOps } from '../programs';
import type { Call, Op } from '../programs';

const STEPS = 90;
const SEEDS = 1;
/** What may be wrong: the first of each is looked at. */
const WRONGS = [MAY_STALE | EARLY, MAY_OVERWRITE, MAY_LOSE] as const;
/** Pages that a program uses, and bytes of each. */
const PAGES = 5;
const AREA = 768;

interface Program {
  readonly options: ArmMachineOptions;
  readonly ops: readonly Op[];
  readonly without: Call;
}

interface Found {
  readonly verdict: Verdict;
  /** Those of its bits that it is to be shown for. */
  readonly bits: number;
  readonly history: LineStory;
  readonly sets: CheckedArmMachine['complex']['lines']['sets'];
}

/** Runs a program on the checked machine, and answers the first things that may go wrong. */
const findings = ({ options, ops, without }: Program): readonly Found[] => {
  const machine = new CheckedArmMachine(options);
  const { complex } = machine;
  const { lineBytes } = complex.checker;
  const addresses: number[] = [];
  for (let page = 0; page < PAGES; page++) {
    for (let at = 0; at < AREA; at += lineBytes) addresses.push(machine.pageAt(page) + at);
  }
  const recorder = complex.checker.record(addresses);
  const firsts = new Map<number, Verdict>();
  const nothing = (): void => undefined;
  complex.observer = {
    verdict: verdict => {
      for (const bits of WRONGS) {
        if ((verdict.bits & bits) !== 0 && !firsts.has(bits)) firsts.set(bits, verdict);
      }
    },
    mismatch: nothing,
    staleTranslation: nothing,
    cpuTouches: nothing,
    deviceTouches: nothing,
    transferBegins: nothing,
    transferActs: nothing,
    transferEnds: nothing,
  };
  new ProgramRun(machine, without).run(ops);
  return [...firsts].map(([bits, verdict]) => {
    const history = recorder.storyOf(complex.checker.lineAt(verdict.address));
    if (history === null) throw new Error(`no story of ${verdict.address}`);
    return { verdict, bits: verdict.bits & bits, history, sets: complex.lines.sets };
  });
};

interface Schedule {
  readonly kind: WitnessGoal['kind'];
  readonly byte: number;
  readonly script: string;
}

const kindsOf = (bits: number): readonly WitnessGoal['kind'][] => [
  ...((bits & MAY_STALE) === 0 ? [] : (['stale'] as const)),
  ...((bits & MAY_OVERWRITE) === 0 ? [] : (['overwritten'] as const)),
  ...((bits & MAY_LOSE) === 0 ? [] : (['lost'] as const)),
];

/** The first byte and kind of which there is a schedule. */
const scheduleOf = ({ verdict, bits, history, sets }: Found): Schedule | null => {
  const first = verdict.address - history.address;
  for (let n = 0; n < history.bytes; n++) {
    const byte = (first + n) % history.bytes;
    // An access may be in parts: several of one event.
    const entries = eventsOfByte(history, byte)
      .map(({ index }) => index)
      .filter(index => history.events[index]?.event === verdict.event);
    for (const index of entries) {
      const isAbout = isOwn(at(history.events, index), byte);
      const isLast = index === entries.at(-1);
      for (const kind of kindsOf(bits)) {
        // A part of an access can lose what the next part writes.
        if (kind === 'lost' && !isLast) continue;
        const witness = findWitness(sets, history, byte, { kind, index });
        if (witness === null) continue;
        return { kind, byte, script: toScript(sets.profile, history, witness) };
      }
      if (isAbout && (bits & EARLY) !== 0) {
        return { kind: 'stale', byte, script: earlyScript(sets, history, byte, index) };
      }
    }
  }
  return null;
};

/** Whether the concrete machine, under the schedule, gets there. */
const isShown = (program: Program, { verdict, history }: Found, schedule: Schedule): boolean => {
  const script = parseScript(schedule.script, 'witness');
  const adversary = new ScriptAdversary(script);
  let machine: ArmMachine | null = null;
  let isLost = false;
  const look = (): void => {
    const address = history.address + schedule.byte;
    isLost ||= machine?.complex.versions?.isLost(address) === true;
  };
  const last = Math.max(verdict.event + 1, ...script.steps.map(({ event }) => event));
  adversary.before(verdict.event + 1, look);
  adversary.before(last, look);
  machine = new ArmMachine({ ...program.options, adversary, versions: true });
  const { versions } = machine.complex;
  new ProgramRun(machine, program.without).run(program.ops, 'end');
  look();
  if (schedule.kind !== 'stale') return isLost;
  return versions?.stale.some(({ event }) => event === verdict.event) === true;
};

/** Why a finding cannot be shown, null if it was. */
const tryToShow = (program: Program, found: Found): string | null => {
  const { access, event } = found.verdict;
  const schedule = scheduleOf(found);
  const what = `${access} at ${event}, ${schedule?.kind ?? 'no schedule'}\n${schedule?.script ?? ''}`;
  if (schedule === null) return what;
  try {
    return isShown(program, found, schedule) ? null : what;
  } catch (error) {
    if (error instanceof InputError) return `${what}${error.message}`;
    throw error;
  }
};

const MACHINES: readonly ArmMachineOptions[] = [
  { core: 'arm926ej-s' },
  { core: 'arm1136jf-s' },
  { core: 'cortex-m7' },
  { core: 'cortex-a8' },
  { core: 'cortex-a9' },
  { core: 'cortex-a9', outer: true },
  { core: 'cortex-a7', cpus: 2 },
  { core: 'cortex-a53' },
  { core: 'cortex-a53', cpus: 3 },
  { core: 'scorpion' },
  { core: 'apple-m1' },
];

for (const machine of MACHINES) {
  const { core, cpus = 1, outer = false } = machine;
  const name = `${typeof core === 'string' ? core : core.name}${cpus > 1 ? ` x${cpus}` : ''}${outer ? ' with a PL310' : ''}`;
  test(`${name}: every witness shows its wrong bytes on the machine with real caches`, t => {
    const missed: string[] = [];
    let shown = 0;
    for (const without of CALLS) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const random = new Random(seed);
        const make = without === 'barrier after completion' ? receivingOps : randomOps;
        const program = { options: { ...machine, tiny: true }, ops: make(random, STEPS), without };
        for (const found of findings(program)) {
          const failure = tryToShow(program, found);
          if (failure === null) shown++;
          else missed.push(`${without}, seed ${seed}: ${failure}`);
        }
      }
    }
    t.deepEqual(missed, []);
    t.true(shown > 10, `${shown} were shown`);
  });
}
