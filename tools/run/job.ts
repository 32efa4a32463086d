import { LruAdversary } from '../../arch/arm/adversary/lru';
import { RandomAdversary } from '../../arch/arm/adversary/random';
import { ScriptAdversary } from '../../arch/arm/adversary/scripted';
import type { Script } from '../../arch/arm/adversary/script';
import { CpuComplex } from '../../arch/arm/complex';
import type { StreamingSteps } from '../../arch/arm/mm/dma';
import type { DmaTiming } from '../../drivers/base/hw/dma-port';
import type { CallGate } from '../../drivers/base/kernel/call-gate';
import { KernelOops } from '../../drivers/base/kernel/oops';
import { InputError, UnmodelledError, invariant } from '../../drivers/base/types/errors';
import type { ByteRange } from '../../drivers/base/types/finding';
import { Random } from '../../drivers/base/types/random';
import { bootMachine } from '../../machines/boot';
import type { BootOptions } from '../../machines/boot';
import type { Machine } from '../../machines/machine';
import type { MachinePlan } from '../../machines/plan';
import type { DmaDebugOptions } from '../../mm/dma-debug';
import type { Suite } from '../../tests/suites/suite';
import { runCase } from './case';
import type { BareResult, PlaceOf } from './case';

/** The policy of what happens spontaneously, made anew for every machine that is booted. */
export type AdversaryChoice =
  | { readonly kind: 'all' }
  | { readonly kind: 'lru' }
  | { readonly kind: 'random' }
  | { readonly kind: 'script'; readonly script: Script };

/** What decides, with a suite and a timing, all that happens on a machine. */
export interface BenchOptions {
  readonly board: string;
  readonly plan: MachinePlan;
  readonly adversary: AdversaryChoice;
  readonly seed: number;
  readonly streaming: StreamingSteps;
  /** How dma-debug is set; as it is by default if absent. */
  readonly dmaDebug?: DmaDebugOptions;
  /** The place in a user's module that an error came by, null for others; none if undefined. */
  readonly placeOf?: PlaceOf;
  /** Leaves calls of the software out, but not while the machine boots; none if there is no gate. */
  readonly gate?: RunGate;
}

/** A gate that lets everything pass while it is suspended. */
export interface RunGate extends CallGate {
  isSuspended: boolean;
}

/** A suite under one timing: what one machine is booted for. */
export interface Job {
  readonly suite: Suite;
  readonly timing: DmaTiming;
}

/** A machine that was booted for a job. */
export interface Bench {
  readonly machine: Machine;
  readonly random: Random;
  readonly placeOf: PlaceOf;
}

/** Boots the machine of a job: whoever does it again gets the same, to the byte. */
export const bootJob = (
  { board, plan, adversary, seed, streaming, dmaDebug, gate, placeOf = () => null }: BenchOptions,
  { suite, timing }: Job,
  more: Pick<BootOptions, 'onPower' | 'versions'> & Partial<Pick<BootOptions, 'adversary'>> = {},
): Bench => {
  const random = new Random(seed).fork(`${suite.name} ${timing}`);
  const policy = makeAdversary(adversary, random);
  if (gate !== undefined) gate.isSuspended = true;
  // A witness is followed to see wrong bytes: what is not the latest is noted.
  const versions = adversary.kind === 'script';
  const options = {
    ...{ adversary: policy, random, timing, streaming, versions, gate: gate ?? null },
    ...(dmaDebug === undefined ? {} : { dmaDebug }),
    ...more,
  };
  const machine = bootPlan(board, plan, options, placeOf);
  if (gate !== undefined) gate.isSuspended = false;
  return { machine, random, placeOf };
};

const makeAdversary = (choice: AdversaryChoice, random: Random): BootOptions['adversary'] => {
  switch (choice.kind) {
    case 'all':
      return 'all';
    case 'lru':
      return new LruAdversary();
    case 'random':
      return new RandomAdversary(random.fork('adversary'));
    case 'script':
      return new ScriptAdversary(choice.script);
  }
};

/**
 * As bootMachine(); an InputError, with the name of the board, for a machine that the kernel crashes
 * on while it boots, and with the place for what a user's driver or model throws meanwhile.
 */
export const bootPlan = (
  board: string,
  plan: MachinePlan,
  options: BootOptions,
  placeOf: PlaceOf = () => null,
): Machine => {
  try {
    return bootMachine(plan, options);
  } catch (error) {
    if (!(error instanceof KernelOops)) throw usersError(error, placeOf);
    const expected = 'a machine on which the kernel boots';
    throw new InputError({ place: board, expected, found: error.message });
  }
};

/** What a driver or a model of a user threw, as what is wrong with it; any other error as it is. */
const usersError = (error: unknown, placeOf: PlaceOf): unknown => {
  const place = error instanceof UnmodelledError ? null : placeOf(error);
  if (place === null || !(error instanceof Error)) return error;
  const expected = 'a model and a driver that come up';
  return new InputError({ place, expected, found: `${error.name}: ${error.message}` });
};

/** Runs the case of this number on the machine of its job. */
export const runCaseOf = (
  { machine, random, placeOf }: Bench,
  { suite }: Job,
  index: number,
): BareResult => {
  const one = suite.cases[index];
  invariant(one !== undefined, `${suite.name}: no case ${index}`);
  return runCase(machine, suite, one, random.fork(one.name), placeOf);
};

/** Events that a machine is given after its last case, for steps of a script that come after it. */
const MOST_EVENTS_AFTER = 8;

/** Lets a script's last steps happen, where nothing follows before which they could be taken. */
export const finishScript = ({ machine }: Bench, { steps }: Script): void => {
  const { pulse } = machine.hardware.complex;
  const last = Math.max(0, ...steps.map(({ event }) => event));
  for (let i = 0; i < MOST_EVENTS_AFTER && pulse.now < last; i++) machine.kernel.cpu.dsb();
};

/** Bytes of the lines of a script of which no copy is left, in a machine that follows it. */
export const lostBytes = ({ machine }: Bench, { steps }: Script): readonly ByteRange[] => {
  const { complex } = machine.hardware;
  if (!(complex instanceof CpuComplex) || complex.versions === null) return [];
  const ranges: { start: number; size: number }[] = [];
  const lines = new Set(steps.flatMap(({ line }) => (line === null ? [] : [line])));
  for (const line of [...lines].sort((a, b) => a - b)) {
    const start = line - (line % LARGEST_LINE);
    for (let address = start; address < start + LARGEST_LINE; address++) {
      if (!complex.versions.isLost(address)) continue;
      const last = ranges.at(-1);
      if (last !== undefined && last.start + last.size > address) continue;
      if (last !== undefined && last.start + last.size === address) last.size += 1;
      else ranges.push({ start: address, size: 1 });
    }
  }
  return ranges;
};

/** Bytes: of all cores. */
const LARGEST_LINE = 64;
