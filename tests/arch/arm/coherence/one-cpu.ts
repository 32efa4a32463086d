import { LineStates } from '../../../../arch/arm/coherence/line-states';
import { checkerProfile } from '../../../../arch/arm/coherence/profile';
import { StateSets } from '../../../../arch/arm/coherence/sets';
import { coreNamed } from '../../../../arch/arm/cores';

/** One CPU, cached and uncached access, lines of 64 bytes, everything mapped. */
export const machine = (
  core: string,
): { sets: StateSets; lines: LineStates; cached: number; uncached: number } => {
  const sets = new StateSets(checkerProfile(coreNamed(core), { aliases: 2 }));
  const lines = new LineStates(sets, 64, 1, 3);
  const uncached = sets.profile.targets.findIndex(({ kind }) => kind.name === 'uncached');
  return { sets, lines, cached: 0, uncached };
};
