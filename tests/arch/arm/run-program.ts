import type { Adversary } from '../../../arch/arm/adversary/adversary';
import { ArmMachine } from './machine';
import { ProgramRun } from './programs';
import type { Call, Op } from './programs';
import { settingsOf } from './settings';
import type { Setting } from './settings';

/** Operations of a program, at least. */
export const STEPS = 90;

export const SETTINGS = settingsOf(3);

/** Runs a program on a small machine: what it saw that flat memory would not have shown, or null. */
export const runOn = (
  { core, outer, cpus }: Setting,
  adversary: Adversary,
  seed: number,
  ops: readonly Op[],
  without: Call | 'none',
): string | null => {
  const machine = new ArmMachine({ core, outer, cpus, adversary, seed, tiny: true });
  return new ProgramRun(machine, without).run(ops);
};
